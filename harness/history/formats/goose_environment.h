#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace lockkeeper::history::formats::goose {

/// A line with the environment put in, as goose does it between ENVSUB ON and OFF
/// (https://github.com/mfridman/interpolate, parser.go): $NAME, ${NAME}, ${NAME-default}, ${NAME:-default},
/// ${NAME:offset:length}, ${NAME?message}; \$ and $$ are a dollar sign, a lone one at the end and $( stay.
/// What it refuses is the error: a dollar sign before anything else, a brace that is not closed.
tl::expected<std::string, std::string> with_environment(std::string_view line);

}  // namespace lockkeeper::history::formats::goose
