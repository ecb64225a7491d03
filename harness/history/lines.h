#pragma once

#include <cstddef>
#include <string_view>

namespace lockkeeper::history {

/// A line of a text, without its line end.
struct Line {
  std::string_view text;
  std::size_t begin = 0;  ///< of its first byte
  std::size_t next = 0;   ///< where the next line begins
  int number = 0;         ///< from 1
};

/// `Lines lines(text); while (lines.next()) use(lines.line());`
class Lines {
 public:
  explicit Lines(std::string_view text) : m_text(text) {}

  bool next() {
    if (m_line.next >= m_text.size()) return false;
    m_line.begin = m_line.next;
    const std::size_t newline = m_text.find('\n', m_line.begin);
    const std::size_t end = newline == std::string_view::npos ? m_text.size() : newline;
    m_line.next = newline == std::string_view::npos ? end : end + 1;
    m_line.text = m_text.substr(m_line.begin, end - m_line.begin);
    if (m_line.text.ends_with('\r')) m_line.text.remove_suffix(1);
    ++m_line.number;
    return true;
  }
  const Line& line() const { return m_line; }

 private:
  std::string_view m_text;
  Line m_line;
};

/// Without white space on either side.
inline std::string_view stripped(std::string_view text) {
  constexpr std::string_view k_white = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(k_white);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(k_white) - begin + 1);
}

}  // namespace lockkeeper::history
