#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using ::testing::HasSubstr;

/// What a folder of migrations may hold that is no plain file.
class HostileFiles : public ::testing::Test {
 protected:
  HostileFiles() {
    m_folder.write("m/0001_a.up.sql", "CREATE TABLE t (id int);");
    m_folder.write("m/0001_a.down.sql", "DROP TABLE t;");
  }
  fs::path at(const std::string& name) const { return m_folder.path() / "m" / name; }
  void expect(int exit_code, const std::string& text) const {
    const Checked checked = check({"m"}, {m_folder.path()});
    EXPECT_EQ(checked.outcome.exit_code, exit_code) << checked.outcome.said();
    EXPECT_THAT(checked.outcome.output + checked.outcome.errors, HasSubstr(text));
  }

  Folder m_folder;
};

TEST_F(HostileFiles, a_pipe_is_refused_instead_of_waited_for) {
  ASSERT_EQ(::mkfifo(at("0002_b.up.sql").c_str(), 0600), 0);
  expect(2, "error: cannot read 'm/0002_b.up.sql': it is no regular file");
}

TEST_F(HostileFiles, a_device_without_an_end_is_refused) {
  fs::create_symlink("/dev/zero", at("0002_b.up.sql"));
  expect(2, "error: cannot read 'm/0002_b.up.sql': it is no regular file");
}

TEST_F(HostileFiles, links_that_lead_in_a_circle_or_nowhere_are_named) {
  fs::create_symlink("0003_c.up.sql", at("0002_b.up.sql"));
  fs::create_symlink("0002_b.up.sql", at("0003_c.up.sql"));
  expect(2, "error: cannot read 'm/0002_b.up.sql': Too many levels of symbolic links");
  fs::remove(at("0002_b.up.sql"));
  expect(2, "error: cannot read 'm/0003_c.up.sql': No such file or directory");
}

TEST_F(HostileFiles, a_folder_that_is_named_like_a_file_is_said_to_be_left_out) {
  fs::create_directory(at("0002_b.up.sql"));
  const Checked checked = check({"m"}, {m_folder.path()});
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.run()["not_taken"], nlohmann::json::array({"0002_b.up.sql/: a folder"}));
}

TEST_F(HostileFiles, versions_of_forty_digits_are_ordered_by_value) {
  const std::string huge(40, '9');
  m_folder.write("m/" + huge + "_b.up.sql", "ALTER TABLE t ADD COLUMN a int;");
  m_folder.write("m/" + huge + "_b.down.sql", "ALTER TABLE t DROP COLUMN a;");
  m_folder.write("m/1" + std::string(40, '0') + "_c.up.sql", "ALTER TABLE t ADD COLUMN b int;");
  m_folder.write("m/1" + std::string(40, '0') + "_c.down.sql", "ALTER TABLE t DROP COLUMN b;");
  const Checked checked = check({"m"}, {m_folder.path()});
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.run()["migrations"][1]["version"], huge);
}

TEST_F(HostileFiles, a_name_with_a_line_end_breaks_no_report) {
  m_folder.write("m/0002_b\nc.up.sql", "bogus;");
  m_folder.write("m/0002_b\nc.down.sql", "SELECT 1;");
  const Checked checked = check({"m", "--report", "junit=" + (m_folder.path() / "j.xml").string(), "--report",
                                 "markdown=" + (m_folder.path() / "r.md").string()},
                                {m_folder.path()});
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_EQ(checked.run()["migrations"][1]["name"], "b\nc");
}

}  // namespace

}  // namespace lockkeeper::app::testing
