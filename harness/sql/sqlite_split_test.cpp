#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/kind.h"
#include "sql/statement.h"

namespace lockkeeper::sql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Source sqlite_source(std::string text) {
  return Source::from_text("m.sql", std::move(text), 1, Dialect::sqlite).value();
}

std::vector<std::string> split_as_sqlite(std::string text) {
  const Source source = sqlite_source(std::move(text));
  std::vector<std::string> texts;
  const auto statements = split_statements(source).value();
  for (const Statement& statement : statements) texts.emplace_back(statement.text);
  return texts;
}

StatementKind kind_in_sqlite(std::string_view text) {
  return kind_of(text, Dialect::sqlite);
}

TEST(SqliteSplit, semicolons_end_statements_but_not_in_quotes_and_comments) {
  EXPECT_THAT(split_as_sqlite("SELECT 'a;b''c;', \"d;e\", `f;g`, [h;i]; -- j;k\n SELECT /* l;m */ 1;;"),
              ElementsAre("SELECT 'a;b''c;', \"d;e\", `f;g`, [h;i]", "SELECT /* l;m */ 1"));
  EXPECT_THAT(split_as_sqlite("-- nothing\n/* at all */ ; ;"), IsEmpty());
}

TEST(SqliteSplit, what_only_postgres_quotes_is_not_quoted) {
  EXPECT_THAT(split_as_sqlite("SELECT $a$; SELECT $a$"), ElementsAre("SELECT $a$", "SELECT $a$"));
  EXPECT_THAT(split_as_sqlite("SELECT E'\\'; SELECT 2"), ElementsAre("SELECT E'\\'", "SELECT 2"));
  EXPECT_THAT(split_as_sqlite("SELECT 1 /* /* */; SELECT 2"), ElementsAre("SELECT 1", "SELECT 2"));
}

TEST(SqliteSplit, what_is_never_closed_goes_on_to_the_end) {
  EXPECT_THAT(split_as_sqlite("SELECT 1; SELECT 'a; b"), ElementsAre("SELECT 1", "SELECT 'a; b"));
  EXPECT_THAT(split_as_sqlite("SELECT [a; b"), ElementsAre("SELECT [a; b"));
  EXPECT_THAT(split_as_sqlite("SELECT 1; /* a; b"), ElementsAre("SELECT 1"));
}

TEST(SqliteSplit, a_semicolon_ends_a_statement_within_parentheses_too) {
  EXPECT_THAT(split_as_sqlite("CREATE TABLE t (a; b)"), ElementsAre("CREATE TABLE t (a", "b)"));
}

TEST(SqliteSplit, triggers_are_whole) {
  const std::string trigger =
      "CREATE TEMP TRIGGER t AFTER UPDATE ON a BEGIN\n"
      "  UPDATE b SET x = CASE WHEN 1 THEN 2 END; -- END;\n"
      "  DELETE FROM c WHERE \"END\" = ';';\n"
      "END";
  EXPECT_THAT(split_as_sqlite(trigger + "; SELECT 1;"), ElementsAre(trigger, "SELECT 1"));
  EXPECT_THAT(split_as_sqlite("create trigger t after insert on a begin select 1; end;select 2"),
              ElementsAre("create trigger t after insert on a begin select 1; end", "select 2"));
  EXPECT_THAT(split_as_sqlite("EXPLAIN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 2"),
              ElementsAre("EXPLAIN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", "SELECT 2"));
  EXPECT_THAT(split_as_sqlite("CREATE TABLE trigger (a); SELECT 1"),
              ElementsAre("CREATE TABLE trigger (a)", "SELECT 1"));
}

TEST(SqliteSplit, places_are_kept) {
  const Source source = sqlite_source("PRAGMA foreign_keys=OFF;\n  DROP TABLE ä; VACUUM");
  const auto statements = split_statements(source).value();
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[1].location, (Location{"m.sql", 2, 3}));
  EXPECT_EQ(statements[2].location, (Location{"m.sql", 2, 17}));
  EXPECT_EQ(statements[2].kind, StatementKind::no_transaction);
}

TEST(SqliteSplit, a_command_of_the_shell_is_no_sql) {
  const Source source = sqlite_source("SELECT 1;\n.read other.sql\n");
  const auto statements = split_statements(source);
  ASSERT_FALSE(statements);
  EXPECT_EQ(statements.error().message, "command of the sqlite3 shell '.read' in 'm.sql': it is not SQL");
  EXPECT_EQ(statements.error().location, (Location{"m.sql", 2, 1}));
}

TEST(SqliteKind, what_begins_and_ends_a_transaction) {
  for (const char* text : {"BEGIN", "begin immediate", "/* a */ BEGIN EXCLUSIVE TRANSACTION"})
    EXPECT_EQ(kind_in_sqlite(text), StatementKind::begin) << text;
  for (const char* text : {"COMMIT", "END TRANSACTION", "ROLLBACK", "rollback transaction"})
    EXPECT_EQ(kind_in_sqlite(text), StatementKind::end) << text;
  for (const char* text : {"ROLLBACK TO a", "ROLLBACK TRANSACTION TO SAVEPOINT a", "SAVEPOINT a", "RELEASE a",
                           "PRAGMA foreign_keys=OFF", "CREATE TABLE t (a)", "REINDEX", "SET x", ""})
    EXPECT_EQ(kind_in_sqlite(text), StatementKind::ordinary) << text;
}

TEST(SqliteAllow, comments_count_where_sqlite_sees_them) {
  const Source source = sqlite_source(
      "CREATE TABLE [-- lockkeeper: allow up-fails: in a name] (a);\n-- lockkeeper: allow data-changed: "
      "meant\n");
  const auto allows = allow_comments(source).value();
  ASSERT_EQ(allows.size(), 1U);
  EXPECT_EQ(allows[0].rule, "data-changed");
}

}  // namespace
}  // namespace lockkeeper::sql
