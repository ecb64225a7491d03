#include "history/settings_file.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "history/lines.h"

namespace lockkeeper::history {

namespace {

/// Of `\t`, `\:` and the like; a backslash before any other character is dropped.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    const char c = text[++i];
    result += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
  }
  return result;
}

void take_property(std::string_view line, SettingsFile& settings) {
  line = stripped(line);
  if (line.empty() || line.starts_with('#') || line.starts_with('!')) return;
  std::size_t end = 0;
  while (end < line.size() && line.find_first_of("=: \t", end) != end) end += line[end] == '\\' ? 2 : 1;
  end = std::min(end, line.size());
  std::string_view value = stripped(line.substr(end));
  if (value.starts_with('=') || value.starts_with(':')) value = stripped(value.substr(1));
  settings[unescaped(line.substr(0, end))] = unescaped(value);
}

/// One value or key of a TOML text, read from its front.
class Toml {
 public:
  explicit Toml(std::string_view text) : m_text(text) {}

  SettingsFile read() {
    while (skip_to_code(), m_at < m_text.size()) {
      if (m_text[m_at] == '[') {
        read_header();
      } else {
        read_setting();
      }
    }
    return std::move(m_settings);
  }

 private:
  char at(std::size_t offset = 0) const {
    return m_at + offset < m_text.size() ? m_text[m_at + offset] : '\0';
  }
  void skip_blanks() {
    while (at() == ' ' || at() == '\t') ++m_at;
  }
  void skip_line() { m_at = std::min(m_text.find('\n', m_at), m_text.size() - 1) + 1; }
  void skip_to_code() {
    while (m_at < m_text.size()) {
      if (at() == '#') {
        skip_line();
      } else if (stripped(m_text.substr(m_at, 1)).empty()) {
        ++m_at;
      } else {
        return;
      }
    }
  }
  std::string read_quoted();
  std::string read_key();
  std::string read_value();
  void read_header();
  void read_setting();

  std::string_view m_text;
  std::size_t m_at = 0;
  std::string m_table;  ///< with the dot behind it
  SettingsFile m_settings;
};

std::string Toml::read_quoted() {
  const char quote = m_text[m_at];
  const std::string three(3, quote);
  const bool is_long = m_text.substr(m_at, 3) == three;
  m_at += is_long ? 3 : 1;
  if (is_long && at() == '\n') ++m_at;
  std::string raw;
  while (m_at < m_text.size()) {
    if (is_long ? m_text.substr(m_at, 3) == three : at() == quote) break;
    if (!is_long && at() == '\n') return raw;
    if (quote == '"' && at() == '\\') raw += m_text[m_at++];
    if (m_at < m_text.size()) raw += m_text[m_at++];
  }
  m_at += is_long ? 3 : 1;
  return quote == '"' ? unescaped(raw) : raw;
}

std::string Toml::read_key() {
  std::string key;
  while (skip_blanks(), m_at < m_text.size()) {
    if (at() == '"' || at() == '\'') {
      key += read_quoted();
    } else if (m_text.find_first_of("=]}#\r\n", m_at) == m_at) {
      break;
    } else {
      key += m_text[m_at++];
    }
  }
  return key;
}

std::string Toml::read_value() {
  skip_blanks();
  if (at() == '"' || at() == '\'') return read_quoted();
  if (at() == '[') {
    ++m_at;
    std::vector<std::string> items;
    while (skip_to_code(), m_at < m_text.size() && at() != ']') {
      const std::size_t before = m_at;
      if (at() == ',') {
        ++m_at;
      } else {
        items.push_back(read_value());
      }
      if (m_at == before) ++m_at;
    }
    ++m_at;
    return join(items, ",");
  }
  const std::size_t end = std::min(m_text.find_first_of(",]}#\r\n", m_at), m_text.size());
  const std::string value(stripped(m_text.substr(m_at, end - m_at)));
  m_at = end;
  return value;
}

void Toml::read_header() {
  m_at += at(1) == '[' ? 2 : 1;
  m_table = read_key() + ".";
  skip_line();
}

void Toml::read_setting() {
  const std::string key = m_table + read_key();
  if (at() != '=') return skip_line();
  ++m_at;
  skip_blanks();
  if (at() != '{') {
    m_settings[key] = read_value();
    return skip_line();
  }
  ++m_at;
  while (skip_to_code(), m_at < m_text.size() && at() != '}') {
    const std::size_t before = m_at;
    const std::string inner = key + "." + read_key();
    if (at() == '=') {
      ++m_at;
      m_settings[inner] = read_value();
    }
    skip_blanks();
    if (at() == ',' || m_at == before) ++m_at;
  }
  skip_line();
}

}  // namespace

SettingsFile read_properties(std::string_view text) {
  SettingsFile settings;
  std::string line;
  for (Lines lines(text); lines.next();) {
    line += stripped(lines.line().text);
    // Only a backslash that is not itself escaped joins the next line.
    const std::size_t last = line.find_last_not_of('\\');
    const std::size_t backslashes = line.size() - (last == std::string::npos ? 0 : last + 1);
    if (backslashes % 2 == 1) {
      line.pop_back();
      continue;
    }
    take_property(line, settings);
    line.clear();
  }
  take_property(line, settings);
  return settings;
}

SettingsFile read_toml(std::string_view text) {
  return Toml(text).read();
}

}  // namespace lockkeeper::history
