#pragma once

#include <span>
#include <string>
#include <string_view>

#include "record/record.h"

namespace lockkeeper::report {

/// A form in which a whole record can be written.
struct Form {
  std::string_view name;  ///< json, markdown, junit
  std::string_view description;
  std::string (*render)(const record::Record&);
};

/// Every form; the one place where they are registered.
std::span<const Form> all_forms();
const Form* form_named(std::string_view name);

}  // namespace lockkeeper::report
