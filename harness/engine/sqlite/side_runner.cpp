#include "engine/sqlite/side_runner.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/sqlite/schema_text.h"
#include "sql/kind.h"
#include "sql/lexer.h"

namespace lockkeeper::engine::sqlite {

namespace {

using record::SideRun;
using record::SqlError;
using record::StatementRecord;
using record::TransactionShape;
using sql::Part;
using sql::StatementKind;
using SteadyClock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::size_t k_text_limit = 4000;
constexpr std::chrono::milliseconds k_longest_wait{5000};

record::Microseconds since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<record::Microseconds>(SteadyClock::now() - start);
}

std::string first_word(std::string_view text) {
  sql::Lexer lexer(text, 0, sql::Dialect::sqlite);
  return lower(std::string(lexer.next_code().in(text)));
}

std::string second_word(std::string_view text) {
  sql::Lexer lexer(text, 0, sql::Dialect::sqlite);
  lexer.next_code();
  return lower(std::string(lexer.next_code().in(text)));
}

bool changes_rows(const std::string& word) {
  return word == "insert" || word == "update" || word == "delete" || word == "replace" || word == "with";
}

/// What SQLite is asked for while it prepares a statement, before anything runs.
struct Intent {
  std::set<std::string> written;  ///< tables whose rows it writes, by foreign keys and triggers too
  std::set<std::string> deleted;  ///< of these the ones that rows are deleted from
  std::set<std::string> dropped;  ///< tables
  std::string target;             ///< the first of all these: what the statement itself is about
  std::string refused;            ///< a file outside that it wants to open
};

/// A migration works on the file that it is given: another one is not ours to touch.
int authorize(void* context, int action, const char* first, const char*, const char*, const char*) {
  auto* intent = static_cast<Intent*>(context);
  const std::string name = first == nullptr ? "" : first;
  const auto note = [&](std::set<std::string>& names) {
    if (name.starts_with("sqlite_")) return;
    names.insert(name);
    if (intent->target.empty()) intent->target = name;
  };
  switch (action) {
    case SQLITE_ATTACH:
      if (name.empty() || name == ":memory:") return SQLITE_OK;
      intent->refused = name;
      return SQLITE_DENY;
    case SQLITE_PRAGMA:
      if (name != "temp_store_directory" && name != "data_store_directory") return SQLITE_OK;
      intent->refused = "PRAGMA " + name;
      return SQLITE_DENY;
    case SQLITE_DELETE:
      note(intent->deleted);
      [[fallthrough]];
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
      note(intent->written);
      return SQLITE_OK;
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VTABLE:
      note(intent->dropped);
      return SQLITE_OK;
    default:
      return SQLITE_OK;
  }
}

/// VACUUM by itself; of PRAGMA journal_mode and synchronous only the words of the error tell.
bool refuses_transaction(const SqlError& error, const sql::Statement& statement) {
  const auto says = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  return statement.kind == StatementKind::no_transaction || says("within a transaction") ||
         says("inside a transaction");
}

/// One side under way.
class Execution {
  /// Questions of ours in the migration's session: no intent of its own.
  template <typename Ask>
  auto read_own(Ask ask) {
    const Intent kept = m_intent;
    auto answer = ask();
    m_intent = kept;
    return answer;
  }

 public:
  Execution(Database& database, Lineage& lineage, const SideRequest& request, const fs::path& file,
            LockWatch& watch)
      : m_database(database), m_lineage(lineage), m_request(request), m_file(file), m_watch(watch) {
    m_run.side = request.side;
    if (request.script->parts.empty()) return;
    m_run.shape = request.script->parts.front().shape;
    m_run.shape_reason = request.script->parts.front().shape_reason;
  }

  Result<void> run() {
    sqlite3_set_authorizer(m_database.get(), authorize, &m_intent);
    auto schema = read_own([this] { return read_schema(m_database); });
    if (!schema) return failed(schema);
    m_schema = std::move(*schema);
    m_first_schema = m_schema;
    const auto start = m_start = SteadyClock::now();
    if (m_request.observe == Observe::yes) m_watch.begin();
    Result<bool> going = true;
    for (const Part& part : m_request.script->parts) {
      if (going && *going) going = run(part);
    }
    if (going && *going && !m_database.in_transaction()) going = keep_books();
    note_locks();
    if (!going) return failed(going);
    m_run.duration = since(start);
    m_other.reset();
    m_run.left_transaction_open = m_database.in_transaction() && !m_run.error;
    m_database.limit_time({});
    if (m_database.in_transaction()) {
      static_cast<void>(m_database.execute("ROLLBACK"));
      // What it made is gone again, and so is what was followed of it.
      if (const auto followed = follow_schema(false); !followed) return followed;
    }
    sqlite3_set_authorizer(m_database.get(), nullptr, nullptr);
    return {};
  }

  SideOutcome outcome() && { return {std::move(m_run), m_stopped_at, std::move(m_touched), ""}; }
  const sql::Statement* refused() const { return m_refused; }

 private:
  bool runs_in_one() const { return m_part->shape == TransactionShape::one_transaction; }

  Location end_of_part() const {
    if (m_part->statements.empty())
      return m_part->sources.empty() ? Location{} : m_part->sources.back()->locate(0);
    const sql::Statement& last = m_part->statements.back();
    return last.source->locate(last.offset + last.text.size());
  }

  void fail(const SqlError& error, const Location& location) {
    if (m_run.error) return;
    m_run.error = error;
    m_run.error_location = location;
  }

  Result<bool> run(const Part& part) {
    m_part = &part;
    Result<bool> going = true;
    if (runs_in_one())
      going = control("BEGIN", part.statements.empty() ? end_of_part() : part.statements[0].location);
    for (const sql::Statement& statement : part.statements) {
      if (going && *going) going = come_to(m_come++, statement.location);
      if (!going || !*going) return going;
      going = execute(statement);
      note_write_lock(&statement);
    }
    if (!going || !*going || !runs_in_one()) return going;
    if (&part == &m_request.script->parts.back()) going = come_to(m_come, end_of_part());
    if (!going || !*going) return going;
    if (&part == &m_request.script->parts.back()) going = keep_books();
    if (going && *going && !part.error_where_ended.empty() && !m_database.in_transaction()) {
      fail({"", part.error_where_ended, "the file has ended the transaction that the tool began", "", ""},
           end_of_part());
      going = false;
    }
    if (going && *going && m_database.in_transaction()) going = control("COMMIT", end_of_part());
    return going;
  }

  /// BEGIN and COMMIT that the file does not hold itself.
  Result<bool> control(const std::string& sql, const Location& location) {
    m_database.limit_time(m_request.statement_timeout);
    const auto error = m_database.execute(sql);
    note_write_lock(nullptr);
    if (!error) return true;
    if (interrupted()) return failed_by_interrupt();
    fail(described(*error), location);
    return false;
  }

  /// False where the side is to be stopped before this statement. A lock of somebody else's is no stop yet:
  /// what becomes of it is for SQLite to say.
  Result<bool> come_to(std::size_t statement, const Location& location) {
    if (!m_request.stop || m_request.stop->before != statement) return true;
    if (m_request.stop->how == record::StopKind::session_ended) {
      m_stopped_at = since(m_start);
      fail({"", "the session was ended", "", "", ""}, location);
      return false;
    }
    if (m_database.in_transaction() && sqlite3_txn_state(m_database.get(), "main") != SQLITE_TXN_NONE)
      return true;
    auto other = locked(m_file);
    if (!other) return failed(other);
    m_other = std::move(*other);
    // That a session waits is seen by then.
    const auto waits = read_own([&] { return m_database.value("PRAGMA busy_timeout"); });
    if (!waits) return failed(waits);
    if (std::atoll(waits->c_str()) > k_longest_wait.count())
      sqlite3_busy_timeout(m_database.get(), static_cast<int>(k_longest_wait.count()));
    m_stopped_at = since(m_start);
    return true;
  }

  /// When the side began to keep other writers out, and when it stopped: by what SQLite says of its own
  /// transaction. One that a statement has to itself lasts as long as the statement.
  void note_write_lock(const sql::Statement* statement) {
    const bool writing = sqlite3_txn_state(m_database.get(), "main") == SQLITE_TXN_WRITE;
    const auto now = since(m_start);
    const bool alone = !writing && !m_writing && statement != nullptr && m_wrote && !m_run.error;
    if ((writing && !m_writing) || alone) {
      record::FileLock lock;
      lock.at = m_statement_began;
      if (statement != nullptr) {
        lock.text = abridged(statement->text, k_text_limit);
        lock.location = statement->location;
      }
      m_run.file_locks.push_back(std::move(lock));
    }
    if (alone || (m_writing && !writing)) {
      record::FileLock& lock = m_run.file_locks.back();
      lock.held = now - lock.at;
    }
    m_writing = writing;
  }

  /// Readers are kept out while a large change spills and while it is committed, which nobody but somebody
  /// outside sees.
  void note_locks() {
    if (m_writing && !m_run.file_locks.empty()) {
      m_run.file_locks.back().held = since(m_start) - m_run.file_locks.back().at;
      m_writing = false;
    }
    for (record::FileLock& lock : m_watch.end()) {
      if (!lock.stops_readers) continue;
      for (const auto& [began, statement] : m_began) {
        if (began > lock.at) break;
        lock.text = abridged(statement->text, k_text_limit);
        lock.location = statement->location;
      }
      m_run.file_locks.push_back(std::move(lock));
    }
  }

  /// The tool's own note of the side: in its transaction where it has one.
  Result<bool> keep_books() {
    if (m_booked || m_request.bookkeeping.empty()) return true;
    m_booked = true;
    const auto error = m_database.execute(m_request.bookkeeping);
    if (!error) return true;
    SqlError said = *error;
    said.message = "the tool cannot note in its own table that the side is done: " + said.message;
    fail(said, end_of_part());
    return false;
  }

  SqlError described(SqlError error) const {
    if (m_database.ran_out_of_time())
      return {"", fmt::format("did not end within {} (--timeout)", human(m_request.statement_timeout)), "",
              "", ""};
    if (!m_intent.refused.empty() && error.sqlstate == "SQLITE_AUTH") {
      error.message = fmt::format("'{}' lies outside of the database that is migrated", m_intent.refused);
      error.hint = "lockkeeper lets no migration open another file";
    }
    return error;
  }

  /// Sends one statement and records it; false where it failed.
  Result<bool> execute(const sql::Statement& statement) {
    StatementRecord result;
    result.text = abridged(statement.text, k_text_limit);
    result.location = statement.location;
    m_intent = {};
    m_database.limit_time(m_request.statement_timeout);
    const auto start = SteadyClock::now();
    m_statement_began = since(m_start);
    m_began.emplace_back(m_statement_began, &statement);
    m_wrote = false;
    const sqlite3_int64 changes_before = sqlite3_total_changes64(m_database.get());
    std::optional<SqlError> error;
    Location place = statement.location;
    auto prepared = m_database.prepare(statement.text);
    std::map<std::string, std::int64_t> dependents;
    if (!prepared) {
      error = prepared.error();
      const int offset = sqlite3_error_offset(m_database.get());
      if (offset > 0) place = statement.source->locate(statement.offset + static_cast<std::size_t>(offset));
    } else {
      auto counted = count_dependents();
      if (!counted) return failed(counted);
      dependents = std::move(*counted);
      m_wrote = !prepared->is_empty() && sqlite3_stmt_readonly(prepared->get()) == 0;
      error = step(*prepared);
    }
    if (interrupted()) return failed_by_interrupt();
    result.duration = since(start);
    if (error) {
      fail(described(*error), place);
      if (m_part->may_leave_transaction && runs_in_one() && refuses_transaction(*error, statement))
        m_refused = &statement;
      result.error = m_run.error;
    } else if (const auto looked = look(statement, result, dependents, changes_before); !looked) {
      return failed(looked);
    }
    m_run.statements.push_back(std::move(result));
    return !m_run.error;
  }

  std::optional<SqlError> step(Statement& statement) {
    if (statement.is_empty()) return std::nullopt;
    int code = statement.step();
    while (code == SQLITE_ROW) code = statement.step();
    return code == SQLITE_DONE ? std::nullopt : std::optional(m_database.last_error());
  }

  /// What a statement did, by what SQLite says afterwards.
  Result<void> look(const sql::Statement& statement, StatementRecord& result,
                    const std::map<std::string, std::int64_t>& dependents, sqlite3_int64 changes_before) {
    const std::string word = first_word(statement.text);
    const sqlite3_int64 all = sqlite3_total_changes64(m_database.get()) - changes_before;
    if (changes_rows(word) && all > 0) result.rows_changed = sqlite3_changes64(m_database.get());
    if (changes_rows(word) && all == 0) result.rows_changed = 0;
    for (const std::string& table : m_intent.written) {
      m_touched.tables.insert(shown_name(table));
    }
    // A dropped table's rows are deleted first where foreign keys are on, and theirs with them.
    if (!m_intent.dropped.empty() && !dependents.empty()) m_touched.everything = true;
    note_idle_pragma(statement, result, word);
    note_cascaded_rows(result, dependents);
    return follow_schema(word == "vacuum", &result);
  }

  /// SQLite passes over it in silence: https://www.sqlite.org/pragma.html#pragma_foreign_keys
  void note_idle_pragma(const sql::Statement& statement, StatementRecord& result,
                        const std::string& word) const {
    if (word != "pragma" || second_word(statement.text) != "foreign_keys" || !m_database.in_transaction())
      return;
    if (statement.text.find('=') == std::string_view::npos &&
        statement.text.find('(') == std::string_view::npos)
      return;
    result.notices.push_back(
        {"WARNING", "", "PRAGMA foreign_keys has no effect inside a transaction: it stays as it was", ""});
  }

  bool foreign_keys_are_on() {
    const auto on = m_database.value("PRAGMA foreign_keys");
    return on && *on == "1";
  }

  /// Rows of the tables that hang by foreign keys on what the prepared statement deletes from or drops.
  Result<std::map<std::string, std::int64_t>> count_dependents() {
    const bool deletes = !m_intent.deleted.empty() || !m_intent.dropped.empty();
    if (!deletes || m_request.observe == Observe::no) return std::map<std::string, std::int64_t>{};
    return read_own([&]() -> Result<std::map<std::string, std::int64_t>> {
      std::map<std::string, std::int64_t> counts;
      if (!foreign_keys_are_on()) return counts;
      const auto children = children_of(m_intent.target);
      if (!children) return failed(children);
      for (const std::string& child : *children) {
        const auto rows = m_database.value("SELECT count(*) FROM main." + quoted_name(child));
        if (!rows) return failed(rows);
        counts[child] = std::atoll(rows->c_str());
      }
      return counts;
    });
  }

  /// By ON DELETE CASCADE, over as many tables as it goes; without the one to begin with.
  Result<std::set<std::string>> children_of(const std::string& top) {
    std::vector<std::pair<std::string, std::string>> keys;  // child, parent in lower case
    const auto done = m_database.each(
        "SELECT m.name, f.\"table\" FROM main.sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE "
        "m.type = "
        "'table' AND f.on_delete = 'CASCADE'",
        [&](Statement& row) { keys.emplace_back(row.text(0), lower(row.text(1))); });
    if (!done) return failed(done);
    std::set<std::string> reached = {lower(top)};
    std::set<std::string> children;
    for (bool grown = true; grown;) {
      grown = false;
      for (const auto& [child, parent] : keys) {
        if (!reached.contains(parent) || reached.contains(lower(child))) continue;
        grown = true;
        reached.insert(lower(child));
        children.insert(child);
      }
    }
    return children;
  }

  void note_cascaded_rows(StatementRecord& result, const std::map<std::string, std::int64_t>& before) {
    read_own([&] {
      for (const auto& [table, rows] : before) {
        const auto now = m_database.value("SELECT count(*) FROM main." + quoted_name(table));
        const std::int64_t lost = now ? rows - std::atoll(now->c_str()) : 0;
        if (lost <= 0) continue;
        result.cascaded.push_back({shown_name(table), lost});
      }
      return 0;
    });
  }

  Result<void> follow_schema(bool vacuumed, StatementRecord* result = nullptr) {
    return read_own([&]() -> Result<void> {
      const auto version = m_database.value("PRAGMA main.schema_version");
      if (!version) return failed(version);
      if (*version == m_schema_version && !vacuumed) return {};
      m_schema_version = *version;
      auto now = read_schema(m_database);
      if (!now) return failed(now);
      m_lineage.follow(m_schema, *now, vacuumed);
      if (result != nullptr) note_rebuilt(*now, *result, vacuumed);
      m_schema = std::move(*now);
      return {};
    });
  }

  /// Tables that existed before the side and lie elsewhere now.
  void note_rebuilt(const Schema& now, StatementRecord& result, bool vacuumed) {
    for (const SchemaEntry& entry : now) {
      if (entry.type != "table" || entry.root_page == 0) continue;
      const auto page_in = [&](const Schema& schema) {
        const auto found = std::ranges::find_if(
            schema, [&](const SchemaEntry& e) { return e.type == "table" && e.name == entry.name; });
        return found == schema.end() ? 0 : found->root_page;
      };
      const std::int64_t first = page_in(m_first_schema);
      if (first == 0 || page_in(m_schema) == entry.root_page) continue;
      if (vacuumed || first != entry.root_page) {
        result.rewrites.push_back(
            {shown_name(entry.name), record::StorageChange::rewritten, std::nullopt, 0});
      }
    }
  }

  Database& m_database;
  Lineage& m_lineage;
  const SideRequest& m_request;
  Intent m_intent;
  SideRun m_run;
  Touched m_touched;
  const Part* m_part = nullptr;
  const sql::Statement* m_refused = nullptr;  ///< that a transaction does not take
  const fs::path& m_file;
  LockWatch& m_watch;
  std::optional<Database> m_other;  ///< somebody else who writes
  std::size_t m_come = 0;           ///< statements of all parts so far
  SteadyClock::time_point m_start = SteadyClock::now();
  record::Microseconds m_statement_began{0};
  std::vector<std::pair<record::Microseconds, const sql::Statement*>> m_began;
  std::optional<record::Microseconds> m_stopped_at;
  bool m_writing = false;  ///< in a transaction that writes
  bool m_wrote = false;    ///< the last statement may have
  Schema m_first_schema;   ///< when the side began
  Schema m_schema;         ///< as it was last seen
  std::string m_schema_version;
  bool m_booked = false;
};

}  // namespace

Result<Database> locked(const fs::path& file) {
  auto other = Database::open(file, Database::Mode::read_write);
  if (!other) return other;
  if (const auto error = other->execute("BEGIN IMMEDIATE")) {
    return failed(FailureKind::environment,
                  fmt::format("cannot lock '{}': {}", file.string(), error->message));
  }
  return other;
}

Result<Pragmas> session_pragmas(Database& database) {
  // journal_mode is the file's where it outlives the session; case_sensitive_like cannot be asked for.
  static constexpr std::array k_names = {
      "busy_timeout",       "defer_foreign_keys", "foreign_keys",       "ignore_check_constraints",
      "legacy_alter_table", "locking_mode",       "recursive_triggers", "reverse_unordered_selects",
      "synchronous",        "temp_store"};
  Pragmas values;
  for (const char* name : k_names) {
    const auto value = database.value(fmt::format("PRAGMA {}", name));
    if (!value) return failed(value);
    values.emplace_back(name, *value);
  }
  return values;
}

Result<SideOutcome> SideRunner::run(const SideRequest& request, Lineage& lineage) {
  auto database = Database::open(m_file, Database::Mode::read_write, m_pragmas);
  if (!database) return failed(database);
  const auto before = session_pragmas(*database);
  if (!before) return failed(before);
  Execution execution(*database, lineage, request, m_file, m_watch);
  if (const auto done = execution.run(); !done) return failed(done);
  if (execution.refused() != nullptr) return run_without_transaction(request, lineage, *execution.refused());
  const auto after = session_pragmas(*database);
  if (!after) return failed(after);
  m_leaked.clear();
  for (std::size_t i = 0; i < before->size(); ++i) {
    if ((*before)[i].second != (*after)[i].second)
      m_leaked.push_back({(*before)[i].first, (*before)[i].second, (*after)[i].second});
  }
  return std::move(execution).outcome();
}

Result<SideOutcome> SideRunner::run_without_transaction(const SideRequest& request, Lineage& lineage,
                                                        const sql::Statement& refused) {
  sql::Script script = *request.script;
  for (Part& part : script.parts) {
    part.shape = TransactionShape::autocommit;
    part.shape_reason = fmt::format("SQLite runs the statement at {}:{} in no transaction",
                                    refused.location.line, refused.location.column);
  }
  SideRequest alone = request;
  alone.script = &script;
  return run(alone, lineage);
}

}  // namespace lockkeeper::engine::sqlite
