#pragma once

#include <string>
#include <string_view>

namespace lockkeeper::history {

/// A text as a literal for the notes of a tool: it's → 'it''s'.
inline std::string sql_text(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'') literal += c;
    literal += c;
  }
  return literal + "'";
}

}  // namespace lockkeeper::history
