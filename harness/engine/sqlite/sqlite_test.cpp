#include "engine/sqlite/sqlite.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "base/text.h"
#include "engine/sqlite/database.h"
#include "engine/sqlite/must.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {
namespace {

namespace fs = std::filesystem;
using record::Side;
using record::TransactionShape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Touched everything() {
  Touched touched;
  touched.everything = true;
  return touched;
}

/// A database of its own for each test.
class SqliteTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-sqlite-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
  }
  void TearDown() override {
    m_instance.reset();
    fs::remove_all(m_root);
  }

  Instance& open(Pragmas pragmas = {}) {
    fs::create_directories(m_root / "run");
    m_engine = files({std::move(pragmas), m_root / "run"});
    const Image image = must(m_engine->make_empty(m_root / "empty", "shop"));
    m_instance = must(m_engine->restore(image, "shop", Purpose::rehearse));
    return *m_instance;
  }

  /// A side in the shape that is asked for.
  SideOutcome run(const std::string& sql, TransactionShape shape = TransactionShape::one_transaction,
                  bool may_leave_transaction = false) {
    auto source = std::make_shared<const sql::Source>(
        must(sql::Source::from_text("m.sql", sql, 1, sql::Dialect::sqlite)));
    auto part = must(sql::statement_by_statement(source, sql::all_of(*source), shape));
    part.may_leave_transaction = may_leave_transaction;
    sql::Script script;
    script.parts.push_back(std::move(part));
    SideRequest request;
    request.script = &script;
    request.statement_timeout = m_timeout;
    request.stop = m_stop;
    return must(m_instance->run_side(request));
  }
  State state() { return must(m_instance->read_state(nullptr, everything())); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(m_root / name, std::ios::binary) << text;
    return (m_root / name).string();
  }
  void load(const std::string& sql) { must(m_instance->load_fixture(write("fixture.sql", sql), "")); }
  std::string ask(const std::string& sql) { return must(m_instance->try_query({sql, {}})).text(); }

  fs::path m_root;
  std::unique_ptr<Engine> m_engine;
  std::unique_ptr<Instance> m_instance;
  std::chrono::milliseconds m_timeout{0};
  std::optional<Stop> m_stop;
};

struct Change {
  const char* name;
  const char* sql;
};

/// Every kind of change, one after the other on one database: a state sees each of them.
const std::vector<Change> k_changes = {
    {"table", "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INT, note)"},
    {"second table", "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT REFERENCES users (id))"},
    {"column added", "ALTER TABLE users ADD COLUMN city TEXT"},
    {"column renamed", "ALTER TABLE users RENAME COLUMN city TO town"},
    {"column dropped", "ALTER TABLE users DROP COLUMN town"},
    {"column with a default", "ALTER TABLE users ADD COLUMN score INT NOT NULL DEFAULT 0"},
    {"generated column", "ALTER TABLE users ADD COLUMN loud TEXT GENERATED ALWAYS AS (upper(email)) VIRTUAL"},
    {"generated column dropped", "ALTER TABLE users DROP COLUMN loud"},
    {"table renamed", "ALTER TABLE orders RENAME TO purchases"},
    {"index", "CREATE INDEX by_email ON users (email)"},
    {"index unique", "DROP INDEX by_email; CREATE UNIQUE INDEX by_email ON users (email)"},
    {"index descending", "DROP INDEX by_email; CREATE UNIQUE INDEX by_email ON users (email DESC)"},
    {"index collated", "DROP INDEX by_email; CREATE UNIQUE INDEX by_email ON users (email COLLATE NOCASE)"},
    {"index over two", "DROP INDEX by_email; CREATE INDEX by_email ON users (email, age)"},
    {"index partial", "DROP INDEX by_email; CREATE INDEX by_email ON users (email, age) WHERE age > 17"},
    {"index on an expression", "CREATE INDEX by_lower ON users (lower(email))"},
    {"index dropped", "DROP INDEX by_lower"},
    {"view", "CREATE VIEW adults AS SELECT id FROM users WHERE age > 17"},
    {"view changed", "DROP VIEW adults; CREATE VIEW adults AS SELECT id FROM users WHERE age > 18"},
    {"view dropped", "DROP VIEW adults"},
    {"trigger", "CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET note = 'a'; END"},
    {"trigger changed",
     "DROP TRIGGER t; CREATE TRIGGER t BEFORE INSERT ON users BEGIN UPDATE users SET note = 'a'; END"},
    {"trigger dropped", "DROP TRIGGER t"},
    {"user_version", "PRAGMA user_version = 7"},
    {"application_id", "PRAGMA application_id = 42"},
    {"table without rowid", "CREATE TABLE tags (name TEXT PRIMARY KEY, n INT) WITHOUT ROWID"},
    {"table with rowid", "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n INT)"},
    {"table strict", "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n INT) STRICT"},
    {"type", "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n REAL) STRICT"},
    {"not null", "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n REAL NOT NULL) STRICT"},
    {"default",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n REAL NOT NULL DEFAULT 1) STRICT"},
    {"default as text",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n TEXT DEFAULT CURRENT_DATE)"},
    {"default turned text",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT PRIMARY KEY, n TEXT DEFAULT 'CURRENT_DATE')"},
    {"collation", "DROP TABLE tags; CREATE TABLE tags (name TEXT COLLATE NOCASE PRIMARY KEY, n TEXT)"},
    {"no primary key", "DROP TABLE tags; CREATE TABLE tags (name TEXT COLLATE NOCASE, n TEXT)"},
    {"unique", "DROP TABLE tags; CREATE TABLE tags (name TEXT COLLATE NOCASE, n TEXT, UNIQUE (name))"},
    {"unique over two",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT COLLATE NOCASE, n TEXT, UNIQUE (name, n))"},
    {"check", "DROP TABLE tags; CREATE TABLE tags (name TEXT CHECK (name <> ''), n TEXT)"},
    {"check changed", "DROP TABLE tags; CREATE TABLE tags (name TEXT CHECK (name <> 'x'), n TEXT)"},
    {"foreign key", "DROP TABLE tags; CREATE TABLE tags (name TEXT, n INT REFERENCES users (id))"},
    {"foreign key's action",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT, n INT REFERENCES users (id) ON DELETE CASCADE)"},
    {"foreign key deferred",
     "DROP TABLE tags; CREATE TABLE tags (name TEXT, n INT REFERENCES users (id) ON DELETE "
     "CASCADE DEFERRABLE INITIALLY DEFERRED)"},
    {"autoincrement", "DROP TABLE tags; CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT)"},
    {"autoincrement lost", "DROP TABLE tags; CREATE TABLE tags (id INTEGER PRIMARY KEY)"},
    {"order of columns", "DROP TABLE tags; CREATE TABLE tags (b INT, id INTEGER PRIMARY KEY)"},
    {"full text", "CREATE VIRTUAL TABLE words USING fts5(body)"},
    {"full text changed", "DROP TABLE words; CREATE VIRTUAL TABLE words USING fts5(body, title)"},
    {"full text dropped", "DROP TABLE words"},
    {"boxes", "CREATE VIRTUAL TABLE boxes USING rtree(id, a, b)"},
    {"row inserted", "INSERT INTO users (email, age) VALUES ('a@b', 3)"},
    {"value changed", "UPDATE users SET age = 4"},
    {"storage class changed", "UPDATE users SET note = 1"},
    {"storage class changed again", "UPDATE users SET note = 1.0"},
    {"storage class changed to text", "UPDATE users SET note = '1.0'"},
    {"value gone", "UPDATE users SET note = NULL"},
    {"row of a virtual table", "INSERT INTO boxes VALUES (1, 2, 3)"},
    {"rows that swap values", "INSERT INTO users (email, age) VALUES ('c@d', 9)"},
    {"row deleted", "DELETE FROM users WHERE age = 9"},
    {"table dropped", "DROP TABLE tags"},
    {"write-ahead log", "PRAGMA journal_mode = WAL"},
};

TEST_F(SqliteTest, a_state_sees_every_kind_of_change) {
  open();
  State before = state();
  for (const Change& change : k_changes) {
    const auto outcome = run(change.sql, TransactionShape::autocommit);
    ASSERT_FALSE(outcome.run.error) << change.name << ": " << outcome.run.error->message;
    State after = state();
    EXPECT_FALSE(compare(before, after).empty()) << change.name;
    // And by what the side is known to have touched, the same is read.
    const State again = must(m_instance->read_state(&before, outcome.touched));
    EXPECT_TRUE(compare(after, again).empty()) << change.name;
    before = std::move(after);
  }
}

/// All that the shell of SQLite's own tells of a file: its schema and its rows.
std::string dump_of(const fs::path& file) {
  Command command;
  command.argv = {"sqlite3", "-readonly", file.string(), ".schema", ".dump"};
  RunOptions options;
  options.deadline = std::chrono::seconds(30);
  const auto finished = must(lockkeeper::run(command, options));
  EXPECT_TRUE(finished.ok()) << finished.errors;
  return finished.output;
}

// What .schema and .dump tell apart a state tells apart, and what they do not has its reason here.
TEST_F(SqliteTest, the_shell_tells_the_same_states_apart) {
  if (!find_in_path("sqlite3")) GTEST_SKIP() << "there is no sqlite3 here";
  const std::set<std::string> of_the_header = {"user_version", "application_id", "write-ahead log"};
  open();
  const fs::path file = m_root / "run" / "instance-1" / "shop.db";
  State before = state();
  std::string dump_before = dump_of(file);
  for (const Change& change : k_changes) {
    ASSERT_FALSE(run(change.sql, TransactionShape::autocommit).run.error) << change.name;
    State after = state();
    std::string dump_after = dump_of(file);
    EXPECT_EQ(dump_before == dump_after, of_the_header.contains(change.name)) << change.name;
    EXPECT_FALSE(compare(before, after).empty()) << change.name;
    before = std::move(after);
    dump_before = std::move(dump_after);
  }
}

// The other way round: there and back again is the same to both.
TEST_F(SqliteTest, the_shell_takes_the_same_states_for_equal) {
  if (!find_in_path("sqlite3")) GTEST_SKIP() << "there is no sqlite3 here";
  open();
  load(
      "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX a_v ON a (v);"
      "INSERT INTO a VALUES (1, 'x'), (2, NULL); CREATE VIEW s AS SELECT v FROM a;");
  const fs::path file = m_root / "run" / "instance-1" / "shop.db";
  const State before = state();
  const std::string dump = dump_of(file);
  for (const char* sql :
       {"CREATE TABLE b (x); DROP TABLE b", "DROP VIEW s; CREATE VIEW s AS SELECT v FROM a",
        "INSERT INTO a VALUES (3, 'y'); DELETE FROM a WHERE id = 3",
        "UPDATE a SET v = v || 'z' WHERE id = 1; UPDATE a SET v = 'x' WHERE id = 1", "VACUUM",
        "ANALYZE; DROP TABLE sqlite_stat1", "DROP INDEX a_v; CREATE INDEX a_v ON a (v)"}) {
    ASSERT_FALSE(run(sql, TransactionShape::autocommit).run.error) << sql;
    EXPECT_TRUE(compare(before, state()).empty()) << sql;
    EXPECT_EQ(dump.size(), dump_of(file).size()) << sql;
  }
}

TEST_F(SqliteTest, a_side_that_is_stopped_leaves_what_it_had_committed) {
  open();
  load("CREATE TABLE a (id INTEGER PRIMARY KEY)");
  const State before = state();
  const std::string sql = "CREATE TABLE b (x); CREATE TABLE c (x)";
  m_stop = Stop{record::StopKind::session_ended, 1};
  auto outcome = run(sql);
  EXPECT_TRUE(outcome.stopped_at);
  EXPECT_TRUE(outcome.run.error);
  EXPECT_TRUE(compare(before, state()).empty());
  outcome = run(sql, TransactionShape::autocommit);
  EXPECT_TRUE(outcome.run.error);
  EXPECT_EQ(compare(before, state()).objects.size(), 2U);  // the table and its column
}

TEST_F(SqliteTest, somebody_else_who_writes_is_waited_for_as_long_as_the_session_says) {
  open({{"busy_timeout", "80"}});
  load("CREATE TABLE a (id INTEGER PRIMARY KEY)");
  m_stop = Stop{record::StopKind::database_locked, 0};
  const auto outcome = run("CREATE TABLE b (x)");
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->sqlstate, "SQLITE_BUSY");
  EXPECT_GE(outcome.run.duration, std::chrono::milliseconds(80));
  m_stop.reset();
  EXPECT_FALSE(run("CREATE TABLE b (x)").run.error);
}

TEST_F(SqliteTest, how_long_others_cannot_write_is_told) {
  open();
  load("CREATE TABLE a (id INTEGER PRIMARY KEY)");
  const std::string many =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) ";
  const auto outcome = run("SELECT 1; " + many + "INSERT INTO a SELECT i FROM n; SELECT 2");
  ASSERT_FALSE(outcome.run.error);
  ASSERT_FALSE(outcome.run.file_locks.empty());
  const auto& write = outcome.run.file_locks[0];
  EXPECT_FALSE(write.stops_readers);
  EXPECT_FALSE(write.sampled);
  EXPECT_THAT(write.text, HasSubstr("INSERT INTO a"));
  EXPECT_GE(write.held, outcome.run.statements[1].duration);
  const auto alone = run("SELECT count(*) FROM a; DELETE FROM a", TransactionShape::autocommit);
  ASSERT_FALSE(alone.run.file_locks.empty());
  EXPECT_EQ(alone.run.file_locks[0].text, "DELETE FROM a");
  EXPECT_THAT(run("SELECT count(*) FROM a").run.file_locks, IsEmpty());
}

// A change larger than the cache goes into the file before its COMMIT, which nobody may read until then.
TEST_F(SqliteTest, readers_wait_with_a_rollback_journal_and_not_with_a_log) {
  const std::string many =
      "CREATE TABLE b AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
      "SELECT i, 'row number ' || i FROM n";
  const auto stops_readers = [](const record::FileLock& lock) { return lock.stops_readers && lock.sampled; };
  open({{"cache_size", "10"}});
  const auto journal = run(many).run.file_locks;
  EXPECT_TRUE(std::any_of(journal.begin(), journal.end(), stops_readers));
  m_instance.reset();
  fs::remove_all(m_root / "empty");
  open({{"cache_size", "10"}, {"journal_mode", "wal"}});
  const auto log = run(many).run.file_locks;
  EXPECT_FALSE(log.empty());
  EXPECT_FALSE(std::any_of(log.begin(), log.end(), stops_readers));
}

TEST_F(SqliteTest, another_way_to_write_the_same_is_no_difference) {
  open();
  load(
      "CREATE TABLE users (id integer not null primary key autoincrement, \"email\" text /* x */ NOT NULL "
      "DEFAULT 'a', "
      "n int check(n>0 AND n IS not null), b INT REFERENCES users(id) on delete set null);\n"
      "CREATE UNIQUE INDEX u ON users(email ASC);CREATE VIEW v AS SELECT email FROM users;"
      "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END;");
  const State before = state();
  const auto outcome = run(
      "DROP VIEW v; CREATE TABLE \"new_users\" (\n  \"id\" INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,\n  "
      "[email] TEXT "
      "DEFAULT 'a' NOT NULL, `n` INT CHECK ( n > 0 and \"n\" is NOT NULL ), b INT,\n  FOREIGN KEY (b) "
      "REFERENCES "
      "\"users\" (\"id\") ON DELETE SET NULL);\n"
      "INSERT INTO new_users SELECT * FROM users; DROP TABLE users; ALTER TABLE new_users RENAME TO users;"
      "CREATE UNIQUE INDEX \"u\" ON \"users\" (\"email\"); CREATE VIEW IF NOT EXISTS \"v\" AS select email "
      "from users;"
      "CREATE TRIGGER t AFTER INSERT ON users BEGIN select 1; END;");
  ASSERT_FALSE(outcome.run.error) << outcome.run.error->message;
  const auto difference = compare(before, state());
  for (const auto& object : difference.objects) ADD_FAILURE() << object.kind << " " << object.identity;
  EXPECT_TRUE(difference.data.empty());
}

TEST_F(SqliteTest, a_rebuild_in_a_transaction_takes_the_children_with_it) {
  open({{"foreign_keys", "on"}});
  load(
      "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);"
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT REFERENCES users (id) ON DELETE CASCADE);"
      "CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INT REFERENCES orders (id) ON DELETE CASCADE);"
      "INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2);"
      "INSERT INTO lines VALUES (1, 1), (2, 3);");
  const std::string rebuild =
      "PRAGMA foreign_keys = OFF; CREATE TABLE n (id INTEGER PRIMARY KEY, email TEXT NOT NULL);"
      "INSERT INTO n SELECT * FROM users; DROP TABLE users; ALTER TABLE n RENAME TO users; PRAGMA "
      "foreign_keys = ON;";
  const State before = state();
  const auto alone = run(rebuild, TransactionShape::autocommit);
  ASSERT_FALSE(alone.run.error);
  EXPECT_THAT(compare(before, state()).data, IsEmpty());
  EXPECT_THAT(alone.run.statements[0].notices, IsEmpty());

  const auto wrapped = run(rebuild);
  ASSERT_FALSE(wrapped.run.error);
  EXPECT_EQ(ask("SELECT count(*) FROM orders"), "0");
  EXPECT_EQ(ask("SELECT count(*) FROM lines"), "0");
  ASSERT_EQ(wrapped.run.statements.size(), 6U);
  ASSERT_EQ(wrapped.run.statements[0].notices.size(), 1U);
  EXPECT_THAT(wrapped.run.statements[0].notices[0].message, HasSubstr("has no effect inside a transaction"));
  const auto& cascaded = wrapped.run.statements[3].cascaded;
  ASSERT_EQ(cascaded.size(), 2U);
  EXPECT_EQ(cascaded[0].table, "lines");
  EXPECT_EQ(cascaded[0].rows, 2);
  EXPECT_EQ(cascaded[1].table, "orders");
  EXPECT_EQ(cascaded[1].rows, 3);
  EXPECT_EQ(compare(before, must(m_instance->read_state(&before, wrapped.touched))).data.size(), 2U);
}

TEST_F(SqliteTest, what_a_rebuild_forgets_hangs_on_a_table_made_anew) {
  open();
  load(
      "CREATE TABLE t (a INT); CREATE INDEX i ON t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; "
      "END;");
  const State before = state();
  const auto outcome = run("CREATE TABLE n (a INT); DROP TABLE t; ALTER TABLE n RENAME TO t;");
  const auto difference = compare(before, state());
  ASSERT_EQ(difference.objects.size(), 2U);
  EXPECT_EQ(difference.objects[0].identity, "i");
  EXPECT_TRUE(difference.objects[0].parent_recreated);
  EXPECT_EQ(difference.objects[1].identity, "g");
  ASSERT_EQ(outcome.run.statements[2].rewrites.size(), 1U);
  EXPECT_EQ(outcome.run.statements[2].rewrites[0].relation, "t");
}

TEST_F(SqliteTest, an_error_has_its_code_and_its_place_and_leaves_nothing) {
  open();
  load("CREATE TABLE t (a INT NOT NULL, b INT UNIQUE); INSERT INTO t VALUES (1, 1);");
  auto outcome = run("INSERT INTO t VALUES (2, 2);\nINSERT INTO t VALUES (NULL, 3);");
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->sqlstate, "SQLITE_CONSTRAINT_NOTNULL");
  EXPECT_EQ(outcome.run.error->message, "NOT NULL constraint failed: t.a");
  EXPECT_EQ(outcome.run.error_location, (Location{"m.sql", 2, 1}));
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "1");

  outcome = run("INSERT INTO t VALUES (2, 2); INSERT INTO t VALUES (2, 2);", TransactionShape::autocommit);
  EXPECT_EQ(outcome.run.error->sqlstate, "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "2") << "each statement on its own stays";

  outcome = run("SELECT 1;\nSELECT a, nothing FROM t;");
  EXPECT_EQ(outcome.run.error->sqlstate, "SQLITE_ERROR");
  EXPECT_EQ(outcome.run.error_location, (Location{"m.sql", 2, 11}));
}

TEST_F(SqliteTest, vacuum_gets_no_transaction_where_the_tool_is_not_known) {
  open();
  load("CREATE TABLE t (a); INSERT INTO t VALUES (1);");
  EXPECT_THAT(run("VACUUM").run.error->message, HasSubstr("cannot VACUUM from within a transaction"));
  const auto alone = run("VACUUM", TransactionShape::one_transaction, true);
  EXPECT_FALSE(alone.run.error);
  EXPECT_EQ(alone.run.shape, TransactionShape::autocommit);
  EXPECT_TRUE(run("PRAGMA journal_mode = WAL").run.error);
  EXPECT_FALSE(run("PRAGMA journal_mode = WAL", TransactionShape::one_transaction, true).run.error);
}

TEST_F(SqliteTest, a_program_that_works_elsewhere_is_noticed) {
  open();
  ToolRequest request;
  request.name = "alembic";
  request.command.argv = {"true"};
  request.must_connect = true;
  const auto outcome = m_instance->run_tool(request);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(to_string(outcome.error()), HasSubstr("alembic ended well, but never came to the database"));
}

TEST_F(SqliteTest, a_migration_opens_no_other_file) {
  open();
  const std::string other = (m_root / "other.db").string();
  for (const std::string& sql : {"ATTACH '" + other + "' AS o", "VACUUM INTO '" + other + "'"}) {
    const auto outcome = run(sql, TransactionShape::autocommit);
    ASSERT_TRUE(outcome.run.error) << sql;
    EXPECT_THAT(outcome.run.error->message, HasSubstr("outside of the database that is migrated")) << sql;
  }
  EXPECT_FALSE(fs::exists(other));
  EXPECT_FALSE(run("ATTACH ':memory:' AS m; DETACH m", TransactionShape::autocommit).run.error);
}

TEST_F(SqliteTest, what_never_ends_is_ended) {
  open();
  m_timeout = std::chrono::milliseconds(100);
  const auto outcome =
      run("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  ASSERT_TRUE(outcome.run.error);
  EXPECT_THAT(outcome.run.error->message, HasSubstr("(--timeout)"));
}

TEST_F(SqliteTest, what_a_session_leaves_is_told) {
  open();
  const auto left = run("BEGIN; CREATE TABLE t (a)", TransactionShape::own_transactions);
  EXPECT_TRUE(left.run.left_transaction_open);
  EXPECT_EQ(ask("SELECT count(*) FROM sqlite_schema WHERE name = 't'"), "0");
  run("PRAGMA foreign_keys = ON", TransactionShape::autocommit);
  const auto leaked = must(m_instance->leaked_settings());
  ASSERT_EQ(leaked.size(), 1U);
  EXPECT_EQ(leaked[0].name, "foreign_keys");
  EXPECT_EQ(leaked[0].after, "1");
}

TEST_F(SqliteTest, content_does_not_hang_on_the_order_of_rows) {
  open();
  load("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, NULL), (x'00', 2.5);");
  const State before = state();
  run("DELETE FROM t; INSERT INTO t VALUES (x'00', 2.5), (2, NULL), (1, 'x');");
  EXPECT_TRUE(compare(before, state()).empty());
  run("DELETE FROM t; INSERT INTO t VALUES (x'00', 2.5), (2, 'x'), (1, NULL);");
  const auto swapped = compare(before, state());
  ASSERT_EQ(swapped.data.size(), 1U);
  EXPECT_EQ(swapped.data[0].change, record::DataChange::row_composition);
}

TEST_F(SqliteTest, a_type_that_changes_and_keeps_the_values_loses_none) {
  open();
  load("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 5), (2, 70);");
  const State before = state();
  run("CREATE TABLE x (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO x SELECT * FROM t; DROP TABLE t; ALTER "
      "TABLE x "
      "RENAME TO t;");
  const State after = must(m_instance->read_state(&before, everything()));
  EXPECT_THAT(compare(before, after).data, IsEmpty());
}

TEST_F(SqliteTest, rows_are_compared_by_their_key) {
  open();
  load("CREATE TABLE t (id INTEGER PRIMARY KEY, n); INSERT INTO t VALUES (1, 5), (2, 6), (3, 7);");
  const Image image = must(m_instance->save(m_root / "saved"));
  auto base = must(m_engine->restore(image, "shop", Purpose::rehearse));
  m_instance = must(m_engine->restore(image, "shop", Purpose::rehearse));
  run("DELETE FROM t WHERE id = 2; UPDATE t SET n = '7' WHERE id = 3; INSERT INTO t VALUES (9, 9);");
  const auto rows = must(m_instance->compare_rows(*base, "t"));
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->rows_lost, 1);
  EXPECT_EQ(rows->rows_changed, 1);
  EXPECT_EQ(rows->rows_added, 1);
  EXPECT_EQ(rows->sample_key, "id=2");
}

TEST_F(SqliteTest, broken_constraints_are_found) {
  open();
  load(
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INT CONSTRAINT "
      "of_p "
      "REFERENCES p (id), n INT NOT NULL);"
      "INSERT INTO c VALUES (1, 7, 0), (2, 8, 0), (3, NULL, 0);");
  const auto facts = must(m_instance->violated_constraints(everything(), {}));
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].object, "c.of_p");
  EXPECT_EQ(facts[0].detail, "2 rows");
}

TEST_F(SqliteTest, questions_of_a_scenario_are_answered) {
  open();
  load(
      "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(20) NOT NULL DEFAULT 'x');"
      "CREATE UNIQUE INDEX by_email ON users (email); CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id "
      "INT "
      "CONSTRAINT buyer REFERENCES users (id) ON DELETE SET NULL);"
      "INSERT INTO users (email) VALUES ('a'), ('b');");
  EXPECT_TRUE(must(m_instance->check_column("users.email", false, "varchar(20)", "'x'", true)).held);
  EXPECT_FALSE(must(m_instance->check_column("users.email", true, {}, {}, true)).held);
  EXPECT_EQ(must(m_instance->check_column("users.nothing", {}, {}, {}, true)).found,
            "there is no such column");
  EXPECT_TRUE(must(m_instance->check_constraint("buyer", "set null", "no action", true, true)).held);
  EXPECT_TRUE(must(m_instance->check_index("by_email", {"email"}, true, true, true)).held);
  EXPECT_TRUE(must(m_instance->check_index("nothing", {}, {}, {}, false)).held);

  const auto plan = must(m_instance->plan({"SELECT id FROM users WHERE email = $1", {"a"}}));
  EXPECT_THAT(plan.plan.indexes, ElementsAre("by_email"));
  EXPECT_THAT(must(m_instance->plan({"SELECT * FROM orders", {}})).plan.sequential_scans,
              ElementsAre("orders"));
  EXPECT_EQ(must(m_instance->try_query({"SELECT count(*) FROM users WHERE id = ?", {"2"}})).text(), "1");
  const auto refused = must(m_instance->try_query({"INSERT INTO users (email) VALUES ('a')", {}}));
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->sqlstate, "SQLITE_CONSTRAINT_UNIQUE");
  must(m_instance->try_query({"DELETE FROM users", {}}));
  EXPECT_EQ(ask("SELECT count(*) FROM users"), "2") << "it is rolled back";
}

TEST_F(SqliteTest, fixtures_of_every_kind_are_loaded) {
  open();
  m_instance->set_scale(3);
  load(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INT);\n"
      "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < lockkeeper_scale()) "
      "INSERT INTO t (n) SELECT i FROM c;");
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "3");
  must(m_instance->load_fixture(write("t.csv", "id,a,n\r\n10,\"x, \"\"y\"\"\nz\",7\r\n11,,\r\n12,\"\",8\r\n"),
                                ""));
  EXPECT_EQ(ask("SELECT id, a, typeof(a), n, typeof(n) FROM t WHERE id > 9"),
            "10, x, \"y\"\nz, text, 7, integer; 11, NULL, null, NULL, null; 12, , text, 8, integer");
  const auto bad = m_instance->load_fixture(write("t.csv", "id,a\n20,b\n21\n"), "");
  ASSERT_FALSE(bad);
  EXPECT_THAT(to_string(bad.error()), HasSubstr("t.csv:3:1: error: cannot load fixture"));
  EXPECT_EQ(ask("SELECT count(*) FROM t WHERE id = 20"), "0") << "none of it or all";
  const auto wrong = m_instance->load_fixture(write("w.sql", "SELECT 1;\n  SELECT nothing;"), "");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(to_string(wrong.error()), HasSubstr("w.sql:2:3: error: cannot load fixture"));
}

TEST_F(SqliteTest, a_database_is_loaded_with_its_log_and_never_touched) {
  const fs::path original = m_root / "production.db";
  auto writer = must(Database::open(original, Database::Mode::create, {{"journal_mode", "wal"}}));
  ASSERT_FALSE(writer.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)"));
  ASSERT_TRUE(fs::exists(original.string() + "-wal"));
  const auto size = fs::file_size(original);
  const auto stamp = fs::last_write_time(original);
  open();
  must(m_instance->load_fixture(original.string(), ""));
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "2") << "what stands in the log counts";
  EXPECT_EQ(fs::file_size(original), size);
  EXPECT_EQ(fs::last_write_time(original), stamp);
}

TEST_F(SqliteTest, files_that_are_no_sound_database_are_refused) {
  open();
  for (const std::string& text :
       {std::string("hello"), std::string("SQLite format 3\0", 16) + std::string(5000, 'x')}) {
    const auto loaded = m_instance->load_fixture(write("broken.db", text), "");
    ASSERT_FALSE(loaded);
    EXPECT_THAT(to_string(loaded.error()), HasSubstr("broken.db"));
  }
  EXPECT_FALSE(m_instance->load_fixture(m_root.string(), ""));
  EXPECT_FALSE(m_instance->load_fixture((m_root / "none.sql").string(), ""));
}

TEST_F(SqliteTest, the_bytes_tell_of_any_change) {
  open();
  load("CREATE TABLE t (a)");
  const auto before = must(m_instance->digest_of_bytes());
  ASSERT_TRUE(before);
  EXPECT_EQ(must(m_instance->digest_of_bytes()), before);
  run("PRAGMA user_version = 5", TransactionShape::autocommit);
  EXPECT_NE(must(m_instance->digest_of_bytes()), before);
}

TEST_F(SqliteTest, a_program_runs_on_the_file) {
  open();
  load("CREATE TABLE t (a)");
  ToolRequest request;
  request.name = "script";
  request.command.argv = {"python3", "-c",
                          "import os, sqlite3; d = sqlite3.connect(os.environ['LOCKKEEPER_DATABASE']); "
                          "d.execute('INSERT INTO t VALUES (1)'); d.commit()"};
  auto outcome = must(m_instance->run_tool(request));
  EXPECT_FALSE(outcome.run.error) << outcome.run.error->message << outcome.run.error->detail;
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "1");
  request.command.argv = {"python3", "-c", "raise SystemExit('no such instance')"};
  outcome = must(m_instance->run_tool(request));
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->message, "script ended with exit code 1: no such instance");
}

TEST(SchemaText, tables_are_read_as_sqlite_keeps_them) {
  const TableText table = read_table(
      "CREATE TABLE \"a\"\"b\" (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT COLLATE nocase DEFAULT (1 + "
      "(2)) NOT NULL, "
      "y NUMERIC(10, 2) DEFAULT -1.5e3, z AS (x || ',)') STORED, CONSTRAINT c CHECK (y > 0), "
      "FOREIGN KEY (x, y) REFERENCES o (p, q) ON UPDATE CASCADE MATCH FULL, UNIQUE (x COLLATE BINARY, y "
      "DESC) ON "
      "CONFLICT REPLACE) STRICT, WITHOUT ROWID");
  EXPECT_TRUE(table.autoincrement);
  EXPECT_TRUE(table.strict);
  EXPECT_TRUE(table.without_rowid);
  EXPECT_EQ(table.columns.at("x").collation, "NOCASE");
  EXPECT_EQ(table.columns.at("z").generated, "(x || ',)') STORED");
  std::vector<std::string> constraints;
  for (const auto& one : table.constraints) constraints.push_back(one.name + "|" + one.definition());
  EXPECT_THAT(constraints, ElementsAre("|PRIMARY KEY (id)", "c|CHECK (y > 0)",
                                       "|FOREIGN KEY (x, y) REFERENCES o (p, q) ON UPDATE CASCADE",
                                       "|UNIQUE (x, y) ON CONFLICT REPLACE"));
}

TEST(SchemaText, one_form_for_all_ways_to_write_it) {
  EXPECT_EQ(normalised("create  view \"V\" as select [a], 'x' from t where a<=1.5 and not(b)"),
            "CREATE VIEW V AS SELECT a, 'x' FROM t WHERE a <= 1.5 AND NOT (b)");
  EXPECT_EQ(normalised("x'0A' || count( * ) -- c"), "x'0A' || count(*)");
  EXPECT_EQ(normalised("\"order\".\"a b\""), "\"order\".\"a b\"");
}

}  // namespace
}  // namespace lockkeeper::engine::sqlite
