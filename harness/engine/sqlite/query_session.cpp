#include "engine/sqlite/query_session.h"

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

constexpr int k_longest_value = 64 << 20;

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
  bool leaves_transaction() const { return m_leaves_transaction; }
  bool sets_pragma() const { return m_sets; }

 private:
  static int on_question(void* self, int action, const char* first, const char* second,
                         const char* /*database*/, const char* /*inside*/) {
    auto* inquiry = static_cast<Inquiry*>(self);
    switch (action) {
      case SQLITE_READ:
      case SQLITE_INSERT:
      case SQLITE_UPDATE:
      case SQLITE_DELETE:
        if (first != nullptr) inquiry->m_names.insert(lower(first));
        return SQLITE_OK;
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT:
      case SQLITE_ATTACH:
      case SQLITE_DETACH:
        inquiry->m_leaves_transaction = true;
        return SQLITE_DENY;
      case SQLITE_PRAGMA:
        inquiry->m_sets = inquiry->m_sets || second != nullptr;
        return second == nullptr ? SQLITE_OK : SQLITE_DENY;
      default:
        return SQLITE_OK;
    }
  }

  sqlite3* m_database;
  std::set<std::string> m_names;
  bool m_leaves_transaction = false;
  bool m_sets = false;
};

/// A row's values as text, in memory that is good until the next row.
class RowText {
 public:
  void read(const Statement& statement);
  const std::string& types() const { return m_types; }
  const std::vector<const char*>& values() const { return m_values; }
  const std::vector<std::size_t>& lengths() const { return m_lengths; }

 private:
  std::vector<const char*> m_values;
  std::vector<std::size_t> m_lengths;
  std::deque<std::string> m_blobs;
  std::string m_types;
};

char letter_of(int type) {
  switch (type) {
    case SQLITE_INTEGER:
      return 'i';
    case SQLITE_FLOAT:
      return 'f';
    case SQLITE_BLOB:
      return 'b';
    case SQLITE_NULL:
      return 'n';
    default:
      return 't';
  }
}

/// Types are the values', not the columns'.
void RowText::read(const Statement& statement) {
  m_types.clear();
  m_values.clear();
  m_lengths.clear();
  m_blobs.clear();
  for (int at = 0; at < statement.columns(); ++at) {
    const int type = sqlite3_column_type(statement.get(), at);
    m_types += letter_of(type);
    if (type == SQLITE_BLOB) {
      const std::string& blob = m_blobs.emplace_back(statement.text(at));
      m_values.push_back(blob.data());
      m_lengths.push_back(blob.size());
      continue;
    }
    // The bytes are asked for behind the text: they are those of its encoding.
    m_values.push_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), at)));
    m_lengths.push_back(static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), at)));
  }
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

std::string limit_as_text(std::chrono::milliseconds limit) {
  return limit.count() % 1000 == 0 ? fmt::format("{} s", limit.count() / 1000)
                                   : fmt::format("{} ms", limit.count());
}

class Session : public QuerySession {
 public:
  Session(Database database, const QuerySettings& settings)
      : m_database(std::move(database)), m_longest(settings.longest) {}

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
  template <typename Take>
  std::optional<SqlError> run(Statement& statement, const Parameters& parameters, Take take);
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
  if (inquiry.leaves_transaction())
    return SqlError{"SQLITE_AUTH", "it leaves the transaction that it is tried in", "", "", ""};
  if (inquiry.sets_pragma())
    return SqlError{"SQLITE_AUTH", "it sets what would outlive it: a PRAGMA is no query", "", "", ""};
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

/// To the end, within the time: what SQLite says against it. The statement is ready for the next run then.
template <typename Take>
std::optional<SqlError> Session::run(Statement& statement, const Parameters& parameters, Take take) {
  const int wanted = sqlite3_bind_parameter_count(statement.get());
  if (parameters.size() != static_cast<std::size_t>(wanted)) {
    return SqlError{
        "SQLITE_RANGE",
        fmt::format("it has {}, and {} given", counted(wanted, "parameter"),
                    parameters.size() == 1 ? "1 value is" : fmt::format("{} values are", parameters.size())),
        "", "", ""};
  }
  for (int at = 0; at < wanted; ++at) statement.bind(at + 1, parameters[static_cast<std::size_t>(at)]);
  m_database.limit_time(m_longest);
  int code = statement.step();
  for (; code == SQLITE_ROW; code = statement.step()) take();
  std::optional<SqlError> error;
  if (code != SQLITE_DONE) error = m_database.last_error();
  if (error && m_database.ran_out_of_time())
    error = SqlError{"SQLITE_INTERRUPT", "it took longer than " + limit_as_text(m_longest), "", "", ""};
  m_database.limit_time(std::chrono::milliseconds(0));
  sqlite3_reset(statement.get());
  return error;
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
  auto error = rolled_back(m_database, [&] {
    return run(*m_statement, parameters, [&] {
      row.read(*m_statement);
      keeper.add(row.values(), row.lengths(), row.types());
    });
  });
  if (!error) return failed(error);
  answer.error = std::move(*error);
  if (!answer.error && sqlite3_stmt_readonly(m_statement->get()) == 0)
    answer.changed = sqlite3_changes(m_database.get());
  return answer;
}

/// What is in no order comes backwards, or by other loops (https://www.sqlite.org/pragma.html).
Result<std::optional<QueryAnswer>> Session::answer_otherwise(const Parameters& parameters, int way) {
  static constexpr std::array<std::array<const char*, 2>, 2> k_ways = {
      {{"PRAGMA reverse_unordered_selects = ON", "PRAGMA reverse_unordered_selects = OFF"},
       {"PRAGMA automatic_index = OFF", "PRAGMA automatic_index = ON"}}};
  if (way >= static_cast<int>(k_ways.size())) return std::optional<QueryAnswer>();
  m_database.execute(k_ways[static_cast<std::size_t>(way)][0]);
  auto result = answer(parameters);
  m_database.execute(k_ways[static_cast<std::size_t>(way)][1]);
  if (!result) return failed(result);
  return std::optional(std::move(*result));
}

std::optional<SqlError> Session::read_plan(const Parameters& parameters, record::QueryPlan& plan) {
  auto statement = m_database.prepare(fmt::format("EXPLAIN QUERY PLAN {}", sqlite3_sql(m_statement->get())));
  if (!statement) return statement.error();
  std::vector<Database::Row> lines;
  auto error = run(*statement, parameters, [&] {
    auto& line = lines.emplace_back();
    for (int at = 0; at < statement->columns(); ++at) line.emplace_back(statement->text(at));
  });
  if (!error) plan = plan_of(lines);
  return error;
}

/// What single nodes did SQLite tells only where it was built with SQLITE_ENABLE_STMT_SCANSTATUS, and
/// Debian's is not: counted is the query as a whole.
std::optional<SqlError> Session::count(const Parameters& parameters, record::QueryPlan& plan) {
  std::int64_t rows = 0;
  PageCount pages(m_database);
  auto error = run(*m_statement, parameters, [&] { ++rows; });
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
  m_error = run(*m_statement, parameters, [] {});
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
  // Making a value of gigabytes is one step, in which no time is looked at.
  sqlite3_limit(database->get(), SQLITE_LIMIT_LENGTH, k_longest_value);
  return std::make_unique<Session>(std::move(*database), settings);
}

}  // namespace lockkeeper::engine::sqlite
