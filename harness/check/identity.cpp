#include "check/identity.h"

#include <vector>

#include "base/text.h"

namespace lockkeeper::check {

namespace {

/// Cuts a qualified name at its dots, taking the quotes off; stops at a function's parenthesis.
std::vector<std::string> parts_of(std::string_view identity) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (std::size_t at = 0; at < identity.size(); ++at) {
    const char c = identity[at];
    if (c == '"') {
      // A doubled quote inside of quotes stands for one.
      if (quoted && at + 1 < identity.size() && identity[at + 1] == '"') {
        parts.back() += identity[++at];
      } else {
        quoted = !quoted;
      }
    } else if (!quoted && c == '.') {
      parts.emplace_back();
    } else if (!quoted && c == '(') {
      break;
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

std::string bare_name(std::string_view identity) {
  return trimmed(parts_of(identity).back());
}

std::string name_within(std::string_view identity) {
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < identity.size(); ++at) {
    if (identity[at] == '"') quoted = !quoted;
    if (identity[at] == '.' && !quoted) start = at + 1;
  }
  return std::string(identity.substr(start));
}

bool names(std::string_view text, std::string_view name) {
  if (name.empty()) return false;
  const std::string haystack = lower(text);
  const std::string needle = lower(name);
  for (std::size_t at = haystack.find(needle); at != std::string::npos; at = haystack.find(needle, at + 1)) {
    const std::size_t end = at + needle.size();
    const bool starts = at == 0 || !is_word(haystack[at - 1]);
    const bool ends = end == haystack.size() || !is_word(haystack[end]);
    if (starts && ends) return true;
  }
  return false;
}

bool same_identity(std::string_view a, std::string_view b) {
  const auto left = parts_of(a);
  const auto right = parts_of(b);
  if (left.size() == right.size()) return left == right;
  return (left.size() == 1 || right.size() == 1) && left.back() == right.back();
}

}  // namespace lockkeeper::check
