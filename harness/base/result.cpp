#include "base/result.h"

#include <fmt/format.h>

namespace lockkeeper {

std::string to_string(const Location& location) {
  std::string text = location.file;
  if (location.line > 0) text += fmt::format(":{}", location.line);
  if (location.line > 0 && location.column > 0) text += fmt::format(":{}", location.column);
  return text;
}

std::string to_string(const Failure& failure) {
  std::string text;
  if (failure.location) text = to_string(*failure.location) + ": ";
  text += "error: " + failure.message;
  if (!failure.hint.empty()) text += "\nhint: " + failure.hint;
  return text;
}

tl::unexpected<Failure> failed(FailureKind kind, std::string message, std::string hint,
                               std::optional<Location> location) {
  return tl::unexpected<Failure>(Failure{kind, std::move(message), std::move(hint), std::move(location)});
}

}  // namespace lockkeeper
