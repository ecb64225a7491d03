#include "base/process.h"

#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper {
namespace {

Command shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  return command;
}

TEST(process, collects_output_errors_and_exit_code) {
  const auto finished = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(finished) << to_string(finished.error());
  EXPECT_EQ(finished->output, "out\n");
  EXPECT_EQ(finished->errors, "err\n");
  EXPECT_EQ(finished->exit_code, 3);
  EXPECT_EQ(finished->status(), "exit code 3");
}

TEST(process, tells_the_signal_that_ended_the_child) {
  const auto finished = run(shell("kill -SEGV $$"));
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->signal, SIGSEGV);
  EXPECT_EQ(finished->status(), "killed by SIGSEGV");
}

TEST(process, hands_arguments_over_without_a_shell) {
  Command command;
  command.argv = {"printf", "%s|", "a b", "$HOME", "'", ""};
  const auto finished = run(command);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output, "a b|$HOME|'||");
}

TEST(process, feeds_more_than_a_pipe_holds) {
  std::size_t left = 5'000'000;
  RunOptions options;
  options.input = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = std::min(left, size);
    std::memset(buffer, 'x', count);
    left -= count;
    return count;
  };
  const auto finished = run(shell("wc -c; cat /dev/null"), options);
  ASSERT_TRUE(finished);
  EXPECT_EQ(trimmed(finished->output), "5000000");
}

TEST(process, ends_what_a_child_leaves_behind_where_asked) {
  RunOptions options;
  options.leftovers = Leftovers::end;
  std::string watched;
  options.watch_output = [&](std::string_view text) { watched += text; };
  const auto start = std::chrono::steady_clock::now();
  for (const char* script :
       {"sleep 100 & echo $!", "sleep 100 >/dev/null 2>&1 & echo $!", "setsid sleep 5 & echo $!"}) {
    watched.clear();
    const auto finished = run(shell(script), options);
    ASSERT_TRUE(finished) << to_string(finished.error());
    EXPECT_EQ(finished->exit_code, 0);
    EXPECT_EQ(watched, finished->output);
    EXPECT_FALSE(watched.empty());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST(process, a_failing_feed_ends_the_child) {
  RunOptions options;
  options.input = [](char*, std::size_t) -> Result<std::size_t> {
    return failed(FailureKind::usage, "the input is damaged");
  };
  const auto finished = run(shell("cat; sleep 60"), options);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message, "the input is damaged");
}

TEST(process, output_that_is_taken_is_not_collected_and_a_refusal_ends_the_child) {
  RunOptions options;
  std::size_t taken = 0;
  options.take_output = [&](std::string_view text) -> Result<void> {
    taken += text.size();
    return {};
  };
  const auto finished = run(shell("yes | head -c 300000"), options);
  ASSERT_TRUE(finished) << to_string(finished.error());
  EXPECT_EQ(taken, 300000U);
  EXPECT_EQ(finished->output, "");
  options.take_output = [](std::string_view) -> Result<void> {
    return failed(FailureKind::environment, "the disk is full");
  };
  const auto refused = run(shell("echo; sleep 60"), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the disk is full");
}

TEST(process, a_child_that_does_not_read_ends_by_itself) {
  RunOptions options;
  options.input = [](char* buffer, std::size_t size) -> Result<std::size_t> {
    std::memset(buffer, 'x', size);
    return size;
  };
  std::signal(SIGPIPE, SIG_IGN);
  const auto finished = run(shell("exec <&-; exit 7"), options);
  ASSERT_TRUE(finished) << to_string(finished.error());
  EXPECT_EQ(finished->exit_code, 7);
}

TEST(process, the_deadline_ends_child_and_grandchildren) {
  RunOptions options;
  options.deadline = std::chrono::milliseconds(200);
  const auto finished = run(shell("sleep 100 & echo $!; wait"), options);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message, "cannot finish '/bin/sh': still running after 200 ms");
  EXPECT_EQ(finished.error().kind, FailureKind::environment);
}

TEST(process, output_over_the_limit_is_dropped) {
  RunOptions options;
  options.output_limit = 10;
  const auto finished = run(shell("yes | head -c 1000000"), options);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output.size(), 10U);
}

TEST(process, environment_is_added_and_taken_out) {
  ::setenv("LOCKKEEPER_TEST_ONE", "1", 1);
  ::setenv("LOCKKEEPER_TEST_TWO", "2", 1);
  Command command = shell("echo \"$LOCKKEEPER_TEST_ONE,$LOCKKEEPER_TEST_TWO,$THREE\"");
  command.unset = {"LOCKKEEPER_TEST_*"};
  command.environment = {{"LOCKKEEPER_TEST_TWO", "zwei"}, {"THREE", "drei"}};
  const auto finished = run(command);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output, ",zwei,drei\n");
}

TEST(process, a_file_limit_is_a_full_disk) {
  std::string directory = "/tmp/lockkeeper-test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  Command command = shell("head -c 5000 /dev/zero > " + directory + "/file");
  command.file_limit = 1000;
  const auto finished = run(command);
  ASSERT_TRUE(finished) << to_string(finished.error());
  EXPECT_NE(finished->exit_code, 0);
  EXPECT_EQ(finished->signal, 0);
  EXPECT_LE(std::filesystem::file_size(directory + "/file"), 1000U);
  std::filesystem::remove_all(directory);
}

TEST(process, a_missing_program_is_a_failure) {
  Command command;
  command.argv = {"/nowhere/program"};
  const auto finished = run(command);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message,
            "cannot run '/nowhere/program': cannot be executed: No such file or directory");
  command.argv = {"no-such-program-anywhere"};
  EXPECT_EQ(run(command).error().message, "cannot run 'no-such-program-anywhere': not found in PATH");
}

TEST(process, root_drops_to_the_account_with_no_other_groups) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can change accounts";
  Command command = shell("id -u; id -G");
  command.run_as = RunAs{"nobody", 65534, 65534};
  const auto finished = run(command);
  ASSERT_TRUE(finished) << to_string(finished.error());
  EXPECT_EQ(finished->output, "65534\n65534\n");
}

class DaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_log = std::filesystem::path(directory) / "log";
  }
  void TearDown() override { std::filesystem::remove_all(m_log.parent_path()); }
  std::filesystem::path m_log;
};

bool gone_within(pid_t pid, std::chrono::seconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    if (::kill(pid, 0) != 0) return true;
    // A zombie whose parent is dead waits for init, which may be slow or a program that never looks.
    const auto status = read_file(std::filesystem::path("/proc") / std::to_string(pid) / "stat");
    if (status && status->find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

TEST_F(DaemonTest, ends_with_the_object) {
  pid_t pid = 0;
  {
    auto daemon = Daemon::start(shell("exec sleep 100"), m_log, Daemon::Life::bound_to_ours);
    ASSERT_TRUE(daemon) << to_string(daemon.error());
    pid = daemon->pid();
    EXPECT_FALSE(daemon->ended());
    EXPECT_EQ(::getsid(pid), pid);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(DaemonTest, one_that_ignores_the_signal_is_killed) {
  auto daemon = Daemon::start(shell("trap '' INT; echo ready; while :; do sleep 0.01; done"), m_log,
                              Daemon::Life::bound_to_ours);
  ASSERT_TRUE(daemon);
  while (read_file(m_log).value_or("").find("ready") == std::string::npos)
    ASSERT_FALSE(daemon->wait_for(std::chrono::milliseconds(2)));
  EXPECT_FALSE(daemon->stop(SIGINT, std::chrono::milliseconds(50)));
  EXPECT_EQ(daemon->status(), "killed by SIGKILL");
}

TEST_F(DaemonTest, its_end_is_noticed_and_its_words_are_in_the_log) {
  auto daemon = Daemon::start(shell("echo sorry >&2; exit 4"), m_log, Daemon::Life::bound_to_ours);
  ASSERT_TRUE(daemon);
  ASSERT_TRUE(daemon->wait_for(std::chrono::seconds(10)));
  EXPECT_EQ(daemon->status(), "exit code 4");
  EXPECT_EQ(read_file(m_log).value_or(""), "sorry\n");
}

TEST_F(DaemonTest, dies_with_a_process_that_is_killed) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t harness = ::fork();
  ASSERT_GE(harness, 0);
  if (harness == 0) {
    Command command = shell("exec sleep 100");
    if (::geteuid() == 0) command.run_as = RunAs{"nobody", 65534, 65534};
    auto daemon = Daemon::start(command, m_log, Daemon::Life::bound_to_ours);
    const pid_t pid = daemon ? daemon->pid() : -1;
    if (::write(ends[1], &pid, sizeof pid) < 0) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  pid_t pid = -1;
  ASSERT_EQ(::read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_GT(pid, 0);
  ::kill(harness, SIGKILL);
  ::waitpid(harness, nullptr, 0);
  EXPECT_TRUE(gone_within(pid, std::chrono::seconds(10)));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace lockkeeper
