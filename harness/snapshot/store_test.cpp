#include "snapshot/store.h"

#include <csignal>
#include <functional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"

namespace lockkeeper::snapshot {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t k_no_limit = 1ULL << 40U;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
  }
  void TearDown() override { fs::remove_all(m_directory); }

  fs::path place() const { return m_directory / "store"; }
  Store open(std::uint64_t limit = k_no_limit) const {
    auto store = Store::open(place(), limit);
    EXPECT_TRUE(store) << (store ? "" : to_string(store.error()));
    return *store;
  }
  Store::Entry publish(const Store& store, const std::string& key, std::size_t bytes = 1000) const {
    const auto draft = store.draft();
    EXPECT_TRUE(draft);
    fs::create_directories(*draft / "base");
    EXPECT_TRUE(write_file(*draft / "base" / "1", std::string(bytes, 'x')));
    EXPECT_TRUE(write_file(*draft / "PG_VERSION", "15\n"));
    auto entry = store.publish(key, *draft, "a snapshot", "notes of " + key);
    EXPECT_TRUE(entry) << (entry ? "" : to_string(entry.error()));
    return *entry;
  }
  bool nothing_in(const std::string& folder) const { return fs::is_empty(place() / folder); }
  fs::path m_directory;
};

TEST_F(StoreTest, what_was_published_is_found_again) {
  const Store store = open();
  EXPECT_FALSE(store.find("abc"));
  publish(store, "abc");
  const auto found = open().find("abc");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, "abc");
  EXPECT_EQ(found->description, "a snapshot");
  EXPECT_EQ(found->notes, "notes of abc");
  EXPECT_EQ(found->bytes, 1003U);
  EXPECT_EQ(read_file(found->directory / "PG_VERSION").value_or(""), "15\n");
  EXPECT_TRUE(nothing_in("drafts"));
}

TEST_F(StoreTest, an_entry_that_was_tampered_with_is_absent_and_removed) {
  const std::vector<std::pair<const char*, std::function<void(const fs::path&)>>> damages = {
      {"a file cut off", [](const fs::path& entry) { fs::resize_file(entry / "data/base/1", 10); }},
      {"a file missing", [](const fs::path& entry) { fs::remove(entry / "data/PG_VERSION"); }},
      {"a foreign file", [](const fs::path& entry) { ASSERT_TRUE(write_file(entry / "data/foreign", "x")); }},
      {"no manifest", [](const fs::path& entry) { fs::remove(entry / "manifest.json"); }},
      {"a manifest cut off", [](const fs::path& entry) { fs::resize_file(entry / "manifest.json", 20); }},
      {"an empty manifest", [](const fs::path& entry) { fs::resize_file(entry / "manifest.json", 0); }},
      {"another manifest",
       [](const fs::path& entry) { ASSERT_TRUE(write_file(entry / "manifest.json", "[1]")); }},
      {"a list cut off", [](const fs::path& entry) { fs::resize_file(entry / "files", 30); }},
      {"notes changed", [](const fs::path& entry) { ASSERT_TRUE(write_file(entry / "notes", "other")); }},
      {"notes missing", [](const fs::path& entry) { fs::remove(entry / "notes"); }},
      {"a file for a directory",
       [](const fs::path& entry) {
         fs::remove_all(entry / "data/base");
         ASSERT_TRUE(write_file(entry / "data/base", "x"));
       }},
  };
  const Store store = open();
  for (const auto& [name, damage] : damages) {
    publish(store, "abc");
    ASSERT_TRUE(store.find("abc")) << name;
    damage(place() / "snapshots/abc");
    EXPECT_FALSE(store.find("abc")) << name;
    EXPECT_FALSE(fs::exists(place() / "snapshots/abc")) << name;
    EXPECT_TRUE(nothing_in("drafts")) << name;
  }
}

TEST_F(StoreTest, a_byte_changed_in_place_is_noticed_by_the_copy_and_the_entry_is_gone_then) {
  if (can_clone("/tmp")) GTEST_SKIP() << "cloned blocks are not read";
  const Store store = open();
  const auto entry = publish(store, "abc");
  ASSERT_TRUE(write_file(entry.directory / "base/1", std::string(999, 'x') + "y"));
  ASSERT_TRUE(store.find("abc"));
  EXPECT_FALSE(copy_stored_tree(entry.directory, m_directory / "copy", std::nullopt));
  EXPECT_FALSE(fs::exists(m_directory / "copy"));
  EXPECT_FALSE(store.find("abc"));
  const auto again = publish(store, "abc");
  EXPECT_TRUE(copy_stored_tree(again.directory, m_directory / "copy", std::nullopt));
}

TEST_F(StoreTest, an_entry_moved_to_another_key_is_absent) {
  const Store store = open();
  publish(store, "abc");
  fs::rename(place() / "snapshots/abc", place() / "snapshots/def");
  EXPECT_FALSE(store.find("def"));
}

TEST_F(StoreTest, the_draft_of_a_dead_maker_is_pruned_and_that_of_a_living_one_is_not) {
  const Store store = open();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto draft = store.draft();
    if (draft) static_cast<void>(write_file(*draft / "half", "x"));
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  const auto living = store.draft();
  ASSERT_TRUE(living);
  EXPECT_EQ(std::distance(fs::directory_iterator(place() / "drafts"), {}), 2);
  ASSERT_TRUE(store.prune(k_no_limit));
  EXPECT_EQ(std::distance(fs::directory_iterator(place() / "drafts"), {}), 1);
  EXPECT_TRUE(fs::exists(*living));
}

TEST_F(StoreTest, the_first_of_two_makers_of_a_key_is_left_standing) {
  const Store store = open();
  publish(store, "abc", 1000);
  const auto second = publish(store, "abc", 2000);
  EXPECT_EQ(second.bytes, 1003U);
  EXPECT_TRUE(nothing_in("drafts"));
}

TEST_F(StoreTest, the_least_recently_used_go_first) {
  const Store store = open();
  std::int64_t when = 1'000'000;
  for (const char* key : {"a", "b", "c"}) {
    publish(store, key, 997);
    const timespec times[2] = {{when, 0}, {when, 0}};
    ::utimensat(AT_FDCWD, (place() / "snapshots" / key / "used").c_str(), times, 0);
    ++when;
  }
  ASSERT_TRUE(store.find("a"));  // now the newest
  const auto gone = store.prune(2000);
  ASSERT_TRUE(gone);
  EXPECT_GE(*gone, 1000U);
  EXPECT_TRUE(store.find("a"));
  EXPECT_FALSE(store.find("b"));
  EXPECT_TRUE(store.find("c"));
}

TEST_F(StoreTest, publishing_keeps_the_store_under_its_limit) {
  const Store store = open(2500);
  for (const char* key : {"a", "b", "c", "d"}) publish(store, key, 997);
  EXPECT_EQ(store.list().size(), 2U);
  EXPECT_TRUE(store.find("d"));
}

TEST_F(StoreTest, an_entry_that_is_being_copied_is_not_removed) {
  const Store store = open();
  publish(store, "abc");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int lock = ::open((place() / "snapshots/abc/lock").c_str(), O_RDWR);
    const char byte = ::flock(lock, LOCK_SH) == 0 ? 'y' : 'n';
    if (::write(ends[1], &byte, 1) < 0) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  ASSERT_TRUE(store.clear());
  EXPECT_TRUE(store.find("abc"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(store.clear());
  EXPECT_FALSE(store.find("abc"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(StoreTest, clear_leaves_an_empty_store) {
  const Store store = open();
  publish(store, "a");
  publish(store, "b");
  const auto gone = store.clear();
  ASSERT_TRUE(gone);
  EXPECT_TRUE(store.list().empty());
  EXPECT_TRUE(nothing_in("snapshots"));
}

TEST_F(StoreTest, a_directory_that_holds_other_things_is_refused_and_left_alone) {
  fs::create_directories(place());
  ASSERT_TRUE(write_file(place() / "thesis.tex", "x"));
  const auto store = Store::open(place(), k_no_limit);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message, "cannot use '" + place().string() + "' as a store: it holds other things");
  EXPECT_EQ(std::distance(fs::directory_iterator(place()), {}), 1);
}

TEST_F(StoreTest, a_link_in_the_place_of_the_store_is_refused) {
  fs::create_directories(m_directory / "elsewhere");
  fs::create_directory_symlink(m_directory / "elsewhere", place());
  const auto store = Store::open(place(), k_no_limit);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message, "cannot use '" + place().string() + "': it is no directory");
}

TEST_F(StoreTest, a_store_of_another_version_is_refused) {
  fs::create_directories(place());
  ASSERT_TRUE(write_file(place() / "lockkeeper-store", "lockkeeper store 9\n"));
  const auto store = Store::open(place(), k_no_limit);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message,
            "cannot use '" + place().string() + "' as a store: another version of lockkeeper made it");
}

TEST_F(StoreTest, a_key_is_never_a_path) {
  const Store store = open();
  publish(store, "abc");
  EXPECT_FALSE(store.find("../snapshots/abc"));
  EXPECT_FALSE(store.find(""));
  const auto draft = store.draft();
  ASSERT_TRUE(draft);
  EXPECT_FALSE(store.publish("../x", *draft, "", ""));
  EXPECT_FALSE(store.publish("x", m_directory / "elsewhere/data", "", ""));
}

TEST(store_directory, is_where_the_environment_says) {
  ::setenv("LOCKKEEPER_STORE", "/tmp/some store", 1);
  EXPECT_EQ(Store::default_directory(), "/tmp/some store");
  ::unsetenv("LOCKKEEPER_STORE");
  ::setenv("XDG_CACHE_HOME", "/tmp/cache", 1);
  EXPECT_EQ(Store::default_directory(), ::geteuid() == 0 ? "/var/cache/lockkeeper" : "/tmp/cache/lockkeeper");
}

}  // namespace
}  // namespace lockkeeper::snapshot
