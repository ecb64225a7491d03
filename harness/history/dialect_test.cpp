#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using sql::Dialect;

/// Which SQL a folder is taken to be for.
class HistoryDialect : public HistoryTest {};

TEST_F(HistoryDialect, files_tell_by_what_sqlite_alone_takes) {
  write("1_a.up.sql", "-- PRAGMA in a comment, and 'AUTOINCREMENT' in a text\nSELECT 'AUTOINCREMENT';");
  EXPECT_EQ(loaded().dialect, Dialect::postgres);
  write("2_b.up.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);");
  EXPECT_EQ(loaded().dialect, Dialect::sqlite);
  EXPECT_EQ(loaded().migrations[0].dialect, Dialect::sqlite);
}

TEST_F(HistoryDialect, without_rowid_and_pragma_tell_too) {
  write("1_a/up.sql", "CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID;");
  EXPECT_EQ(loaded().dialect, Dialect::sqlite);
  write("1_a/up.sql", "SELECT 1;\nPRAGMA user_version = 3;");
  EXPECT_EQ(loaded().dialect, Dialect::sqlite);
  write("1_a/up.sql", "SELECT pragma FROM rowid_without;");
  EXPECT_EQ(loaded().dialect, Dialect::postgres);
}

TEST_F(HistoryDialect, names_of_files_tell) {
  write("1_a.sqlite3.up.sql");
  EXPECT_EQ(loaded().dialect, Dialect::sqlite);
  EXPECT_EQ(loaded().migrations[0].version, "1");
  write("1_a.up.sql");
  EXPECT_EQ(loaded().dialect, Dialect::postgres);
  const auto asked = load({folder(), "", Transaction::of_tool, {}, Dialect::sqlite});
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(fs::path(asked->migrations[0].up_path).filename(), "1_a.sqlite3.up.sql");
  EXPECT_EQ(asked->not_taken, (Texts{"1_a.up.sql: '1_a.sqlite3.up.sql' is the one for SQLite"}));
}

TEST_F(HistoryDialect, the_name_of_the_folder_tells) {
  write("sqlite/1_a.up.sql", "CREATE TABLE t (a DATETIME);");
  write("postgres/1_a.up.sql", "SELECT 1; -- not SQLite's, whatever else it holds\nPRAGMA x;");
  EXPECT_EQ(load({folder() + "/sqlite"}).value().dialect, Dialect::sqlite);
  EXPECT_EQ(load({folder() + "/postgres/"}).value().dialect, Dialect::postgres);
}

TEST_F(HistoryDialect, prisma_says_it) {
  write("1_a/migration.sql", "SELECT 1;");
  write("migration_lock.toml", "provider = \"sqlite\"\n");
  const History history = loaded();
  EXPECT_EQ(history.dialect, Dialect::sqlite);
  EXPECT_EQ(history.session_settings.at("foreign_keys"), "on");
  EXPECT_EQ(history.bookkeeping->tables, Texts{"_prisma_migrations"});
  const auto asked = load({folder(), "", Transaction::of_tool, {}, Dialect::postgres});
  ASSERT_FALSE(asked.has_value());
  EXPECT_EQ(scrubbed(to_string(asked.error())),
            "error: migrations 'DIR': they are for SQLite (migration_lock.toml)\n"
            "hint: the scenario's engine, or --engine, must be sqlite");
}

TEST_F(HistoryDialect, a_format_of_postgres_alone_is_refused) {
  write("1_a.sql", "create table t (a int);\n---- create above / drop below ----\ndrop table t;");
  write("tern.conf", "[database]\n");
  const auto asked = load({folder(), "tern", Transaction::of_tool, {}, Dialect::sqlite});
  ASSERT_FALSE(asked.has_value());
  EXPECT_EQ(scrubbed(to_string(asked.error())),
            "error: migrations 'DIR': tern is read for PostgreSQL alone\n"
            "hint: name another format with --format, or the engine postgres");
}

}  // namespace
}  // namespace lockkeeper::history
