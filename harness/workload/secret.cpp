#include "workload/secret.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "base/text.h"
#include "sql/lexer.h"

namespace lockkeeper::workload {

namespace {

using sql::Token;
using sql::TokenKind;

/// Seen anywhere in a name, without its underscores and hyphens.
constexpr std::array<std::string_view, 10> k_telling = {"password",   "passwd",    "passphrase", "passcode",
                                                        "secret",     "token",     "apikey",     "accesskey",
                                                        "privatekey", "credential"};
/// Seen as whole words: 'bypass' is none.
constexpr std::array<std::string_view, 4> k_telling_words = {"pwd", "pass", "otp", "authorization"};

/// Functions of pgcrypto that are given passwords and keys.
constexpr std::array<std::string_view, 5> k_crypto = {"crypt", "pgp_", "hmac", "encrypt", "decrypt"};

constexpr std::size_t k_shortest_bearer = 12;

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// "userPwd_2" → user, pwd, 2
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  char before = '\0';
  for (const char c : name) {
    const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
    if (upper && std::islower(static_cast<unsigned char>(before)) != 0) words.emplace_back();
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      words.back() += c;
    else
      words.emplace_back();
    before = c;
  }
  for (std::string& word : words) word = lower(word);
  return words;
}

/// From the end of a name on: `="x`, `": "x`, `' = x`, ` 'x'`. `= $1` and the end of the text are none.
bool value_follows(std::string_view text) {
  const auto skip = [&](std::string_view any) {
    const std::size_t end = std::min(text.find_first_not_of(any), text.size());
    const bool some = end > 0;
    text.remove_prefix(end);
    return some;
  };
  skip("\\\"'`");
  const bool apart = skip(" \t\r\n");
  const bool assigned = skip(":=>");
  skip(" \t\r\n");
  const bool quoted = skip("\\\"'`");
  if (text.empty() || is_space(text[0]) || std::string_view(",;&)}]").find(text[0]) != std::string_view::npos)
    return false;
  if (text.size() > 1 && text[0] == '$' && std::isdigit(static_cast<unsigned char>(text[1])) != 0)
    return false;
  return assigned || (apart && quoted);
}

bool holds_named(std::string_view text) {
  for (std::size_t begin = 0; begin < text.size();) {
    if (!is_name_character(text[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (value_follows(text.substr(end)) && names_secret(text.substr(begin, end - begin))) return true;
    begin = end;
  }
  return false;
}

/// scheme://user:password@host. The password may hold a slash; what begins like a port and a path is none.
bool holds_url(std::string_view text) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const std::string_view rest = text.substr(at + 3);
    const std::string_view url = rest.substr(0, rest.find_first_of(" \t\r\n'\"<>"));
    const std::size_t colon = url.find_first_of(":/@?#");
    if (colon == std::string_view::npos || url[colon] != ':') continue;
    const std::string_view behind = url.substr(colon + 1);
    const std::size_t at_sign = behind.find('@');
    if (at_sign == std::string_view::npos || at_sign == 0) continue;
    const std::size_t digits = behind.find_first_not_of("0123456789");
    if (digits > 0 && behind[digits] != '@' &&
        std::string_view("/?#").find(behind[digits]) != std::string_view::npos)
      continue;
    return true;
  }
  return false;
}

bool holds_bearer(std::string_view low) {
  for (std::size_t at = low.find("bearer "); at != std::string_view::npos; at = low.find("bearer ", at + 1)) {
    const std::string_view rest = low.substr(at + 7);
    const std::size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (std::min(end, rest.size()) >= k_shortest_bearer) return true;
  }
  return false;
}

/// What a secret would be: a string of any form, or a parameter.
enum class Sought { literal, parameter };

/// A statement's tokens, comments left out.
class Tokens {
 public:
  Tokens(std::string_view text, Sought sought) : m_text(text), m_sought(sought) {
    sql::Lexer lexer(text);
    for (Token token = lexer.next_code(); token.kind != TokenKind::end_of_text; token = lexer.next_code())
      m_tokens.push_back(token);
  }

  bool hold_secret() const {
    bool inserts = false;
    bool any_sought = false;
    bool any_named = false;
    for (std::size_t i = 0; i < m_tokens.size(); ++i) {
      inserts = inserts || is_word(i, {"insert", "merge"});
      any_sought = any_sought || is_sought(i);
      if (calls_crypto(i)) return true;
      any_named = any_named || is_named(i);
      if ((is_named(i) || is_named_key(i)) && is_held_against(i)) return true;
    }
    // Which value goes to which column is not worked out.
    return inserts && any_sought && any_named;
  }

 private:
  std::string_view in(std::size_t i) const { return m_tokens[i].in(m_text); }

  bool is_symbol(std::size_t i, std::string_view any) const {
    return i < m_tokens.size() && m_tokens[i].kind == TokenKind::symbol &&
           any.find(in(i)) != std::string_view::npos;
  }

  bool is_word(std::size_t i, std::initializer_list<std::string_view> words) const {
    return i < m_tokens.size() && m_tokens[i].kind == TokenKind::word &&
           std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return sql::is_keyword(in(i), word); });
  }

  /// A string, which is no number; or the `$` of a parameter.
  bool is_sought(std::size_t i) const {
    if (i >= m_tokens.size()) return false;
    if (m_sought == Sought::parameter)
      return is_symbol(i, "$") && i + 1 < m_tokens.size() && m_tokens[i + 1].begin == m_tokens[i].end;
    return m_tokens[i].kind == TokenKind::literal && std::isdigit(static_cast<unsigned char>(in(i)[0])) == 0;
  }

  bool is_named(std::size_t i) const {
    const TokenKind kind = m_tokens[i].kind;
    return (kind == TokenKind::word || kind == TokenKind::quoted) && names_secret(in(i));
  }

  /// ->> 'password'
  bool is_named_key(std::size_t i) const {
    return i > 0 && m_tokens[i].kind == TokenKind::literal && is_symbol(i - 1, ">") && names_secret(in(i));
  }

  /// crypt('…', …)
  bool calls_crypto(std::size_t i) const {
    if (m_tokens[i].kind != TokenKind::word || !is_symbol(i + 1, "(")) return false;
    const std::string name = lower(in(i));
    if (std::none_of(k_crypto.begin(), k_crypto.end(),
                     [&](std::string_view word) { return name.starts_with(word); }))
      return false;
    int depth = 0;
    for (std::size_t at = i + 1; at < m_tokens.size(); ++at) {
      if (is_symbol(at, "(")) ++depth;
      if (is_symbol(at, ")") && --depth == 0) return false;
      if (is_sought(at)) return true;
    }
    return false;
  }

  /// Between a column and what it is held against: `= `, `NOT IN (`, `::text LIKE lower(`, `= ANY (ARRAY[`.
  bool is_between(std::size_t i) const {
    if (is_symbol(i, "=<>!~*^@|&:([,)]")) return true;
    if (i < m_tokens.size() && m_tokens[i].kind == TokenKind::literal) return true;  // a number: `(1, 'x')`
    if (is_word(i, {"in", "not", "like", "ilike", "similar", "to", "any", "all", "some", "is", "distinct",
                    "from", "between", "symmetric", "values", "array", "row"}))
      return true;
    if (is_word(i, {"where", "on", "and", "or", "join", "using", "as", "when", "then", "else", "having", "by",
                    "limit", "offset", "exists", "select", "over", "filter"}))
      return false;
    // A function, a type of a cast, or the mark of a literal (U&'…', N'…').
    return i < m_tokens.size() && m_tokens[i].kind == TokenKind::word &&
           (is_symbol(i + 1, "(") || is_symbol(i - 1, ":") || is_sought(i + 1) || is_symbol(i + 1, "&"));
  }

  bool is_held_against(std::size_t i) const {
    // `token, 'x'` of a list holds nothing against it.
    std::size_t next = i + 1;
    if (!is_symbol(next, ",")) {
      while (is_between(next) && !is_sought(next)) ++next;
      if (next > i + 1 && is_sought(next)) return true;
    }
    // 'x' = t.token
    std::size_t before = i;
    if (before >= 2 && is_symbol(before - 1, ".")) before -= 2;
    const std::size_t operators_end = before;
    while (before > 0 && is_symbol(before - 1, "=<>!~*")) --before;
    if (before == operators_end || before == 0) return false;
    return is_sought(before - 1) || (m_sought == Sought::parameter && before >= 2 && is_sought(before - 2));
  }

  std::string_view m_text;
  Sought m_sought;
  std::vector<Token> m_tokens;
};

}  // namespace

bool names_secret(std::string_view name) {
  const auto words = words_of(name);
  const std::string together = join(words, "");
  return std::any_of(k_telling.begin(), k_telling.end(),
                     [&](std::string_view sign) { return together.find(sign) != std::string::npos; }) ||
         std::any_of(words.begin(), words.end(), [](const std::string& word) {
           return std::find(k_telling_words.begin(), k_telling_words.end(), word) != k_telling_words.end();
         });
}

bool holds_secret(std::string_view text) {
  if (holds_named(text) || holds_url(text)) return true;
  const std::string low = lower(text);
  return holds_bearer(low) ||
         (low.find("-----begin ") != std::string::npos && low.find("private key-----") != std::string::npos);
}

bool statement_holds_secret(std::string_view sql) {
  sql::Lexer lexer(sql);
  for (Token token = lexer.next(); token.kind != TokenKind::end_of_text; token = lexer.next()) {
    const bool read = token.kind == TokenKind::literal || token.kind == TokenKind::comment;
    if (read && holds_secret(token.in(sql))) return true;
  }
  return Tokens(sql, Sought::literal).hold_secret();
}

bool parameters_hold_secret(std::string_view sql) {
  return Tokens(sql, Sought::parameter).hold_secret();
}

bool holds_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool ends_line = byte == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && !ends_line) || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace lockkeeper::workload
