#include "base/tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace lockkeeper {
namespace {

namespace fs = std::filesystem;

class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
    fs::create_directories(source() / "base/1");
    fs::create_directories(source() / "pg_tblspc");
    ASSERT_TRUE(write_file(source() / "PG_VERSION", "15\n"));
    ASSERT_TRUE(write_file(source() / "base/1/empty", ""));
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(write_file(source() / "base/1" / std::to_string(i),
                             std::string(8192, static_cast<char>('a' + i % 26))));
    }
    fs::permissions(source() / "PG_VERSION", fs::perms(0640));
    fs::permissions(source() / "base", fs::perms(0750));
    fs::create_symlink("/nowhere/at all", source() / "pg_tblspc/16384");
  }
  void TearDown() override { fs::remove_all(m_directory); }

  fs::path source() const { return m_directory / "source"; }
  fs::path copy() const { return m_directory / "copy"; }
  std::vector<TreeEntry> listed(const fs::path& root) const {
    auto entries = list_tree(root, Hashing::content);
    EXPECT_TRUE(entries) << (entries ? "" : to_string(entries.error()));
    return entries.value_or(std::vector<TreeEntry>());
  }
  fs::path m_directory;
};

TEST_F(TreeTest, a_copy_has_the_same_files_modes_and_links) {
  ASSERT_TRUE(copy_tree(source(), copy()));
  const auto before = listed(source());
  EXPECT_EQ(before.size(), 106U);
  EXPECT_EQ(listed(copy()), before);
  EXPECT_EQ(fs::read_symlink(copy() / "pg_tblspc/16384"), "/nowhere/at all");
  struct stat status {};
  ASSERT_EQ(::stat((copy() / "PG_VERSION").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(TreeTest, as_root_the_copy_belongs_to_the_account) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can hand files over";
  CopyOptions options;
  options.owner = RunAs{"nobody", 65534, 65534};
  ASSERT_TRUE(copy_tree(source(), copy(), options));
  for (const char* path : {"", "base", "base/1/7", "pg_tblspc/16384"}) {
    struct stat status {};
    ASSERT_EQ(::lstat((copy() / path).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 65534U) << path;
  }
}

TEST_F(TreeTest, a_changed_byte_is_noticed_and_leaves_no_copy) {
  if (can_clone(m_directory)) GTEST_SKIP() << "cloned blocks are not read";
  const auto expected = listed(source());
  std::string content = read_file(source() / "base/1/7").value_or("");
  content[4000] = '!';
  ASSERT_TRUE(write_file(source() / "base/1/7", content));
  fs::permissions(source() / "base/1/7", fs::perms(expected[1].mode & 0777U));
  bool damaged = false;
  CopyOptions options;
  options.expected = &expected;
  options.damaged = &damaged;
  const auto copied = copy_tree(source(), copy(), options);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().message, "cannot use '" + (source() / "base/1/7").string() +
                                        "': its content is not what was written there");
  EXPECT_TRUE(damaged);
  EXPECT_FALSE(fs::exists(copy()));
}

TEST_F(TreeTest, a_file_that_is_gone_is_noticed) {
  const auto expected = listed(source());
  fs::remove(source() / "base/1/7");
  bool damaged = false;
  CopyOptions options;
  options.expected = &expected;
  options.damaged = &damaged;
  EXPECT_FALSE(copy_tree(source(), copy(), options));
  EXPECT_TRUE(damaged);
  EXPECT_FALSE(fs::exists(copy()));
}

TEST_F(TreeTest, a_full_disk_says_how_much_is_needed_and_leaves_nothing) {
  const fs::path disk = m_directory / "disk";
  fs::create_directory(disk);
  const std::string mount = "mount -t tmpfs -o size=200k tmpfs " + disk.string() + " 2>/dev/null";
  if (::geteuid() != 0 || std::system(mount.c_str()) != 0) GTEST_SKIP() << "no small disk can be made here";
  const auto copied = copy_tree(source(), disk / "copy");
  EXPECT_FALSE(copied);
  if (!copied) {
    EXPECT_TRUE(copied.error().message.starts_with("cannot copy '" + source().string() +
                                                   "': the disk is full, 800 kB are needed and "))
        << copied.error().message;
    EXPECT_EQ(copied.error().kind, FailureKind::environment);
  }
  EXPECT_FALSE(fs::exists(disk / "copy"));
  EXPECT_EQ(std::system(("umount " + disk.string()).c_str()), 0);
}

TEST_F(TreeTest, an_existing_target_is_left_alone) {
  fs::create_directory(copy());
  ASSERT_TRUE(write_file(copy() / "mine", "x"));
  EXPECT_FALSE(copy_tree(source(), copy()));
  EXPECT_TRUE(fs::exists(copy() / "mine"));
}

TEST_F(TreeTest, removing_follows_no_link) {
  fs::create_directory(m_directory / "other");
  ASSERT_TRUE(write_file(m_directory / "other/file", "x"));
  fs::create_directory_symlink(m_directory / "other", source() / "link");
  ASSERT_TRUE(remove_tree(source()));
  EXPECT_FALSE(fs::exists(source()));
  EXPECT_TRUE(fs::exists(m_directory / "other/file"));
  EXPECT_TRUE(remove_tree(source()));
}

TEST_F(TreeTest, a_list_reads_back_as_it_was_written) {
  const auto entries = listed(source());
  EXPECT_EQ(read_tree_list(write_tree_list(entries)), entries);
}

TEST(tree_list, a_list_that_is_cut_off_or_leads_out_is_none) {
  const std::string whole = write_tree_list({{TreeEntry::Kind::file, "a", 0600, 3, "00", ""}});
  ASSERT_TRUE(read_tree_list(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(read_tree_list(whole.substr(0, length))) << length;
  }
  EXPECT_FALSE(read_tree_list(write_tree_list({{TreeEntry::Kind::file, "../a", 0600, 3, "00", ""}})));
  EXPECT_FALSE(read_tree_list(write_tree_list({{TreeEntry::Kind::file, "/etc/passwd", 0600, 3, "00", ""}})));
}

}  // namespace
}  // namespace lockkeeper
