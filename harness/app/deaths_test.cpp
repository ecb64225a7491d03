#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// LOCKKEEPER_TEST_SEED repeats the moments of a run whose output names it.
unsigned seed() {
  const char* given = std::getenv("LOCKKEEPER_TEST_SEED");
  const unsigned value =
      given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  fmt::print("[  seed    ] LOCKKEEPER_TEST_SEED={}\n", value);
  return value;
}

class Deaths : public ::testing::Test {
 protected:
  Deaths() : m_random(seed()) {
    write_good_history(m_folder);
    m_folder.write("endless/1_wait.up.sql", "CREATE TABLE t (id int);\nSELECT pg_sleep(3600);\n");
    m_folder.write("endless/1_wait.down.sql", "DROP TABLE t;\n");
    m_setup.directory = m_folder.path();
    m_setup.store = m_store.path() / "store";
  }

  milliseconds moment(int from, int to) {
    return milliseconds(std::uniform_int_distribution<>(from, to)(m_random));
  }

  /// Sockets of runs in the store that were too long for it.
  std::set<std::string> socket_directories() const {
    std::set<std::string> found;
    std::error_code error;
    for (fs::directory_iterator entry(m_setup.store / "runs", error), end; !error && entry != end;
         entry.increment(error)) {
      std::ifstream list(entry->path() / "socket-directories");
      for (std::string line; std::getline(list, line);) found.insert(line);
    }
    return found;
  }

  /// One run, killed outright after this time; what it had noted of its sockets is added to `sockets`.
  pid_t kill_after(milliseconds time, std::set<std::string>& sockets) {
    Running running({"check", "migrations"}, m_setup);
    running.wait_for(time);
    running.send(SIGKILL);
    running.finish();
    sockets.merge(socket_directories());
    return running.pid();
  }

  /// A run that does nothing but what every run begins with.
  void sweep() { EXPECT_EQ(run_program({"check", "migrations", "--since", "9999"}, m_setup).exit_code, 4); }

  Folder m_folder;
  Folder m_store;
  Start m_setup;
  std::mt19937 m_random;
};

TEST_F(Deaths, a_signal_at_any_moment_ends_the_run_with_130_and_nothing_left) {
  // The first ones meet initdb and the making of snapshots, the later ones the endless statement.
  for (int round = 0; round < 12; ++round) {
    const int signal = std::array{SIGINT, SIGTERM, SIGHUP}[static_cast<std::size_t>(round) % 3];
    Running running({"check", "endless", "--report", "json=out.json"}, m_setup);
    ASSERT_TRUE(running.handles(signal));
    const auto time = moment(0, round < 6 ? 1500 : 400);
    running.wait_for(time);
    running.send(signal);
    const bool twice = round % 2 == 1;
    if (twice) running.send(signal);
    const Outcome outcome = running.finish();
    EXPECT_EQ(outcome.exit_code, 130) << "signal " << signal << " after " << time.count() << " ms\n"
                                      << outcome.said();
    EXPECT_EQ(remains(m_setup.store, outcome.pid), "")
        << "signal " << signal << " after " << time.count() << " ms";
    EXPECT_THAT(processes_below(m_setup.store), IsEmpty());
  }
}

TEST_F(Deaths, an_interrupted_run_says_so_and_reports_what_it_had_seen) {
  ASSERT_EQ(run_program({"check", "migrations"}, m_setup).exit_code, 0);
  Running running({"check", "migrations", "endless", "--report", "json=out.json", "--verbose"}, m_setup);
  // The first of the two is through when its chain is printed; the second then waits in its statement.
  while (running.output_so_far().find("chain") == std::string::npos)
    ASSERT_FALSE(running.wait_for(milliseconds(2)));
  running.wait_for(milliseconds(100));
  running.send(SIGINT);
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.said();
  EXPECT_THAT(outcome.output + outcome.errors, HasSubstr("interrupted by Interrupt"));
  std::ifstream file(m_folder.path() / "out.json");
  const auto record = nlohmann::json::parse(file, nullptr, false);
  ASSERT_FALSE(record.is_discarded());
  EXPECT_EQ(schema_error(record), "");
  EXPECT_EQ(record["verdict"], "error");
  EXPECT_EQ(record["runs"][0]["verdict"], "pass");
  EXPECT_EQ(record["runs"][1]["failure"]["kind"], "interrupted");
  EXPECT_EQ(remains(m_setup.store, outcome.pid), "");
}

TEST_F(Deaths, killed_at_fifty_random_moments_nothing_outlives_the_next_sweep) {
  std::set<std::string> sockets;
  for (int round = 0; round < 50; ++round) {
    // Cold ones meet initdb and half-made snapshots, warm ones the rehearsal.
    const bool cold = round < 12;
    if (cold && round % 4 == 0) {
      ASSERT_EQ(run_program({"cache", "clear"}, m_setup).exit_code, 0);
    }
    const auto time = moment(10, cold ? 1500 : 400);
    const pid_t pid = kill_after(time, sockets);
    sweep();
    EXPECT_EQ(remains(m_setup.store, pid), "")
        << "round " << round << ", killed after " << time.count() << " ms";
    EXPECT_THAT(processes_below(m_setup.store), IsEmpty())
        << "round " << round << ", after " << time.count() << " ms";
    if (round % 10 != 9) continue;
    // What is in the store is whole: a run from it passes.
    const Checked checked = check({"migrations"}, m_setup);
    EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  }
  for (const std::string& socket : sockets) EXPECT_FALSE(fs::exists(socket)) << socket;
  EXPECT_EQ(check({"migrations"}, m_setup).run()["timings"]["from_snapshot"], true);
  // Half-made snapshots go with the next prune.
  EXPECT_EQ(run_program({"cache", "prune"}, m_setup).exit_code, 0);
  EXPECT_TRUE(fs::is_empty(m_setup.store / "drafts"));
}

TEST_F(Deaths, sockets_of_a_killed_run_outside_its_directory_are_swept) {
  m_setup.store = m_store.path() / std::string(60, 'x') / std::string(60, 'y') / "store";
  std::set<std::string> sockets;
  std::vector<pid_t> killed;
  for (int round = 0; round < 4; ++round) killed.push_back(kill_after(moment(200, 1500), sockets));
  sweep();
  for (const pid_t pid : killed) EXPECT_EQ(remains(m_setup.store, pid), "");
  for (const std::string& socket : sockets) EXPECT_FALSE(fs::exists(socket)) << socket;
}

}  // namespace

}  // namespace lockkeeper::app::testing
