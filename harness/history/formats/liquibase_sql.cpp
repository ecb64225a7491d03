#include "history/formats/liquibase_sql.h"

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"
#include "history/lines.h"
#include "sql/lexer.h"

namespace lockkeeper::history::formats::liquibase {

namespace {

enum class Kind { white, comment, other };

struct Piece {
  Kind kind = Kind::other;
  std::size_t begin = 0;
  std::size_t end = 0;
};

constexpr std::string_view k_white = " \t\r\n";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '$' || c == '_' || c == '@' || c == '#' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The tokens of SimpleSqlGrammar.jj, as far as they decide where statements end; the longest wins.
class Tokens {
 public:
  explicit Tokens(std::string_view text, std::size_t at = 0) : m_text(text), m_at(at) {}

  bool at_end() const { return m_at >= m_text.size(); }
  Piece next();

 private:
  char at(std::size_t index) const { return index < m_text.size() ? m_text[index] : '\0'; }
  std::size_t quoted(std::size_t begin) const;
  std::size_t identifier(std::size_t begin) const;
  std::size_t quoted_identifier(std::size_t begin) const;
  std::size_t name(std::size_t begin) const;
  std::size_t compound_name(std::size_t end) const;
  std::size_t end_of_token(Kind& kind) const;

  std::string_view m_text;
  std::size_t m_at;
};

/// End of a text in quotes, in which a backslash hides what follows it and yet may end it before a quote;
/// `begin` where it is not closed.
std::size_t Tokens::quoted(std::size_t begin) const {
  const char quote = m_text[begin];
  std::size_t accepted = begin;
  for (std::size_t i = begin + 1; i < m_text.size();) {
    if (m_text[i] == '\\') {
      if (at(i + 1) == quote) accepted = i + 2;
      i += 2;
    } else if (m_text[i] == quote) {
      accepted = i + 1;
      if (at(i + 1) != quote) break;
      i += 2;
    } else {
      ++i;
    }
  }
  return accepted;
}

std::size_t Tokens::identifier(std::size_t begin) const {
  if (!is_letter(at(begin))) return begin;
  std::size_t end = begin + 1;
  while (is_letter(at(end)) || is_digit(at(end))) ++end;
  return end;
}

/// "x", `x` or [x] on one line.
std::size_t Tokens::quoted_identifier(std::size_t begin) const {
  const char open = at(begin);
  if (open != '"' && open != '`' && open != '[') return begin;
  const char close = open == '[' ? ']' : open;
  if (open == '[' && is_digit(at(begin + 1))) return begin;
  const std::array<char, 4> stops = {close, '\n', '\r', '\0'};
  const std::size_t end = m_text.find_first_of(stops.data(), begin + 1);
  if (end == std::string_view::npos || m_text[end] != close || end == begin + 1) return begin;
  return end + 1;
}

std::size_t Tokens::name(std::size_t begin) const {
  return std::max(identifier(begin), quoted_identifier(begin));
}

/// a . b . c from the end of its first part.
std::size_t Tokens::compound_name(std::size_t end) const {
  constexpr std::string_view k_between = " \r\n";
  while (true) {
    const std::size_t dot = m_text.find_first_not_of(k_between, end);
    if (dot == std::string_view::npos || m_text[dot] != '.') return end;
    const std::size_t next = m_text.find_first_not_of(k_between, dot + 1);
    if (next == std::string_view::npos || name(next) == next) return end;
    end = name(next);
  }
}

std::size_t Tokens::end_of_token(Kind& kind) const {
  const char c = m_text[m_at];
  if (k_white.find(c) != std::string_view::npos) {
    kind = Kind::white;
    return std::min(m_text.find_first_not_of(k_white, m_at), m_text.size());
  }
  if (c == '-' && at(m_at + 1) == '-') {
    kind = Kind::comment;
    return std::min(m_text.find_first_of("\r\n", m_at), m_text.size());
  }
  if (c == '/' && at(m_at + 1) == '*') {
    const std::size_t close = m_text.find("*/", m_at + 2);
    if (close != std::string_view::npos) {
      kind = Kind::comment;
      return close + 2;
    }
  }
  if (c == '\'') return quoted(m_at);
  if (is_digit(c)) return std::min(m_text.find_first_not_of("0123456789.", m_at), m_text.size());
  std::size_t end = name(m_at);
  if (c == '"') end = std::max(end, quoted(m_at));
  if (end == m_at) return end;
  static constexpr std::array<std::string_view, 7> k_prefixes = {"u", "e", "n", "r", "b", "rb", "_utf8"};
  const bool literal =
      at(end) == '\'' &&
      std::ranges::find(k_prefixes, lower(m_text.substr(m_at, std::min<std::size_t>(end - m_at, 8)))) !=
          k_prefixes.end();
  return literal ? std::max(quoted(end), end) : compound_name(end);
}

Piece Tokens::next() {
  Piece piece;
  piece.begin = m_at;
  piece.end = std::max(end_of_token(piece.kind), m_at + 1);
  m_at = piece.end;
  return piece;
}

bool same(std::string_view text, std::string_view word) {
  return text.size() == word.size() && lower(text) == lower(word);
}

/// StringUtil.java's loop over the tokens.
class Cutter {
 public:
  Cutter(std::string_view text, const Sending& sending) : m_text(text), m_sending(sending), m_tokens(text) {}

  std::vector<Cut> cut() {
    while (!m_tokens.at_end()) {
      Piece piece = m_tokens.next();
      if (piece.kind == Kind::comment && m_sending.strip) {
        if (m_open) m_cut.comments.emplace_back(piece.begin, piece.end);
        continue;
      }
      merge_delimiter(piece);
      take(piece);
    }
    close();
    return std::move(m_cuts);
  }

 private:
  std::string_view text_of(const Piece& piece) const {
    return m_text.substr(piece.begin, piece.end - piece.begin);
  }
  /// Several tokens that are the delimiter count as one.
  void merge_delimiter(Piece& piece) {
    if (!m_sending.delimiter || m_sending.delimiter->empty()) return;
    const std::string& delimiter = *m_sending.delimiter;
    if (text_of(piece).size() >= delimiter.size() ||
        m_text.substr(piece.begin, delimiter.size()) != delimiter)
      return;
    const std::size_t wanted = piece.begin + delimiter.size();
    Tokens ahead(m_text, piece.end);
    std::size_t end = piece.end;
    while (end < wanted && !ahead.at_end()) end = ahead.next().end;
    if (end != wanted) return;
    piece.end = end;
    m_tokens = ahead;
  }
  std::string_view following(std::size_t at) const {
    Tokens ahead(m_text, at);
    while (!ahead.at_end()) {
      const Piece piece = ahead.next();
      if (piece.kind == Kind::other || (piece.kind == Kind::comment && !m_sending.strip))
        return text_of(piece);
    }
    return {};
  }
  void count_blocks(const Piece& piece);
  bool is_delimiter(std::string_view piece) const;
  void take(const Piece& piece);
  void close();

  std::string_view m_text;
  const Sending& m_sending;
  Tokens m_tokens;
  std::string_view m_previous;
  bool m_any = false;  ///< there is a previous token
  int m_blocks = 0;
  bool m_open = false;
  Cut m_cut;
  std::vector<Cut> m_cuts;
};

void Cutter::count_blocks(const Piece& piece) {
  const std::string_view word = text_of(piece);
  const bool begins = same(word, "begin");
  if (!begins && !(m_blocks > 0 && same(word, "end"))) return;
  const std::string_view next = following(piece.end);
  const auto is = [&](std::string_view other) { return same(next, other); };
  if (is("transaction") || is("trans") || is("tran")) return;
  if (begins && (is("dialog") || is("conversation") || is("distributed"))) return;
  m_blocks += begins ? 1 : -1;
}

bool Cutter::is_delimiter(std::string_view piece) const {
  const bool at_line = !m_any || m_previous.ends_with('\n');
  if (!m_sending.delimiter) return piece == ";" || ((same(piece, "go") || piece == "/") && at_line);
  const std::string& delimiter = *m_sending.delimiter;
  if (delimiter.size() == 1) {
    if (delimiter == "/" && !at_line) return false;
    return same(piece, delimiter);
  }
  if (same(piece, delimiter)) return true;
  constexpr std::size_t k_longest = 200;
  if (m_previous.size() + piece.size() > k_longest) return false;
  try {
    return std::regex_match(lower(std::string(m_previous) + std::string(piece)),
                            std::regex("[\\s\\n\\r]*" + lower(delimiter)));
  } catch (const std::regex_error&) {
    return false;
  }
}

void Cutter::take(const Piece& piece) {
  const std::string_view text = text_of(piece);
  if (piece.kind == Kind::other) count_blocks(piece);
  if (m_blocks == 0 && m_sending.split && is_delimiter(text)) {
    close();
  } else if (piece.kind != Kind::white) {
    if (!m_open) m_cut.piece.first = piece.begin;
    m_open = true;
    m_cut.piece.second = piece.end;
  }
  m_previous = text;
  m_any = true;
}

void Cutter::close() {
  if (m_open) {
    std::erase_if(m_cut.comments, [&](const sql::Piece& one) { return one.first >= m_cut.piece.second; });
    m_cuts.push_back(std::move(m_cut));
  }
  m_cut = {};
  m_open = false;
}

/// Does the server see the comment? It does where it stands in a literal, such as a function's body.
bool keeps_comment(std::string_view text, const Cut& cut) {
  if (cut.comments.empty()) return false;
  const std::string_view statement = text.substr(cut.piece.first, cut.piece.second - cut.piece.first);
  sql::Lexer lexer(statement);
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end_of_text; token = lexer.next()) {
    if (token.kind != sql::TokenKind::literal) continue;
    const std::size_t begin = cut.piece.first + token.begin;
    const std::size_t end = cut.piece.first + token.end;
    for (const sql::Piece& comment : cut.comments) {
      if (comment.first > begin && comment.second < end) return true;
    }
  }
  return false;
}

std::string without_comments(std::string_view text, const Cut& cut) {
  std::string result;
  std::size_t at = cut.piece.first;
  for (const sql::Piece& comment : cut.comments) {
    result += text.substr(at, comment.first - at);
    at = comment.second;
  }
  return result + std::string(text.substr(at, cut.piece.second - at));
}

}  // namespace

std::vector<Cut> cut(std::string_view text, const Sending& sending) {
  return Cutter(text, sending).cut();
}

void join(sql::Part& to, sql::Part part, std::size_t& messages) {
  std::size_t last = 0;
  for (sql::Statement& statement : part.statements) {
    last = std::max(last, statement.message + 1);
    statement.message += messages;
    to.statements.push_back(statement);
  }
  messages += last;
  for (auto& source : part.sources) {
    if (std::ranges::find(to.sources, source) == to.sources.end()) to.sources.push_back(std::move(source));
  }
}

Result<sql::Part> part_of(std::shared_ptr<const sql::Source> source, const Sending& sending,
                          record::TransactionShape shape) {
  sql::Part part;
  part.shape = shape;
  part.sources.push_back(source);
  std::size_t messages = 0;
  std::vector<sql::Piece> plain;
  const auto flush = [&]() -> Result<void> {
    if (plain.empty()) return {};
    auto more = sql::as_messages(source, plain, shape);
    if (!more) return failed(more);
    join(part, std::move(*more), messages);
    plain.clear();
    return {};
  };
  for (const Cut& one : cut(source->text(), sending)) {
    if (!keeps_comment(source->text(), one)) {
      plain.push_back(one.piece);
      continue;
    }
    if (const auto flushed = flush(); !flushed) return failed(flushed);
    auto text = sql::Source::from_text(source->path(), without_comments(source->text(), one),
                                       source->locate(one.piece.first).line, source->dialect());
    if (!text) return failed(text);
    auto stripped_source = std::make_shared<const sql::Source>(std::move(*text));
    auto more = sql::as_messages(stripped_source, {sql::all_of(*stripped_source)}, shape);
    if (!more) return failed(more);
    join(part, std::move(*more), messages);
  }
  if (const auto flushed = flush(); !flushed) return failed(flushed);
  return part;
}

}  // namespace lockkeeper::history::formats::liquibase
