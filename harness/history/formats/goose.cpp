#include "history/formats/goose.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/formats/goose_environment.h"
#include "history/lines.h"
#include "history/sections.h"

namespace lockkeeper::history::formats::goose {

namespace {

using record::Side;

constexpr std::size_t k_longest_line = 4U * 1024 * 1024;

/// A comment line that names goose is an annotation, and must be a good one.
bool is_annotation(std::string_view line) {
  return stripped(line).starts_with("--") && line.find("+goose") != std::string_view::npos;
}

/// "up" of `-- +goose Up`, in lower case; empty for any other line, and where nothing follows.
std::string annotation(std::string_view line) {
  if (!is_annotation(line)) return {};
  std::string text(line);
  for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at)) text.erase(at, 2);
  if (const std::size_t at = text.find("+goose"); at != std::string::npos) text.erase(at, 6);
  return lower(stripped(text));
}

/// The last word before a comment ends in a semicolon.
bool ends_statement(std::string_view line) {
  std::string_view last;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = line.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    if (word.starts_with("--")) break;
    last = word;
    at = end;
  }
  return last.ends_with(';');
}

/// What goose's parser makes of a file.
struct Parsed {
  int up_line = 0;
  int down_line = 0;
  bool no_transaction = false;
  int no_transaction_line = 0;
  bool substitutes = false;
  std::vector<sql::Piece> up;
  std::vector<sql::Piece> down;
};

/// goose's own state machine over lines (internal/sqlparser/parser.go).
class Parser {
 public:
  explicit Parser(const sql::Source& source) : m_source(source) {}

  Result<Parsed> parse();

 private:
  /// lost: behind an empty block, where goose drops the next line of code.
  enum class State { start, side, block, lost };

  Result<void> take(const Line& line);
  Result<void> take_annotation(const std::string& what, const Line& line);
  Result<void> take_code(const Line& line);
  Result<void> begin_side(int& where, int other, const Line& line);
  Result<void> end_block(const Line& line);
  void end_statement(std::size_t end);
  bool in_statement() const { return m_begin.has_value(); }
  tl::unexpected<Failure> refused(std::string_view cause, int line) const {
    return failed(FailureKind::usage, fmt::format("goose refuses '{}': {}", m_source.path(), cause),
                  "a migration is '-- +goose Up', statements that end their line with ';' or stand between "
                  "'-- +goose StatementBegin' and 'StatementEnd', '-- +goose Down', the same",
                  Location{m_source.path(), line, 1});
  }

  const sql::Source& m_source;
  Parsed m_parsed;
  State m_state = State::start;
  Side m_side = Side::up;
  std::optional<std::size_t> m_begin;  ///< of the statement under way
  int m_begin_line = 0;
};

void Parser::end_statement(std::size_t end) {
  auto& pieces = m_side == Side::up ? m_parsed.up : m_parsed.down;
  if (m_begin) pieces.emplace_back(*m_begin, end);
  m_begin.reset();
}

Result<void> Parser::begin_side(int& where, int other, const Line& line) {
  if (where > 0) return refused("the same section begins twice", line.number);
  if (m_state == State::block) return refused("StatementEnd is missing", line.number);
  if (in_statement())
    return refused("the statement before has no semicolon at the end of its line", m_begin_line);
  const bool down = &where == &m_parsed.down_line;
  if (down && other == 0) return refused("'-- +goose Down' stands before '-- +goose Up'", line.number);
  where = line.number;
  m_side = down ? Side::down : Side::up;
  m_state = State::side;
  return {};
}

Result<void> Parser::end_block(const Line& line) {
  if (m_state != State::block) return refused("StatementEnd without StatementBegin", line.number);
  m_state = in_statement() ? State::side : State::lost;
  end_statement(line.begin);
  return {};
}

Result<void> Parser::take_annotation(const std::string& what, const Line& line) {
  if (what == "up") return begin_side(m_parsed.up_line, m_parsed.down_line, line);
  if (what == "down") return begin_side(m_parsed.down_line, m_parsed.up_line, line);
  if (what == "statementend") return end_block(line);
  if (what == "statementbegin") {
    if (m_state != State::side && m_state != State::lost)
      return refused("StatementBegin stands outside of a section", line.number);
    m_state = State::block;
    return {};
  }
  if (what == "no transaction") {
    m_parsed.no_transaction = true;
    m_parsed.no_transaction_line = line.number;
    return {};
  }
  if (what == "envsub on" || what == "envsub off") {
    m_parsed.substitutes = m_parsed.substitutes || what == "envsub on";
    return {};
  }
  return refused(what.empty() ? "an annotation without a word"
                              : fmt::format("unknown annotation '+goose {}'", abridged(what, 40)),
                 line.number);
}

Result<void> Parser::take_code(const Line& line) {
  // Comments and empty lines before a statement are no part of it, in a block either.
  if (stripped(line.text).empty() || (stripped(line.text).starts_with("--") && !in_statement())) return {};
  if (m_state == State::start) return refused("a statement stands before '-- +goose Up'", line.number);
  if (m_state == State::lost)
    return refused("behind an empty StatementBegin and StatementEnd it drops this line", line.number);
  if (!in_statement()) {
    m_begin = line.begin;
    m_begin_line = line.number;
  }
  if (m_state == State::side && ends_statement(line.text)) end_statement(line.next);
  return {};
}

Result<void> Parser::take(const Line& line) {
  if (line.text.size() >= k_longest_line) return refused("a line of more than 4 MiB", line.number);
  if (!is_annotation(line.text)) return take_code(line);
  if (line.text.starts_with(' ') || line.text.starts_with('\t'))
    return refused("white space stands before an annotation", line.number);
  return take_annotation(annotation(line.text), line);
}

Result<Parsed> Parser::parse() {
  Lines lines(m_source.text());
  while (lines.next()) {
    if (const auto taken = take(lines.line()); !taken) return failed(taken);
  }
  if (m_parsed.up_line == 0) return refused("it has no '-- +goose Up'", 1);
  if (m_state == State::block) return refused("StatementEnd is missing", m_begin_line);
  if (in_statement())
    return refused("the last statement has no semicolon at the end of its line", m_begin_line);
  return std::move(m_parsed);
}

/// The file with the environment put in between ENVSUB ON and OFF.
Result<sql::Source> substituted(const sql::Source& source) {
  std::string result;
  bool on = false;
  Lines lines(source.text());
  while (lines.next()) {
    const Line& line = lines.line();
    const std::string what = annotation(line.text);
    if (what == "envsub on") on = true;
    if (what == "envsub off") on = false;
    const auto put_in = on && !is_annotation(line.text) ? with_environment(line.text)
                                                        : tl::expected<std::string, std::string>(line.text);
    if (!put_in) {
      return failed(FailureKind::usage, fmt::format("goose refuses '{}': {}", source.path(), put_in.error()),
                    "between ENVSUB ON and OFF a dollar sign that stays is written $$",
                    Location{source.path(), line.number, 1});
    }
    result += *put_in;
    // The line end as it is.
    result += source.text().substr(line.begin + line.text.size(), line.next - line.begin - line.text.size());
  }
  return sql::Source::from_text(source.path(), std::move(result), 1, source.dialect());
}

Result<Sections> find_sections(const sql::Source& source) {
  const auto parsed = Parser(source).parse();
  if (!parsed) return failed(parsed);
  return Sections{parsed->up_line, parsed->down_line};
}

Result<sql::Script> read_goose(const Migration& migration, Side side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  auto parsed = Parser(**source).parse();
  if (!parsed) return failed(parsed);
  if (parsed->substitutes) {
    auto text = substituted(**source);
    if (!text) return failed(text);
    *source = std::make_shared<const sql::Source>(std::move(*text));
    parsed = Parser(**source).parse();
    if (!parsed) return failed(parsed);
  }
  const auto shape = parsed->no_transaction ? record::TransactionShape::autocommit
                                            : record::TransactionShape::one_transaction;
  auto part = sql::as_messages(*source, side == Side::up ? parsed->up : parsed->down, shape);
  if (part && parsed->no_transaction)
    part->shape_reason = fmt::format("-- +goose NO TRANSACTION at {}:1", parsed->no_transaction_line);
  return script_of(std::move(part));
}

/// internal/dialects/postgres.go and sqlite3.go: CreateTable
std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  const std::string table = own_table("goose_db_version", dialect);
  const char* const columns =
      dialect == sql::Dialect::sqlite
          ? "id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, "
            "tstamp TIMESTAMP DEFAULT (datetime('now'))"
          : "id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL, is_applied "
            "boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now()";
  return books(table,
               fmt::format("CREATE TABLE IF NOT EXISTS {0} ({1}); INSERT INTO {0} (version_id, is_applied) "
                           "SELECT 0, true WHERE NOT EXISTS (SELECT 1 FROM {0})",
                           table, columns),
               [table](const Migration& migration, Side side) {
                 return side == Side::up
                            ? fmt::format("INSERT INTO {} (version_id, is_applied) VALUES ({}, true)", table,
                                          migration.version)
                            : fmt::format("DELETE FROM {} WHERE version_id = {}", table, migration.version);
               });
}

/// What the command says of a .sql file's name; empty where it takes it (migration.go: NumericComponent).
std::string why_refused(const std::string& file) {
  const std::size_t at = file.find('_');
  if (at == std::string::npos) return "no '_' behind a number";
  const std::string number = file.substr(0, at);
  if (!is_number(number) || number_less("9223372036854775807", number))
    return fmt::format("'{}' is no number", abridged(number, 40));
  return number_key(number) == "0" ? "its number must be above zero" : "";
}

void take_file(SectionedHistory& history, const Folder& folder, const Entry& entry) {
  const std::string why = why_refused(entry.name);
  if (entry.name.ends_with(".go")) {
    history.leave(entry, why.empty() && !entry.name.ends_with("_test.go")
                             ? "a migration in Go, which only the project's own program can run"
                             : "not a .sql file");
  } else if (!entry.name.ends_with(".sql")) {
    history.leave(entry, "not a .sql file");
  } else if (!why.empty()) {
    history.faults().add(folder.path_of(entry.name), fmt::format("goose refuses '{}': {}", entry.name, why),
                         "name it <number>_<name>.sql, or move it elsewhere");
  } else {
    history.take(entry, numbered_file(entry.name));
  }
}

Fit fits(const Folder& folder) {
  const std::string file = folder.first_with_line("-- +goose up");
  if (file.empty()) return {has_sql(folder) ? Fit::How::if_named : Fit::How::no, ""};
  return {Fit::How::sure, fmt::format("'-- +goose Up' in {}", file)};
}

Result<History> load(const Folder& folder) {
  SectionedHistory history(folder, read_goose, find_sections);
  for (const Entry& entry : folder.entries()) {
    if (entry.is_directory) {
      history.leave(entry, "a folder");
    } else {
      take_file(history, folder, entry);
    }
  }
  auto loaded = std::move(history).finish(
      [](std::vector<Migration>& migrations) { sort_by_version(migrations); }, number_key);
  if (!loaded) return loaded;
  loaded->bookkeeping = bookkeeping(folder.dialect());
  loaded->habits.late = Habits::Late::refused;
  return loaded;
}

}  // namespace

Format format() {
  return {"goose", "<number>_<name>.sql with '-- +goose Up'", fits, load, true};
}

}  // namespace lockkeeper::history::formats::goose
