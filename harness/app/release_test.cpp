#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/file.h"
#include "base/process.h"

/// `lockkeeper release`: the whole runbook on real databases.
namespace lockkeeper::app::testing {

namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Release : public ::testing::Test {
 protected:
  Start here() const { return {.directory = m_folder.path(), .deadline = std::chrono::minutes(3)}; }

  /// Three migrations; the last adds a column and a table of its own.
  void write_shop() const {
    m_folder.write("db/0001_pets.up.sql",
                   "CREATE TABLE pets (id int PRIMARY KEY, name text NOT NULL);\n"
                   "INSERT INTO pets SELECT n, 'pet ' || n FROM generate_series(1, 20000) n;\n");
    m_folder.write("db/0001_pets.down.sql", "DROP TABLE pets;\n");
    m_folder.write("db/0002_age.up.sql", "ALTER TABLE pets ADD COLUMN age int;\n");
    m_folder.write("db/0002_age.down.sql", "ALTER TABLE pets DROP COLUMN age;\n");
    m_folder.write("db/0003_visits.up.sql",
                   "CREATE TABLE visits (id int PRIMARY KEY, pet int REFERENCES pets);\n");
    m_folder.write("db/0003_visits.down.sql", "DROP TABLE visits;\n");
  }
  void write_scenario(const std::string& rest) const {
    m_folder.write("s.yaml", "scenario: shop\nengine: postgres\nmigrations: {path: db, since: 2}\n" + rest);
  }
  static json road(const json& run, const std::string& name) {
    for (const json& road : run.at("release").at("roads")) {
      if (road.at("name") == name) return road;
    }
    ADD_FAILURE() << "no road " << name;
    return json::object();
  }
  static json step(const json& run, const std::string& name) {
    for (const json& step : run.at("release").at("steps")) {
      if (step.at("name") == name) return step;
    }
    return nullptr;
  }
  void git(std::vector<std::string> words) const {
    words.insert(words.begin(), {"git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c",
                                 "init.defaultBranch=main", "-c", "commit.gpgsign=false"});
    Command command;
    command.argv = std::move(words);
    command.directory = m_folder.path();
    command.environment = {{"GIT_CONFIG_NOSYSTEM", "1"}, {"HOME", m_folder.path().string()}};
    const auto finished = lockkeeper::run(command);
    ASSERT_TRUE(finished && finished->ok()) << (finished ? finished->errors : finished.error().message);
  }

  Folder m_folder;
};

TEST_F(Release, proves_each_backup_and_drives_each_road) {
  write_shop();
  write_scenario("");
  const Checked checked = release({"s.yaml", "--report", "log=log.md"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  const json& run = checked.run();
  const json& release = run.at("release");
  EXPECT_EQ(release.at("from"), "0001");
  EXPECT_EQ(release.at("to"), "0003");
  ASSERT_EQ(release.at("backups").size(), 3U);
  for (const json& backup : release.at("backups")) {
    EXPECT_EQ(backup.at("made").at("failed"), false) << backup;
    EXPECT_EQ(backup.at("without_room").at("failed"), true) << backup;
    EXPECT_EQ(backup.at("sha256").get<std::string>().size(), 64U);
    EXPECT_TRUE(backup.at("unlisted").empty()) << backup;
    EXPECT_TRUE(backup.at("difference").at("objects").empty()) << backup;
    EXPECT_TRUE(backup.at("difference").at("data").empty()) << backup;
    ASSERT_EQ(backup.at("damages").size(), 2U);
    EXPECT_NE(backup.at("damages")[0].at("noticed_by"), "") << backup;
  }
  // What the runbooks do, and what leads back.
  const json plain = road(run, "restore of plain over the migrated database");
  EXPECT_EQ(plain.at("runs")[0].at("failed"), false) << "psql goes on and ends well";
  EXPECT_GT(plain.at("runs")[0].at("errors").get<int>(), 0);
  EXPECT_FALSE(plain.at("difference").at("objects").empty());
  const json fresh = road(run, "restore of plain into a new database");
  EXPECT_EQ(fresh.at("named"), true);
  EXPECT_TRUE(fresh.at("difference").at("objects").empty());
  EXPECT_FALSE(fresh.at("lost").empty()) << "rows in the new table are gone with it";
  const json downs = road(run, "the migrations' downs");
  EXPECT_TRUE(downs.at("error").is_null()) << downs;
  const auto log = read_file(m_folder.path() / "log.md");
  ASSERT_TRUE(log);
  EXPECT_THAT(*log,
              AllOf(HasSubstr("# Migration log: shop"), HasSubstr("| Status | **go, with named risks** |"),
                    HasSubstr("## Roads back"), HasSubstr("restore of custom into a new database")));
  EXPECT_THAT(*log, Not(HasSubstr(shared_store().string()))) << "directories of a run are nobody's affair";
}

TEST_F(Release, a_restore_that_is_cut_off_is_told_and_taken_again) {
  write_shop();
  write_scenario("release: {backups: [custom]}\n");
  const Checked checked = release({"s.yaml"}, here());
  const json fresh = road(checked.run(), "restore of custom into a new database");
  if (fresh.at("broken_by") == "") GTEST_SKIP() << "it was faster than whoever should cut it off";
  EXPECT_EQ(fresh.at("noticed"), true);
  EXPECT_EQ(fresh.at("again").at("failed"), false);
  EXPECT_TRUE(fresh.at("again_difference").at("objects").empty());
}

TEST_F(Release, a_migration_that_fails_on_the_rows_is_seen_before_and_answered) {
  write_shop();
  m_folder.write("db/0004_short.up.sql",
                 "CREATE TABLE extra (id int);\nALTER TABLE pets ALTER COLUMN name TYPE varchar(5);\n");
  m_folder.write("db/0004_short.down.sql", "ALTER TABLE pets ALTER COLUMN name TYPE text;\n");
  write_scenario("release: {backups: [custom], on_failure: {restore: custom}}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json& run = checked.run();
  EXPECT_EQ(run.at("release").at("decision"), "no_go");
  EXPECT_EQ(step(run, "pre-checks").at("ok"), false);
  EXPECT_THAT(step(run, "pre-checks").at("evidence")[0].get<std::string>(),
              HasSubstr("up of 0004 fails on these rows: value too long for type character varying(5)"));
  EXPECT_FALSE(checked.finding("up-fails").is_null());
  EXPECT_TRUE(run.at("release").at("roads").empty()) << "there is no state to come back from";
  ASSERT_FALSE(run.at("release").at("failures").empty());
  for (const json& failure : run.at("release").at("failures")) {
    EXPECT_TRUE(failure.at("after").at("objects").empty()) << failure;
    EXPECT_TRUE(failure.at("after").at("data").empty()) << failure;
  }
}

TEST_F(Release, an_answer_over_the_database_as_it_is_leaves_what_came_before) {
  write_shop();
  m_folder.write("db/0004_more.up.sql", "CREATE TABLE more (id int PRIMARY KEY);\n");
  m_folder.write("db/0004_more.down.sql", "DROP TABLE more;\n");
  write_scenario("release: {backups: [custom], on_failure: {restore: custom, over: true}}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  // visits refers to pets: pg_restore cannot drop the latter's key.
  EXPECT_FALSE(checked.finding("restore-fails").is_null()) << checked.outcome.said();
}

TEST_F(Release, a_backup_that_leaves_something_out_is_told) {
  write_shop();
  m_folder.write("db/0001_pets.up.sql",
                 "CREATE TABLE pets (id int PRIMARY KEY, name text NOT NULL);\n"
                 "CREATE TABLE owners (id int PRIMARY KEY);\n"
                 "INSERT INTO owners VALUES (1);\nINSERT INTO pets VALUES (1, 'rex');\n");
  write_scenario(
      "release: {backups: [{name: thin, command: 'pg_dump --format=custom --exclude-table-data=owners "
      "--file={file} {database}'}]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json finding = checked.finding("restore-differs");
  ASSERT_FALSE(finding.is_null()) << checked.outcome.said();
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("what backup 'thin' brings back"));
  EXPECT_EQ(checked.run().at("release").at("backups")[0].at("unlisted"), json::array({"public.owners"}));
  EXPECT_EQ(finding.at("location").at("line"), 4);
}

TEST_F(Release, packed_dumps_are_read_and_brought_back) {
  write_shop();
  write_scenario(
      "release: {backups: [{name: packed, form: plain, compress: 6}, {name: zipped, command: 'pg_dump "
      "--format=custom {database} | gzip > {file}'}]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  for (const json& backup : checked.run().at("release").at("backups")) {
    EXPECT_EQ(backup.at("listed").at("failed"), false) << backup;
    EXPECT_GT(backup.at("entries").get<int>(), 0) << backup;
    EXPECT_TRUE(backup.at("unlisted").empty()) << backup;
    EXPECT_TRUE(backup.at("difference").at("data").empty()) << backup;
    for (const json& damage : backup.at("damages")) EXPECT_NE(damage.at("noticed_by"), "") << damage;
  }
}

TEST_F(Release, a_down_that_never_runs_is_not_laid_to_what_was_written) {
  write_shop();
  m_folder.write("db/0004_free.up.sql", "ALTER TABLE pets ALTER COLUMN name DROP NOT NULL;\n");
  m_folder.write("db/0004_free.down.sql", "ALTER TABLE pets ALTER COLUMN name SET NUT NULL;\n");
  write_scenario("release: {backups: [custom]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_TRUE(checked.finding("rollback-blocked").is_null()) << checked.outcome.said();
  EXPECT_FALSE(checked.finding("down-fails").is_null()) << checked.outcome.said();
}

TEST_F(Release, rows_of_our_own_making_that_an_up_fails_on_are_left_out) {
  write_shop();
  m_folder.write("db/0001_pets.up.sql", "CREATE TABLE pets (id int PRIMARY KEY, name text NOT NULL);\n");
  m_folder.write("db/0004_one.up.sql", "CREATE UNIQUE INDEX one_row ON pets ((true));\n");
  m_folder.write("db/0004_one.down.sql", "DROP INDEX one_row;\n");
  const Outcome outcome = run_program({"release", "db", "--from", "2"}, here());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_THAT(outcome.output, HasSubstr("up of 0004 fails on rows of our own making"));
}

TEST_F(Release, a_dump_of_production_is_a_fixture_at_its_version) {
  write_shop();
  m_folder.write("dump.sql",
                 "CREATE TABLE pets (id int PRIMARY KEY, name text NOT NULL);\n"
                 "INSERT INTO pets SELECT n, 'pet' FROM generate_series(1, 50) n;\n"
                 "ALTER TABLE pets ADD COLUMN age int;\n");
  const std::vector<std::string> with_dump = {"db", "--fixture", "dump.sql", "--fixture-at", "2"};
  const Checked released = release(with_dump, here());
  EXPECT_EQ(released.outcome.exit_code, 0) << released.outcome.said();
  EXPECT_EQ(released.run().at("release").at("from"), "0002");
  EXPECT_EQ(released.run().at("base_rows"), 50);
  const Checked checked = check(with_dump, here());
  EXPECT_EQ(checked.run().at("migrations").size(), 1U) << checked.outcome.said();
  EXPECT_EQ(checked.run().at("migrations")[0].at("version"), "0003");
  const auto refused = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"check", "db", "--fixture", "dump.sql"});
    const Outcome outcome = run_program(more, here());
    EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
    return outcome.output + outcome.errors;
  };
  EXPECT_THAT(refused({"--fixture-at", "9"}), HasSubstr("version '9': not in 'db'"));
  EXPECT_THAT(refused({"--fixture-at", "2", "--since", "1"}),
              HasSubstr("version '0001' cannot be on trial: the fixture holds all up to 2 already"));
}

TEST_F(Release, what_the_plan_checks_by_itself_stops_it) {
  write_shop();
  write_scenario(
      "release:\n  backups: [custom]\n  pre_checks: [{name: no pets, sql: SELECT count(*) FROM pets, equals: "
      "0}]\n  operations: [{name: age them, sql: UPDATE pets SET age = 'old'}]\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              AllOf(HasSubstr("pre-check 'no pets' does not hold: 20000, must be 0"),
                    HasSubstr("operation 'age them' does not hold: invalid input syntax")));
}

TEST_F(Release, downs_that_take_old_rows_along_are_seen_behind_new_ones) {
  write_shop();
  m_folder.write("db/0004_clean.up.sql", "ALTER TABLE pets ADD COLUMN note text;\n");
  m_folder.write("db/0004_clean.down.sql",
                 "ALTER TABLE pets DROP COLUMN note; DELETE FROM pets WHERE id <= 7;\n");
  write_scenario(
      "writes: [\"INSERT INTO pets SELECT 30000 + n, 'new' FROM generate_series(1, 20) n\"]\n"
      "release: {backups: [custom], roads: [downs]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json finding = checked.finding("restore-differs");
  ASSERT_FALSE(finding.is_null()) << checked.outcome.said();
  EXPECT_THAT(finding.at("evidence").dump(), HasSubstr("7 of 20,000 rows are gone"));
}

TEST_F(Release, a_command_that_never_ends_is_ended) {
  write_shop();
  write_scenario(
      "release: {backups: [{name: slow, command: 'sleep 300'}, {name: daemon, command: 'sleep 300 & pg_dump "
      "--format=custom --file={file} {database}'}]}\n");
  const Checked checked = release({"s.yaml", "--timeout", "3"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json& backups = checked.run().at("release").at("backups");
  EXPECT_EQ(backups[0].at("made").at("failed"), true);
  EXPECT_EQ(backups[1].at("made").at("failed"), false) << backups[1];
}

TEST_F(Release, walks_back_over_more_migrations_than_are_replayed_at_once) {
  for (int n = 100; n < 130; ++n) {
    m_folder.write(fmt::format("db/{}_t.up.sql", n), fmt::format("CREATE TABLE t{} (a int);\n", n));
    m_folder.write(fmt::format("db/{}_t.down.sql", n), fmt::format("DROP TABLE t{};\n", n));
  }
  m_folder.write("s.yaml",
                 "scenario: many\nengine: postgres\nmigrations: db\nrelease: {backups: [custom]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
}

TEST_F(Release, what_a_restore_does_by_its_nature_is_no_difference) {
  write_shop();
  m_folder.write(
      "db/0001_pets.up.sql",
      "CREATE TABLE pets (id int PRIMARY KEY, name text NOT NULL);\nINSERT INTO pets VALUES (1, 'a');\n"
      "CREATE MATERIALIZED VIEW named AS SELECT name FROM pets;\nINSERT INTO pets VALUES (2, 'b');\n"
      "ALTER DATABASE lockkeeper SET timezone = 'Asia/Tokyo';\n"
      "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = "
      "NONE);\n");
  write_scenario("release: {backups: [custom]}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.run().at("release").at("risks").dump(),
              HasSubstr("not in the backup: setting database"));
}

TEST_F(Release, on_sqlite_an_own_form_and_the_log_mode_are_no_faults) {
  m_folder.write("db/0001_pets.up.sql",
                 "CREATE TABLE pets (id INTEGER PRIMARY KEY);\nINSERT INTO pets VALUES (1);\n");
  m_folder.write("db/0001_pets.down.sql", "DROP TABLE pets;\n");
  m_folder.write("db/0002_age.up.sql", "ALTER TABLE pets ADD COLUMN age INTEGER;\n");
  m_folder.write("db/0002_age.down.sql", "ALTER TABLE pets DROP COLUMN age;\n");
  m_folder.write("s.yaml",
                 "scenario: s\nengine: {sqlite: {journal_mode: wal}}\nmigrations: {path: db, since: "
                 "2}\nrelease:\n  backups:\n    - vacuum_into\n    - {name: my dump, command: 'sqlite3 "
                 "{database} .dump | gzip > {file}', restore: 'rm -f {database}; gunzip -c {file} | sqlite3 "
                 "{database}'}\n");
  const Checked checked = release({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
}

TEST_F(Release, begins_at_a_version_at_a_tag_or_at_several) {
  write_shop();
  write_scenario("");
  const auto ends = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"s.yaml"});
    const Checked checked = release(arguments, here());
    std::vector<std::string> seen;
    for (const json& run : checked.record.at("runs"))
      seen.push_back(run.at("release").at("from").get<std::string>() + "-" +
                     run.at("release").at("to").get<std::string>());
    return seen;
  };
  using Ends = std::vector<std::string>;
  EXPECT_EQ(ends({"--from", "1", "--from", "2"}), (Ends{"0001-0003", "0002-0003"}));
  EXPECT_EQ(ends({"--from", "0001", "--to", "0002"}), Ends{"0001-0002"});
  git({"init", "-q"});
  fs::rename(m_folder.path() / "db/0003_visits.up.sql", m_folder.path() / "later.up");
  fs::rename(m_folder.path() / "db/0003_visits.down.sql", m_folder.path() / "later.down");
  git({"add", "."});
  git({"commit", "-qm", "one"});
  git({"tag", "v1"});
  fs::rename(m_folder.path() / "later.up", m_folder.path() / "db/0003_visits.up.sql");
  fs::rename(m_folder.path() / "later.down", m_folder.path() / "db/0003_visits.down.sql");
  EXPECT_EQ(ends({"--from", "v1"}), Ends{"0002-0003"});
  m_folder.write("s.yaml", "scenario: shop\nengine: postgres\nmigrations: db\n");
  EXPECT_EQ(ends({}), Ends{"0002-0003"}) << "the last tag";
}

TEST_F(Release, says_what_is_wrong_with_what_it_was_asked) {
  write_shop();
  write_scenario("");
  const auto said = [&](std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin(), "release");
    const Outcome outcome = run_program(arguments, here());
    EXPECT_EQ(outcome.exit_code, code) << outcome.said();
    return outcome.errors + outcome.output;
  };
  EXPECT_THAT(said({"s.yaml", "--from", "0009"}, 2),
              HasSubstr("'0009': neither a version of 'db' nor a git ref"));
  EXPECT_THAT(said({"s.yaml", "--from", "0003"}, 4), HasSubstr("nothing comes after version 0003"));
  EXPECT_THAT(said({"s.yaml", "--from", "0002", "--to", "0001"}, 4), HasSubstr("none between"));
  EXPECT_THAT(said({}, 2), HasSubstr("no release to check"));
  EXPECT_THAT(said({"s.yaml", "--depth", "full"}, 2), HasSubstr("--depth"));
  write_scenario("release: {on_failure: {restore: nightly}}\n");
  EXPECT_THAT(said({"s.yaml"}, 2), HasSubstr("no backup is named 'nightly'"));
  write_scenario("release: {backups: [copy]}\n");
  EXPECT_THAT(said({"s.yaml"}, 2), HasSubstr("backup 'copy': postgres has no form 'copy'"));
  write_scenario("release: {roads: [{restore: custom, open: true}]}\n");
  EXPECT_THAT(said({"s.yaml"}, 2), HasSubstr("is one over a file of SQLite's"));
}

TEST_F(Release, on_sqlite_a_copy_of_the_file_alone_misses_what_lies_in_the_log) {
  m_folder.write("db/0001_pets.up.sql",
                 "CREATE TABLE pets (id INTEGER PRIMARY KEY);\nINSERT INTO pets VALUES (1);\n");
  m_folder.write("db/0001_pets.down.sql", "DROP TABLE pets;\n");
  const auto fault = [&](const std::string& journal, const std::string& backup) {
    m_folder.write("s.yaml", "scenario: s\nengine: {sqlite: {journal_mode: " + journal +
                                 "}}\nmigrations: db\nrelease: {backups: [" + backup + "]}\n");
    const Checked checked = release({"s.yaml"}, here());
    EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
    const json writer = step(checked.run(), "backup " + backup + " while somebody writes");
    return writer.at("ok") == true ? std::string() : writer.at("evidence")[0].get<std::string>();
  };
  EXPECT_THAT(fault("wal", "copy"), HasSubstr("not in it that had been committed"));
  EXPECT_THAT(fault("delete", "copy"), HasSubstr("as a transaction had them that was rolled back"));
  for (const char* journal : {"wal", "delete"}) {
    EXPECT_EQ(fault(journal, "backup"), "");
    EXPECT_EQ(fault(journal, "vacuum_into"), "");
  }
}

TEST(Runbooks, every_shipped_release_ends_as_its_scenario_says) {
  const Checked checked =
      release({"--jobs", "2"}, {.directory = LOCKKEEPER_SOURCE_DIR, .deadline = std::chrono::minutes(5)});
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_GE(checked.record.at("runs").size(), 11U);
  for (const json& run : checked.record.at("runs")) {
    const std::string file = run.at("scenario_file");
    const bool as_written =
        file.find("as-written") != std::string::npos || file.find("reverse-diff") != std::string::npos;
    EXPECT_EQ(run.at("release").at("decision"), as_written ? "no_go" : "go_with_risks") << file;
    EXPECT_FALSE(run.at("release").at("checklist").empty()) << file;
  }
}

}  // namespace
}  // namespace lockkeeper::app::testing
