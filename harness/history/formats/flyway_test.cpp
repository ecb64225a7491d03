#include "history/formats/flyway.h"

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using record::TransactionShape;

class FlywayTest : public HistoryTest {
 protected:
  void settings(const std::string& text, const std::string& name = "flyway.conf") const {
    write("../../" + name, text);
  }
  static const sql::Part& part(const Result<sql::Script>& script) {
    if (!script) throw std::runtime_error(to_string(script.error()));
    return script->parts.at(0);
  }
  static std::string refused(const Result<sql::Script>& script) {
    return script ? "" : to_string(script.error());
  }
};

TEST_F(FlywayTest, versions_are_compared_part_by_part_and_repeatables_come_last) {
  for (const char* name : {"V10__ten.sql", "V2__two.sql", "V1_1__a.sql", "V1.0.1__b.sql", "V1__one.sql",
                           "R__b_view.sql", "R__a_view.sql", "sub/V20240131.1200__date.sql"}) {
    write(name);
  }
  const History history = loaded();
  EXPECT_EQ(history.format, "flyway");
  EXPECT_EQ(versions(history),
            (Texts{"1", "1.0.1", "1.1", "2", "10", "20240131.1200", "R__a_view", "R__b_view"}));
  EXPECT_EQ(history.migrations[0].name, "one");
  EXPECT_EQ(history.migrations[5].up_path, folder() + "/sub/V20240131.1200__date.sql");
  EXPECT_FALSE(history.has_down);
  EXPECT_FALSE(history.all_in_one);
}

TEST_F(FlywayTest, an_undo_is_the_down_of_its_version) {
  write("V1__a.sql");
  write("V2.0__b.sql");
  write("U2__b.sql");
  write("U7__gone.sql");
  const History history = loaded();
  EXPECT_TRUE(history.has_down);
  EXPECT_EQ(history.migrations[0].down_path, std::nullopt);
  EXPECT_EQ(history.migrations[1].version, "2.0");
  EXPECT_EQ(history.migrations[1].down_path, folder() + "/U2__b.sql");
  EXPECT_EQ(history.not_taken, (Texts{"U7__gone.sql: undoes a version that is not there"}));
}

TEST_F(FlywayTest, what_flyway_passes_over_is_said) {
  for (const char* name : {"V1__a.sql", "V1_b.sql", "V1.x__c.sql", "R1__d.sql", "v2__e.sql", "V2__f.java",
                           "V3__g.sh", "afterMigrate.sql", "notes.md", ".git/V9__h.sql"}) {
    write(name);
  }
  EXPECT_EQ(loaded().not_taken,
            (Texts{".git/: hidden", "R1__d.sql: a repeatable migration has no version: R__<description>.sql",
                   "V1.x__c.sql: '1.x' is no version: V1.2__<description>.sql",
                   "V1_b.sql: '1_b' is no version: V1.2__<description>.sql",
                   "V2__f.java: a migration in Java, which only the project's own program can run",
                   "V3__g.sh: a program that Flyway runs, not SQL",
                   "afterMigrate.sql: a callback, which Flyway runs beside the migrations; not run here",
                   "notes.md: does not end in .sql", "v2__e.sql: begins with none of V, U, R, B"}));
}

TEST_F(FlywayTest, equal_versions_and_descriptions_are_refused) {
  write("V1__a.sql");
  write("V1.0__b.sql");
  EXPECT_EQ(failure(),
            "DIR/V1__a.sql: error: version '1': two migrations have it, 'V1.0__b.sql' and 'V1__a.sql'\n"
            "hint: give one of them a version of its own");
  fs::remove(m_folder / "V1__a.sql");
  write("R__v_x.sql");
  write("sub/R__v x.sql");
  EXPECT_EQ(failure(),
            "DIR/sub/R__v x.sql: error: description 'v x': two scripts have it, 'R__v_x.sql' and 'sub/R__v "
            "x.sql'\nhint: give one of them another description");
}

TEST_F(FlywayTest, a_repeatable_that_has_changed_is_on_trial_again) {
  write("V1__a.sql");
  write("R__v.sql");
  write("R__w.sql");
  write("../../flyway.conf", "flyway.placeholders.x=1\n");
  commit("main");
  write("R__v.sql", "SELECT 2;");
  scenario::Selection selection;
  selection.since_ref = "main";
  History history = loaded();
  const auto trial = select(history, selection);
  ASSERT_TRUE(trial.has_value()) << to_string(trial.error());
  EXPECT_TRUE(trial->facts.empty());
  ASSERT_EQ(trial->judged.size(), 1U);
  EXPECT_EQ(history.migrations[trial->judged[0]].version, "R__v");
}

TEST_F(FlywayTest, the_newest_baseline_begins_a_new_database) {
  for (const char* name : {"B1__x.sql", "B2__y.sql", "V1__a.sql", "V2__b.sql", "V3__c.sql", "U2__b.sql"})
    write(name);
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"2", "3"}));
  EXPECT_EQ(history.migrations[0].up_path, folder() + "/B2__y.sql");
  EXPECT_EQ(history.not_taken, (Texts{"B1__x.sql: 'B2__y.sql' is newer",
                                      "U2__b.sql: on a new database 'B2__y.sql' stands in its place",
                                      "V1__a.sql: on a new database 'B2__y.sql' stands in its place",
                                      "V2__b.sql: on a new database 'B2__y.sql' stands in its place"}));
}

TEST_F(FlywayTest, a_script_is_one_transaction_in_which_jdbc_goes_on_after_a_commit) {
  write("V1__a.sql", "\xEF\xBB\xBF-- first\r\nCREATE TABLE a ();\r\nCOMMIT;\r\nSELECT ';' ;");
  const Migration migration = loaded().migrations.at(0);
  const auto up = migration.up();
  EXPECT_EQ(statements(up), (Texts{"CREATE TABLE a ()", "COMMIT", "SELECT ';'"}));
  EXPECT_EQ(part(up).shape, TransactionShape::one_transaction);
  EXPECT_TRUE(part(up).begins_again);
}

TEST_F(FlywayTest, what_flyway_knows_to_run_in_no_transaction_decides_for_the_script) {
  write("V1__a.sql", "-- now\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a);");
  write("V2__b.sql", "VACUUM (ANALYZE) t");
  write("V3__c.sql", "REINDEX INDEX CONCURRENTLY i");
  write("V4__d.sql", "REINDEX (VERBOSE) DATABASE x");
  const History history = loaded();
  EXPECT_EQ(part(history.migrations[0].up()).shape, TransactionShape::autocommit);
  EXPECT_EQ(part(history.migrations[0].up()).shape_reason, "CREATE UNIQUE INDEX CONCURRENTLY at 2:1");
  EXPECT_EQ(part(history.migrations[1].up()).shape, TransactionShape::autocommit);
  EXPECT_EQ(part(history.migrations[2].up()).shape, TransactionShape::one_transaction);
  EXPECT_EQ(part(history.migrations[3].up()).shape, TransactionShape::autocommit);
}

TEST_F(FlywayTest, both_kinds_of_statements_in_one_script_are_refused) {
  write("V1__a.sql", "SET lock_timeout = 1;\nDROP INDEX CONCURRENTLY i;");
  EXPECT_EQ(
      scrubbed(refused(loaded().migrations.at(0).up())),
      "DIR/V1__a.sql:2:1: error: Flyway refuses 'DIR/V1__a.sql': DROP INDEX CONCURRENTLY at 2:1 runs in no "
      "transaction, other "
      "statements beside it do\nhint: give the statement a migration of its own, or set flyway.mixed=true");
  settings("flyway.mixed=true\n");
  EXPECT_EQ(part(loaded().migrations.at(0).up()).shape, TransactionShape::autocommit);
}

TEST_F(FlywayTest, settings_of_one_script_go_before_those_of_all) {
  write("V1__a.sql", "SELECT 1; VACUUM");
  write("V1__a.sql.conf", "# none\nexecuteInTransaction = false\n");
  write("V2__b.sql");
  write("V2__b.sql.conf", "shouldExecute=false");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"1"}));
  EXPECT_EQ(part(history.migrations[0].up()).shape, TransactionShape::autocommit);
  EXPECT_EQ(part(history.migrations[0].up()).shape_reason, "executeInTransaction=false in V1__a.sql.conf");
  EXPECT_EQ(history.not_taken, (Texts{"V2__b.sql: shouldExecute=false in its .conf"}));
  write("V1__a.sql.conf", "executeInTransactions=false");
  EXPECT_EQ(failure(),
            "DIR/V1__a.sql.conf: error: Flyway refuses 'DIR/V1__a.sql.conf': unknown setting "
            "'executeInTransactions'\n"
            "hint: a script's settings are executeInTransaction, placeholderReplacement, encoding and "
            "shouldExecute");
}

TEST_F(FlywayTest, placeholders_are_put_in_from_the_settings) {
  write("V1__a.sql", "SELECT '${Who} ${flyway:filename} ${flyway:defaultSchema}';");
  settings("flyway.placeholders.who=me \\\nflyway.table=notes\n");
  const History history = loaded();
  EXPECT_EQ(history.detected_by, m_root.string() + "/flyway.conf");
  EXPECT_EQ(history.bookkeeping->tables, (Texts{"public.notes"}));
  EXPECT_EQ(statements(history.migrations[0].up()), (Texts{"SELECT 'me \\ V1__a.sql public'"}));
  const auto hash = history.migrations[0].hash_of_up();
  settings("flyway.placeholders.who=you\n");
  EXPECT_NE(hash.value(), loaded().migrations[0].hash_of_up().value());
}

TEST_F(FlywayTest, a_placeholder_without_a_value_is_refused) {
  write("V1__a.sql", "SELECT 1;\n-- ${x}");
  EXPECT_EQ(
      scrubbed(refused(loaded().migrations.at(0).up())),
      "DIR/V1__a.sql:2:4: error: Flyway refuses 'DIR/V1__a.sql': no value provided for placeholder: "
      "${x}\nhint: give it one: "
      "flyway.placeholders.<name>=<value> in flyway.conf, or in the environment FLYWAY_PLACEHOLDERS_<NAME>");
  settings("flyway.placeholderReplacement=false");
  EXPECT_EQ(statements(loaded().migrations.at(0).up()), (Texts{"SELECT 1"}));
}

TEST_F(FlywayTest, toml_settings_name_all_locations) {
  settings(
      "[flyway]\nlocations = [ \"filesystem:db/migrations\", # here\n  'filesystem:more', \"s3:bucket\" ]\n"
      "group = true\n[flyway.placeholders]\n\"a.b\" = \"it's\"\n",
      "flyway.toml");
  write("V1__a.sql", "SELECT '${a.b}'");
  write("../../more/V2__b.sql");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"1", "2"}));
  EXPECT_TRUE(history.all_in_one);
  EXPECT_EQ(statements(history.migrations[0].up()), (Texts{"SELECT 'it's'"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"s3:bucket: a location of " + m_root.string() + "/flyway.toml that is no folder here"}));
}

TEST_F(FlywayTest, notes_are_rows_of_the_schema_history) {
  write("V1__it's.sql");
  const Migration migration = loaded().migrations.at(0);
  EXPECT_EQ(
      migration.note_of(record::Side::up),
      "INSERT INTO public.\"flyway_schema_history\" (installed_rank, version, description, type, script, "
      "checksum, installed_by, execution_time, success) SELECT coalesce(max(installed_rank), 0) + 1, '1', "
      "substr('it''s', 1, 200), 'SQL', substr('V1__it''s.sql', 1, 1000), NULL, current_user, 0, true FROM "
      "public.\"flyway_schema_history\"");
}

TEST_F(FlywayTest, hostile_names_and_texts_are_no_reason_to_fall) {
  for (const char* name : {"V__.sql", "V.sql", "V1__.sql", "V_1__x.sql", "V1..2__x.sql",
                           "V99999999999999999999999__x.sql", "V1__$(id) 'q'.sql", "R__.sql", "V1_.sql"}) {
    write(name, "\xFF\xFE");
  }
  settings("flyway.placeholderPrefix=\n=\n\\\n");
  const auto history = load({folder(), "flyway"});
  if (history) {
    for (const Migration& migration : history->migrations) EXPECT_FALSE(migration.up().has_value());
  }
}

}  // namespace
}  // namespace lockkeeper::history
