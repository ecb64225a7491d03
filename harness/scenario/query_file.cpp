#include "scenario/query_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::scenario {

const std::vector<std::string> k_query_comment_keys = {"name",     "params",      "uses_index", "at_most",
                                                       "at_least", "same_result", "writes"};

namespace {

constexpr std::size_t k_largest_file = 1024 * 1024;

/// "-- key: value" in its parts.
struct KeyLine {
  std::string key;
  std::string value;
  std::size_t key_at = 0;  ///< bytes before it in its line
  std::size_t value_at = 0;
};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

std::optional<KeyLine> key_line(std::string_view line) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string_view::npos || !line.substr(at).starts_with("--")) return std::nullopt;
  at = line.find_first_not_of(" \t", at + 2);
  if (at == std::string_view::npos) return std::nullopt;
  const auto* const end = std::find_if_not(line.begin() + at, line.end(), is_word);
  const auto length = static_cast<std::size_t>(end - line.begin()) - at;
  if (length == 0 || at + length == line.size() || line[at + length] != ':') return std::nullopt;
  const std::size_t colon = at + length;
  // As in YAML: "http://…" is no key.
  if (colon + 1 < line.size() && line[colon + 1] != ' ' && line[colon + 1] != '\t') return std::nullopt;
  const std::size_t value = line.find_first_not_of(" \t", colon + 1);
  const bool none = value == std::string_view::npos;
  return KeyLine{std::string(line.substr(at, length)), none ? std::string() : trimmed(line.substr(value)), at,
                 none ? colon + 1 : value};
}

/// The known key that a word was probably meant to be. Words of people's own comments ("note", "date") are
/// near enough to short keys for `nearest`, so this is stricter.
std::optional<std::string> meant(const std::string& word) {
  std::string written = lower(word);
  std::replace(written.begin(), written.end(), '-', '_');
  if (written == "parameters" || written == "parameter") return "params";
  for (const std::string& key : k_query_comment_keys) {
    if (edit_distance(written, key) <= (key.size() > 6 ? 2U : 1U)) return key;
  }
  return std::nullopt;
}

/// What a line of a comment goes on with: "--", three spaces or more, text.
bool continues(std::string_view line) {
  return line.starts_with("--   ") && line.find_first_not_of(' ', 2) != std::string_view::npos;
}

std::size_t skipped_block_comment(std::string_view text, std::size_t at) {
  int depth = 0;  // PostgreSQL's nest, as the SQL standard has it
  while (at < text.size()) {
    if (text.substr(at).starts_with("/*")) {
      ++depth;
      at += 2;
    } else if (text.substr(at).starts_with("*/")) {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return at;
}

/// Where the first thing stands that is neither white space nor a comment.
std::size_t begin_of_sql(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    at = std::min(text.find_first_not_of(" \t\r\n\f\v;", at), text.size());
    if (text.substr(at).starts_with("--")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.substr(at).starts_with("/*")) {
      at = skipped_block_comment(text, at);
    } else {
      return at;
    }
  }
}

int characters(std::string_view text) {
  return static_cast<int>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

class QueryFileReader {
 public:
  QueryFileReader(std::string called, std::string_view text)
      : m_called(std::move(called)), m_lines(split(text, '\n')) {
    for (std::string& line : m_lines) {
      if (line.ends_with('\r')) line.pop_back();
    }
    m_file.fields.kind = Value::Kind::map;
    m_file.fields.location = {m_called, 1, 1};
  }

  Result<QueryFile> read() {
    std::size_t at = 0;
    for (; at < m_lines.size() && is_front(m_lines[at]); ++at) {
      const auto line = key_line(m_lines[at]);
      if (!line) continue;
      const std::size_t first = at;
      const Result<bool> taken = take(*line, at);
      if (!taken) return failed(taken);
      // Blanked, not taken out: the places of what follows stay true.
      if (*taken) std::fill(m_lines.begin() + offset(first), m_lines.begin() + offset(at + 1), std::string());
    }
    return finished();
  }

 private:
  static std::ptrdiff_t offset(std::size_t line) { return static_cast<std::ptrdiff_t>(line); }
  static bool is_front(const std::string& line) {
    const std::string text = trimmed(line);
    return text.empty() || text.starts_with("--");
  }
  Location place(std::size_t line, std::size_t bytes) const {
    return {m_called, static_cast<int>(line) + 1,
            characters(std::string_view(m_lines[line]).substr(0, bytes)) + 1};
  }

  /// Takes the key of a line, and leaves `at` at the last line that belongs to it; false for a plain comment.
  Result<bool> take(const KeyLine& line, std::size_t& at) {
    const Location where = place(at, line.key_at);
    const auto& known = k_query_comment_keys;
    if (std::find(known.begin(), known.end(), line.key) == known.end()) {
      const auto key = meant(line.key);
      if (!key) return false;
      return failed(FailureKind::usage,
                    fmt::format("unknown key '{}' (did you mean '{}'?)", abridged(line.key), *key),
                    fmt::format("the comment before a query knows: {}", join(known, ", ")), where);
    }
    for (const Value::Key& key : m_file.fields.keys) {
      if (key.text == line.key)
        return failed(FailureKind::usage, fmt::format("key '{}': stands here twice", line.key),
                      "keep one of the two", where);
    }
    const Result<Value> value = value_of(line, at);
    if (!value) return failed(value);
    m_file.fields.keys.push_back({line.key, where});
    m_file.fields.items.push_back(*value);
    return true;
  }

  Result<Value> value_of(const KeyLine& line, std::size_t& at) {
    const Location where = place(at, line.value_at);
    std::string text = line.value;
    while (line.key == "params" && at + 1 < m_lines.size() && continues(m_lines[at + 1]))
      text += "\n  " + m_lines[++at].substr(2);
    if (line.key != "params" || !is_row_query(text)) return parse_yaml_value(where, text);
    Value query;
    query.kind = Value::Kind::scalar;
    query.text = trimmed(text);
    query.location = where;
    return query;
  }

  Result<QueryFile> finished() {
    const std::string text = join(m_lines, "\n");
    const std::size_t begin = begin_of_sql(text);
    if (begin == text.size()) {
      return failed(FailureKind::usage, fmt::format("query '{}': no SQL in it", m_called),
                    "write the query below its comment, or take the file out of the folder",
                    Location{m_called, 0, 0});
    }
    const std::string_view before = std::string_view(text).substr(0, begin);
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    m_file.location = place(line, begin - (before.rfind('\n') + 1));
    m_file.sql = trimmed(text);
    while (m_file.sql.ends_with(';')) m_file.sql = trimmed(m_file.sql.substr(0, m_file.sql.size() - 1));
    return std::move(m_file);
  }

  std::string m_called;
  std::vector<std::string> m_lines;
  QueryFile m_file;
};

}  // namespace

bool is_row_query(std::string_view text) {
  const std::string start = lower(trimmed(text).substr(0, 7));
  for (const std::string_view word : {"select", "with", "values"}) {
    if (!start.starts_with(word)) continue;
    if (start.size() > word.size() && !is_word(start[word.size()])) return true;
  }
  return false;
}

Result<QueryFile> read_query_file(const std::string& path, const std::string& called) {
  if (const auto readable = expect_no_pipe(path); !readable) return failed(readable);
  Result<std::string> text = read_file(path);
  if (!text) return failed(text);
  if (text->size() > k_largest_file) {
    return failed(FailureKind::usage,
                  fmt::format("query '{}': {} is too large for a query", called, human_bytes(text->size())),
                  "rows belong into a fixture, a query into a file of its own", Location{called, 0, 0});
  }
  if (text->starts_with("\xEF\xBB\xBF")) text->erase(0, 3);
  const std::size_t bad = std::min(first_invalid_utf8(*text).value_or(std::string::npos), text->find('\0'));
  if (bad != std::string::npos) {
    const auto line = std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(bad), '\n') + 1;
    return failed(FailureKind::usage, fmt::format("query '{}': not UTF-8 text", called),
                  "save the file as UTF-8", Location{called, static_cast<int>(line), 0});
  }
  return QueryFileReader(called, *text).read();
}

}  // namespace lockkeeper::scenario
