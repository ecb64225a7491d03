#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/app.h"
#include "app/program_test.h"
#include "check/rule.h"

namespace lockkeeper::app::testing {

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Commands : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program(arguments, {m_folder.path()});
  }

  Folder m_folder;
};

TEST_F(Commands, version_is_the_one_that_was_built) {
  for (const char* word : {"version", "--version"}) {
    const Outcome outcome = run({word});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, StartsWith("lockkeeper " LOCKKEEPER_VERSION));
    EXPECT_EQ(outcome.errors, "");
  }
}

TEST_F(Commands, a_baseline_lets_through_what_was_there_and_holds_what_comes_to_the_rules) {
  const auto write = [this](const std::string& version, const std::string& up) {
    m_folder.write("m/" + version + ".up.sql", up);
    m_folder.write("m/" + version + ".down.sql", "SELECT 1;");
  };
  write("1_a", "CREATE TABLE a (id int);");
  const Checked before = check({"m"}, {m_folder.path()});
  ASSERT_EQ(before.outcome.exit_code, 1);
  m_folder.write("run.json", before.record.dump());
  const Outcome written = run({"baseline", "run.json", "--reason", "it is \"old\"", "--until", "2999-12-31"});
  ASSERT_EQ(written.exit_code, 0) << written.said();
  EXPECT_THAT(
      written.output,
      HasSubstr(R"({rule: down-missing, migration: "1", reason: "it is \"old\"", until: 2999-12-31})"));
  m_folder.write("baseline.yaml", written.output);

  const Checked after = check({"m", "--baseline", "baseline.yaml"}, {m_folder.path()});
  EXPECT_EQ(after.outcome.exit_code, 0) << after.outcome.said();
  EXPECT_EQ(after.finding("down-missing").at("reason"), "it is \"old\"");

  write("2_b", "CREATE TABLE b (id int);");
  EXPECT_EQ(check({"m", "--baseline", "baseline.yaml"}, {m_folder.path()}).outcome.exit_code, 1);
  m_folder.write("m/1_a.down.sql", "DROP TABLE a;");
  const Checked mended = check({"m", "--baseline", "baseline.yaml", "--only", "1"}, {m_folder.path()});
  EXPECT_THAT(mended.run().at("stale").dump(), HasSubstr("down-missing"));

  m_folder.write("wrong.yaml", "allow:\n  - {rule: down-mising, reason: x}\n");
  const Outcome wrong = run({"check", "m", "--baseline", "wrong.yaml"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.errors, HasSubstr("wrong.yaml:2:12: error: rule 'down-mising': not known"));
  EXPECT_EQ(run({"baseline"}).exit_code, 2);
  EXPECT_EQ(run({"baseline", "run.json", "--until", "tomorrow"}).exit_code, 2);
}

TEST_F(Commands, without_a_command_it_says_how_and_exits_2) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.output, "");
  EXPECT_THAT(outcome.errors, HasSubstr("usage: lockkeeper COMMAND [OPTIONS]"));
}

TEST_F(Commands, help_shows_every_command_and_the_exit_codes) {
  for (const char* word : {"--help", "-h", "help"}) {
    const Outcome outcome = run({word});
    EXPECT_EQ(outcome.exit_code, 0);
    for (const Command& command : all_commands())
      EXPECT_THAT(outcome.output, HasSubstr(std::string(command.summary)));
    EXPECT_THAT(outcome.output, HasSubstr("4 nothing was on trial"));
  }
}

TEST_F(Commands, each_has_its_own_help_with_its_examples) {
  for (const Command& command : all_commands()) {
    const Outcome outcome = run({std::string(command.name), "--help"});
    EXPECT_EQ(outcome.exit_code, 0) << command.name << outcome.said();
    EXPECT_THAT(outcome.output, StartsWith("usage: lockkeeper " + std::string(command.name)));
    EXPECT_THAT(outcome.output, HasSubstr(std::string(command.examples)));
    EXPECT_EQ(outcome.errors, "");
  }
}

TEST_F(Commands, the_help_of_check_shows_what_scripts_rely_on) {
  const Outcome outcome = run({"check", "--help"});
  for (const char* option :
       {"--since", "--last", "--only", "--since-ref", "--report", "--jobs", "--keep", "--server", "--pg-bin",
        "--pg-version", "--no-cache", "--timeout", "--store", "--fixture"}) {
    EXPECT_THAT(outcome.output, HasSubstr(option));
  }
}

TEST_F(Commands, an_unknown_one_is_named_with_the_nearest) {
  const Outcome outcome = run({"chek"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(
      outcome.errors,
      "error: unknown command 'chek' (did you mean 'check'?)\nhint: lockkeeper --help lists the commands\n");
}

TEST_F(Commands, rules_lists_every_rule) {
  const Outcome outcome = run({"rules"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const std::string& id : check::rule_ids()) EXPECT_THAT(outcome.output, HasSubstr("  " + id + " "));
}

TEST_F(Commands, rules_explains_each_one_with_a_bad_and_a_good_migration) {
  for (const std::string& id : check::rule_ids()) {
    const Outcome outcome = run({"rules", id});
    EXPECT_EQ(outcome.exit_code, 0) << id;
    EXPECT_THAT(outcome.output, StartsWith(id + " ("));
    for (const char* part : {"\nwhy\n", "\ninstead\n", "\nfound in\n", "\nnot in\n"}) {
      EXPECT_THAT(outcome.output, HasSubstr(part)) << id;
    }
  }
}

TEST_F(Commands, rules_names_the_nearest_of_an_unknown_one) {
  const Outcome outcome = run({"rules", "schema-not-restord"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.errors,
            "error: unknown rule 'schema-not-restord' (did you mean 'schema-not-restored'?)\n"
            "hint: lockkeeper rules lists them\n");
}

TEST_F(Commands, doctor_shows_servers_account_store_and_disk) {
  const Outcome outcome = run({"doctor"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  for (const char* what : {"✔ account ", "✔ server         PostgreSQL ", "✔ psql ", "✔ pg_restore ",
                           "✔ free disk ", "✔ copy-on-write ", "✔ processors "}) {
    EXPECT_THAT(outcome.output, HasSubstr(what));
  }
  EXPECT_THAT(outcome.output, HasSubstr("✔ store          " + shared_store().string()));
}

TEST_F(Commands, doctor_exits_3_where_no_server_is_found) {
  const Folder empty;
  const Outcome outcome = run({"doctor", "--pg-bin", empty.path().string()});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.output,
              HasSubstr("✘ server         none found: install the package postgresql, or use --pg-bin"));
}

TEST_F(Commands, cache_wants_one_word_that_it_knows) {
  EXPECT_EQ(run({"cache"}).errors,
            "error: cache takes one word: list, prune or clear\nhint: lockkeeper cache --help\n");
  const Outcome outcome = run({"cache", "clera"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.errors,
            "error: cache: unknown word 'clera' (did you mean 'clear'?)\nhint: lockkeeper cache --help\n");
}

TEST_F(Commands, report_says_what_is_wrong_with_a_record) {
  m_folder.write("bad.json", "{");
  m_folder.write("empty.json", "{}");
  Outcome outcome = run({"report", "none.json"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, StartsWith("error: cannot read 'none.json': No such file or directory"));
  outcome = run({"report", "bad.json"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("not valid JSON at line 1, column 2"));
  outcome = run({"report", "empty.json"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("'/schema_version': is missing"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
