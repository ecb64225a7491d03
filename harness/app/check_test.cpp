#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/program_test.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

namespace lockkeeper::app::testing {

namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> versions(const json& run) {
  std::vector<std::string> versions;
  for (const auto& migration : run.at("migrations")) versions.push_back(migration.at("version"));
  return versions;
}

void git(const fs::path& directory, std::vector<std::string> words) {
  words.insert(words.begin(), {"git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c",
                               "init.defaultBranch=main", "-c", "commit.gpgsign=false"});
  Command command;
  command.argv = std::move(words);
  command.directory = directory;
  command.environment = {{"GIT_CONFIG_NOSYSTEM", "1"}, {"HOME", directory.string()}};
  const auto finished = lockkeeper::run(command);
  ASSERT_TRUE(finished && finished->ok()) << (finished ? finished->errors : finished.error().message);
}

/// `psql` as the console prints it, asked one question.
std::string ask(const std::string& line, const std::string& sql) {
  Command command;
  command.argv = {"sh", "-c", line + " -XAtc \"" + sql + "\""};
  const auto finished = lockkeeper::run(command);
  return finished ? trimmed(finished->output) + trimmed(finished->errors) : finished.error().message;
}

class Check : public ::testing::Test {
 protected:
  Start here() const { return {m_folder.path()}; }

  Folder m_folder;
};

TEST_F(Check, a_folder_of_good_migrations_may_merge) {
  write_good_history(m_folder);
  const Checked checked = check({"migrations"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.record["verdict"], "pass");
  EXPECT_THAT(versions(checked.run()), ElementsAre("0001", "0002"));
  EXPECT_EQ(checked.run()["migrations"][1]["name"], "email");
  EXPECT_THAT(checked.rules(), IsEmpty());
  EXPECT_THAT(checked.outcome.output, HasSubstr("may merge: 2 migrations, 0 errors, 0 warnings, 0 notes"));
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(Check, folders_with_up_and_down_are_read_too) {
  m_folder.write("migrations/2024-01_one/up.sql", "CREATE TABLE one (id int);");
  m_folder.write("migrations/2024-01_one/down.sql", "DROP TABLE one;");
  const Checked checked = check({"migrations"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(versions(checked.run()), ElementsAre("2024-01"));
}

TEST_F(Check, what_an_earlier_migration_froze_by_the_clock_is_no_difference_when_a_later_one_makes_it_anew) {
  m_folder.write(
      "migrations/0001_a.up.sql",
      "CREATE TABLE p (t timestamp);\nCREATE VIEW v AS SELECT t < 'now'::timestamp AS old FROM p;\n");
  m_folder.write("migrations/0001_a.down.sql", "DROP VIEW v;\nDROP TABLE p;\n");
  m_folder.write("migrations/0002_b.up.sql",
                 "DROP VIEW v;\nALTER TABLE p ADD COLUMN x int;\n"
                 "CREATE VIEW v AS SELECT t < 'now'::timestamp AS old, x FROM p;\n");
  m_folder.write("migrations/0002_b.down.sql",
                 "DROP VIEW v;\nALTER TABLE p DROP COLUMN x;\n"
                 "CREATE VIEW v AS SELECT t < 'now'::timestamp AS old FROM p;\n");
  const Checked checked = check({"migrations"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.rules(), ElementsAre("not-deterministic", "not-deterministic"));
}

TEST_F(Check, a_finding_names_rule_level_side_and_place) {
  m_folder.write("migrations/0001_t.up.sql", "CREATE TABLE t (id int);\nCREATE INDEX t_id ON t (id);\n");
  m_folder.write("migrations/0001_t.down.sql", "-- the index is forgotten on purpose\nDROP TABLE u;\n");
  const Checked checked = check({"migrations"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_EQ(checked.record["verdict"], "fail");
  const json finding = checked.finding("down-fails");
  ASSERT_TRUE(finding.is_object()) << checked.outcome.said();
  EXPECT_EQ(finding["level"], "error");
  EXPECT_EQ(finding["migration"], "0001");
  EXPECT_EQ(finding["side"], "down");
  EXPECT_EQ(finding["location"], (json{{"file", "migrations/0001_t.down.sql"}, {"line", 2}, {"column", 1}}));
  EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr("table \"u\" does not exist"));
  EXPECT_FALSE(finding["allowed"].is_string() || finding["allowed"] == true) << finding["allowed"];
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("reproduce: lockkeeper check migrations --only 0001 --seed-rows 0 --keep"));
}

TEST_F(Check, last_since_and_only_choose_the_trial) {
  write_good_history(m_folder);
  const Checked last = check({"migrations", "--last", "1"}, here());
  EXPECT_THAT(versions(last.run()), ElementsAre("0002")) << last.outcome.said();
  EXPECT_EQ(last.run()["applied"], 1);
  EXPECT_EQ(last.run()["base_rows"], 20);
  EXPECT_THAT(versions(check({"migrations", "--since", "0001"}, here()).run()), ElementsAre("0001", "0002"));
  EXPECT_THAT(versions(check({"migrations", "--only", "0001"}, here()).run()), ElementsAre("0001"));
  EXPECT_THAT(check({"migrations", "--last", "1", "--only", "1"}, here()).outcome.errors,
              HasSubstr("--since, --last, --only, --since-ref and --since-folder exclude each other"));
}

TEST_F(Check, since_ref_judges_what_the_ref_does_not_have) {
  write_good_history(m_folder);
  git(m_folder.path(), {"init", "-q"});
  git(m_folder.path(), {"add", "migrations/0001_users.up.sql", "migrations/0001_users.down.sql"});
  git(m_folder.path(), {"commit", "-q", "-m", "base"});
  const Checked checked = check({"migrations", "--since-ref", "HEAD"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(versions(checked.run()), ElementsAre("0002"));
  git(m_folder.path(), {"add", "migrations"});
  git(m_folder.path(), {"commit", "-q", "-m", "all"});
  EXPECT_EQ(check({"migrations", "--since-ref", "HEAD"}, here()).outcome.exit_code, 4);
  const Checked unknown = check({"migrations", "--since-ref", "no-such-ref"}, here());
  EXPECT_EQ(unknown.outcome.exit_code, 2) << unknown.outcome.said();
  EXPECT_THAT(unknown.outcome.output + unknown.outcome.errors, HasSubstr("no-such-ref"));
}

TEST_F(Check, a_scenario_brings_fixture_init_and_expectations) {
  write_good_history(m_folder);
  m_folder.write("rows.sql",
                 "CREATE TABLE places (id int PRIMARY KEY);\nINSERT INTO places VALUES (1), (2);\n");
  m_folder.write("shop.yaml",
                 "scenario: shop\nengine: postgres\nfixture: [rows.sql]\nmigrations: {path: migrations}\n"
                 "invariants:\n  - {name: places, sql: 'SELECT count(*) FROM places', equals: 2}\n"
                 "after_up:\n  - {column: users.email, nullable: true}\n");
  const Checked checked = check({"shop.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.run()["scenario"], "shop");
  EXPECT_EQ(checked.run()["base_rows"], 2);
  m_folder.write("wrong.yaml",
                 "scenario: wrong\nengine: postgres\nfixture: [rows.sql]\nmigrations: {path: migrations}\n"
                 "invariants:\n  - {name: places, sql: 'SELECT count(*) FROM places', equals: 3}\n");
  const Checked wrong = check({"wrong.yaml"}, here());
  EXPECT_EQ(wrong.outcome.exit_code, 1) << wrong.outcome.said();
  EXPECT_TRUE(wrong.finding("invariant-broken").is_object()) << wrong.outcome.said();
}

TEST_F(Check, every_report_is_written_also_when_the_run_fails) {
  m_folder.write("migrations/1_t.up.sql", "bogus;");
  const Checked failing =
      check({"migrations", "--report", "junit=out.xml", "--report", "markdown=out.md"}, here());
  EXPECT_EQ(failing.outcome.exit_code, 1);
  EXPECT_THAT(read_file(m_folder.path() / "out.xml").value_or(""),
              HasSubstr("<testsuites name=\"lockkeeper\""));
  EXPECT_THAT(read_file(m_folder.path() / "out.md").value_or(""), HasSubstr("up-fails"));
  const Checked broken =
      check({"nothing-here", "--report", "junit=no.xml", "--report", "markdown=no.md"}, here());
  EXPECT_EQ(broken.outcome.exit_code, 2);
  EXPECT_EQ(broken.record["verdict"], "error");
  EXPECT_THAT(read_file(m_folder.path() / "no.xml").value_or(""), HasSubstr("errors=\"1\""));
  EXPECT_THAT(read_file(m_folder.path() / "no.md").value_or(""), HasSubstr("cannot read"));
}

TEST_F(Check, a_report_on_standard_output_stands_there_alone) {
  write_good_history(m_folder);
  const Outcome outcome = run_program({"check", "migrations", "--report", "json=-"}, here());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_EQ(schema_error(json::parse(outcome.output, nullptr, false)), "");
  EXPECT_THAT(outcome.errors, HasSubstr("may merge"));
}

TEST_F(Check, a_report_to_a_device_leaves_the_device_and_one_through_a_link_leaves_the_link) {
  write_good_history(m_folder);
  const fs::path device = m_folder.path() / "device";
  ASSERT_EQ(::mkfifo(device.c_str(), 0600), 0);
  const int reader = ::open(device.c_str(), O_RDONLY | O_NONBLOCK);
  fs::create_symlink(m_folder.write("real.md", "old"), m_folder.path() / "link.md");
  const Checked checked = check(
      {"migrations", "--last", "1", "--report", "junit=" + device.string(), "--report", "markdown=link.md"},
      here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_TRUE(fs::is_fifo(device));
  char text[16] = "";
  EXPECT_GT(::read(reader, text, sizeof text - 1), 0);
  EXPECT_THAT(text, StartsWith("<?xml"));
  ::close(reader);
  EXPECT_TRUE(fs::is_symlink(m_folder.path() / "link.md"));
  EXPECT_THAT(read_file(m_folder.path() / "real.md").value_or(""), HasSubstr("may merge"));
}

TEST_F(Check, a_pass_that_could_not_be_said_is_none) {
  write_good_history(m_folder);
  const Outcome outcome =
      run_program({"-c", fmt::format("{} check migrations > /dev/full", program().string())},
                  {.directory = m_folder.path(), .executable = "/bin/sh"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.errors, HasSubstr("error: cannot write to standard output: not all of it was taken"));
}

TEST_F(Check, report_renders_a_stored_record_as_the_run_did) {
  write_good_history(m_folder);
  const Outcome run = run_program({"check", "migrations", "--report", "json=run.json", "--report",
                                   "markdown=a.md", "--report", "junit=a.xml"},
                                  here());
  ASSERT_EQ(run.exit_code, 0) << run.said();
  const Outcome again = run_program({"report", "run.json", "--report", "markdown=b.md", "--report",
                                     "junit=b.xml", "--report", "json=b.json"},
                                    here());
  EXPECT_EQ(again.exit_code, 0) << again.said();
  EXPECT_THAT(again.output, HasSubstr("may merge: 2 migrations"));
  const auto text = [&](const char* name) { return read_file(m_folder.path() / name).value_or("missing"); };
  EXPECT_EQ(text("a.md"), text("b.md"));
  EXPECT_EQ(text("a.xml"), text("b.xml"));
  EXPECT_EQ(text("run.json"), text("b.json"));
}

TEST_F(Check, several_scenarios_run_side_by_side_and_are_reported_in_order) {
  write_good_history(m_folder, "a");
  write_good_history(m_folder, "b");
  m_folder.write("c/1_bad.up.sql", "bogus;");
  const Checked checked = check({"c", "a", "b", "--jobs", "2"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  ASSERT_EQ(checked.record["runs"].size(), 3U);
  EXPECT_EQ(checked.run(0)["scenario"], "c");
  EXPECT_EQ(checked.run(0)["verdict"], "fail");
  EXPECT_EQ(checked.run(1)["scenario"], "a");
  EXPECT_EQ(checked.run(2)["verdict"], "pass");
}

TEST_F(Check, where_it_is_started_does_not_matter) {
  write_good_history(m_folder, "deep/migrations");
  m_folder.write("deep/rows.sql", "CREATE TABLE places (id int);\n");
  m_folder.write("deep/s.yaml",
                 "scenario: s\nengine: postgres\nfixture: [rows.sql]\nmigrations: {path: migrations}\n");
  const Folder elsewhere;
  EXPECT_EQ(check({(m_folder.path() / "deep/s.yaml").string()}, {elsewhere.path()}).outcome.exit_code, 0);
  EXPECT_EQ(check({"deep/s.yaml"}, here()).outcome.exit_code, 0);
  EXPECT_EQ(check({"s.yaml"}, {m_folder.path() / "deep"}).outcome.exit_code, 0);
}

TEST_F(Check, nothing_is_written_where_it_is_started_nor_at_home) {
  write_good_history(m_folder);
  auto before = m_folder.listing();
  before.insert("home");
  ASSERT_EQ(check({"migrations"}, here()).outcome.exit_code, 0);
  EXPECT_EQ(m_folder.listing(), before);
}

TEST_F(Check, the_environment_of_the_users_own_psql_changes_nothing) {
  write_good_history(m_folder);
  Start setup = here();
  setup.environment = {
      {"PGHOST", "/nowhere"},      {"PGPORT", "1"},          {"PGDATABASE", "x"},   {"PGUSER", "nobody"},
      {"PGOPTIONS", "-c bogus=1"}, {"PGSSLMODE", "require"}, {"PGDATA", "/nowhere"}};
  EXPECT_EQ(check({"migrations"}, setup).outcome.exit_code, 0);
}

// ── What is kept for the next run

TEST_F(Check, a_second_run_starts_from_the_snapshot_until_a_fixture_changes) {
  write_good_history(m_folder);
  m_folder.write("rows.sql", "CREATE TABLE places (id int);\nINSERT INTO places VALUES (1);\n");
  const std::vector<std::string> arguments = {"migrations", "--fixture", "rows.sql"};
  EXPECT_EQ(check(arguments, here()).run()["timings"]["from_snapshot"], false);
  const Checked second = check(arguments, here());
  EXPECT_EQ(second.run()["timings"]["from_snapshot"], true);
  EXPECT_THAT(second.outcome.output, HasSubstr("from snapshot"));
  m_folder.write("rows.sql", "CREATE TABLE places (id int);\nINSERT INTO places VALUES (1), (2);\n");
  const Checked edited = check(arguments, here());
  EXPECT_EQ(edited.run()["timings"]["from_snapshot"], false);
  EXPECT_EQ(edited.run()["base_rows"], 2);
}

TEST_F(Check, without_cache_nothing_is_taken_or_kept) {
  write_good_history(m_folder);
  const Folder other;
  Start setup = here();
  setup.store = other.path() / "store";
  for (int round = 0; round < 2; ++round) {
    const Checked checked = check({"migrations", "--no-cache", "--last", "1"}, setup);
    EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
    EXPECT_EQ(checked.run()["timings"]["from_snapshot"], false);
  }
  EXPECT_THAT(run_program({"cache", "list"}, setup).output, StartsWith("0 B in "));
}

/// One cold store for what damages it.
class CheckedStore : public Check {
 protected:
  Start own() const {
    Start setup = here();
    setup.store = m_store.path() / "a store with 'spaces'";
    return setup;
  }

  Folder m_store;
};

TEST_F(CheckedStore, a_damaged_entry_is_rebuilt_and_prune_and_clear_empty_it) {
  write_good_history(m_folder);
  const Start setup = own();
  const Checked first = check({"migrations", "--last", "1"}, setup);
  EXPECT_EQ(first.outcome.exit_code, 0) << first.outcome.said();
  EXPECT_EQ(check({"migrations", "--last", "1"}, setup).run()["timings"]["from_snapshot"], true);
  // A file of every entry loses its end.
  int damaged = 0;
  for (const auto& entry : fs::directory_iterator(setup.store / "snapshots")) {
    fs::resize_file(entry.path() / "data" / "global" / "pg_control", 100);
    ++damaged;
  }
  EXPECT_EQ(damaged, 2);
  const Checked rebuilt = check({"migrations", "--last", "1"}, setup);
  EXPECT_EQ(rebuilt.outcome.exit_code, 0) << rebuilt.outcome.said();
  EXPECT_EQ(rebuilt.run()["timings"]["from_snapshot"], false);
  EXPECT_EQ(check({"migrations", "--last", "1"}, setup).run()["timings"]["from_snapshot"], true);
  const Outcome listed = run_program({"cache", "list"}, setup);
  EXPECT_THAT(listed.output, HasSubstr("migrations · 0 fixtures · 1 migration applied"));
  EXPECT_THAT(listed.output, HasSubstr("· empty"));
  EXPECT_EQ(run_program({"cache", "prune", "--limit", "35MB"}, setup).exit_code, 0);
  EXPECT_THAT(run_program({"cache", "list"}, setup).output, Not(HasSubstr("· empty")));
  EXPECT_EQ(run_program({"cache", "clear"}, setup).exit_code, 0);
  EXPECT_THAT(run_program({"cache", "list"}, setup).output, StartsWith("0 B in "));
}

TEST_F(CheckedStore, two_first_runs_at_once_do_not_meet) {
  write_good_history(m_folder);
  const Start setup = own();
  Running one({"check", "migrations"}, setup);
  Running two({"check", "migrations"}, setup);
  const Outcome first = one.finish();
  const Outcome second = two.finish();
  EXPECT_EQ(first.exit_code, 0) << first.said();
  EXPECT_EQ(second.exit_code, 0) << second.said();
  EXPECT_EQ(remains(setup.store, first.pid) + remains(setup.store, second.pid), "");
}

TEST_F(CheckedStore, a_path_too_long_for_a_socket_works_and_leaves_no_socket_behind) {
  write_good_history(m_folder);
  m_folder.write("long.sql", text_too_long_for_memory());
  Start setup = here();
  setup.store = m_store.path() / std::string(60, 'x') / std::string(60, 'y') / "store";
  Running running({"check", "migrations", "--fixture", "long.sql"}, setup);
  std::set<std::string> sockets;
  while (!running.wait_for(std::chrono::milliseconds(2))) {
    std::error_code error;
    for (fs::directory_iterator entry(setup.store / "runs", error), end; !error && entry != end;
         entry.increment(error)) {
      std::ifstream list(entry->path() / "socket-directories");
      for (std::string line; std::getline(list, line);) sockets.insert(line);
    }
  }
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_FALSE(sockets.empty());
  for (const std::string& socket : sockets) EXPECT_FALSE(fs::exists(socket)) << socket;
  EXPECT_EQ(remains(setup.store, outcome.pid), "");
}

TEST_F(CheckedStore, a_folder_that_holds_other_things_is_no_store) {
  write_good_history(m_folder);
  Start setup = here();
  setup.store = m_folder.path();
  const Outcome outcome = run_program({"check", "migrations"}, setup);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.errors, HasSubstr("as a store: it holds other things"));
  EXPECT_TRUE(fs::exists(m_folder.path() / "migrations/0001_users.up.sql"));
}

TEST_F(Check, keep_leaves_the_failed_database_running_until_the_cache_is_cleared) {
  const Folder other;
  Start setup = here();
  setup.store = other.path() / "store";
  m_folder.write("migrations/1_t.up.sql",
                 "CREATE TABLE kept_here (id int);\nINSERT INTO kept_here VALUES (7);\n");
  m_folder.write("migrations/1_t.down.sql", "bogus;");
  const Outcome outcome = run_program({"check", "migrations", "--keep"}, setup);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  const auto at = outcome.output.find("left running: psql ");
  ASSERT_NE(at, std::string::npos) << outcome.said();
  const std::string line = trimmed(outcome.output.substr(at + std::string("left running: ").size()));
  EXPECT_EQ(ask(line, "SELECT id FROM kept_here"), "7");
  // Another run sweeps what is dead, and this is not.
  write_good_history(m_folder, "good");
  EXPECT_EQ(check({"good"}, setup).outcome.exit_code, 0);
  EXPECT_EQ(ask(line, "SELECT id FROM kept_here"), "7");
  EXPECT_THAT(run_program({"cache", "list"}, setup).output, HasSubstr("kept database: " + line));
  EXPECT_FALSE(processes_below(setup.store).empty());
  const Outcome cleared = run_program({"cache", "clear"}, setup);
  EXPECT_EQ(cleared.exit_code, 0) << cleared.said();
  EXPECT_THAT(cleared.output, HasSubstr("ended the kept database of"));
  EXPECT_THAT(processes_below(setup.store), IsEmpty());
  EXPECT_EQ(remains(setup.store, outcome.pid), "");
}

TEST_F(Check, keep_leaves_nothing_where_nothing_fails) {
  write_good_history(m_folder);
  const Checked checked = check({"migrations", "--keep"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output, Not(HasSubstr("left running")));
}

}  // namespace

}  // namespace lockkeeper::app::testing
