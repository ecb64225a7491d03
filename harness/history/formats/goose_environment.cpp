#include "history/formats/goose_environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "history/lines.h"

namespace lockkeeper::history::formats::goose {

namespace {

using Text = tl::expected<std::string, std::string>;

/// Letters of other scripts count as such, as they do in Go.
bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c & 0x80) != 0;
}

bool is_name_part(char c) {
  return is_letter(c) || c == '_' || (c >= '0' && c <= '9');
}

std::optional<int> number(std::string_view text) {
  text = stripped(text);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Bytes [offset, offset + length) of a value, a negative offset from its end; nothing beyond its bounds.
std::string part_of(const std::string& value, int offset, std::optional<int> length) {
  const int size = static_cast<int>(value.size());
  const int begin = offset < 0 ? size + offset : offset;
  if (begin < 0 || begin > size) return {};
  const int end = length && *length >= 0 ? std::min(size, begin + std::min(*length, size)) : size;
  return value.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

class Expansion {
 public:
  explicit Expansion(std::string_view line) : m_line(line) {}

  /// Up to the end, or to the brace that closes the default under way.
  Text expression(bool in_brace);

 private:
  static constexpr int k_deepest = 100;

  bool at_end() const { return m_at >= m_line.size(); }
  std::string_view rest() const { return m_line.substr(m_at); }
  Text expansion();
  Text brace();
  Text operation(const std::string& name, const char* value);
  Text substring(const std::string& value);
  Text name();

  std::string_view m_line;
  std::size_t m_at = 0;
  int m_depth = 0;
};

Text Expansion::expression(bool in_brace) {
  std::string text;
  while (!at_end() && !(in_brace && m_line[m_at] == '}')) {
    if (rest().starts_with("\\\\") || rest().starts_with("$(")) {
      text += rest().substr(0, 2);
      m_at += 2;
    } else if (rest().starts_with("\\$") || rest().starts_with("$$")) {
      text += '$';
      m_at += 2;
    } else if (m_line[m_at] == '$' && m_at + 1 < m_line.size()) {
      Text value = expansion();
      if (!value) return value;
      text += *value;
    } else {
      text += m_line[m_at++];
    }
  }
  return text;
}

Text Expansion::name() {
  if (at_end() || !is_letter(m_line[m_at]))
    return tl::unexpected<std::string>("no name behind a dollar sign");
  const std::size_t begin = m_at;
  while (!at_end() && is_name_part(m_line[m_at])) ++m_at;
  return std::string(m_line.substr(begin, m_at - begin));
}

Text Expansion::expansion() {
  ++m_at;
  if (rest().starts_with('{')) return brace();
  Text name = this->name();
  if (!name) return name;
  const char* value = std::getenv(name->c_str());
  return value == nullptr ? "" : value;
}

Text Expansion::brace() {
  ++m_at;
  if (++m_depth > k_deepest) return tl::unexpected<std::string>("too many braces in braces");
  Text name = this->name();
  if (!name) return name;
  const char* value = std::getenv(name->c_str());
  Text result = rest().starts_with('}') ? Text(value == nullptr ? "" : value) : operation(*name, value);
  if (!result) return result;
  if (!rest().starts_with('}')) return tl::unexpected<std::string>("a brace is not closed");
  ++m_at;
  --m_depth;
  return result;
}

Text Expansion::operation(const std::string& name, const char* value) {
  const bool or_empty = rest().starts_with(":-");
  if (rest().starts_with(':') && !or_empty) return substring(value == nullptr ? "" : value);
  const char what = at_end() ? '\0' : or_empty ? '-' : m_line[m_at];
  if (what != '-' && what != '?') return tl::unexpected<std::string>("no operator behind a name in braces");
  m_at += or_empty ? 2 : 1;
  Text other = expression(true);
  if (!other) return other;
  if (value != nullptr && !(or_empty && *value == '\0')) return value;
  if (what == '-') return other;
  return tl::unexpected<std::string>(fmt::format("${}: {}", name, other->empty() ? "not set" : *other));
}

Text Expansion::substring(const std::string& value) {
  ++m_at;
  const std::size_t close = rest().find('}');
  if (close == std::string_view::npos) return tl::unexpected<std::string>("a brace is not closed");
  const std::string_view bounds = rest().substr(0, close);
  m_at += close;
  const std::size_t colon = bounds.find(':');
  const auto offset = number(bounds.substr(0, colon));
  const auto length =
      colon == std::string_view::npos ? std::optional<int>() : number(bounds.substr(colon + 1));
  if (!offset || (colon != std::string_view::npos && !length))
    return tl::unexpected<std::string>("a part of a value without a number");
  return part_of(value, *offset, length);
}

}  // namespace

tl::expected<std::string, std::string> with_environment(std::string_view line) {
  return Expansion(line).expression(false);
}

}  // namespace lockkeeper::history::formats::goose
