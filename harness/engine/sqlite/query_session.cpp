#include "engine/sqlite/query_session.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/answer_hash.h"
#include "engine/sqlite/query_plan.h"
#include "engine/sqlite/rolled_back.h"
#include "engine/sqlite/schema.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

using record::SqlError;

/// No value may be longer, and no row that is read: SQLite's own limit is a thousand million bytes, which are
/// written, turned into text and hashed while nobody looks at the clock.
constexpr int k_longest_bytes = 64 << 20;

/// They reach files or code behind SQLite's back. All but load_extension are the shell's.
constexpr std::array<std::string_view, 4> k_refused_functions = {"edit", "fts3_tokenizer", "load_extension",
                                                                 "writefile"};

/// What SQLite asks leave for while it prepares a statement: the only place where it tells what a statement
/// will do (https://www.sqlite.org/c3ref/set_authorizer.html).
class Inquiry {
 public:
  explicit Inquiry(Database& database) : m_database(database.get()) {
    sqlite3_set_authorizer(m_database, on_question, this);
  }
  ~Inquiry() { sqlite3_set_authorizer(m_database, nullptr, nullptr); }
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;

  /// In lower case; views and common tables are among them.
  const std::set<std::string>& names() const { return m_names; }
  /// What it would do that no rollback takes back, and was therefore not prepared; "": nothing.
  const std::string& refused() const { return m_refused; }

 private:
  static int on_question(void* self, int action, const char* first, const char* second,
                         const char* /*database*/, const char* /*inside*/) {
    return static_cast<Inquiry*>(self)->allows(action, first == nullptr ? "" : first, second);
  }

  int allows(int action, const std::string& first, const char* second) {
    switch (action) {
      case SQLITE_READ:
      case SQLITE_INSERT:
      case SQLITE_UPDATE:
      case SQLITE_DELETE:
        m_names.insert(lower(first));
        return SQLITE_OK;
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT:
        return refuse("it leaves the transaction that it is tried in");
      case SQLITE_ATTACH:
        return refuse("it attaches another file");
      case SQLITE_DETACH:
        return refuse("it detaches a file");
      case SQLITE_PRAGMA:
        // Without a value it may be a virtual table's: FTS3 and R-Tree ask for page_size at first.
        return second == nullptr ? SQLITE_OK : refuse(fmt::format("it sets PRAGMA {}", lower(first)));
      case SQLITE_FUNCTION: {
        const std::string function = lower(second == nullptr ? "" : second);
        if (std::ranges::find(k_refused_functions, function) == k_refused_functions.end()) return SQLITE_OK;
        return refuse(fmt::format("it calls {}()", function));
      }
      default:
        return SQLITE_OK;
    }
  }

  int refuse(std::string why) {
    if (m_refused.empty()) m_refused = std::move(why);
    return SQLITE_DENY;
  }

  sqlite3* m_database;
  std::set<std::string> m_names;
  std::string m_refused;
};

/// A row's values as text, in memory that is good until the next row.
class RowText {
 public:
  /// False where the row is too long to be read.
  bool read(const Statement& statement);
  const std::vector<const char*>& values() const { return m_values; }
  const std::vector<std::size_t>& lengths() const { return m_lengths; }
  const std::string& types() const { return m_types; }  ///< QueryAnswer::types

 private:
  void read_value(const Statement& statement, int at);

  std::vector<const char*> m_values;
  std::vector<std::size_t> m_lengths;
  std::string m_types;
  std::deque<std::string> m_blobs;
};

char letter_of(int type) {
  switch (type) {
    case SQLITE_INTEGER:
      return 'i';
    case SQLITE_FLOAT:
      return 'f';
    case SQLITE_TEXT:
      return 't';
    case SQLITE_BLOB:
      return 'b';
    default:
      return 'n';
  }
}

bool RowText::read(const Statement& statement) {
  m_values.clear();
  m_lengths.clear();
  m_types.clear();
  m_blobs.clear();
  std::int64_t bytes = 0;
  for (int at = 0; at < statement.columns(); ++at) {
    const char type = letter_of(sqlite3_column_type(statement.get(), at));
    m_types += type;
    // Asked before the value itself is: what zeroblob() made takes no memory until then.
    if (type == 't' || type == 'b') bytes += sqlite3_column_bytes(statement.get(), at);
  }
  if (bytes > k_longest_bytes) return false;
  for (int at = 0; at < statement.columns(); ++at) read_value(statement, at);
  return true;
}

void RowText::read_value(const Statement& statement, int at) {
  if (m_types[static_cast<std::size_t>(at)] == 'b') {
    const std::string& blob = m_blobs.emplace_back(statement.text(at));
    m_values.push_back(blob.data());
    m_lengths.push_back(blob.size());
    return;
  }
  // The bytes are asked for behind the text: they are those of its encoding.
  m_values.push_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), at)));
  m_lengths.push_back(static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), at)));
}

/// Pages of the database that the connection asked its cache for since it was last set to zero. Whether they
/// were there depends on what ran before; both together do not. Sorts and transient tables have caches of
/// their own, which are not counted.
class PageCount {
 public:
  explicit PageCount(Database& database) : m_database(database.get()) { read(); }
  std::int64_t read() { return take(SQLITE_DBSTATUS_CACHE_HIT) + take(SQLITE_DBSTATUS_CACHE_MISS); }

 private:
  std::int64_t take(int what) {
    int count = 0;
    int unused = 0;
    sqlite3_db_status(m_database, what, &count, &unused, 1);
    return count;
  }
  sqlite3* m_database;
};

/// Pages that are read through a memory map never come to the cache, and would not be counted.
class WithoutMap {
 public:
  explicit WithoutMap(Database& database) : m_database(database) {
    if (const auto size = database.value("PRAGMA mmap_size")) m_size = *size;
    if (is_mapped()) m_database.execute("PRAGMA mmap_size = 0");
  }
  ~WithoutMap() {
    if (is_mapped()) m_database.execute("PRAGMA mmap_size = " + m_size);
  }
  WithoutMap(const WithoutMap&) = delete;
  WithoutMap& operator=(const WithoutMap&) = delete;

 private:
  bool is_mapped() const { return !m_size.empty() && m_size != "0"; }

  Database& m_database;
  std::string m_size;
};

/// A PRAGMA that is on or off, turned round until the end: statements that are prepared are planned anew when
/// it changes.
class TurnedRound {
 public:
  TurnedRound(Database& database, const char* pragma) : m_database(database), m_pragma(pragma) {
    const auto found = database.value(fmt::format("PRAGMA {}", pragma));
    if (!found || (*found != "0" && *found != "1")) return;
    m_before = *found;
    set(is_on() ? "OFF" : "ON");
    const auto after = database.value(fmt::format("PRAGMA {}", pragma));
    m_done = after && *after != m_before;
  }
  ~TurnedRound() {
    if (!m_before.empty()) set(is_on() ? "ON" : "OFF");
  }
  TurnedRound(const TurnedRound&) = delete;
  TurnedRound& operator=(const TurnedRound&) = delete;

  bool is_done() const { return m_done; }

 private:
  bool is_on() const { return m_before == "1"; }
  void set(const char* value) { m_database.execute(fmt::format("PRAGMA {} = {}", m_pragma, value)); }

  Database& m_database;
  const char* m_pragma;
  std::string m_before;
  bool m_done = false;
};

/// The ways of answer_otherwise(). The first reverses what no ORDER BY orders; an automatic index is one that
/// SQLite makes for a single execution, and has its tables joined in another order.
constexpr std::array<const char*, 2> k_ways = {"reverse_unordered_selects", "automatic_index"};

std::string limit_as_text(std::chrono::milliseconds limit) {
  return limit.count() % 1000 == 0 ? fmt::format("{} s", limit.count() / 1000)
                                   : fmt::format("{} ms", limit.count());
}

class Session : public QuerySession {
 public:
  Session(Database database, const QuerySettings& settings)
      : m_database(std::move(database)), m_longest(settings.longest) {
    sqlite3_limit(m_database.get(), SQLITE_LIMIT_LENGTH, k_longest_bytes);
  }

  Result<std::optional<SqlError>> prepare(const std::string& sql, Access access) override;
  Result<QueryAnswer> answer(const Parameters& parameters) override;
  Result<std::optional<QueryAnswer>> answer_otherwise(const Parameters& parameters, int way) override;
  Result<Explained> explain(const Parameters& parameters) override;
  Result<void> open() override;
  const SqlError* execute(const Parameters& parameters) override;
  Result<void> close() override;
  /// It runs in the thread that calls it.
  std::vector<int> processes() const override { return {}; }
  Result<bool> are_empty(const std::vector<std::string>& tables) override;

 private:
  tl::expected<Statement, SqlError> prepare_alone(const std::string& sql);
  std::optional<SqlError> refusal(Access access, const Inquiry& inquiry) const;
  Result<void> note_tables(const std::set<std::string>& names);
  std::optional<SqlError> bind(Statement& statement, const Parameters& parameters) const;
  template <typename Take>
  std::optional<SqlError> run(Statement& statement, const Parameters& parameters, Take take);
  std::optional<SqlError> take(RowText& row, AnswerKeeper& keeper);
  std::optional<SqlError> read_plan(const Parameters& parameters, record::QueryPlan& plan);
  std::optional<SqlError> count(const Parameters& parameters, record::QueryPlan& plan);

  Database m_database;
  std::chrono::milliseconds m_longest;
  Access m_access = Access::read;
  std::optional<Statement> m_statement;
  std::vector<std::string> m_tables;
  std::optional<SqlError> m_error;
};

/// Comments and semicolons may stand around it.
tl::expected<Statement, SqlError> Session::prepare_alone(const std::string& sql) {
  std::string_view rest = sql;
  std::optional<Statement> found;
  while (!trimmed(rest).empty()) {
    auto statement = m_database.prepare(rest, &rest);
    if (!statement && !found) return tl::unexpected(statement.error());
    const bool is_another = !statement || (found && !statement->is_empty());
    if (is_another) return tl::unexpected(SqlError{"SQLITE_ERROR", "one statement is wanted", "", "", ""});
    if (!statement->is_empty()) found = std::move(*statement);
  }
  if (!found) return tl::unexpected(SqlError{"SQLITE_ERROR", "one statement is wanted", "", "", ""});
  return std::move(*found);
}

/// A statement that ends the transaction counts as one that only reads.
std::optional<SqlError> Session::refusal(Access access, const Inquiry& inquiry) const {
  if (!inquiry.refused().empty()) return SqlError{"SQLITE_AUTH", inquiry.refused(), "", "", ""};
  if (access == Access::read && m_statement && sqlite3_stmt_readonly(m_statement->get()) == 0)
    return SqlError{"SQLITE_READONLY", "it writes, though it is to read only", "", "", ""};
  return std::nullopt;
}

/// Those that are tables of the file, as the catalog shows them.
Result<void> Session::note_tables(const std::set<std::string>& names) {
  const auto schema = read_schema(m_database);
  if (!schema) return failed(schema);
  for (const SchemaEntry& entry : *schema) {
    const std::string name = lower(entry.name);
    if (entry.type == "table" && !name.starts_with("sqlite_") && names.contains(name))
      m_tables.push_back(shown_name(entry.name));
  }
  return {};
}

Result<std::optional<SqlError>> Session::prepare(const std::string& sql, Access access) {
  m_statement.reset();
  m_tables.clear();
  m_access = access;
  std::optional<SqlError> error;
  std::set<std::string> names;
  {
    const Inquiry inquiry(m_database);
    auto statement = prepare_alone(sql);
    if (statement) {
      m_statement = std::move(*statement);
    } else {
      error = statement.error();
    }
    if (auto refused = refusal(access, inquiry)) error = std::move(refused);
    names = inquiry.names();
  }
  if (interrupted()) return failed_by_interrupt();
  if (error) {
    m_statement.reset();
    return error;
  }
  if (const auto noted = note_tables(names); !noted) return failed(noted);
  return std::optional<SqlError>();
}

std::optional<SqlError> Session::bind(Statement& statement, const Parameters& parameters) const {
  const int wanted = sqlite3_bind_parameter_count(statement.get());
  if (parameters.size() != static_cast<std::size_t>(wanted)) {
    return SqlError{
        "SQLITE_RANGE",
        fmt::format("it has {}, and {} given", counted(wanted, "parameter"),
                    parameters.size() == 1 ? "1 value is" : fmt::format("{} values are", parameters.size())),
        "", "", ""};
  }
  for (int at = 0; at < wanted; ++at) {
    if (statement.bind(at + 1, parameters[static_cast<std::size_t>(at)]) != SQLITE_OK)
      return m_database.last_error();
  }
  return std::nullopt;
}

/// To the end, within the time: what SQLite says against it, or `take` of a row. The statement is ready for
/// the next run then.
template <typename Take>
std::optional<SqlError> Session::run(Statement& statement, const Parameters& parameters, Take take) {
  if (auto error = bind(statement, parameters)) return error;
  m_database.limit_time(m_longest);
  std::optional<SqlError> error;
  int code = statement.step();
  while (code == SQLITE_ROW) {
    error = take();
    if (error) break;
    code = statement.step();
  }
  if (!error && code != SQLITE_DONE) error = m_database.last_error();
  if (error && m_database.ran_out_of_time())
    error = SqlError{"SQLITE_INTERRUPT", "it took longer than " + limit_as_text(m_longest), "", "", ""};
  m_database.limit_time(std::chrono::milliseconds(0));
  sqlite3_reset(statement.get());
  return error;
}

/// Long values are turned into text and hashed where SQLite does not look at the clock.
std::optional<SqlError> Session::take(RowText& row, AnswerKeeper& keeper) {
  if (!row.read(*m_statement)) {
    return SqlError{"SQLITE_TOOBIG", fmt::format("a row is longer than {} MB", k_longest_bytes >> 20), "", "",
                    ""};
  }
  keeper.add(row.values(), row.lengths(), row.types());
  if (m_database.is_time_over()) return SqlError{"SQLITE_INTERRUPT", "interrupted", "", "", ""};
  return std::nullopt;
}

Result<QueryAnswer> Session::answer(const Parameters& parameters) {
  if (!m_statement) return failed(FailureKind::environment, "no query is prepared");
  QueryAnswer answer;
  for (int at = 0; at < m_statement->columns(); ++at) {
    const char* const name = sqlite3_column_name(m_statement->get(), at);
    answer.columns.emplace_back().name = name == nullptr ? "" : name;
  }
  AnswerKeeper keeper(answer);
  RowText row;
  auto error = rolled_back(m_database,
                           [&] { return run(*m_statement, parameters, [&] { return take(row, keeper); }); });
  if (!error) return failed(error);
  answer.error = std::move(*error);
  if (!answer.error && sqlite3_stmt_readonly(m_statement->get()) == 0)
    answer.changed = sqlite3_changes64(m_database.get());
  return answer;
}

Result<std::optional<QueryAnswer>> Session::answer_otherwise(const Parameters& parameters, int way) {
  if (way < 0 || static_cast<std::size_t>(way) >= k_ways.size()) return std::optional<QueryAnswer>();
  const char* const pragma = k_ways.at(static_cast<std::size_t>(way));
  const TurnedRound turned(m_database, pragma);
  if (!turned.is_done()) {
    QueryAnswer none;
    none.error = SqlError{"SQLITE_ERROR", fmt::format("PRAGMA {} cannot be changed", pragma), "", "", ""};
    return std::optional(std::move(none));
  }
  auto found = answer(parameters);
  if (!found) return failed(found);
  return std::optional(std::move(*found));
}

std::optional<SqlError> Session::read_plan(const Parameters& parameters, record::QueryPlan& plan) {
  auto statement = m_database.prepare(fmt::format("EXPLAIN QUERY PLAN {}", sqlite3_sql(m_statement->get())));
  if (!statement) return statement.error();
  std::vector<Database::Row> lines;
  auto error = run(*statement, parameters, [&] {
    auto& line = lines.emplace_back();
    for (int at = 0; at < statement->columns(); ++at) line.emplace_back(statement->text(at));
    return std::optional<SqlError>();
  });
  if (!error) plan = plan_of(lines);
  return error;
}

/// What single nodes did SQLite tells only where it was built with SQLITE_ENABLE_STMT_SCANSTATUS, and
/// Debian's is not: counted is the query as a whole.
std::optional<SqlError> Session::count(const Parameters& parameters, record::QueryPlan& plan) {
  std::int64_t rows = 0;
  PageCount pages(m_database);
  auto error = run(*m_statement, parameters, [&] {
    ++rows;
    return std::optional<SqlError>();
  });
  record::PlanNode& whole = plan.nodes.front();
  whole.rows = static_cast<double>(rows);
  whole.loops = 1;
  whole.buffers = pages.read();
  plan.buffers = whole.buffers;
  return error;
}

Result<QuerySession::Explained> Session::explain(const Parameters& parameters) {
  if (!m_statement) return failed(FailureKind::environment, "no query is prepared");
  const WithoutMap without_map(m_database);
  Explained explained;
  auto error = rolled_back(m_database, [&] {
    auto refused = read_plan(parameters, explained.plan);
    return refused ? refused : count(parameters, explained.plan);
  });
  if (!error) return failed(error);
  explained.error = std::move(*error);
  explained.tables = m_tables;
  return explained;
}

/// A writer takes its lock here: that nobody else has it is no part of the time.
Result<void> Session::open() {
  if (!m_statement) return failed(FailureKind::environment, "no query is prepared");
  const auto error = m_database.execute(m_access == Access::read ? "BEGIN" : "BEGIN IMMEDIATE");
  return error ? Result<void>(tl::unexpected<Failure>(m_database.failure(*error))) : Result<void>();
}

const SqlError* Session::execute(const Parameters& parameters) {
  m_error = run(*m_statement, parameters, [] { return std::optional<SqlError>(); });
  return m_error ? &*m_error : nullptr;
}

Result<void> Session::close() {
  // What was interrupted while it wrote has rolled back already.
  std::optional<SqlError> error;
  if (m_database.in_transaction()) error = m_database.execute("ROLLBACK");
  if (interrupted()) return failed_by_interrupt();
  return error ? Result<void>(tl::unexpected<Failure>(m_database.failure(*error))) : Result<void>();
}

Result<bool> Session::are_empty(const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    const auto entry = find_entry(m_database, "table", table);
    if (!entry) return failed(entry);
    if (!*entry)
      return failed(FailureKind::environment, fmt::format("cannot read table '{}': there is none", table));
    const auto any =
        m_database.value(fmt::format("SELECT EXISTS (SELECT 1 FROM main.{})", quoted_name((*entry)->name)));
    if (!any) return failed(any);
    if (*any == "1") return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<QuerySession>> open_query_session(const std::filesystem::path& file,
                                                         const Pragmas& pragmas,
                                                         const QuerySettings& settings) {
  auto database = Database::open(file, Database::Mode::read_write, pragmas);
  if (!database) return failed(database);
  return std::make_unique<Session>(std::move(*database), settings);
}

}  // namespace lockkeeper::engine::sqlite
