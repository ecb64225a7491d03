#include "history/formats/liquibase.h"

#include <fmt/format.h>

#include "history/formats/liquibase_sql.h"
#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using record::TransactionShape;

const std::string k_header = "--liquibase formatted sql\n";

class LiquibaseTest : public HistoryTest {
 protected:
  static const sql::Part& part(const Result<sql::Script>& script) {
    if (!script) throw std::runtime_error(to_string(script.error()));
    return script->parts.at(0);
  }
  /// The cause alone of what is refused about one file.
  std::string cause(const std::string& text) const {
    write("a.sql", text);
    const std::string all = failure();
    const std::string begin = "Liquibase refuses 'DIR/a.sql': ";
    const std::size_t at = all.find(begin);
    return at == std::string::npos ? all : all.substr(at + begin.size(), all.find('\n') - at - begin.size());
  }
  static Texts cuts(const std::string& text, const formats::liquibase::Sending& sending = {}) {
    Texts texts;
    for (const auto& cut : formats::liquibase::cut(text, sending))
      texts.push_back(text.substr(cut.piece.first, cut.piece.second - cut.piece.first));
    return texts;
  }
};

TEST_F(LiquibaseTest, each_change_set_is_a_migration_with_its_lines) {
  write("b.sql", k_header +
                     "\n--changeset bob:1\nCREATE TABLE a ();\n-- comment\nINSERT INTO a DEFAULT VALUES;\n"
                     "--rollback DELETE FROM a;\n--rollback DROP TABLE a;\n"
                     "--changeset \"ann x\":\"2 b\" runInTransaction:false\nSELECT 2\n");
  write("a/c.sql", "\n-- Liquibase formatted SQL\n-- changeset c:1\nSELECT 3");
  const History history = loaded();
  EXPECT_EQ(history.format, "liquibase");
  EXPECT_EQ(history.detected_by, "'--liquibase formatted sql' in b.sql");
  EXPECT_EQ(versions(history), (Texts{"a/c.sql::1::c", "b.sql::1::bob", "b.sql::2 b::ann x"}));
  const Migration& first = history.migrations[1];
  EXPECT_EQ(first.up_line, 3);
  EXPECT_EQ(first.down_path, folder() + "/b.sql");
  EXPECT_EQ(statements(first.up()), (Texts{"CREATE TABLE a ()", "INSERT INTO a DEFAULT VALUES"}));
  EXPECT_EQ(part(first.up()).statements[1].location.line, 6);
  EXPECT_TRUE(part(first.up()).begins_again);
  EXPECT_EQ(statements(first.down()), (Texts{"DELETE FROM a", "DROP TABLE a"}));
  EXPECT_EQ(part(first.down()).statements[1].location.line, 8);
  const Migration& second = history.migrations[2];
  EXPECT_EQ(second.down_path, std::nullopt);
  EXPECT_EQ(part(second.up()).shape, TransactionShape::autocommit);
  EXPECT_EQ(part(second.up()).shape_reason, "runInTransaction:false at 9:1");
}

TEST_F(LiquibaseTest, another_change_set_leaves_the_digest_of_the_first_as_it_is) {
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;\n");
  const std::string before = loaded().migrations[0].hash_of_up().value();
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;\n--changeset a:2\nSELECT 2;\n");
  const History history = loaded();
  EXPECT_EQ(history.migrations[0].hash_of_up().value(), before);
  EXPECT_NE(history.migrations[1].hash_of_up().value(), before);
  write("a.sql", k_header + "--changeset a:1\nSELECT 1 ;\n");
  EXPECT_NE(loaded().migrations[0].hash_of_up().value(), before);
}

TEST_F(LiquibaseTest, statements_end_where_liquibase_ends_them) {
  EXPECT_EQ(cuts("a; b ;; c"), (Texts{"a", "b", "c"}));
  EXPECT_EQ(cuts("x ';' \"y;\" -- ;\n/* ; */;z"), (Texts{"x ';' \"y;\"", "z"}));
  EXPECT_EQ(cuts("a\nGO\nb\n/\nc / d"), (Texts{"a", "b", "c / d"}));
  EXPECT_EQ(cuts("f $$\nBEGIN x; END $$; y"), (Texts{"f $$\nBEGIN x; END $$", "y"}));
  EXPECT_EQ(cuts("f $$BEGIN x; END$$; y"), (Texts{"f $$BEGIN x", "END$$", "y"}));
  EXPECT_EQ(cuts("f $$\nBEGIN IF a THEN b; END IF; c; END $$"),
            (Texts{"f $$\nBEGIN IF a THEN b; END IF", "c", "END $$"}));
  EXPECT_EQ(cuts("BEGIN TRANSACTION; a; BEGIN; b; COMMIT; c"),
            (Texts{"BEGIN TRANSACTION", "a", "BEGIN; b; COMMIT; c"}));
  EXPECT_EQ(cuts("'it\\'s; x'; y"), (Texts{"'it\\'s; x'", "y"}));
  EXPECT_EQ(cuts("'never; closed"), (Texts{"'never", "closed"}));
  EXPECT_EQ(cuts("new.begin := 1; x"), (Texts{"new.begin := 1", "x"}));
  EXPECT_EQ(cuts(""), Texts{});
}

TEST_F(LiquibaseTest, delimiters_are_text_or_patterns) {
  EXPECT_EQ(cuts("a; b // c", {true, true, "//"}), (Texts{"a; b", "c"}));
  EXPECT_EQ(cuts("a;\n/\nb / c\n/", {true, true, "/"}), (Texts{"a;", "b / c"}));
  EXPECT_EQ(cuts("f $$@@ x @@", {true, true, "@@"}), (Texts{"f $$@@ x"}));
  EXPECT_EQ(cuts("a\nGO\nb", {true, true, "\\ngo"}), (Texts{"a", "b"}));
  EXPECT_EQ(cuts("a; b", {false, true, std::nullopt}), (Texts{"a; b"}));
  EXPECT_EQ(cuts("a; (b", {true, true, "(("}), (Texts{"a; (b"}));
}

TEST_F(LiquibaseTest, comments_leave_the_bodies_of_functions) {
  write(
      "a.sql",
      k_header +
          "--changeset a:1\n/* x */ CREATE FUNCTION f() AS $$\nBEGIN -- note; x\n/* y */ END $$;\nSELECT 1;\n"
          "--changeset a:2 stripComments:false\nCREATE FUNCTION g() AS $$\nBEGIN -- note\nEND $$;\n");
  const History history = loaded();
  const auto up = history.migrations[0].up();
  EXPECT_EQ(statements(up), (Texts{"CREATE FUNCTION f() AS $$\nBEGIN \n END $$", "SELECT 1"}));
  EXPECT_EQ(part(up).statements[0].location.line, 3);
  EXPECT_EQ(part(up).statements[1].location.line, 6);
  EXPECT_EQ(statements(history.migrations[1].up()),
            (Texts{"CREATE FUNCTION g() AS $$\nBEGIN -- note\nEND $$"}));
}

TEST_F(LiquibaseTest, rollbacks_have_several_forms) {
  write("a.sql", k_header +
                     "--changeset a:1\nSELECT 1;\n/* liquibase rollback\n DROP TABLE\n x;\nDROP TABLE y; */\n"
                     "--changeset a:2\nSELECT 2;\n-- rollback not required\n"
                     "--changeset a:3\nSELECT 3;\n--rollback changeSetId:1 changeSetAuthor:a\n"
                     "--changeset a:4 rollbackSplitStatements:false rollbackEndDelimiter:/\nSELECT "
                     "4;\n--rollback a; b;\n"
                     "--changeset a:5\nSELECT 5;\n--rollback\n");
  const History history = loaded();
  EXPECT_EQ(statements(history.migrations[0].down()), (Texts{"DROP TABLE x", "DROP TABLE y"}));
  EXPECT_TRUE(history.migrations[1].down_path.has_value());
  EXPECT_TRUE(history.migrations[1].down()->empty());
  EXPECT_EQ(statements(history.migrations[2].down()), (Texts{"SELECT 1"}));
  EXPECT_EQ(part(history.migrations[3].down()).statements.at(1).message, 0U);
  EXPECT_EQ(history.migrations[4].down_path, std::nullopt);
}

TEST_F(LiquibaseTest, what_is_left_or_taken_for_granted_is_said) {
  write("a.sql", k_header +
                     "--changeset a:1 dbms:oracle,mysql\nx;\n--changeset a:2 dbms:!postgresql\nx;\n"
                     "--changeset a:3 dbms:postgresql,h2 context:test\n--preconditions onFail:MARK_RAN\n"
                     "--precondition-sql-check expectedResult:0 SELECT count(*) FROM x\nx;\n"
                     "--changeset a:4 ignore:true\nx;\n--changeset a:5 failOnError:false\nx;\n");
  write("notes.md", "");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"a.sql::3::a", "a.sql::5::a"}));
  EXPECT_EQ(
      history.not_taken,
      (Texts{"a.sql::1::a: for another dbms, oracle,mysql", "a.sql::2::a: for another dbms, !postgresql",
             "a.sql::3::a: its precondition is taken to hold; Liquibase asks the database, onFail:MARK_RAN: "
             "sql-check expectedResult:0 SELECT count(*) FROM x",
             "a.sql::4::a: ignore:true",
             "a.sql::5::a: failOnError:false lets Liquibase go on after an error; here the error is one",
             "notes.md: neither SQL nor a changelog"}));
}

TEST_F(LiquibaseTest, what_liquibase_refuses_is_refused) {
  EXPECT_EQ(cause(k_header + "--changeset a\nx;"), "'--changeset <author>:<id>' is meant");
  EXPECT_EQ(cause(k_header + "-- changeset of mine\nx;"), "'--changeset <author>:<id>' is meant");
  EXPECT_EQ(cause(k_header + "- changeset a:1\nx;"), "'--changeset' has two dashes");
  EXPECT_EQ(cause(k_header + "--comment x\n"), "comment lines are not allowed outside of change sets");
  EXPECT_EQ(cause(k_header + "--changeset a:1\n--changeset a:2\nx;"), "no SQL for change set 'a:1'");
  EXPECT_EQ(cause(k_header + "--changeset a:1\n-- comments are fine\nx;"), "'--comment <text>' is meant");
  EXPECT_EQ(cause(k_header + "--changeset a:1\n/* liquibase rollback\nx;"),
            "the rollback that begins here is never closed");
  EXPECT_EQ(cause(k_header + "--changeset a:1\n--precondition-foo x\nx;"),
            "the precondition type 'foo' is not supported");
  EXPECT_EQ(cause(k_header + "--ignoreLines:x\n"), "ignoreLines 'x' is no number");
  EXPECT_EQ(cause(k_header + "--changeset a:1\nx;\n--rollback changeSetId:9\n"),
            "a rollback by another change set needs changeSetId and changesetAuthor");
  write("a.sql", k_header + "--changeset a:1\nx;\n--changeset a:1\ny;\n");
  EXPECT_EQ(failure(),
            "DIR/a.sql: error: version 'a.sql::1::a': two migrations have it, 'a.sql' and 'a.sql'\n"
            "hint: give one of them a version of its own");
}

TEST_F(LiquibaseTest, properties_and_ignored_lines) {
  write("a.sql",
        "\xEF\xBB\xBF--liquibase formatted sql\r\n--property name:t value:users dbms:postgresql\r\n"
        "--property name:t value:others\r\n--changeset a:1\r\nSELECT '${t} ${x}';\r\n--ignoreLines:start\r\n"
        "garbage\r\n--ignoreLines:end\r\n--ignoreLines:1\r\nmore\r\nSELECT 2;\r\n");
  const auto up = loaded().migrations.at(0).up();
  EXPECT_EQ(statements(up), (Texts{"SELECT 'users ${x}'", "SELECT 2"}));
  EXPECT_EQ(part(up).statements[1].location.line, 11);
}

TEST_F(LiquibaseTest, sql_that_is_no_changelog_is_one_change_set) {
  write("a.sql", k_header + "--changeset a:1\nx;");
  write("b.sql", "SELECT 1; SELECT 2;");
  write("c.sql", "\n");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"a.sql::1::a", "b.sql::raw::includeAll"}));
  EXPECT_EQ(part(history.migrations[1].up()).statements.at(1).message, 0U);
  EXPECT_EQ(history.not_taken, (Texts{"c.sql: empty"}));
}

TEST_F(LiquibaseTest, a_root_in_yaml_says_what_is_included) {
  write("master.yaml",
        "databaseChangeLog:\n  - property: {name: t, value: users}\n  - include: {file: sql/b.sql, "
        "relativeToChangelogFile: true}\n  - include: {file: db/migrations/sql/a.sql}\n"
        "  - changeSet:\n      id: 9\n      author: ann\n      runInTransaction: false\n      changes:\n"
        "        - sql: {sql: \"SELECT '${t}'; VACUUM\"}\n      rollback: SELECT 9\n");
  write("sql/a.sql", k_header + "--changeset a:1\nSELECT 1;");
  write("sql/b.sql", k_header + "--changeset b:1\nSELECT 2;");
  write("sql/c.sql");
  const History history = loaded();
  EXPECT_EQ(history.detected_by, "databaseChangeLog in master.yaml");
  EXPECT_EQ(versions(history), (Texts{"sql/b.sql::1::b", "sql/a.sql::1::a", "master.yaml::9::ann"}));
  EXPECT_EQ(statements(history.migrations[2].up()), (Texts{"SELECT 'users'", "VACUUM"}));
  EXPECT_EQ(part(history.migrations[2].up()).shape, TransactionShape::autocommit);
  EXPECT_TRUE(part(history.migrations[2].up()).pipelines);
  EXPECT_EQ(statements(history.migrations[2].down()), (Texts{"SELECT 9"}));
  EXPECT_EQ(history.not_taken, (Texts{"sql/c.sql: not included by master.yaml"}));
}

TEST_F(LiquibaseTest, a_root_in_xml_may_hold_sql_files) {
  write(
      "root.xml",
      "<?xml version=\"1.0\"?>\n<!-- <x> -->\n<databaseChangeLog xmlns:ext=\"e\">\n"
      "<changeSet id='1' author=\"a &amp; b\">\n <sqlFile path=\"x.sql\" relativeToChangelogFile=\"true\"/>\n"
      " <rollback><sql><![CDATA[DROP TABLE x;]]></sql></rollback>\n</changeSet>\n"
      "<includeAll path=\"more\" relativeToChangelogFile=\"true\"/>\n</databaseChangeLog>");
  write("x.sql", "CREATE TABLE x ();");
  write("more/1.sql", k_header + "--changeset a:1\nSELECT 1;");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"root.xml::1::a & b", "more/1.sql::1::a"}));
  EXPECT_EQ(history.migrations[0].up_path, folder() + "/x.sql");
  EXPECT_EQ(statements(history.migrations[0].down()), (Texts{"DROP TABLE x"}));
}

TEST_F(LiquibaseTest, changes_that_are_no_sql_need_liquibase_itself) {
  write("root.xml",
        "<databaseChangeLog><changeSet id=\"1\" author=\"a\">\n<createTable tableName=\"x\"/></changeSet>"
        "</databaseChangeLog>");
  const History history = loaded();
  ASSERT_EQ(history.migrations.size(), 1U);
  const Migration& migration = history.migrations[0];
  EXPECT_TRUE(migration.down_path.has_value()) << "Liquibase undoes createTable by itself";
  EXPECT_EQ(history.bookkeeping->create, "") << "it makes its own tables";
  EXPECT_EQ(statements(migration.up()), Texts{});
  const auto command = migration.command(migration, record::Side::down);
  if (!command) {
    EXPECT_EQ(command.error().kind, FailureKind::environment);
    EXPECT_EQ(command.error().message, "cannot run 'liquibase': it is not installed");
  } else {
    EXPECT_EQ(command->shown, "liquibase rollback-count --count=1");
  }
}

TEST_F(LiquibaseTest, changes_that_are_no_sql_need_a_root_that_includes_them) {
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;");
  write("below/b.xml",
        "<databaseChangeLog><changeSet id=\"1\" author=\"a\">\n<createTable tableName=\"x\"/></changeSet>"
        "</databaseChangeLog>");
  EXPECT_NE(failure().find("no changelog here includes them all"), std::string::npos) << failure();
}

TEST_F(LiquibaseTest, what_npm_installs_is_no_changelog) {
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;");
  write("node_modules/liquibase/examples/b.xml",
        "<databaseChangeLog><changeSet id=\"1\" author=\"a\">\n<createTable tableName=\"x\"/></changeSet>"
        "</databaseChangeLog>");
  EXPECT_EQ(versions(loaded()), (Texts{"a.sql::1::a"}));
}

TEST_F(LiquibaseTest, on_sqlite_its_tables_have_no_schema) {
  write("a.sql", k_header +
                     "--changeset a:1\nCREATE TABLE x (id INTEGER PRIMARY KEY AUTOINCREMENT);\n"
                     "--rollback DROP TABLE x;");
  const auto history = load({folder(), "", Transaction::of_tool, {}, sql::Dialect::sqlite});
  ASSERT_TRUE(history) << to_string(history.error());
  EXPECT_EQ(history->bookkeeping->tables, (Texts{"DATABASECHANGELOG", "DATABASECHANGELOGLOCK"}));
  EXPECT_EQ(history->migrations.at(0).note_of(record::Side::up).find("public."), std::string::npos);
}

TEST_F(LiquibaseTest, where_one_change_needs_liquibase_it_runs_all_of_them) {
  write(
      "root.xml",
      "<databaseChangeLog>\n<changeSet id=\"1\" author=\"a\"><sql>CREATE TABLE x (a int)</sql></changeSet>\n"
      "<changeSet id=\"2\" author=\"a\"><dropColumn tableName=\"x\" columnName=\"a\"/></changeSet>\n"
      "<changeSet id=\"3\" author=\"a\"><dropTable "
      "tableName=\"x\"/><rollback/></changeSet></databaseChangeLog>");
  const History history = loaded();
  ASSERT_EQ(history.migrations.size(), 3U);
  for (const Migration& migration : history.migrations) EXPECT_TRUE(migration.command != nullptr);
  EXPECT_FALSE(history.migrations[0].down_path.has_value()) << "SQL has no way back by itself";
  EXPECT_FALSE(history.migrations[1].down_path.has_value());
  EXPECT_TRUE(history.migrations[2].down_path.has_value()) << "an empty rollback is one";
  const std::string before = history.migrations[1].hash_of_up().value();
  write(
      "root.xml",
      "<databaseChangeLog>\n<changeSet id=\"1\" author=\"a\"><sql>CREATE TABLE x (a int)</sql></changeSet>\n"
      "<changeSet id=\"2\" author=\"a\"><dropColumn tableName=\"x\" columnName=\"b\"/></changeSet>\n"
      "</databaseChangeLog>");
  EXPECT_NE(loaded().migrations[1].hash_of_up().value(), before) << "another change is another migration";
}

TEST_F(LiquibaseTest, broken_roots_are_refused) {
  for (const char* text :
       {"<databaseChangeLog>", "<databaseChangeLog><include", "<databaseChangeLog a='",
        "<!-- databaseChangeLog", "<x>databaseChangeLog</x>",
        "<databaseChangeLog><include file='no.sql'/></databaseChangeLog>",
        "<databaseChangeLog><include file='root.xml' relativeToChangelogFile='true'/></databaseChangeLog>",
        "<databaseChangeLog><![CDATA[", "databaseChangeLog"}) {
    write("root.xml", text);
    EXPECT_NE(failure().find("Liquibase refuses"), std::string::npos) << text << "\n" << failure();
  }
}

TEST_F(LiquibaseTest, a_change_set_that_a_ref_does_not_have_is_new_in_a_file_that_it_has) {
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;\n");
  commit("main");
  write("a.sql", k_header + "--changeset a:1\nSELECT 1;\n--changeset a:2\nSELECT 2;\n");
  write("b.sql", k_header + "--changeset b:1\nSELECT 1;\n");
  scenario::Selection selection;
  selection.since_ref = "main";
  const auto trial = choose(loaded(), selection);
  ASSERT_TRUE(trial.has_value()) << to_string(trial.error());
  EXPECT_EQ(trial->judged, (std::vector<std::size_t>{1, 2}));
}

TEST_F(LiquibaseTest, ten_thousand_change_sets_are_read_in_no_time) {
  std::string text = k_header;
  for (int i = 0; i < 10000; ++i)
    text += fmt::format("--changeset a:{}\nSELECT {};\n--rollback SELECT 1;\n", i, i);
  write("a.sql", text);
  const auto start = std::chrono::steady_clock::now();
  const History history = loaded();
  EXPECT_EQ(statements(history.migrations.at(9999).up()), (Texts{"SELECT 9999"}));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace lockkeeper::history
