#include "history/formats/sql_migrate.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/lines.h"
#include "history/sections.h"

namespace lockkeeper::history::formats::sql_migrate {

namespace {

using record::Side;

constexpr std::string_view k_command = "-- +migrate ";
constexpr std::size_t k_longest_line = 1024U * 1024;

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t", begin), text.size());
    words.push_back(text.substr(begin, at - begin));
  }
  return words;
}

/// The last word before a comment ends in a semicolon.
bool ends_statement(std::string_view line) {
  std::string_view last;
  for (const std::string_view word : words_of(line)) {
    if (word.starts_with("--")) break;
    last = word;
  }
  return last.ends_with(';');
}

/// What sql-migrate makes of one side of a file.
struct Parsed {
  int line = 0;                 ///< where it first begins
  int no_transaction_line = 0;  ///< 0: in a transaction
  std::vector<sql::Piece> pieces;
};

/// sql-migrate's own walk over the lines (sqlparse/sqlparse.go).
class Parser {
 public:
  explicit Parser(const sql::Source& source) : m_source(source) {}

  Result<void> parse();
  const Parsed& side(Side side) const { return side == Side::up ? m_up : m_down; }

 private:
  Result<void> take_command(const Line& line);
  Result<void> take_code(const Line& line);
  Result<void> begin_side(Parsed& side, const Line& line, const std::vector<std::string_view>& words);
  void end_statement(std::size_t end);
  tl::unexpected<Failure> refused(std::string_view cause, int line) const {
    return failed(FailureKind::usage, fmt::format("sql-migrate refuses '{}': {}", m_source.path(), cause),
                  "a migration is '-- +migrate Up', statements that end their line with ';' or stand between "
                  "'-- +migrate StatementBegin' and 'StatementEnd', '-- +migrate Down', the same",
                  Location{m_source.path(), line, 1});
  }

  const sql::Source& m_source;
  Parsed m_up;
  Parsed m_down;
  Parsed* m_current = nullptr;
  int m_block_line = 0;                ///< of the StatementBegin that is open
  std::optional<std::size_t> m_begin;  ///< of the statement under way
  int m_begin_line = 0;
};

void Parser::end_statement(std::size_t end) {
  if (m_begin) m_current->pieces.emplace_back(*m_begin, end);
  m_begin.reset();
}

Result<void> Parser::begin_side(Parsed& side, const Line& line, const std::vector<std::string_view>& words) {
  if (m_begin) return refused("the statement has no semicolon at the end of its line", m_begin_line);
  m_current = &side;
  if (side.line == 0) side.line = line.number;
  if (std::find(words.begin() + 1, words.end(), "notransaction") != words.end())
    side.no_transaction_line = line.number;
  return {};
}

Result<void> Parser::take_command(const Line& line) {
  const auto words = words_of(line.text.substr(k_command.size()));
  if (words.empty()) return refused("'-- +migrate' without a word", line.number);
  if (words[0] == "Up") return begin_side(m_up, line, words);
  if (words[0] == "Down") return begin_side(m_down, line, words);
  if (m_current == nullptr) return {};
  if (words[0] == "StatementBegin") m_block_line = line.number;
  if (words[0] == "StatementEnd" && m_block_line > 0) {
    m_block_line = 0;
    end_statement(line.begin);
  }
  return {};
}

Result<void> Parser::take_code(const Line& line) {
  if (m_current == nullptr) return {};
  if (!m_begin && !stripped(line.text).empty()) {
    m_begin = line.begin;
    m_begin_line = line.number;
  }
  if (m_block_line == 0 && ends_statement(line.text)) end_statement(line.next);
  return {};
}

Result<void> Parser::parse() {
  Lines lines(m_source.text());
  while (lines.next()) {
    const Line& line = lines.line();
    if (line.text.size() >= k_longest_line) return refused("a line of 1 MiB or more", line.number);
    if (line.text.starts_with(k_command)) {
      if (auto taken = take_command(line); !taken) return taken;
    } else if (!line.text.starts_with("-- ")) {
      if (auto taken = take_code(line); !taken) return taken;
    }
  }
  if (m_block_line > 0) return refused("StatementEnd is missing", m_block_line);
  if (m_current == nullptr) return refused("it has no '-- +migrate Up'", 1);
  if (m_begin) return refused("the last statement has no semicolon at the end of its line", m_begin_line);
  return {};
}

Result<Sections> find_sections(const sql::Source& source) {
  Parser parser(source);
  if (const auto parsed = parser.parse(); !parsed) return failed(parsed);
  return Sections{parser.side(Side::up).line, parser.side(Side::down).line};
}

Result<sql::Script> read_sql_migrate(const Migration& migration, Side side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  Parser parser(**source);
  if (const auto parsed = parser.parse(); !parsed) return failed(parsed);
  const Parsed& parsed = parser.side(side);
  const bool alone = parsed.no_transaction_line > 0;
  auto part = sql::as_messages(
      *source, parsed.pieces,
      alone ? record::TransactionShape::autocommit : record::TransactionShape::one_transaction);
  if (part && alone) part->shape_reason = fmt::format("notransaction at {}:1", parsed.no_transaction_line);
  return script_of(std::move(part));
}

std::string file_of(const Migration& migration) {
  return std::filesystem::path(migration.up_path).filename().string();
}

std::string number_of(const std::string& file) {
  return file.substr(0, std::min(file.find_first_not_of("0123456789"), file.size()));
}

void order(std::vector<Migration>& migrations) {
  std::ranges::sort(migrations, [](const Migration& a, const Migration& b) {
    const std::string left = number_of(file_of(a));
    const std::string right = number_of(file_of(b));
    if (left.empty() != right.empty()) return right.empty();
    if (number_less(left, right)) return true;
    if (number_less(right, left)) return false;
    return file_of(a) < file_of(b);
  });
}

/// gorp makes it of a struct: a string and a time (dialect_postgres.go, dialect_sqlite.go: ToSqlType).
std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  const bool sqlite = dialect == sql::Dialect::sqlite;
  const std::string table = own_table("gorp_migrations", dialect);
  return books(
      table,
      fmt::format("CREATE TABLE IF NOT EXISTS {} (id {} NOT NULL PRIMARY KEY, applied_at {})", table,
                  sqlite ? "varchar(255)" : "text", sqlite ? "datetime" : "timestamp with time zone"),
      [table](const Migration& migration, Side side) {
        const std::string id = literal(file_of(migration));
        return side == Side::up
                   ? fmt::format("INSERT INTO {} (id, applied_at) VALUES ({}, CURRENT_TIMESTAMP)", table, id)
                   : fmt::format("DELETE FROM {} WHERE id = {}", table, id);
      });
}

Fit fits(const Folder& folder) {
  const std::string file = folder.first_with_line("-- +migrate up");
  if (file.empty()) return {has_sql(folder) ? Fit::How::if_named : Fit::How::no, ""};
  return {Fit::How::sure, fmt::format("'-- +migrate Up' in {}", file)};
}

bool is_sql(const Entry& entry) {
  return !entry.is_directory && entry.name.ends_with(".sql");
}

void take(SectionedHistory& history, const Folder& folder, const Entry& entry, bool number_is_its_own) {
  const std::string number = number_of(entry.name);
  if (number_less("9223372036854775807", number)) {
    history.faults().add(folder.path_of(entry.name),
                         fmt::format("sql-migrate refuses '{}': its number is too large", entry.name),
                         "numbers have at most 64 bits");
    return;
  }
  NumberedFile numbered = numbered_file(entry.name);
  if (!number_is_its_own) numbered = {entry.name.substr(0, entry.name.size() - 4), ""};
  history.take(entry, std::move(numbered));
}

Result<History> load(const Folder& folder) {
  std::map<std::string, int> numbers;
  for (const Entry& entry : folder.entries()) {
    if (is_sql(entry)) ++numbers[number_key(number_of(entry.name))];
  }
  SectionedHistory history(folder, read_sql_migrate, find_sections);
  for (const Entry& entry : folder.entries()) {
    if (is_sql(entry)) {
      const std::string number = number_of(entry.name);
      take(history, folder, entry, !number.empty() && numbers[number_key(number)] == 1);
    } else {
      history.leave(entry, entry.is_directory ? "a folder" : "not a .sql file");
    }
  }
  auto loaded = std::move(history).finish(order);
  if (!loaded) return loaded;
  loaded->bookkeeping = bookkeeping(folder.dialect());
  loaded->habits.late = Habits::Late::applied;
  return loaded;
}

}  // namespace

Format format() {
  return {"sql-migrate", "<number>_<name>.sql with '-- +migrate Up'", fits, load, true};
}

}  // namespace lockkeeper::history::formats::sql_migrate
