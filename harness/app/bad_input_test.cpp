#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/program_test.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/disposable_server.h"

namespace lockkeeper::app::testing {

namespace {

using nlohmann::json;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BadInput : public ::testing::Test {
 protected:
  Start here() const { return {m_folder.path()}; }
  void write_up(const std::string& text) const {
    m_folder.write("m/0001_a.up.sql", text);
    m_folder.write("m/0001_a.down.sql", "DROP TABLE IF EXISTS t;");
  }
  /// The run ends with this code, both streams together hold the text, nothing is left.
  Checked expect(const std::vector<std::string>& arguments, int exit_code, const std::string& text) const {
    Checked checked = check(arguments, here());
    EXPECT_EQ(checked.outcome.exit_code, exit_code) << checked.outcome.said();
    EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr(text));
    EXPECT_EQ(checked.record["verdict"], exit_code == 0 ? "pass" : exit_code == 1 ? "fail" : "error");
    return checked;
  }
  /// What is refused before there is anything to report on.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& text) const {
    const Outcome outcome = run_program(arguments, here());
    EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
    EXPECT_THAT(outcome.errors, HasSubstr(text));
    EXPECT_EQ(outcome.output, "");
  }

  Folder m_folder;
};

json place(const char* file, int line, int column) {
  return {{"file", file}, {"line", line}, {"column", column}};
}

// ── The command line

TEST_F(BadInput, an_unknown_option_is_named_with_the_nearest) {
  write_up("SELECT 1;");
  expect_refused({"check", "m", "--fixtur", "x"},
                 "error: unknown option '--fixtur' (did you mean '--fixture'?)");
}

TEST_F(BadInput, numbers_out_of_range_are_refused) {
  write_up("SELECT 1;");
  expect({"m", "--timeout", "-1"}, 2, "--timeout takes a number of seconds, or 0 for no limit");
  expect({"m", "--jobs", "0"}, 2, "--jobs takes a number from 1 up");
  expect({"m", "--last", "0"}, 2, "--last takes a number from 1 up");
  expect({"m", "--scale", "0"}, 2, "--scale takes a number from 1 up");
  expect_refused({"check", "m", "--last", "one"}, "the argument ('one') for option '--last' is invalid");
}

TEST_F(BadInput, a_report_that_cannot_be_written_stops_the_run_before_it_begins) {
  write_up("SELECT 1;");
  expect_refused({"check", "m", "--report", "json=missing/out.json"},
                 "error: --report: cannot write 'missing/out.json': no such directory, or closed to us");
  expect_refused({"check", "m", "--report", "json=m"},
                 "error: --report: cannot write 'm': it is a directory");
  expect_refused({"check", "m", "--report", "jsn=out"},
                 "error: --report: unknown form 'jsn' (did you mean 'json'?)");
  expect_refused({"check", "m", "--report", "json"}, "error: --report json: no file given");
}

TEST_F(BadInput, no_server_binaries) {
  write_up("SELECT 1;");
  fs::create_directory(m_folder.path() / "bin");
  expect({"m", "--pg-bin", "bin"}, 3, "error: no server binaries in 'bin'");
  expect({"m", "--pg-version", "99"}, 3, "error: no server binaries of PostgreSQL 99; found: ");
}

TEST_F(BadInput, nothing_there) {
  expect({"nowhere"}, 2, "error: cannot read 'nowhere': No such file or directory");
  fs::create_directory(m_folder.path() / "empty");
  expect({"empty"}, 2, "error: migrations 'empty': the folder is empty");
  const Outcome outcome = run_program({"check"}, here());
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors,
              HasSubstr("nothing to check: no scenario or directory given, and no scenarios/ here"));
}

TEST_F(BadInput, nothing_on_trial) {
  write_up("SELECT 1;");
  expect({"m", "--since", "0002"}, 4, "error: migrations 'm': none from version 0002 on");
  expect({"m", "--only", "0007"}, 2, "error: version '0007': not in 'm'");
}

TEST_F(BadInput, an_unknown_key_in_a_scenario_is_named_with_place_and_the_nearest) {
  write_up("SELECT 1;");
  m_folder.write("s.yaml", "scenario: s\nengine: postgres\nmigratons: {path: m}\n");
  expect({"s.yaml"}, 2, "s.yaml:3:1: error: unknown key 'migratons' (did you mean 'migrations'?)");
}

// ── Histories

TEST_F(BadInput, duplicate_versions) {
  m_folder.write("m/0001_a.up.sql", "SELECT 1;");
  m_folder.write("m/0001_b.up.sql", "SELECT 1;");
  expect(
      {"m"}, 2,
      "m/0001_b.up.sql: error: version '0001': two migrations have it, '0001_a.up.sql' and '0001_b.up.sql'");
}

TEST_F(BadInput, a_file_that_is_not_utf8) {
  write_up("SELECT 1;\nSELECT 'caf\xE9';\n");
  expect({"m"}, 2, "m/0001_a.up.sql:2:12: error: cannot read 'm/0001_a.up.sql': not UTF-8 at byte 22");
}

TEST_F(BadInput, a_byte_order_mark_and_carriage_returns_are_read_as_an_editor_does) {
  write_up(
      "\xEF\xBB\xBF"
      "CREATE TABLE t (id int);\r\nINSERT INTO t\r\nVALUES (1), (x);\r\n");
  const json finding = expect({"m"}, 1, "column \"x\" does not exist").finding("up-fails");
  ASSERT_TRUE(finding.is_object());
  EXPECT_EQ(finding["location"], place("m/0001_a.up.sql", 3, 14));
  write_up(
      "\xEF\xBB\xBF"
      "CREATE TABLE t (id int);\r\n");
  expect({"m"}, 0, "may merge");
}

TEST_F(BadInput, an_unterminated_string) {
  write_up("CREATE TABLE t (a text);\nINSERT INTO t VALUES ('open);\nSELECT 1;\n");
  const json finding = expect({"m"}, 1, "unterminated quoted string").finding("up-fails");
  ASSERT_TRUE(finding.is_object());
  EXPECT_EQ(finding["location"], place("m/0001_a.up.sql", 2, 23));
}

TEST_F(BadInput, an_unterminated_dollar_quote) {
  write_up("CREATE TABLE t (a text);\nDO $body$ BEGIN\n  NULL;\nEND;\n");
  const json finding = expect({"m"}, 1, "unterminated dollar-quoted string").finding("up-fails");
  ASSERT_TRUE(finding.is_object());
  EXPECT_EQ(finding["location"], place("m/0001_a.up.sql", 2, 4));
}

TEST_F(BadInput, psql_meta_commands_name_the_tool) {
  write_up("CREATE TABLE t (id int);\n\\i other.sql\n");
  expect({"m"}, 2, "m/0001_a.up.sql:2:1: error: psql meta-command '\\i' in 'm/0001_a.up.sql': it is not SQL");
}

TEST_F(BadInput, copy_from_stdin_says_that_only_psql_sends_rows) {
  write_up("CREATE TABLE t (id int);\nCOPY t FROM stdin;\n1\n2\n\\.\n");
  const Checked checked = check({"m"}, here());
  EXPECT_THAT(checked.outcome.exit_code, AnyOf(1, 2)) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr("m/0001_a.up.sql:2:1: error: "));
  EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr("psql"));
}

TEST_F(BadInput, names_with_spaces_quotes_unicode_and_dashes) {
  const std::string folder = "-m 'x' \"y\" 名前";
  m_folder.write(folder + "/-3_dash.up.sql", "CREATE TABLE \"a b\" (id int);");
  m_folder.write(folder + "/-3_dash.down.sql", "DROP TABLE \"a b\";");
  m_folder.write(folder + "/0001_it's \"odd\" ü.up.sql", "CREATE TABLE ü (\"x\"\"y\" int);");
  m_folder.write(folder + "/0001_it's \"odd\" ü.down.sql", "bogus;");
  const Checked checked = check({"./" + folder}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_EQ(checked.run()["migrations"][0]["version"], "-3");
  EXPECT_EQ(checked.run()["migrations"][1]["name"], "it's \"odd\" ü");
  EXPECT_EQ(checked.finding("down-fails")["location"]["file"],
            "./" + folder + "/0001_it's \"odd\" ü.down.sql");
  EXPECT_THAT(
      checked.outcome.output,
      HasSubstr(
          "reproduce: lockkeeper check './-m '\\''x'\\'' \"y\" 名前' --only 0001 --seed-rows 0 --keep"));
  EXPECT_EQ(check({"./" + folder, "--only", "-3"}, here()).outcome.exit_code, 0);
}

TEST_F(BadInput, a_migration_of_many_megabytes_runs) {
  std::string up = "CREATE TABLE t (id int, a text);\n";
  const std::string text(4000, 'x');
  for (int n = 0; n < 1000; ++n) up += fmt::format("INSERT INTO t VALUES ({}, '{}');\n", n, text);
  up += "SELECT 1/0;\n";
  write_up(up);
  const Checked checked = expect({"m"}, 1, "division by zero");
  EXPECT_EQ(checked.finding("up-fails")["location"], place("m/0001_a.up.sql", 1002, 1));
}

// ── Fixtures

TEST_F(BadInput, a_fixture_that_is_not_there_or_of_no_known_kind) {
  write_up("CREATE TABLE t (id int);");
  expect({"m", "--fixture", "none.sql"}, 2, "error: cannot read 'none.sql': No such file or directory");
  m_folder.write("rows.bin", "garbage");
  expect({"m", "--fixture", "rows.bin"}, 2,
         "error: cannot load fixture 'rows.bin': unknown kind of file '.bin'");
}

TEST_F(BadInput, a_pipe_as_a_fixture_is_refused_instead_of_waited_for) {
  write_up("CREATE TABLE t (id int);");
  ASSERT_EQ(::mkfifo((m_folder.path() / "pipe.sql").c_str(), 0600), 0);
  expect({"m", "--fixture", "pipe.sql"}, 2, "error: cannot read 'pipe.sql': it is no regular file");
}

TEST_F(BadInput, a_fixture_that_fails_half_way_leaves_no_snapshot) {
  write_up("CREATE TABLE t (id int);");
  m_folder.write("rows.sql",
                 "CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nINSERT INTO nope VALUES (1);\n");
  for (int round = 0; round < 2; ++round) {
    const Checked checked =
        expect({"m", "--fixture", "rows.sql"}, 2,
               "rows.sql:3: error: cannot load fixture 'rows.sql': relation \"nope\" does not exist");
    EXPECT_EQ(checked.run()["timings"]["from_snapshot"], false);
  }
}

TEST_F(BadInput, a_dump_of_a_newer_pg_dump) {
  write_up("CREATE TABLE t (id int);");
  const engine::postgres::DisposableServer server;
  Command command;
  const auto tools = engine::postgres::find_tools({});
  command.argv = {(tools.pg_restore.parent_path() / "pg_dump").string(),
                  "-Fc",
                  "-f",
                  (m_folder.path() / "new.dump").string(),
                  "-d",
                  server.connection()};
  const auto dumped = lockkeeper::run(command);
  ASSERT_TRUE(dumped && dumped->ok()) << (dumped ? dumped->errors : dumped.error().message);
  expect({"m", "--fixture", "new.dump"}, 0, "may merge");
  // The header is "PGDMP" and then the format's version: major, minor, revision.
  std::string bytes = read_file(m_folder.path() / "new.dump").value_or("");
  ASSERT_THAT(bytes, StartsWith("PGDMP"));
  bytes[6] = 99;
  m_folder.write("new.dump", bytes);
  const Checked checked = check({"m", "--fixture", "new.dump"}, here());
  EXPECT_THAT(checked.outcome.exit_code, AnyOf(2, 3)) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr("'new.dump'"));
  EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr("newer"));
}

// ── The machine

/// A file system of a few megabytes, as root can make one.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& where, const char* size) : m_where(where) {
    fs::create_directories(where);
    m_mounted = ::mount("lockkeeper-test", where.c_str(), "tmpfs", 0,
                        fmt::format("size={},mode=755", size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (m_mounted) ::umount2(m_where.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return m_mounted; }

 private:
  fs::path m_where;
  bool m_mounted = false;
};

TEST_F(BadInput, a_full_disk_is_the_environments_failure) {
  write_up("CREATE TABLE t (id int);");
  m_folder.write("long.sql", text_too_long_for_memory());
  for (const char* size : {"8m", "24m"}) {
    const Folder other;
    const SmallDisk disk(other.path() / "disk", size);
    if (!disk.mounted())
      GTEST_SKIP() << "a small file system cannot be mounted here: " << std::strerror(errno);
    Start setup = here();
    setup.store = other.path() / "disk" / "store";
    const Checked checked = check({"m", "--fixture", "long.sql"}, setup);
    EXPECT_EQ(checked.outcome.exit_code, 3) << checked.outcome.said();
    EXPECT_EQ(checked.record["verdict"], "error");
    EXPECT_THAT(checked.outcome.output + checked.outcome.errors,
                AnyOf(HasSubstr("No space left on device"), HasSubstr("the disk is full")));
    EXPECT_TRUE(processes_below(setup.store).empty());
  }
}

TEST_F(BadInput, a_snapshot_that_finds_no_room_on_the_disk_is_told_and_harms_no_verdict) {
  write_up("CREATE TABLE t (id int);");
  const Folder other;
  const SmallDisk disk(other.path() / "disk", "8m");
  if (!disk.mounted()) GTEST_SKIP() << "a small file system cannot be mounted here: " << std::strerror(errno);
  if (free_space("/dev/shm") < (4UL << 30)) GTEST_SKIP() << "there is no memory disk here, or a small one";
  Start setup = here();
  setup.store = other.path() / "disk" / "store";
  const Checked checked = check({"m"}, setup);
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("the snapshot cannot be kept, the next run makes it again: "));
  EXPECT_THAT(checked.outcome.output, HasSubstr("the disk is full"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
