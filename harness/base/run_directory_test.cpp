#include "base/run_directory.h"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

namespace lockkeeper {
namespace {

namespace fs = std::filesystem;

class RunDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_parent = fs::path(directory) / "runs";
  }
  void TearDown() override { fs::remove_all(m_parent.parent_path()); }

  /// A run that was killed, after it did `work` in its directory.
  fs::path dead_run(const std::function<void(const fs::path&)>& work = {}) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto run = RunDirectory::create(m_parent);
      if (run && work) work(run->path());
      const std::string path = run ? run->path().string() : "";
      if (::write(ends[1], path.data(), path.size()) < 0) ::_exit(1);
      ::kill(::getpid(), SIGKILL);
    }
    ::close(ends[1]);
    ::waitpid(child, nullptr, 0);
    char path[4096] = {};
    const ssize_t got = ::read(ends[0], path, sizeof path);
    ::close(ends[0]);
    return std::string(path, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  fs::path m_parent;
};

TEST_F(RunDirectoryTest, is_removed_at_the_end_of_the_run) {
  fs::path path;
  {
    auto run = RunDirectory::create(m_parent);
    ASSERT_TRUE(run) << to_string(run.error());
    path = run->path();
    ASSERT_TRUE(write_file(path / "file", "x"));
    EXPECT_TRUE(path.filename().string().starts_with("run-" + std::to_string(::getpid()) + "-"));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RunDirectoryTest, a_kept_one_stays_and_is_listed) {
  fs::path path;
  {
    auto run = RunDirectory::create(m_parent);
    ASSERT_TRUE(run);
    path = run->path();
    ASSERT_TRUE(mark_kept(path, "psql 'host=x'"));
  }
  ASSERT_TRUE(fs::exists(path));
  EXPECT_EQ(sweep_dead_runs(m_parent).directories, 0);
  const auto kept = kept_runs(m_parent);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].line, "psql 'host=x'");
  EXPECT_FALSE(kept[0].running);
  ASSERT_TRUE(remove_kept_run(kept[0]));
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RunDirectoryTest, the_sweep_leaves_runs_that_live_and_what_is_not_ours) {
  auto run = RunDirectory::create(m_parent);
  ASSERT_TRUE(run);
  fs::create_directories(m_parent / "run-1-foreign" / "data");
  ASSERT_TRUE(write_file(m_parent / "run-1-foreign" / "data" / "precious", "x"));
  fs::create_directories(m_parent / "other");
  fs::create_directory_symlink("/tmp", m_parent / "run-2-link");
  const Swept swept = sweep_dead_runs(m_parent);
  EXPECT_EQ(swept.directories, 0);
  EXPECT_TRUE(fs::exists(run->path()));
  EXPECT_TRUE(fs::exists(m_parent / "run-1-foreign" / "data" / "precious"));
  EXPECT_TRUE(fs::exists(m_parent / "other"));
  EXPECT_TRUE(fs::is_symlink(m_parent / "run-2-link"));
}

TEST_F(RunDirectoryTest, the_sweep_removes_a_dead_run_with_its_sockets_and_processes) {
  pid_t server = -1;
  std::string sockets;
  const fs::path dead = dead_run([](const fs::path& path) {
    fs::create_directories(path / "instance-1" / "data");
    Command command;
    // One that outlives its maker, as a kept or a stopped server would.
    command.argv = {"/bin/sleep", "100"};
    command.directory = path / "instance-1" / "data";
    const auto daemon = Daemon::start(command, path / "log", Daemon::Life::detached);
    const auto made = make_socket_directory(path, path / std::string(200, 'x'));
    static_cast<void>(write_file(path / "facts", std::to_string(daemon->pid()) + " " + made->string()));
  });
  const std::string facts = read_file(dead / "facts").value_or("");
  ASSERT_FALSE(facts.empty());
  server = std::stoi(facts);
  sockets = facts.substr(facts.find(' ') + 1);
  ASSERT_EQ(::kill(server, 0), 0);
  ASSERT_TRUE(fs::is_directory(sockets));

  const Swept swept = sweep_dead_runs(m_parent);
  EXPECT_EQ(swept.directories, 1);
  EXPECT_EQ(swept.processes, 1);
  EXPECT_TRUE(swept.failures.empty());
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(sockets));
  // It is gone, or a zombie that init has not taken yet.
  const auto stat = read_file(fs::path("/proc") / std::to_string(server) / "stat");
  EXPECT_TRUE(!stat || stat->find(") Z ") != std::string::npos);
}

TEST_F(RunDirectoryTest, a_directory_whose_maker_died_before_marking_it_goes) {
  { ASSERT_TRUE(RunDirectory::create(m_parent)); }
  fs::create_directories(m_parent / "run-99-aaaaaa");
  EXPECT_EQ(sweep_dead_runs(m_parent).directories, 1);
  EXPECT_FALSE(fs::exists(m_parent / "run-99-aaaaaa"));
}

TEST_F(RunDirectoryTest, runs_made_while_others_sweep_are_never_swept) {
  std::atomic<bool> stop = false;
  std::thread sweeper([&] {
    while (!stop) sweep_dead_runs(m_parent);
  });
  for (int i = 0; i < 100; ++i) {
    auto run = RunDirectory::create(m_parent);
    ASSERT_TRUE(run) << to_string(run.error());
    ASSERT_TRUE(write_file(run->path() / "file", "x")) << i;
  }
  stop = true;
  sweeper.join();
}

TEST_F(RunDirectoryTest, a_socket_directory_too_long_for_an_address_lies_in_tmp) {
  auto run = RunDirectory::create(m_parent);
  ASSERT_TRUE(run);
  const auto near = make_socket_directory(run->path(), run->path() / "s");
  ASSERT_TRUE(near);
  EXPECT_EQ(*near, run->path() / "s");
  const auto far = make_socket_directory(run->path(), run->path() / std::string(90, 's'));
  ASSERT_TRUE(far);
  EXPECT_TRUE(far->string().starts_with("/tmp/lockkeeper-"));
  EXPECT_EQ(fs::status(*far).permissions(), fs::perms(0700));
}

}  // namespace
}  // namespace lockkeeper
