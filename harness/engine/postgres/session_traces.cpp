#include "engine/postgres/session_traces.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

// A longer text costs more to look through than a new session.
constexpr std::size_t k_longest = 1 << 20;

constexpr std::array<std::string_view, 6> k_tell_tales = {"set_config", "setseed", "load",
                                                          "extension",  "dblink",  "pg_temp"};
// These keep nothing that DISCARD ALL does not know of.
constexpr std::array<std::string_view, 4> k_plain_languages = {"sql", "plpgsql", "c", "internal"};

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// The words of lower-case text, one after another.
class Words {
 public:
  explicit Words(std::string_view text) : m_text(text) {}
  /// Empty at the end.
  std::string_view next() {
    while (m_at < m_text.size() && !in_word(m_text[m_at])) ++m_at;
    const std::size_t from = m_at;
    while (m_at < m_text.size() && in_word(m_text[m_at])) ++m_at;
    return m_text.substr(from, m_at - from);
  }
  /// The character after the last word, blanks and quotes of names left out; NUL at the end.
  char sign() const {
    const std::size_t at = m_text.find_first_not_of(" \t\r\n\"", m_at);
    return at == std::string_view::npos ? '\0' : m_text[at];
  }

 private:
  std::string_view m_text;
  std::size_t m_at = 0;
};

/// After the word SET: is it a parameter of one's own, or a name that is only put together when it runs?
bool sets_own_parameter(Words words) {
  if (!in_word(words.sign())) return words.sign() != '(';
  std::string_view name = words.next();
  if (name == "local" || name == "session") name = words.next();
  return words.sign() == '.';
}

template <std::size_t size>
bool contains(const std::array<std::string_view, size>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

const std::string_view k_functions_may_leave_traces =
    "EXISTS (SELECT 1 FROM pg_catalog.pg_language WHERE oid >= 16384 AND lanname <> 'plpgsql') OR "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE oid >= 16384 AND prosrc ~* "
    "'set_config|setseed|dblink|\\mload\\M|\\mset\\s+(local\\s+|session\\s+)?[^\\s(=;]*[.''%]')";

bool may_leave_traces(std::string_view sql) {
  if (sql.size() > k_longest) return true;
  const std::string text = lower(sql);
  Words words(text);
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (contains(k_tell_tales, word)) return true;
    if (word == "set" && sets_own_parameter(words)) return true;
    if (word == "language" && !contains(k_plain_languages, Words(words).next())) return true;
  }
  return false;
}

}  // namespace lockkeeper::engine::postgres
