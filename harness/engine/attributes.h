#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/state.h"

namespace lockkeeper::engine {

/// The members of a JSON object of strings, in its order; none for an empty text.
using Attributes = std::vector<std::pair<std::string, std::string>>;
Attributes parse_attributes(std::string_view json);

/// The value, or "" where there is none.
std::string value_of(const Attributes& attributes, std::string_view name);

/// One line that a person would want to read of an object: its definition, as near to SQL as its attributes
/// allow.
std::string describe(const Object& object);

}  // namespace lockkeeper::engine
