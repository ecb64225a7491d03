#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/process.h"

/// The program on SQLite, as a newcomer would start it.
namespace lockkeeper::app::testing {

namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* k_rows =
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL);\n"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT NOT NULL REFERENCES users (id) ON DELETE "
    "CASCADE);\n"
    "INSERT INTO users (email) VALUES ('a'), ('b'); INSERT INTO orders VALUES (1, 1), (2, 2), (3, 2);\n";

class SqliteCheck : public ::testing::Test {
 protected:
  SqliteCheck() { m_folder.write("rows.sql", k_rows); }
  Checked checked(std::vector<std::string> arguments) const {
    return check(std::move(arguments), {.directory = m_folder.path()});
  }
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program(arguments, {.directory = m_folder.path()});
  }
  void write_rebuild() const {
    m_folder.write(
        "m/1_name.up.sql",
        "ALTER TABLE users ADD COLUMN name TEXT;\nPRAGMA foreign_keys = OFF;\n"
        "CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, name TEXT NOT NULL "
        "DEFAULT '');\n"
        "INSERT INTO n SELECT id, email, '' FROM users;\nDROP TABLE users;\nALTER TABLE n RENAME TO users;\n"
        "PRAGMA foreign_keys = ON;\n");
    m_folder.write("m/1_name.down.sql", "ALTER TABLE users DROP COLUMN name;\n");
  }

  Folder m_folder;
};

TEST_F(SqliteCheck, a_folder_alone_tells_that_it_is_for_sqlite) {
  m_folder.write("m/1_tags.up.sql", "CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);\n");
  m_folder.write("m/1_tags.down.sql", "DROP TABLE tags;\n");
  const Checked result = checked({"m"});
  EXPECT_EQ(result.outcome.exit_code, 0) << result.outcome.said();
  EXPECT_EQ(result.run().at("server").at("engine"), "sqlite");
  EXPECT_EQ(result.run().at("migrations")[0].at("change_class"), "safe");
}

TEST_F(SqliteCheck, the_engine_can_be_named) {
  m_folder.write("m/1_tags.up.sql", "CREATE TABLE tags (name TEXT);\n");
  m_folder.write("m/1_tags.down.sql", "DROP TABLE tags;\n");
  EXPECT_EQ(checked({"m", "--engine", "sqlite"}).run().at("server").at("engine"), "sqlite");
  EXPECT_EQ(checked({"m"}).run().at("server").at("engine"), "postgres");
  Outcome outcome = run({"check", "m", "--engine", "sqlit"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("engine 'sqlit': not known (did you mean 'sqlite'?)"));
  outcome = run({"check", "m", "--engine", "sqlite", "--server", "postgresql://x"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.said(), HasSubstr("are for SQLite, which has no server"));
}

TEST_F(SqliteCheck, a_rebuild_inside_a_transaction_is_not_let_through) {
  write_rebuild();
  m_folder.write("s.yaml",
                 "scenario: s\nengine: {sqlite: {foreign_keys: on}}\nfixture: [rows.sql]\nmigrations: m\n");
  const Checked result = checked({"s.yaml"});
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  const auto finding = result.finding("cascade-dropped");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_EQ(finding.at("location").at("line"), 5);
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("3 rows of orders"));
  EXPECT_THAT(result.rules(), Contains("data-not-restored"));
  EXPECT_THAT(result.outcome.output, HasSubstr("for example id=1"));
  // The same statements without a transaction around them.
  const Checked apart = checked({"s.yaml", "--transaction", "statement"});
  EXPECT_THAT(apart.rules(), AllOf(Not(Contains("cascade-dropped")), Not(Contains("data-not-restored"))));
}

TEST_F(SqliteCheck, a_second_run_starts_from_the_snapshot) {
  m_folder.write("m/1_tags.up.sql", "CREATE TABLE tags (name TEXT) WITHOUT ROWID;\n");
  m_folder.write("m/1_tags.down.sql", "DROP TABLE tags;\n");
  m_folder.write("m/1_tags.up.sql", "CREATE TABLE tags (name TEXT PRIMARY KEY) WITHOUT ROWID;\n");
  const Folder store;
  const Start setup{.directory = m_folder.path(), .store = store.path()};
  const Checked first = check({"m", "--fixture", "rows.sql"}, setup);
  EXPECT_EQ(first.outcome.exit_code, 0) << first.outcome.said();
  EXPECT_FALSE(first.run().at("timings").at("from_snapshot"));
  const Checked second = check({"m", "--fixture", "rows.sql"}, setup);
  EXPECT_TRUE(second.run().at("timings").at("from_snapshot"));
  EXPECT_EQ(second.run().at("base_rows"), 5);
}

TEST_F(SqliteCheck, a_failed_database_can_be_kept) {
  m_folder.write("m/1_bad.up.sql", "PRAGMA user_version = 4;\nCREATE TABLE bad (a REFERENCES);\n");
  const Folder store;
  const Outcome outcome =
      run_program({"check", "m", "--keep"}, {.directory = m_folder.path(), .store = store.path()});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  const auto at = outcome.output.find("sqlite3 /");
  ASSERT_NE(at, std::string::npos) << outcome.said();
  const std::string line = outcome.output.substr(at + 8);
  EXPECT_TRUE(fs::is_regular_file(line.substr(0, line.find_first_of(" \n")))) << line;
  EXPECT_EQ(run_program({"cache", "clear"}, {.directory = m_folder.path(), .store = store.path()}).exit_code,
            0);
}

TEST_F(SqliteCheck, a_migration_that_never_ends_is_a_finding_and_a_signal_leaves_nothing) {
  m_folder.write("m/1_loop.up.sql",
                 "PRAGMA cache_size = 100;\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                 "SELECT max(i) FROM n;\n");
  const Checked result = checked({"m", "--timeout", "1"});
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  EXPECT_THAT(result.outcome.output, HasSubstr("did not end within"));

  const Folder store;
  Running running({"check", "m"}, {.directory = m_folder.path(), .store = store.path()});
  ASSERT_TRUE(running.handles(SIGTERM));
  running.send(SIGTERM);
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.said();
  EXPECT_EQ(remains(store.path(), outcome.pid), "");
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A database of some thousand rows, made by a run of ours that keeps it.
fs::path make_database(const Folder& folder, const Folder& store) {
  folder.write("make/1_t.up.sql",
               "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT);\n"
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
               "INSERT INTO t SELECT i, 'row ' || i FROM n;\n");
  folder.write("make/2_stop.up.sql", "SELECT nothing;\n");
  const Outcome outcome = run_program({"check", "make", "--engine", "sqlite", "--keep"},
                                      {.directory = folder.path(), .store = store.path()});
  const auto at = outcome.output.find("sqlite3 /");
  if (at == std::string::npos) throw std::runtime_error(outcome.said());
  const std::string line = outcome.output.substr(at + 8);
  const fs::path to = folder.path() / "shop.db";
  fs::copy_file(line.substr(0, line.find_first_of(" \n")), to);
  return to;
}

TEST_F(SqliteCheck, the_database_that_it_is_given_is_never_written_to_also_when_it_is_killed) {
  const Folder store;
  const fs::path file = make_database(m_folder, store);
  const std::string before = bytes_of(file);
  ASSERT_GT(before.size(), 100'000U);
  m_folder.write("m/1_a.up.sql", "ALTER TABLE t ADD COLUMN a TEXT;\nUPDATE t SET a = words || '!';\n");
  m_folder.write("m/1_a.down.sql", "ALTER TABLE t DROP COLUMN a;\n");
  const Checked whole = checked({"shop.db", "m"});
  EXPECT_EQ(whole.outcome.exit_code, 0) << whole.outcome.said();
  EXPECT_EQ(whole.run().at("base_rows"), 20000);
  EXPECT_TRUE(bytes_of(file) == before);
  for (const int after : {15, 60, 150, 300}) {
    Running running({"check", "shop.db", "m", "--no-cache"},
                    {.directory = m_folder.path(), .store = store.path()});
    running.wait_for(std::chrono::milliseconds(after));
    running.send(SIGKILL);
    running.finish();
    EXPECT_TRUE(bytes_of(file) == before) << after;
  }
  for (const char* beside : {"shop.db-wal", "shop.db-shm", "shop.db-journal"})
    EXPECT_FALSE(fs::exists(m_folder.path() / beside)) << beside;
  const Checked alone = checked({"shop.db"});
  EXPECT_EQ(alone.outcome.exit_code, 2);
  EXPECT_THAT(alone.outcome.errors, HasSubstr("which migrations are to be tried on it?"));
}

TEST_F(SqliteCheck, alembic_runs_on_a_file) {
  if (!find_in_path("alembic")) GTEST_SKIP() << "alembic is not installed";
  m_folder.write("alembic.ini", "[alembic]\nscript_location = alembic\n");
  m_folder.write("alembic/env.py",
                 "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
                 "with create_engine(os.environ['DATABASE_URL']).connect() as connection:\n"
                 "    context.configure(connection=connection, render_as_batch=True)\n"
                 "    with context.begin_transaction():\n        context.run_migrations()\n");
  m_folder.write("alembic/versions/001_t.py",
                 "import sqlalchemy as sa\nfrom alembic import op\nrevision = '001'\ndown_revision = None\n"
                 "def upgrade():\n    op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))\n"
                 "def downgrade():\n    op.drop_table('t')\n");
  m_folder.write("alembic/versions/002_n.py",
                 "import sqlalchemy as sa\nfrom alembic import op\nrevision = '002'\ndown_revision = '001'\n"
                 "def upgrade():\n    with op.batch_alter_table('t') as batch:\n"
                 "        batch.add_column(sa.Column('n', sa.Integer))\n"
                 "def downgrade():\n    pass\n");
  const Checked result = checked({".", "--engine", "sqlite", "--depth", "quick"});
  EXPECT_EQ(result.run().at("format"), "alembic") << result.outcome.said();
  EXPECT_THAT(result.rules(), Contains("down-missing")) << result.outcome.said();
  const auto& migrations = result.run().at("migrations");
  ASSERT_EQ(migrations.size(), 2U);
  EXPECT_EQ(migrations[0].at("back_difference").at("objects").size(), 0U);
  EXPECT_THAT(migrations[0].at("forward_change").at("objects").dump(), HasSubstr("\"kind\":\"table\""));
}

TEST_F(SqliteCheck, what_is_not_in_the_folder_is_not_touched) {
  m_folder.write("production.db", "");
  m_folder.write("m/1_out.up.sql", "ATTACH '" + (m_folder.path() / "production.db").string() +
                                       "' AS p;\nCREATE TABLE p.t (a INTEGER PRIMARY KEY AUTOINCREMENT);\n");
  const Checked result = checked({"m"});
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  EXPECT_THAT(result.outcome.output, HasSubstr("lies outside of the database that is migrated"));
  EXPECT_EQ(fs::file_size(m_folder.path() / "production.db"), 0U);
}

/// The same change in the layout of each tool that knows SQLite.
struct Layout {
  std::string format;
  std::vector<std::pair<std::string, std::string>> files;  ///< below m/
  std::string books;                                       ///< the table that the tool keeps
  bool has_down = true;
};

std::vector<Layout> sqlite_layouts() {
  const std::string up =
      "CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);\n"
      "CREATE TRIGGER t AFTER INSERT ON tags BEGIN UPDATE tags SET name = 'a;b'; END;\n"
      "INSERT INTO tags (name) VALUES ('x');\n";
  const std::string down = "DROP TABLE tags;\n";
  const std::string goose =
      "-- +goose Up\n-- +goose StatementBegin\n" + up + "-- +goose StatementEnd\n-- +goose Down\n" + down;
  return {
      {"plain", {{"1_a.up.sql", up}, {"1_a.down.sql", down}}, ""},
      {"plain-folders", {{"1_a/up.sql", up}, {"1_a/down.sql", down}}, ""},
      {"golang-migrate", {{"1_a.up.sql", up}, {"1_a.down.sql", down}}, "schema_migrations"},
      {"morph", {{"000001_a.up.sql", up}, {"000001_a.down.sql", down}}, "db_migrations"},
      {"popx",
       {{"20200101000000_a.sqlite3.up.sql", up}, {"20200101000000_a.sqlite3.down.sql", down}},
       "schema_migration"},
      {"maragudk-migrate", {{"1-a.up.sql", up}, {"1-a.down.sql", down}}, "migrations"},
      {"dbmate", {{"1_a.sql", "-- migrate:up\n" + up + "-- migrate:down\n" + down}}, "schema_migrations"},
      {"goose", {{"1_a.sql", goose}}, "goose_db_version"},
      {"sql-migrate",
       {{"1_a.sql", "-- +migrate Up\n-- +migrate StatementBegin\n" + up +
                        "-- +migrate StatementEnd\n-- +migrate Down\n" + down}},
       "gorp_migrations"},
      {"sqlx", {{"1_a.up.sql", up}, {"1_a.down.sql", down}}, "_sqlx_migrations"},
      {"diesel",
       {{"2020-01-01-000000_a/up.sql", up}, {"2020-01-01-000000_a/down.sql", down}},
       "__diesel_schema_migrations"},
      {"atlas", {{"1_a.sql", up}}, "atlas_schema_revisions", false},
      {"flyway", {{"V1__a.sql", up}, {"U1__a.sql", down}}, "flyway_schema_history"},
      {"prisma",
       {{"20200101000000_a/migration.sql", up},
        {"20200101000000_a/down.sql", down},
        {"migration_lock.toml", "provider = \"sqlite\""}},
       "_prisma_migrations"},
      {"drizzle",
       {{"0000_a.sql", up},
        {"meta/_journal.json",
         R"({"dialect":"sqlite","entries":[{"idx":0,"when":1700000000000,"tag":"0000_a"}]})"}},
       "__drizzle_migrations",
       false},
  };
}

class SqliteFormats : public ::testing::TestWithParam<Layout> {};

TEST_P(SqliteFormats, go_up_and_come_back_and_keep_their_books) {
  const Layout& layout = GetParam();
  const Folder folder;
  for (const auto& [file, text] : layout.files) folder.write("m/" + file, text);
  // What the books say is part of no state, but a migration may look at it.
  const std::string books = layout.books.empty() ? "SELECT 0" : "SELECT count(*) FROM " + layout.books;
  folder.write("s.yaml", "scenario: s\nengine: sqlite\nmigrations: {path: m, format: " + layout.format +
                             "}\nafter_up:\n  - {sql: '" + books +
                             "'}\n  - {sql: SELECT name FROM tags, equals: 'a;b'}\n");
  const Checked result = check({"s.yaml", "--depth", "quick"}, {.directory = folder.path()});
  EXPECT_EQ(result.outcome.exit_code, 0) << result.outcome.said();
  const auto& run = result.run();
  EXPECT_EQ(run.at("format"), layout.format);
  EXPECT_EQ(run.at("migrations")[0].at("forward").at("error"), nullptr) << result.outcome.said();
  EXPECT_EQ(run.at("migrations")[0].at("back").is_null(), !layout.has_down);
  for (const auto& expectation : run.at("expectations"))
    EXPECT_TRUE(expectation.at("after_held")) << result.outcome.said();
}

INSTANTIATE_TEST_SUITE_P(Each, SqliteFormats, ::testing::ValuesIn(sqlite_layouts()), [](const auto& layout) {
  std::string name = layout.param.format;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

TEST_F(SqliteCheck, scripts_are_tried_dry_and_twice) {
  m_folder.write(
      "scripts/add.py",
      "import os, sqlite3, sys\n"
      "dry = '--apply' not in sys.argv\n"
      "db = sqlite3.connect(f\"file:{os.environ['APP_DB']}?mode={'ro' if dry else 'rw'}\", uri=True)\n"
      "there = 'nick' in [c[1] for c in db.execute('PRAGMA table_info(users)')]\n"
      "print('users.nick', 'is there' if there else 'would be added', os.environ['APP_PASSWORD'])\n"
      "if not dry and not there: db.execute('ALTER TABLE users ADD COLUMN nick TEXT')\n"
      "db.commit()\n");
  m_folder.write(
      "s.yaml",
      "scenario: s\nengine: sqlite\nfixture: [rows.sql]\nmigrations:\n  path: scripts\n  tool:\n    "
      "scripts:\n"
      "      - {version: nick, file: add.py, up: python3 add.py --apply, dry_run: python3 add.py, "
      "claims_rerunnable: true}\n    environment: {APP_DB: '{database}', APP_PASSWORD: hunter2}\n");
  const Checked result = checked({"s.yaml"});
  EXPECT_EQ(result.outcome.exit_code, 0) << result.outcome.said();
  const auto& migration = result.run().at("migrations")[0];
  EXPECT_EQ(migration.at("dry_run").at("bytes_changed"), false);
  EXPECT_THAT(migration.at("dry_run").at("output").get<std::string>(), HasSubstr("would be added"));
  EXPECT_THAT(migration.at("dry_run_after").at("output").get<std::string>(), HasSubstr("is there"));
  EXPECT_THAT(migration.at("unannounced"), IsEmpty());
  EXPECT_TRUE(migration.at("second_run").at("error").is_null());
  EXPECT_THAT(result.record.dump(), Not(HasSubstr("hunter2"))) << "secrets are masked";
}

TEST_F(SqliteCheck, scripts_that_are_not_there_or_hang_are_told) {
  m_folder.write("scripts/hang.py", "import time\ntime.sleep(600)\n");
  const std::string head =
      "scenario: s\nengine: sqlite\nmigrations:\n  path: scripts\n  tool:\n    deadline: 1\n    scripts:\n";
  m_folder.write("none.yaml", head + "      - {version: a, file: none.py, up: python3 none.py}\n");
  Outcome outcome = run({"check", "none.yaml"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
  EXPECT_THAT(outcome.said(), HasSubstr("script 'none.py': there is no such file"));
  m_folder.write("hang.yaml", head + "      - {version: a, file: hang.py, up: python3 hang.py}\n");
  outcome = run({"check", "hang.yaml"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  EXPECT_THAT(outcome.said(), HasSubstr("hang.py did not end within 1.0 s"));
  m_folder.write("typo.yaml", head + "      - {version: a, file: hang.py, up: python3 hang.py, dryrun: x}\n");
  outcome = run({"check", "typo.yaml"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("typo.yaml:8:"), HasSubstr("did you mean 'dry_run'?")));
}

}  // namespace

}  // namespace lockkeeper::app::testing
