#include "history/formats/liquibase_formatted.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/text.h"
#include "history/lines.h"

namespace lockkeeper::history::formats::liquibase {

namespace {

bool is_word(char c) {
  return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool starts_with(std::string_view text, std::string_view lower_case) {
  return lower(text.substr(0, lower_case.size())) == lower_case;
}

/// What stands behind "--" and white space, from the first column or anywhere; nothing for other lines.
std::optional<std::string_view> comment(std::string_view line, bool anywhere) {
  const std::string_view text =
      anywhere ? line.substr(std::min(line.find_first_not_of(" \t"), line.size())) : line;
  if (!text.starts_with("--")) return std::nullopt;
  return text.substr(std::min(text.find_first_not_of(" \t", 2), text.size()));
}

/// The rest behind a word; nothing where the line does not begin with it.
std::optional<std::string_view> behind(std::optional<std::string_view> text, std::string_view word) {
  if (!text || !starts_with(*text, word)) return std::nullopt;
  return text->substr(word.size());
}

/// "- rollback": one dash where there should be two.
bool has_one_dash(std::string_view line, std::string_view word) {
  line = stripped(line);
  return line.starts_with('-') && !line.starts_with("--") && starts_with(stripped(line.substr(1)), word);
}

std::string without_quotes(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

enum class Extent { word, anything };

/// The value of `name:` in a line: of the last one that has one.
std::optional<std::string> attribute(std::string_view line, std::string_view name, Extent extent,
                                     bool whole_word = false) {
  const std::string text = lower(line);
  const std::string wanted = lower(name) + ":";
  for (std::size_t at = text.rfind(wanted); at != std::string::npos;
       at = at == 0 ? std::string::npos : text.rfind(wanted, at - 1)) {
    if (whole_word && at > 0 && is_word(text[at - 1])) continue;
    const std::string_view rest = line.substr(at + wanted.size());
    std::size_t end = 0;
    if (extent == Extent::anything && rest.starts_with('"') && rest.find('"', 1) != std::string_view::npos) {
      end = rest.find('"', 1) + 1;
    } else if (extent == Extent::anything) {
      end = std::min(rest.find_first_of(" \t"), rest.size());
    } else {
      while (end < rest.size() && is_word(rest[end])) ++end;
    }
    if (end > 0 || extent == Extent::anything) return without_quotes(rest.substr(0, end));
  }
  return std::nullopt;
}

bool truth(std::string_view line, std::string_view name, bool otherwise) {
  const auto value = attribute(line, name, Extent::word);
  return value ? lower(*value) == "true" : otherwise;
}

class Parser {
 public:
  Parser(std::string_view text, std::string path, int first_line, Parameters& parameters)
      : m_text(text),
        m_path(std::move(path)),
        m_first_line(first_line),
        m_parameters(parameters),
        m_lines(text) {}

  Result<std::vector<FormattedChangeSet>> read();

 private:
  bool next() {
    if (!m_lines.next()) return false;
    m_line = m_lines.line().text;
    m_number = m_first_line + m_lines.line().number - 1;
    return true;
  }
  tl::unexpected<Failure> refused(const std::string& cause, int line) const {
    return failed(
        FailureKind::usage, fmt::format("Liquibase refuses '{}': {}", m_path, cause),
        "a change set is '--changeset author:id', its SQL, and '--rollback' with the SQL that takes "
        "it back",
        Location{m_path, line, 1});
  }
  Result<void> take_line();
  Result<bool> skip_ignored();
  Result<bool> take_property();
  Result<void> begin_change_set();
  Result<void> finish_change_set(std::size_t end, bool last);
  Result<bool> take_rollback();
  Result<bool> take_precondition();
  Result<void> take_below();
  void add_down(std::string_view text);

  std::string_view m_text;
  std::string m_path;
  int m_first_line;
  Parameters& m_parameters;
  Lines m_lines;
  std::string_view m_line;
  int m_number = 0;
  std::string m_logical_path;
  bool m_in_change_set = false;
  FormattedChangeSet m_set;
  int m_down_lines = 0;  ///< that down_text has by now
  std::vector<FormattedChangeSet> m_sets;
};

/// Lines that stand between ignoreLines:start and :end, or as many as it says.
Result<bool> Parser::skip_ignored() {
  const auto what = behind(comment(m_line, false), "ignorelines:");
  if (!what) {
    if (has_one_dash(m_line, "ignorelines:") || behind(comment(m_line, false), "ignore:"))
      return refused("'--ignoreLines:<count>' or '--ignoreLines:start' is meant", m_number);
    return false;
  }
  const int begin = m_number;
  m_set.up += '\n';
  if (*what == "start") {
    while (next()) {
      m_set.up += '\n';
      if (behind(comment(m_line, false), "ignorelines:") == "end") break;
    }
    return true;
  }
  if (what->empty() || what->find_first_not_of("0123456789") != std::string_view::npos || what->size() > 9)
    return refused(fmt::format("ignoreLines '{}' is no number", abridged(*what, 40)), begin);
  for (int left = std::stoi(std::string(*what)); left > 0 && next(); --left) m_set.up += '\n';
  return true;
}

Result<bool> Parser::take_property() {
  const auto rest = behind(comment(m_line, true), "property");
  if (!rest || rest->empty() || !stripped(rest->substr(0, 1)).empty()) return false;
  const auto name = attribute(m_line, "name", Extent::anything);
  const std::string_view values = m_line;
  const std::size_t at = lower(values).find("value:");
  if (!name || at == std::string_view::npos)
    return refused("'--property name:<name> value:<value>' is meant", m_number);
  const std::string_view value = stripped(values.substr(at + 6));
  if (is_for_postgres(attribute(m_line, "dbms", Extent::anything).value_or("")))
    m_parameters.emplace(*name, expanded(value.substr(0, value.find_first_of(" \t")), m_parameters));
  return true;
}

Result<void> Parser::begin_change_set() {
  const std::string_view rest = stripped(*behind(comment(m_line, true), "changeset"));
  const std::size_t quoted = rest.starts_with('"') ? rest.find('"', 1) : 0;
  const std::size_t colon = quoted == std::string_view::npos ? quoted : rest.find(':', quoted);
  const std::string_view id = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
  const std::size_t id_end = id.starts_with('"') ? id.find('"', 1) : id.find_first_of(" \t");
  FormattedChangeSet set;
  set.author = expanded(without_quotes(rest.substr(0, std::min(colon, rest.size()))), m_parameters);
  set.id = expanded(without_quotes(id.substr(
                        0, id.starts_with('"') && id_end != std::string_view::npos ? id_end + 1 : id_end)),
                    m_parameters);
  if (set.author.empty() || set.id.empty() || set.id.find_first_not_of(": ") == std::string::npos)
    return refused("'--changeset <author>:<id>' is meant", m_number);
  set.line = m_number;
  set.begin = m_lines.line().begin;
  set.path =
      expanded(attribute(m_line, "logicalFilePath", Extent::anything).value_or(m_logical_path), m_parameters);
  set.sending.split = truth(m_line, "splitStatements", true);
  set.sending.strip = truth(m_line, "stripComments", true);
  set.sending.delimiter = attribute(m_line, "endDelimiter", Extent::anything, true);
  set.down_sending.split = truth(m_line, "rollbackSplitStatements", true);
  set.down_sending.strip = false;
  set.down_sending.delimiter = attribute(m_line, "rollbackEndDelimiter", Extent::anything);
  set.in_transaction = truth(m_line, "runInTransaction", true);
  set.runs_when_changed = truth(m_line, "runOnChange", false) || truth(m_line, "runAlways", false);
  set.stops_on_error = truth(m_line, "failOnError", true);
  set.ignored = truth(m_line, "ignore", false);
  set.dbms = expanded(attribute(m_line, "dbms", Extent::anything).value_or(""), m_parameters);
  set.runs_with = attribute(m_line, "runWith", Extent::word).value_or("");
  m_set = std::move(set);
  m_down_lines = 0;
  m_in_change_set = true;
  return {};
}

Result<void> Parser::finish_change_set(std::size_t end, bool last) {
  if (!m_in_change_set) return {};
  m_in_change_set = false;
  if (!last && stripped(m_set.up).empty())
    return refused(fmt::format("no SQL for change set '{}:{}'", m_set.author, m_set.id), m_set.line);
  m_set.end = end;
  m_set.up = expanded(m_set.up, m_parameters);
  m_set.down_text = expanded(m_set.down_text, m_parameters);
  const std::string down = lower(stripped(m_set.down_text));
  if (down.starts_with("not required") || down.starts_with("empty")) {
    m_set.down = FormattedChangeSet::Down::nothing;
  } else if (down.find("changesetid") != std::string::npos) {
    m_set.down = FormattedChangeSet::Down::other_change_set;
    m_set.other_id = attribute(m_set.down_text, "changeSetId", Extent::anything).value_or("");
    m_set.other_author = attribute(m_set.down_text, "changesetAuthor", Extent::anything).value_or("");
    if (m_set.other_id.empty() || m_set.other_author.empty())
      return refused("a rollback by another change set needs changeSetId and changesetAuthor",
                     m_set.down_line);
  } else if (!down.empty()) {
    m_set.down = FormattedChangeSet::Down::sql;
  }
  m_sets.push_back(std::move(m_set));
  m_set = {};
  return {};
}

/// At the place of its line in the file: lines between two of a rollback are empty.
void Parser::add_down(std::string_view text) {
  if (m_set.down_line == 0) m_set.down_line = m_number;
  for (; m_down_lines < m_number - m_set.down_line; ++m_down_lines) m_set.down_text += '\n';
  m_set.down_text += text;
}

Result<bool> Parser::take_rollback() {
  if (const auto rest = behind(comment(m_line, true), "rollback "); rest) {
    add_down(*rest);
    m_set.up += '\n';
    return true;
  }
  if (has_one_dash(m_line, "rollback ")) return refused("'--rollback' has two dashes", m_number);
  const std::string_view line = stripped(m_line);
  if (!line.starts_with("/*") || !starts_with(stripped(line.substr(2)), "liquibase")) return false;
  if (!starts_with(stripped(stripped(line.substr(2)).substr(9)), "rollback") ||
      !lower(line).ends_with("rollback"))
    return false;
  const int begin = m_number;
  m_set.up += '\n';
  while (next()) {
    m_set.up += '\n';
    const std::string_view text = m_line.substr(0, m_line.find_last_not_of(" \t") + 1);
    if (text.ends_with("*/")) {
      const std::string_view rest = text.substr(0, text.size() - 2);
      if (!stripped(rest).empty()) add_down(rest);
      return true;
    }
    // Liquibase joins the lines of such a block without anything between them.
    const int here = m_number;
    if (m_set.down_line > 0) m_number = m_set.down_line + m_down_lines;
    add_down(m_line);
    m_number = here;
  }
  return refused("the rollback that begins here is never closed", begin);
}

Result<bool> Parser::take_precondition() {
  const auto text = comment(m_line, true);
  if (const auto rest = behind(text, "preconditions"); rest) {
    m_set.on_fail = attribute(m_line, "onFail", Extent::word).value_or("HALT");
    m_set.up += '\n';
    return true;
  }
  if (has_one_dash(m_line, "precondition")) return refused("'--preconditions' has two dashes", m_number);
  const auto rest = behind(text, "precondition-");
  if (!rest) return false;
  const std::string_view kind = rest->substr(0, rest->find(' '));
  if (kind != "sql-check" && kind != "table-exists" && kind != "view-exists")
    return refused(fmt::format("the precondition type '{}' is not supported", abridged(kind, 40)), m_number);
  if (kind.size() == rest->size())
    return refused(fmt::format("precondition {} has nothing to check", kind), m_number);
  m_set.preconditions.emplace_back(*rest);
  m_set.up += '\n';
  return true;
}

/// A line below a change set's own.
Result<void> Parser::take_below() {
  const std::string_view line = stripped(m_line);
  if (line.starts_with('-') || line.starts_with("/*")) {
    const auto first = comment(m_line, false);
    if (behind(first, "comments: ") || behind(first, "comments ") || has_one_dash(m_line, "comment"))
      return refused("'--comment <text>' is meant", m_number);
    if (has_one_dash(m_line, "validchecksum")) return refused("'--validCheckSum' has two dashes", m_number);
    if (behind(first, "comment: ") || behind(first, "comment ") || behind(first, "validchecksum: ") ||
        behind(first, "validchecksum ")) {
      m_set.up += '\n';
      return {};
    }
    Result<bool> taken = take_rollback();
    if (taken && !*taken) taken = take_precondition();
    if (!taken) return failed(taken);
    if (*taken) return {};
  }
  m_set.up += m_line;
  m_set.up += '\n';
  return {};
}

Result<void> Parser::take_line() {
  const auto text = comment(m_line, true);
  if (!text && has_one_dash(m_line, "changeset ")) return refused("'--changeset' has two dashes", m_number);
  if (!text && has_one_dash(m_line, "property ")) return refused("'--property' has two dashes", m_number);
  if (text) {
    if (m_logical_path.empty() && starts_with(*text, "liquibase") &&
        starts_with(stripped(text->substr(9)), "formatted"))
      m_logical_path = attribute(m_line, "logicalFilePath", Extent::anything).value_or("");
    Result<bool> taken = take_property();
    if (taken && !*taken) taken = skip_ignored();
    if (!taken) return failed(taken);
    if (*taken) return {};
    if (behind(text, "changeset")) {
      if (const auto finished = finish_change_set(m_lines.line().begin, false); !finished) return finished;
      return begin_change_set();
    }
    if (!m_in_change_set &&
        (behind(comment(m_line, false), "comment: ") || behind(comment(m_line, false), "comment ")))
      return refused("comment lines are not allowed outside of change sets", m_number);
  }
  return m_in_change_set ? take_below() : Result<void>();
}

Result<std::vector<FormattedChangeSet>> Parser::read() {
  while (next()) {
    if (const auto taken = take_line(); !taken) return failed(taken);
  }
  if (const auto finished = finish_change_set(m_text.size(), true); !finished) return failed(finished);
  return std::move(m_sets);
}

}  // namespace

std::string expanded(std::string_view text, const Parameters& parameters) {
  if (parameters.empty()) return std::string(text);
  std::string result;
  std::size_t at = 0;
  for (std::size_t open = 0; (open = text.find("${", at)) != std::string_view::npos;) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    const auto known = parameters.find(std::string(stripped(text.substr(open + 2, close - open - 2))));
    result += text.substr(at, open - at);
    result +=
        known != parameters.end() ? std::string_view(known->second) : text.substr(open, close + 1 - open);
    at = close + 1;
  }
  return result + std::string(text.substr(at));
}

bool is_for_postgres(std::string_view dbms) {
  bool named = false;
  bool any = false;
  for (const std::string& item : split(dbms, ',')) {
    const std::string name = lower(trimmed(item));
    if (name.empty()) continue;
    if (name == "!postgresql" || name == "none") return false;
    if (name.starts_with('!')) continue;
    any = true;
    named = named || name == "postgresql" || name == "all";
  }
  return named || !any;
}

bool is_formatted(std::string_view text) {
  for (Lines lines(text); lines.next();) {
    if (stripped(lines.line().text).empty()) continue;
    const auto first = comment(lines.line().text, true);
    return first && starts_with(*first, "liquibase") && starts_with(stripped(first->substr(9)), "formatted");
  }
  return false;
}

Result<std::vector<FormattedChangeSet>> read_formatted(std::string_view text, const std::string& path,
                                                       int first_line, Parameters& parameters) {
  return Parser(text, path, first_line, parameters).read();
}

}  // namespace lockkeeper::history::formats::liquibase
