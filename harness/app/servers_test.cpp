#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/program_test.h"
#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using engine::postgres::DisposableServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// An existing server with a database that is none of ours.
class ExistingServer : public ::testing::Test {
 protected:
  ExistingServer() {
    m_server.ensure("foreign");
    m_server.ensure("lockkeeper_0badcafe_1");  // looks like one of ours, but nobody marked it
    ask("foreign", "CREATE TABLE kept (id int)");
    ask("foreign", "INSERT INTO kept VALUES (42)");
  }

  std::vector<std::string> ask(const std::string& database, const std::string& sql) const {
    return m_server.ask(database, sql);
  }
  std::vector<std::string> databases() const {
    return ask("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1");
  }
  void expect_untouched() const {
    EXPECT_THAT(databases(), ElementsAre("foreign", "lockkeeper", "lockkeeper_0badcafe_1", "postgres"));
    EXPECT_THAT(ask("foreign", "SELECT id FROM kept"), ElementsAre("42"));
    EXPECT_THAT(ask("lockkeeper", "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
                ElementsAre());
  }
  Start here() const { return {m_folder.path()}; }
  std::vector<std::string> on_it(std::vector<std::string> arguments) const {
    arguments.push_back("--server");
    arguments.push_back(m_server.connection("postgres"));
    return arguments;
  }

  DisposableServer m_server;
  Folder m_folder;
};

TEST_F(ExistingServer, only_databases_of_ours_are_made_and_all_are_dropped) {
  write_good_history(m_folder);
  const Checked passing = check(on_it({"migrations"}), here());
  EXPECT_EQ(passing.outcome.exit_code, 0) << passing.outcome.said();
  expect_untouched();
  m_folder.write("migrations/0003_bad.up.sql", "bogus;");
  const Checked failing = check(on_it({"migrations"}), here());
  EXPECT_EQ(failing.outcome.exit_code, 1) << failing.outcome.said();
  expect_untouched();
}

TEST_F(ExistingServer, a_fixture_that_fails_or_a_signal_leaves_no_database) {
  m_folder.write("m/1_wait.up.sql", "SELECT pg_sleep(3600);");
  m_folder.write("rows.sql", "CREATE TABLE t (id int);\nbogus;\n");
  EXPECT_EQ(check(on_it({"m", "--fixture", "rows.sql"}), here()).outcome.exit_code, 2);
  expect_untouched();
  auto arguments = on_it({"check", "m"});
  Running running(arguments, here());
  while (databases().size() < 5) ASSERT_FALSE(running.wait_for(std::chrono::milliseconds(5)));
  running.send(SIGTERM);
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.said();
  expect_untouched();
}

TEST_F(ExistingServer, what_a_killed_run_left_is_dropped_by_the_next) {
  write_good_history(m_folder);
  m_folder.write("m/1_wait.up.sql", "SELECT pg_sleep(3600);");
  Running running(on_it({"check", "m"}), here());
  while (ask("postgres",
             "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")
             .empty()) {
    ASSERT_FALSE(running.wait_for(std::chrono::milliseconds(5)));
  }
  running.send(SIGKILL);
  EXPECT_EQ(running.finish().signal, SIGKILL);
  EXPECT_GT(databases().size(), 4U);
  EXPECT_EQ(check(on_it({"migrations"}), here()).outcome.exit_code, 0);
  expect_untouched();
}

TEST_F(ExistingServer, a_migration_that_drops_its_database_does_not_keep_us_from_the_rest) {
  m_folder.write("m/1_drop.up.sql",
                 "CREATE TABLE t (id int);\nSELECT pg_terminate_backend(pg_backend_pid());\n");
  const Checked checked = check(on_it({"m"}), here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  expect_untouched();
}

TEST_F(ExistingServer, a_database_that_a_migration_ties_down_is_dropped_all_the_same) {
  ask("foreign", "BEGIN; INSERT INTO kept VALUES (43); PREPARE TRANSACTION 'theirs'");
  m_folder.write(
      "m/1_prepare.up.sql",
      "BEGIN;\nCREATE TABLE t (id int);\nPREPARE TRANSACTION 'it''s left';\n"
      "CREATE SUBSCRIPTION \"s;1\" CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);\n"
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database()); END $$;\n");
  m_folder.write("m/1_prepare.down.sql", "SELECT 1;\n");
  const Checked checked = check(on_it({"m", "--timeout", "1"}), here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(ask("postgres", "SELECT gid FROM pg_prepared_xacts"), ElementsAre("theirs"));
  EXPECT_THAT(ask("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'lockkeeper\\_%'"),
              ElementsAre("lockkeeper_0badcafe_1"));
  ask("foreign", "ROLLBACK PREPARED 'theirs'");
  expect_untouched();
}

TEST_F(ExistingServer, a_signal_leaves_no_prepared_transaction_either) {
  m_folder.write("m/1_wait.up.sql",
                 "BEGIN;\nCREATE TABLE t (id int);\nPREPARE TRANSACTION 'left';\nSELECT pg_sleep(3600);\n");
  Running running(on_it({"check", "m"}), here());
  while (ask("postgres", "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'").empty()) {
    ASSERT_FALSE(running.wait_for(std::chrono::milliseconds(5)));
  }
  running.send(SIGTERM);
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.said();
  EXPECT_THAT(ask("postgres", "SELECT gid FROM pg_prepared_xacts"), ElementsAre());
  expect_untouched();
}

TEST_F(ExistingServer, a_role_that_may_not_create_databases_is_told_so) {
  write_good_history(m_folder);
  ask("postgres", "CREATE ROLE humble LOGIN");
  std::string connection = m_server.connection("postgres");
  const auto at = connection.find("user='postgres'");
  ASSERT_NE(at, std::string::npos);
  connection.replace(at, std::string("user='postgres'").size(), "user='humble'");
  const Checked checked = check({"migrations", "--server", connection}, here());
  EXPECT_EQ(checked.outcome.exit_code, 3) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("cannot create databases on the server: role 'humble' lacks CREATEDB"));
  expect_untouched();
}

TEST(NoServer, an_address_where_nobody_answers_exits_3) {
  const Folder folder;
  write_good_history(folder);
  const Checked checked =
      check({"migrations", "--server", "postgresql:///postgres?host=/nowhere"}, {folder.path()});
  EXPECT_EQ(checked.outcome.exit_code, 3) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output, HasSubstr("error: cannot connect to the server"));
}

// ── Accounts

/// The program as an ordinary user would have it, where we are root and can become one.
class OrdinaryUser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "not root: every other test ran as an ordinary user already";
    m_user = ::getpwnam("nobody");
    if (m_user == nullptr) GTEST_SKIP() << "there is no account 'nobody'";
    m_executable = m_folder.path() / "bin" / "lockkeeper";
    fs::create_directories(m_executable.parent_path());
    fs::copy_file(program(), m_executable);
    write_good_history(m_folder);
    fs::create_directories(m_folder.path() / "home");
    hand_over(m_folder.path());
    hand_over(m_folder.path() / "home");
  }
  void hand_over(const fs::path& path) const {
    ASSERT_EQ(::chown(path.c_str(), m_user->pw_uid, m_user->pw_gid), 0);
  }
  Start as_nobody() const {
    Start setup{m_folder.path()};
    setup.executable = m_executable;
    setup.store = m_folder.path() / "store";
    setup.wrapper = {"/usr/bin/setpriv", fmt::format("--reuid={}", m_user->pw_uid),
                     fmt::format("--regid={}", m_user->pw_gid), "--clear-groups"};
    return setup;
  }

  Folder m_folder;
  fs::path m_executable;
  const passwd* m_user = nullptr;
};

TEST_F(OrdinaryUser, needs_no_root) {
  const Checked checked = check({"migrations"}, as_nobody());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(check({"migrations"}, as_nobody()).run()["timings"]["from_snapshot"], true);
  struct stat status {};
  ASSERT_EQ(::stat((m_folder.path() / "store").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, m_user->pw_uid);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(OrdinaryUser, needs_no_home_either) {
  const fs::path store = fmt::format("/tmp/lockkeeper-store-{}", m_user->pw_uid);
  if (fs::exists(store)) GTEST_SKIP() << store << " is somebody's store";
  Start setup = as_nobody();
  setup.store = store;
  setup.environment = {
      {"HOME", "-"}, {"XDG_CACHE_HOME", "-"}, {"LOCKKEEPER_STORE", "-"}, {"USER", "-"}, {"LOGNAME", "-"}};
  const Checked checked = check({"migrations"}, setup);
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_TRUE(fs::is_directory(store / "snapshots"));
  fs::remove_all(store);
}

TEST_F(OrdinaryUser, is_told_which_file_is_closed_to_it) {
  const fs::path closed = m_folder.write("migrations/0003_c.up.sql", "SELECT 1;");
  ASSERT_EQ(::chmod(closed.c_str(), 0), 0);
  const Checked checked = check({"migrations"}, as_nobody());
  EXPECT_EQ(checked.outcome.exit_code, 2) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("error: cannot read 'migrations/0003_c.up.sql': Permission denied"));
}

TEST_F(OrdinaryUser, cannot_use_a_store_that_is_closed_to_it) {
  Start setup = as_nobody();
  setup.store = shared_store();
  ASSERT_EQ(run_program({"check", "migrations"}, {m_folder.path()}).exit_code, 0);
  const Outcome outcome = run_program({"check", "migrations"}, setup);
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.errors, HasSubstr("error: cannot use '" + shared_store().string() +
                                        "': it belongs to another account"));
}

TEST(Root, is_told_where_the_servers_account_cannot_go) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root: servers run as ourselves";
  const Folder folder;
  write_good_history(folder);
  fs::create_directories(folder.path() / "closed");
  ASSERT_EQ(::chmod((folder.path() / "closed").c_str(), 0700), 0);
  Start setup{folder.path()};
  setup.store = folder.path() / "closed" / "store";
  const Checked checked = check({"migrations"}, setup);
  EXPECT_EQ(checked.outcome.exit_code, 3) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              HasSubstr(fmt::format("cannot run a server below '{}': it is closed to account",
                                    setup.store.parent_path().string())));
}

}  // namespace

}  // namespace lockkeeper::app::testing
