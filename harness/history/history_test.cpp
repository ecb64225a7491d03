#include "history/history.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/text.h"
#include "history/git.h"
#include "history/history_test.h"
#include "history/load.h"

namespace lockkeeper::history {
namespace {

TEST_F(HistoryTest, plain_files_pair_up_and_down) {
  write("0001_users.up.sql");
  write("0001_users.down.sql");
  write("0002_orders.up.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "plain");
  EXPECT_TRUE(history.has_down);
  ASSERT_EQ(history.migrations.size(), 2U);
  EXPECT_EQ(history.migrations[0].version, "0001");
  EXPECT_EQ(history.migrations[0].name, "users");
  EXPECT_EQ(history.migrations[0].up_path, folder() + "/0001_users.up.sql");
  EXPECT_EQ(history.migrations[0].down_path, folder() + "/0001_users.down.sql");
  EXPECT_EQ(history.migrations[1].down_path, std::nullopt);
  EXPECT_EQ(history.not_taken, Texts{});
}

TEST_F(HistoryTest, plain_folders_pair_up_and_down) {
  write("0001_create/up.sql");
  write("0001_create/down.sql");
  write("0002_more/up.sql");
  write("0002_more/notes.md");
  write("docs/readme.txt");
  write("README.md");
  const History history = loaded();
  EXPECT_EQ(history.format, "plain-folders");
  EXPECT_EQ(versions(history), (Texts{"0001", "0002"}));
  EXPECT_EQ(history.migrations[0].name, "create");
  EXPECT_EQ(history.migrations[0].up_path, folder() + "/0001_create/up.sql");
  EXPECT_EQ(history.migrations[1].down_path, std::nullopt);
  EXPECT_EQ(history.not_taken,
            (Texts{"0002_more/notes.md: neither up.sql nor down.sql", "README.md: not in a folder of its own",
                   "docs/: a folder without up.sql"}));
}

TEST_F(HistoryTest, every_file_that_is_not_taken_is_said) {
  write("0001_a.up.sql");
  write("0002_b_up.sql");
  write("0003_c-down.sql");
  write("0004_d.sql");
  write("0005_e.mysql.up.sql");
  write("0006_f.up.sql~");
  write("_g.up.sql");
  write(".hidden.up.sql");
  write("README.md");
  write("old/0001_a.up.sql");
  EXPECT_EQ(
      loaded().not_taken,
      (Texts{".hidden.up.sql: hidden", "0002_b_up.sql: ends in '_up.sql', not in '.up.sql'",
             "0003_c-down.sql: ends in '-down.sql', not in '.down.sql'",
             "0004_d.sql: ends neither in .up.sql nor in .down.sql",
             "0005_e.mysql.up.sql: for another dialect, mysql", "0006_f.up.sql~: not a .sql file",
             "README.md: not a .sql file", "_g.up.sql: no version before the first '_'", "old/: a folder"}));
}

TEST_F(HistoryTest, the_file_for_postgres_wins_over_the_generic_one) {
  write("1_a.up.sql");
  write("1_a.postgres.up.sql");
  write("1_a.sqlite3.up.sql");
  write("1_a.down.sql");
  const History history = loaded();
  ASSERT_EQ(history.migrations.size(), 1U);
  EXPECT_EQ(history.migrations[0].up_path, folder() + "/1_a.postgres.up.sql");
  EXPECT_EQ(history.migrations[0].name, "a");
  EXPECT_EQ(history.migrations[0].down_path, folder() + "/1_a.down.sql");
  EXPECT_EQ(history.not_taken, (Texts{"1_a.sqlite3.up.sql: for another dialect, sqlite3",
                                      "1_a.up.sql: '1_a.postgres.up.sql' is the one for PostgreSQL"}));
}

TEST_F(HistoryTest, each_name_of_a_dialect_is_known_on_either_side) {
  for (const char* name : {"1_a.postgres", "2_b.postgresql", "3_c.pg"}) {
    write(std::string(name) + ".up.sql");
    write(std::string(name) + ".down.sql");
    write(std::string(name).substr(0, 3) + ".down.sql");
  }
  write("1_a.sqlite3.down.sql");
  write("2_b.mariadb.down.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "plain");
  ASSERT_EQ(history.migrations.size(), 3U);
  EXPECT_EQ(history.migrations[0].down_path, folder() + "/1_a.postgres.down.sql");
  EXPECT_EQ(history.migrations[1].down_path, folder() + "/2_b.postgresql.down.sql");
  EXPECT_EQ(history.migrations[2].up_path, folder() + "/3_c.pg.up.sql");
  EXPECT_EQ(history.not_taken, (Texts{"1_a.down.sql: '1_a.postgres.down.sql' is the one for PostgreSQL",
                                      "1_a.sqlite3.down.sql: for another dialect, sqlite3",
                                      "2_b.down.sql: '2_b.postgresql.down.sql' is the one for PostgreSQL",
                                      "2_b.mariadb.down.sql: for another dialect, mariadb",
                                      "3_c.down.sql: '3_c.pg.down.sql' is the one for PostgreSQL"}));
}

TEST_F(HistoryTest, odd_names_are_taken_as_they_are) {
  const Texts names = {"-rf_x",         "0021_x..y",    "0021b_with 'quotes' \"and\" spaces",
                       "1.2.3_dotted",  "2023-01-01_d", "v1",
                       "żółć_🦀", "$(id)_x",      "0_new\nline"};
  for (const std::string& name : names) {
    write(name + ".up.sql");
    write(name + ".down.sql");
  }
  const History history = loaded();
  EXPECT_EQ(history.not_taken, Texts{});
  ASSERT_EQ(history.migrations.size(), names.size());
  for (const Migration& migration : history.migrations) {
    EXPECT_TRUE(migration.up().has_value()) << migration.up_path;
    EXPECT_TRUE(migration.down().has_value()) << migration.up_path;
  }
}

TEST_F(HistoryTest, a_name_may_be_missing) {
  write("0001.up.sql");
  write("0001.down.sql");
  const History history = loaded();
  EXPECT_EQ(history.migrations.at(0).version, "0001");
  EXPECT_EQ(history.migrations.at(0).name, "");
}

TEST_F(HistoryTest, numbers_are_ordered_by_value) {
  for (const char* name :
       {"10_a", "9_b", "20230101000000_c", "202301010000001_d", "09_e", "99999999999999999999999_f"}) {
    write(std::string(name) + ".up.sql");
  }
  EXPECT_EQ(versions(loaded()),
            (Texts{"09", "9", "10", "20230101000000", "202301010000001", "99999999999999999999999"}));
}

TEST_F(HistoryTest, dates_with_dashes_are_ordered_as_if_they_had_none) {
  for (const char* name :
       {"2017-08-31-230457_invitations", "20170804200817_emails", "2017-09-23-182408_tokens",
        "20170820180453_readme", "2017-09-23-182408-0001_more", "00000000000000_setup"}) {
    write(std::string(name) + "/up.sql");
  }
  // Left to itself such a folder is diesel's.
  EXPECT_EQ(versions(load({folder(), "plain-folders"}).value()),
            (Texts{"00000000000000", "20170804200817", "20170820180453", "2017-08-31-230457",
                   "2017-09-23-182408", "2017-09-23-182408-0001"}));
}

TEST_F(HistoryTest, dates_that_name_folders_are_ordered_as_text_whatever_their_length) {
  for (const char* name : {"20250101000000_b", "20240102030405000_a", "00000000000000_setup"}) {
    write(std::string(name) + "/up.sql");
  }
  EXPECT_EQ(versions(loaded()), (Texts{"00000000000000", "20240102030405000", "20250101000000"}));
}

TEST_F(HistoryTest, short_numbers_that_name_folders_are_ordered_by_value) {
  for (const char* name : {"10_b", "9_a"}) write(std::string(name) + "/up.sql");
  EXPECT_EQ(versions(loaded()), (Texts{"9", "10"}));
}

TEST_F(HistoryTest, other_versions_are_ordered_by_bytes) {
  for (const char* name : {"10_a", "9_b", "v1_c"}) write(std::string(name) + ".up.sql");
  EXPECT_EQ(versions(loaded()), (Texts{"10", "9", "v1"}));
}

TEST_F(HistoryTest, two_migrations_of_one_version_are_refused) {
  write("0001_a.up.sql");
  write("0001_b.up.sql");
  EXPECT_EQ(failure(),
            "DIR/0001_b.up.sql: error: version '0001': two migrations have it, '0001_a.up.sql' and "
            "'0001_b.up.sql'\n"
            "hint: give one of them a version of its own");
}

TEST_F(HistoryTest, two_folders_of_one_version_are_refused) {
  write("1_a/up.sql");
  write("1_b/up.sql");
  EXPECT_EQ(failure(),
            "DIR/1_b/up.sql: error: version '1': two migrations have it, '1_a/up.sql' and '1_b/up.sql'\n"
            "hint: give one of them a version of its own");
}

TEST_F(HistoryTest, up_and_down_may_be_named_differently) {
  write("0001_add_user.up.sql");
  write("0001_drop_user.down.sql");
  EXPECT_EQ(loaded().migrations.at(0).down_path, folder() + "/0001_drop_user.down.sql");
}

TEST_F(HistoryTest, a_down_without_its_up_is_refused) {
  write("0001_a.up.sql");
  write("0002_b.down.sql");
  EXPECT_EQ(failure(),
            "DIR/0002_b.down.sql: error: version '0002': a down without its up\n"
            "hint: add the up side, or remove the file");
}

TEST_F(HistoryTest, several_faults_are_named_in_one_error_with_their_files) {
  for (const char* name : {"0001_a.up.sql", "0001_b.up.sql", "0001_c.up.sql", "0002_d.down.sql",
                           "0003_e.up.sql", "0003_e.down.sql", "0003_f.down.sql"}) {
    write(name);
  }
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': 4 faults in their files\n"
            "DIR/0001_b.up.sql: version '0001': two migrations have it, '0001_a.up.sql' and '0001_b.up.sql'\n"
            "DIR/0001_c.up.sql: version '0001': two migrations have it, '0001_a.up.sql' and '0001_c.up.sql'\n"
            "DIR/0002_d.down.sql: version '0002': a down without its up\n"
            "DIR/0003_f.down.sql: version '0003': two migrations have it, '0003_e.down.sql' and "
            "'0003_f.down.sql'\n"
            "hint: give one of them a version of its own; add the up side, or remove the file");
}

TEST_F(HistoryTest, a_hundred_faults_are_cut_with_a_count) {
  write("000_a.up.sql");
  for (int version = 1; version <= 100; ++version) write(fmt::format("{:03}_a.down.sql", version));
  const std::string text = failure();
  EXPECT_THAT(text, ::testing::StartsWith("error: migrations 'DIR': 100 faults in their files\n"
                                          "DIR/001_a.down.sql: version '001': a down without its up\n"));
  EXPECT_THAT(text,
              ::testing::EndsWith("DIR/010_a.down.sql: version '010': a down without its up\nand 90 more\n"
                                  "hint: add the up side, or remove the file"));
}

TEST_F(HistoryTest, a_folder_in_which_nothing_fits_is_refused) {
  const std::string hint = "\nhint: 'lockkeeper history --formats' shows the layouts that are read";
  EXPECT_EQ(failure(), "error: migrations 'DIR': the folder is empty" + hint);
  write("README.md");
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': no file fits a layout that is read, seen were 'README.md'" + hint);
  write("X1__a.sql");
  write("X2__b.sql");
  EXPECT_EQ(
      failure(),
      "error: migrations 'DIR': no file fits a layout that is read, seen were 'X1__a.sql', 'X2__b.sql', …" +
          hint);
  write("_x.up.sql");
  EXPECT_NE(failure().find("no file fits a layout"), std::string::npos);
}

TEST_F(HistoryTest, two_layouts_in_one_folder_are_told_apart_by_name_only) {
  write("1_a.up.sql");
  write("2_b/up.sql");
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': both 'plain' ('1_a.up.sql') and 'plain-folders' ('2_b/') fit\n"
            "hint: name the format that is meant: --format NAME, or in a scenario: migrations: {path: …, "
            "format: …}");
  EXPECT_EQ(versions(load({folder(), "plain"}).value()), Texts{"1"});
  EXPECT_EQ(versions(load({folder(), "plain-folders"}).value()), Texts{"2"});
}

TEST_F(HistoryTest, an_unknown_format_is_refused) {
  write("1_a.up.sql");
  EXPECT_THAT(failure("plian"),
              ::testing::StartsWith("error: format 'plian': not known (did you mean 'plain'?)\nhint: the "
                                    "formats are: "));
}

TEST_F(HistoryTest, a_folder_that_is_not_there_is_refused) {
  fs::remove_all(m_folder);
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': No such file or directory\n"
            "hint: name a folder that holds migrations and can be read");
  std::ofstream(m_folder) << "x";
  EXPECT_NE(failure().find("Not a directory"), std::string::npos);
}

TEST_F(HistoryTest, symbolic_links_are_followed) {
  write("../real.sql", "SELECT 2;");
  fs::create_symlink(m_root / "db" / "real.sql", m_folder / "1_a.up.sql");
  EXPECT_EQ(loaded().migrations.at(0).up().value().parts.at(0).statements.at(0).text, "SELECT 2");
}

TEST_F(HistoryTest, the_shape_follows_from_the_statements) {
  write("1_a.up.sql", "-- x\nCREATE TABLE t (a int);\nINSERT INTO t VALUES (1);");
  write("1_a.down.sql", " -- nothing\n;");
  write("2_b.up.sql", "SET x = 1;\n\n  create index concurrently i ON t (a);");
  write("2_b.down.sql", "VACUUM;");
  write("3_c.up.sql", "SELECT 1;\r\n begin;\r\nCREATE INDEX CONCURRENTLY i ON t (a); COMMIT;");
  write("3_c.down.sql", "SELECT 'BEGIN;'; DO $$ BEGIN END $$; ROLLBACK TO x;");
  const History history = loaded();
  const sql::Part plain = history.migrations[0].up().value().parts.at(0);
  EXPECT_EQ(plain.shape, record::TransactionShape::one_transaction);
  EXPECT_EQ(plain.shape_reason, "");
  EXPECT_EQ(plain.statements.size(), 2U);
  EXPECT_EQ(to_string(plain.statements[1].location), folder() + "/1_a.up.sql:3:1");
  EXPECT_TRUE(history.migrations[0].down().value().empty());
  const sql::Part concurrently = history.migrations[1].up().value().parts.at(0);
  EXPECT_EQ(concurrently.shape, record::TransactionShape::autocommit);
  EXPECT_EQ(concurrently.shape_reason, "CREATE INDEX CONCURRENTLY at 3:3");
  EXPECT_EQ(history.migrations[1].down().value().parts.at(0).shape_reason, "VACUUM at 1:1");
  const sql::Part own = history.migrations[2].up().value().parts.at(0);
  EXPECT_EQ(own.shape, record::TransactionShape::own_transactions);
  EXPECT_EQ(own.shape_reason, "BEGIN at 2:2");
  EXPECT_EQ(history.migrations[2].down().value().parts.at(0).shape,
            record::TransactionShape::one_transaction);
}

TEST_F(HistoryTest, statements_outlive_the_copy_of_their_script) {
  write("1_a.up.sql", "SELECT 'somewhat longer than a short string would be';");
  std::vector<sql::Script> scripts;
  scripts.push_back(loaded().migrations[0].up().value());
  scripts.push_back(scripts[0]);
  scripts.erase(scripts.begin());
  EXPECT_EQ(scripts[0].parts[0].statements[0].text, "SELECT 'somewhat longer than a short string would be'");
}

TEST_F(HistoryTest, a_broken_file_fails_when_it_is_read) {
  write("1_a.up.sql", "SELECT '\xFF'");
  const auto script = loaded().migrations[0].up();
  ASSERT_FALSE(script.has_value());
  EXPECT_NE(to_string(script.error()).find("1_a.up.sql:1:9: error: cannot read"), std::string::npos);
}

class SelectTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    for (const char* name : {"0001_a", "0002_b", "0010_c", "0011_d"}) write(std::string(name) + ".up.sql");
  }
  static std::string indexes(const Result<Trial>& trial) {
    if (!trial) return to_string(trial.error());
    Texts texts;
    for (const std::size_t index : trial->judged) texts.push_back(std::to_string(index));
    return std::to_string(trial->first) + ": " + join(texts, " ");
  }
  std::string chosen(const scenario::Selection& selection) const {
    return scrubbed(indexes(choose(loaded(), selection)));
  }
  static scenario::Selection since(const std::string& version) {
    scenario::Selection selection;
    selection.since = version;
    return selection;
  }
  static scenario::Selection last(int count) {
    scenario::Selection selection;
    selection.last = count;
    return selection;
  }
  static scenario::Selection only(const Texts& versions) {
    scenario::Selection selection;
    selection.only = versions;
    return selection;
  }
  static scenario::Selection since_ref(const std::string& ref) {
    scenario::Selection selection;
    selection.since_ref = ref;
    return selection;
  }
};

TEST_F(SelectTest, nothing_selected_is_all) {
  EXPECT_EQ(chosen({}), "0: 0 1 2 3");
}

TEST_F(SelectTest, since_begins_at_its_version) {
  EXPECT_EQ(chosen(since("0002")), "1: 1 2 3");
  EXPECT_EQ(chosen(since("10")), "2: 2 3");
  EXPECT_EQ(chosen(since("5")), "2: 2 3");
  EXPECT_EQ(chosen(since("12")),
            "error: migrations 'DIR': none from version 12 on\nhint: the last one is 0011");
  EXPECT_EQ(choose(loaded(), since("12")).error().kind, FailureKind::nothing);
  EXPECT_EQ(
      chosen(since("000x2")),
      "error: version '000x2': not in 'DIR' (did you mean '0002'?)\nhint: its versions go from 0001 to 0011");
}

TEST_F(SelectTest, since_needs_a_version_that_is_there_where_versions_are_no_numbers) {
  write("v1_x.up.sql");
  EXPECT_EQ(chosen(since("v1")), "4: 4");
  EXPECT_EQ(choose(loaded(), since("5")).error().kind, FailureKind::usage);
}

TEST_F(SelectTest, last_counts_from_the_end) {
  EXPECT_EQ(chosen(last(1)), "3: 3");
  EXPECT_EQ(chosen(last(4)), "0: 0 1 2 3");
  EXPECT_EQ(chosen(last(40)), "0: 0 1 2 3");
  EXPECT_EQ(chosen(last(0)), "error: last '0': a number from 1 on is wanted");
  EXPECT_EQ(chosen(last(-3)), "error: last '-3': a number from 1 on is wanted");
}

TEST_F(SelectTest, only_judges_what_is_named) {
  EXPECT_EQ(chosen(only({"0011", "0002", "2"})), "1: 1 3");
  EXPECT_EQ(
      chosen(only({"0002", "0012"})),
      "error: version '0012': not in 'DIR' (did you mean '0002'?)\nhint: its versions go from 0001 to 0011");
}

TEST_F(SelectTest, two_selections_at_once_are_refused) {
  scenario::Selection both = last(1);
  both.since = "0001";
  EXPECT_EQ(chosen(both),
            "error: since, last, only, since-ref and since-folder: only one of them can be given");
}

TEST_F(SelectTest, since_ref_judges_what_the_ref_does_not_have) {
  commit("main");
  write("0012_ü 'x'.up.sql");
  write("0005_late.up.sql");
  EXPECT_EQ(chosen(since_ref("main")), "2: 2 5");
  EXPECT_EQ(chosen(since_ref("HEAD")), "2: 2 5");
  commit("main");
  EXPECT_EQ(chosen(since_ref("HEAD~1")), "2: 2 5");
  EXPECT_EQ(chosen(since_ref("HEAD")),
            "error: migrations 'DIR': git ref 'HEAD' has all of them\nhint: nothing is new, so nothing is on "
            "trial");
  EXPECT_EQ(choose(loaded(), since_ref("HEAD")).error().kind, FailureKind::nothing);
}

TEST_F(SelectTest, since_ref_works_from_a_relative_folder_and_through_a_link) {
  commit("main");
  write("0012_x.up.sql");
  fs::create_directory_symlink(m_folder, m_root / "link");
  const std::string relative = fs::relative(m_folder).string();
  for (const std::string& path :
       {relative, relative + "/", "./" + relative, (m_root / "link").string(), folder() + "/"}) {
    EXPECT_EQ(indexes(choose(load({path}).value(), since_ref("main"))), "4: 4") << path;
  }
}

TEST_F(SelectTest, since_ref_finds_folders_of_migrations) {
  fs::remove_all(m_folder);
  write("1_a/up.sql");
  commit("main");
  write("2_b/up.sql");
  EXPECT_EQ(chosen(since_ref("main")), "1: 1");
}

TEST_F(SelectTest, since_ref_takes_all_where_the_ref_lacks_the_folder) {
  git("init -q -b main");
  git("commit -q --allow-empty -m x");
  EXPECT_EQ(chosen(since_ref("main")), "0: 0 1 2 3");
}

TEST_F(SelectTest, an_unknown_ref_is_refused_in_the_words_of_git) {
  commit("main");
  EXPECT_EQ(chosen(since_ref("origin/main")),
            "error: git ref 'origin/main': fatal: Needed a single revision\n"
            "hint: fetch it first, for example: git fetch origin main (a shallow clone has one commit only)");
  for (const char* ref : {"", "--output=/tmp/x", "-h"}) {
    EXPECT_EQ(chosen(since_ref(ref)), "error: git ref '" + std::string(ref) +
                                          "': not the name of a ref\n"
                                          "hint: name a branch, a tag or a commit, for example origin/main");
  }
}

TEST_F(SelectTest, a_folder_outside_of_any_repository_is_refused) {
  const std::string said = chosen(since_ref("main"));
  EXPECT_NE(said.find("error: git ref 'main': fatal: not a git repository"), std::string::npos) << said;
  EXPECT_NE(said.find("hint: name the versions instead: --since, --last or --only"), std::string::npos)
      << said;
}

TEST_F(SelectTest, since_ref_is_not_led_astray_by_the_variables_of_a_git_hook) {
  commit("main");
  write("0012_x.up.sql");
  ::setenv("GIT_DIR", "/nowhere", 1);
  const std::string said = chosen(since_ref("main"));
  ::unsetenv("GIT_DIR");
  EXPECT_EQ(said, "4: 4");
}

}  // namespace
}  // namespace lockkeeper::history
