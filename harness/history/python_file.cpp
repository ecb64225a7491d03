#include "history/python_file.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "history/lines.h"

namespace lockkeeper::history {

namespace {

// https://docs.python.org/3/reference/lexical_analysis.html
bool begins_name(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool continues_name(char c) {
  return begins_name(c) || (c >= '0' && c <= '9');
}

struct Token {
  enum class Kind { name, text, symbol, line_end, end };
  Kind kind = Kind::end;
  std::string value;  ///< of texts without quotes, escapes as they are
  int line = 1;
  bool first = false;      ///< begins a line that is not indented
  std::size_t column = 0;  ///< from 0
};

/// Names, strings, symbols and the ends of logical lines; numbers count as symbols.
class Tokens {
 public:
  Tokens(const std::string& path, std::string_view text) : m_path(path), m_text(text) {}

  Result<Token> next() {
    skip_blanks();
    const std::size_t begin = m_at == 0 ? 0 : m_text.rfind('\n', m_at - 1) + 1;
    const std::size_t column = m_at - begin;
    auto token = read();
    if (token) token->column = column;
    return token;
  }

 private:
  Result<Token> read();
  char at(std::size_t offset) const { return m_at + offset < m_text.size() ? m_text[m_at + offset] : '\0'; }
  void skip_blanks();
  Result<Token> string(std::size_t prefix, bool first);
  tl::unexpected<Failure> broken(std::string_view what, int line) const {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': {}", m_path, what),
                  "python3 -m py_compile FILE says what Python makes of it", Location{m_path, line, 1});
  }

  std::string m_path;
  std::string_view m_text;
  std::size_t m_at = 0;
  int m_line = 1;
  int m_depth = 0;
  int m_opened = 0;  ///< line of the outermost bracket
};

void Tokens::skip_blanks() {
  while (m_at < m_text.size()) {
    const char c = m_text[m_at];
    if (c == '#') {
      while (m_at < m_text.size() && m_text[m_at] != '\n') ++m_at;
    } else if (c == '\\' && (at(1) == '\n' || (at(1) == '\r' && at(2) == '\n'))) {
      m_at += at(1) == '\n' ? 2 : 3;
      ++m_line;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || (c == '\n' && m_depth > 0)) {
      if (c == '\n') ++m_line;
      ++m_at;
    } else {
      return;
    }
  }
}

Result<Token> Tokens::string(std::size_t prefix, bool first) {
  m_at += prefix;
  const char quote = at(0);
  const bool triple = at(1) == quote && at(2) == quote;
  const std::size_t width = triple ? 3 : 1;
  Token token{Token::Kind::text, "", m_line, first};
  m_at += width;
  while (m_at < m_text.size()) {
    const char c = m_text[m_at];
    if (c == quote && (!triple || (at(1) == quote && at(2) == quote))) {
      m_at += width;
      return token;
    }
    if (c == '\n' && !triple) break;
    if (c == '\n') ++m_line;
    token.value += c;
    ++m_at;
    if (c == '\\' && m_at < m_text.size()) {
      if (m_text[m_at] == '\n') ++m_line;
      token.value += m_text[m_at++];
    }
  }
  return broken("a string is never closed", token.line);
}

Result<Token> Tokens::read() {
  if (m_at >= m_text.size()) {
    if (m_depth > 0) return broken("a bracket is never closed", m_opened);
    return Token{Token::Kind::end, "", m_line, false};
  }
  const bool first = m_depth == 0 && (m_at == 0 || m_text[m_at - 1] == '\n');
  const char c = m_text[m_at];
  if (c == '\n') {
    ++m_at;
    return Token{Token::Kind::line_end, "", m_line++, false};
  }
  if (c == '\'' || c == '"') return string(0, first);
  if (begins_name(c)) {
    std::size_t end = m_at;
    while (end < m_text.size() && continues_name(m_text[end])) ++end;
    const std::size_t length = end - m_at;
    if (length <= 2 && end < m_text.size() && (m_text[end] == '\'' || m_text[end] == '"'))
      return string(length, first);
    Token token{Token::Kind::name, std::string(m_text.substr(m_at, length)), m_line, first};
    m_at = end;
    return token;
  }
  if (c == '(' || c == '[' || c == '{') {
    if (m_depth++ == 0) m_opened = m_line;
  }
  if ((c == ')' || c == ']' || c == '}') && m_depth > 0) --m_depth;
  ++m_at;
  return Token{Token::Kind::symbol, std::string(1, c), m_line, first};
}

/// The tokens of one logical line.
Result<std::vector<Token>> logical_line(Tokens& tokens) {
  std::vector<Token> line;
  for (auto token = tokens.next();; token = tokens.next()) {
    if (!token) return failed(token);
    const bool ends = token->kind == Token::Kind::line_end || token->kind == Token::Kind::end;
    line.push_back(std::move(*token));
    if (ends) return line;
  }
}

bool is_symbol(const Token& token, std::string_view symbols) {
  return token.kind == Token::Kind::symbol && symbols.find(token.value) != std::string_view::npos;
}

/// The texts of each tuple inside a list or a tuple; what a call takes is none.
std::vector<std::vector<std::string>> tuples_in(std::vector<Token>::const_iterator begin,
                                                std::vector<Token>::const_iterator end) {
  std::vector<std::vector<std::string>> tuples;
  std::vector<bool> are_tuples;
  for (auto token = begin; token != end; ++token) {
    if (is_symbol(*token, "([{")) {
      const bool is_call = token != begin && std::prev(token)->kind == Token::Kind::name;
      are_tuples.push_back(token->value == "(" && !is_call && !are_tuples.empty());
      if (are_tuples.back()) tuples.emplace_back();
    } else if (is_symbol(*token, ")]}") && !are_tuples.empty()) {
      are_tuples.pop_back();
    } else if (token->kind == Token::Kind::text && !are_tuples.empty() && are_tuples.back()) {
      tuples.back().push_back(token->value);
    }
  }
  return tuples;
}

/// NAME [: annotation] = value
std::optional<std::pair<std::string, PythonValue>> assignment(const std::vector<Token>& line) {
  if (line.empty() || line[0].kind != Token::Kind::name) return std::nullopt;
  const auto equals = std::find_if(line.begin(), line.end(), [](const Token& token) {
    return token.kind == Token::Kind::symbol && token.value == "=";
  });
  const bool annotated = line.size() > 1 && line[1].value == ":" && line[1].kind == Token::Kind::symbol;
  if (equals == line.end() || (!annotated && equals != line.begin() + 1)) return std::nullopt;
  PythonValue value;
  value.line = line[0].line;
  value.tuples = tuples_in(equals + 1, line.end());
  for (auto token = equals + 1; token != line.end(); ++token) {
    if (token->kind == Token::Kind::text) value.texts.push_back(token->value);
    const bool none = token->kind == Token::Kind::name && token->value == "None";
    const bool bracket = token->kind == Token::Kind::symbol &&
                         std::string_view("()[]{},").find(token->value) != std::string_view::npos;
    if (token->kind == Token::Kind::name && !none) {
      value.is_plain = false;
      value.names.push_back(token->value);
    }
    if (token->kind == Token::Kind::symbol && !bracket) value.is_plain = false;
  }
  return std::pair(line[0].value, std::move(value));
}

/// Where in a file a line stands: at its top, in the body of a class, or deeper.
class Place {
 public:
  explicit Place(PythonFile& file) : m_file(file) {}

  void take(const std::vector<Token>& line) {
    const Token& front = line.front();
    if (front.kind == Token::Kind::line_end || front.kind == Token::Kind::end) return;
    if (front.first) {
      m_class = front.value == "class" && line.size() > 1 ? line[1].value : "";
      m_body.reset();
      if (auto found = assignment(line)) m_file.values[found->first] = std::move(found->second);
      return;
    }
    if (m_class.empty()) return;
    if (!m_body) m_body = front.column;
    if (front.column != *m_body) return;
    if (auto found = assignment(line)) m_file.classes[m_class][found->first] = std::move(found->second);
  }

 private:
  PythonFile& m_file;
  std::string m_class;
  std::optional<std::size_t> m_body;  ///< column of the class's body
};

}  // namespace

Result<PythonFile> read_python(const std::string& path, std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  PythonFile file;
  Tokens tokens(path, text);
  bool before_code = true;
  Place place(file);
  while (true) {
    const auto line = logical_line(tokens);
    if (!line) return failed(line);
    if (before_code && line->front().kind == Token::Kind::text) {
      const std::string_view documentation = stripped(line->front().value);
      file.summary = stripped(documentation.substr(0, documentation.find('\n')));
    }
    if (line->front().kind != Token::Kind::line_end) before_code = false;
    place.take(*line);
    if (line->back().kind == Token::Kind::end) break;
  }
  return file;
}

}  // namespace lockkeeper::history
