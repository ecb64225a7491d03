#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/engine.h"

namespace lockkeeper::engine {

/// Collects "nullable is yes" and the like; `held` as long as each piece is as wanted.
class Comparison {
 public:
  void expect(std::string_view what, const std::optional<std::string>& wanted, const std::string& found) {
    if (!wanted) return;
    m_found.push_back(fmt::format("{} is {}", what, found.empty() ? "none" : found));
    if (*wanted != found) m_held.held = false;
  }
  Instance::Held result() {
    m_held.found = m_found.empty() ? "is there" : join(m_found, ", ");
    return m_held;
  }

 private:
  Instance::Held m_held{true, "", ""};
  std::vector<std::string> m_found;
};

inline std::optional<std::string> as_text(const std::optional<bool>& value) {
  if (!value) return std::nullopt;
  return *value ? "true" : "false";
}

/// What is said of an object where only its being there was in question, or where it is missing.
inline Instance::Held held_by_being(bool is_there, bool wanted, std::string_view what) {
  return {is_there == wanted, is_there ? "is there" : fmt::format("there is no such {}", what), ""};
}

}  // namespace lockkeeper::engine
