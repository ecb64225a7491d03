#include <csignal>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/run_directory.h"
#include "base/tree.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"

namespace lockkeeper::engine::postgres {
namespace {

namespace fs = std::filesystem;

/// An engine in a store of its own below /tmp, open to the servers' account, and an image to start from.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
    ::chmod(directory.c_str(), 0711);
    auto run = RunDirectory::create(m_directory / "runs");
    ASSERT_TRUE(run) << to_string(run.error());
    m_run = std::make_unique<RunDirectory>(std::move(*run));
    auto engine = make_engine(m_run->path());
    ASSERT_TRUE(engine) << to_string(engine.error());
    m_engine = std::move(*engine);
  }
  void TearDown() override {
    m_engine.reset();
    m_run.reset();
    fs::remove_all(m_directory);
  }
  static Result<std::unique_ptr<Engine>> make_engine(const fs::path& run) {
    const auto found = find_binaries(std::nullopt);
    const auto account = server_account();
    if (found.empty() || !account) return failed(FailureKind::environment, "no server or account");
    return private_servers({found.front(), *account, run});
  }
  Image empty() {
    auto image = m_engine->make_empty(m_directory / "image", "lockkeeper");
    EXPECT_TRUE(image) << (image ? "" : to_string(image.error()));
    return image.value_or(Image{});
  }
  std::unique_ptr<Instance> restore(const Image& image, const std::string& database = "lockkeeper") {
    auto instance = m_engine->restore(image, database, Purpose::rehearse);
    EXPECT_TRUE(instance) << (instance ? "" : to_string(instance.error()));
    return instance ? std::move(*instance) : nullptr;
  }
  static std::string ask(Instance& instance, const std::string& sql) {
    const auto answer = instance.try_query({sql, {}});
    return answer ? answer->error ? "error " + answer->error->message : answer->text()
                  : to_string(answer.error());
  }
  std::vector<fs::path> instances() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(m_run->path())) {
      if (entry.path().filename().string().starts_with("instance-")) found.push_back(entry.path());
    }
    return found;
  }

  fs::path m_directory;
  std::unique_ptr<RunDirectory> m_run;
  std::unique_ptr<Engine> m_engine;
};

TEST_F(ServerTest, an_instance_starts_from_an_image_and_leaves_nothing_behind) {
  const Image image = empty();
  EXPECT_TRUE(instances().empty());
  {
    auto instance = restore(image);
    ASSERT_TRUE(instance);
    EXPECT_EQ(ask(*instance, "SELECT current_database(), current_user"), "lockkeeper, postgres");
    EXPECT_EQ(ask(*instance,
                  "SELECT current_setting('fsync'), current_setting('wal_level'), "
                  "current_setting('listen_addresses'), current_setting('TimeZone')"),
              "off, replica, , UTC");
    for (const auto& [name, value] : instance->server().settings) {
      EXPECT_EQ(ask(*instance, "SELECT current_setting('" + name + "')"), value) << name;
    }
  }
  EXPECT_TRUE(instances().empty());
  EXPECT_EQ(end_processes_in(m_run->path(), std::chrono::seconds(1)), 0);
}

TEST_F(ServerTest, the_socket_is_closed_to_others) {
  auto instance = restore(empty());
  ASSERT_TRUE(instance);
  struct stat status {};
  ASSERT_EQ(::stat((instances().at(0) / "s").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(ServerTest, what_was_saved_is_restored_and_the_image_stays_as_it_was) {
  const Image base = empty();
  auto maker = restore(base);
  ASSERT_TRUE(maker->execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id", {}));
  const auto saved = maker->save(m_directory / "saved");
  ASSERT_TRUE(saved) << to_string(saved.error());
  maker.reset();
  for (int round = 0; round < 2; ++round) {
    auto instance = restore(*saved);
    EXPECT_EQ(ask(*instance, "SELECT count(*) FROM t"), "1000");
    ASSERT_TRUE(instance->execute("DELETE FROM t", {}));
  }
  EXPECT_EQ(ask(*restore(base), "SELECT to_regclass('t')"), "NULL");
  ASSERT_TRUE(m_engine->discard(*saved));
  EXPECT_FALSE(fs::exists(m_directory / "saved"));
}

TEST_F(ServerTest, a_database_that_the_image_lacks_is_made) {
  auto instance = restore(empty(), "Müller's \"db\"");
  ASSERT_TRUE(instance);
  EXPECT_EQ(ask(*instance, "SELECT current_database()"), "Müller's \"db\"");
}

TEST_F(ServerTest, two_instances_do_not_meet) {
  const Image image = empty();
  auto one = restore(image);
  auto two = restore(image);
  ASSERT_TRUE(one->execute("CREATE ROLE somebody; CREATE TABLE t ()", {}));
  EXPECT_EQ(ask(*two, "SELECT count(*) FROM pg_roles WHERE rolname = 'somebody'"), "0");
}

TEST_F(ServerTest, init_that_fails_says_which_and_why) {
  auto instance = restore(empty());
  const auto done = instance->execute("CREATE EXTENSION no_such_thing", Location{"scenario.yaml", 7, 3});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, FailureKind::usage);
  ASSERT_TRUE(done.error().location);
  EXPECT_EQ(done.error().location->line, 7);
  EXPECT_TRUE(done.error().message.starts_with("cannot run 'CREATE EXTENSION no_such_thing': "))
      << done.error().message;
}

TEST_F(ServerTest, a_server_that_does_not_start_says_what_its_log_says) {
  const Image image = empty();
  ASSERT_TRUE(write_file(image.directory / "PG_VERSION", "9.6\n"));
  const auto instance = m_engine->restore(image, "lockkeeper", Purpose::rehearse);
  ASSERT_FALSE(instance);
  EXPECT_EQ(instance.error().kind, FailureKind::environment);
  EXPECT_NE(instance.error().message.find("database files are incompatible with server"), std::string::npos)
      << instance.error().message;
  EXPECT_TRUE(instances().empty());
}

TEST_F(ServerTest, a_kept_database_outlives_the_run) {
  auto instance = restore(empty());
  ASSERT_TRUE(instance->execute("CREATE TABLE t AS SELECT 42 AS answer", {}));
  const auto line = instance->keep();
  ASSERT_TRUE(line) << to_string(line.error());
  instance.reset();
  m_engine.reset();
  m_run.reset();
  const auto kept = kept_runs(m_directory / "runs");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].line, *line);
  EXPECT_TRUE(kept[0].running);
  Command command;
  command.argv = {"/bin/sh", "-c", *line + " -X -A -t -c 'SELECT answer FROM t'"};
  const auto said = run(command);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->output, "42\n") << said->errors;
  EXPECT_EQ(sweep_dead_runs(m_directory / "runs").directories, 0);
  ASSERT_TRUE(remove_kept_run(kept[0]));
  EXPECT_TRUE(kept_runs(m_directory / "runs").empty());
}

/// A harness that is killed while its server works, as `parent` and `account` have it.
TEST_F(ServerTest, a_killed_harness_leaves_no_server_and_the_sweep_removes_its_directory) {
  const Image image = empty();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t harness = ::fork();
  if (harness == 0) {
    auto other = RunDirectory::create(m_directory / "runs");
    auto engine = make_engine(other->path());
    auto instance = (*engine)->restore(image, "lockkeeper", Purpose::rehearse);
    const std::string path = instance ? other->path().string() : "";
    if (::write(ends[1], path.data(), path.size()) < 0) ::_exit(1);
    ::pause();
  }
  char buffer[4096] = {};
  ASSERT_GT(::read(ends[0], buffer, sizeof buffer), 0);
  const fs::path dead(buffer);
  ASSERT_TRUE(fs::exists(dead / "instance-1/data/postmaster.pid"));
  ::kill(harness, SIGKILL);
  ::waitpid(harness, nullptr, 0);
  const Swept swept = sweep_dead_runs(m_directory / "runs");
  EXPECT_EQ(swept.directories, 1);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_EQ(end_processes_in(dead, std::chrono::seconds(1)), 0);
  EXPECT_TRUE(fs::exists(m_run->path()));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ServerTest, an_existing_server_is_left_as_it_was) {
  const DisposableServer server;
  const std::string url = server.connection("postgres");
  auto session = Connection::open(url);
  ASSERT_TRUE(session);
  const std::string databases = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database";
  const auto before = session->rows(databases);
  {
    auto engine = existing_server(url);
    ASSERT_TRUE(engine) << to_string(engine.error());
    EXPECT_FALSE((*engine)->images_are_directories());
    const auto image = (*engine)->make_empty({}, "x");
    ASSERT_TRUE(image) << to_string(image.error());
    auto maker = (*engine)->restore(*image, "x", Purpose::load);
    ASSERT_TRUE(maker);
    ASSERT_TRUE((*maker)->execute("CREATE TABLE t AS SELECT 1 AS one", {}));
    const auto saved = (*maker)->save({});
    ASSERT_TRUE(saved) << to_string(saved.error());
    maker->reset();
    auto instance = (*engine)->restore(*saved, "x", Purpose::rehearse);
    ASSERT_TRUE(instance);
    EXPECT_EQ(ask(**instance, "SELECT one FROM t"), "1");
    EXPECT_FALSE((*engine)->discard(Image{{}, "postgres"}));
    EXPECT_NE(*session->rows(databases), *before);
  }
  EXPECT_EQ(*session->rows(databases), *before);
}

TEST_F(ServerTest, an_existing_server_is_swept_of_dead_runs_and_of_nothing_else) {
  const DisposableServer server;
  const std::string url = server.connection("postgres");
  auto session = Connection::open(url);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->rows("CREATE DATABASE lockkeeper_0a0b0c0d_1"));
  ASSERT_TRUE(session->rows("CREATE DATABASE lockkeeper_mine"));
  const pid_t harness = ::fork();
  if (harness == 0) {
    auto engine = existing_server(url);
    const bool made = engine && (*engine)->make_empty({}, "x");
    ::kill(::getpid(), made ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ::waitpid(harness, &status, 0);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  const std::string ours =
      "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datname LIKE 'lockkeeper\\_%'";
  const auto left = session->rows(ours);
  ASSERT_TRUE(left);
  EXPECT_NE((*left)[0][0], "lockkeeper_0a0b0c0d_1,lockkeeper_mine");
  ASSERT_TRUE(existing_server(url));
  const auto after = session->rows(ours);
  ASSERT_TRUE(after);
  EXPECT_EQ((*after)[0][0], "lockkeeper_0a0b0c0d_1,lockkeeper_mine");
}

TEST_F(ServerTest, a_tool_runs_a_side_on_any_instance) {
  ToolRequest request;
  request.name = "psql";
  request.command.argv = {"psql", "-X", "-q", "-c", "BEGIN", "-c", "CREATE TABLE made ()", "-c", "COMMIT"};
  const DisposableServer server;
  auto existing = existing_server(server.connection("postgres"), m_run->path());
  ASSERT_TRUE(existing) << to_string(existing.error());
  for (Engine* engine : {m_engine.get(), existing->get()}) {
    const auto image = engine->make_empty(m_directory / "image", "Müller's \"db\"");
    ASSERT_TRUE(image) << to_string(image.error());
    auto instance = engine->restore(*image, "Müller's \"db\"", Purpose::rehearse);
    ASSERT_TRUE(instance) << to_string(instance.error());
    const auto before = (*instance)->read_state(nullptr, {});
    const auto outcome = (*instance)->run_tool(request);
    ASSERT_TRUE(outcome) << to_string(outcome.error());
    EXPECT_FALSE(outcome->run.error) << outcome->run.error->message << outcome->run.error->detail;
    ASSERT_EQ(outcome->run.statements.size(), 3U);
    EXPECT_TRUE(outcome->run.statements[1].locks_observed);
    EXPECT_FALSE(outcome->touched.everything);
    const auto after = (*instance)->read_state(&*before, outcome->touched);
    ASSERT_TRUE(after) << to_string(after.error());
    EXPECT_EQ(compare(*before, *after).objects.size(), 1U);
    instance->reset();
    ASSERT_TRUE(engine->discard(*image));
  }
}

TEST_F(ServerTest, a_server_that_cannot_be_used_says_why) {
  const auto nowhere = existing_server("host=/nowhere/at/all dbname=x");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, FailureKind::environment);
  EXPECT_EQ(nowhere.error().hint, "check the URL of --server and that the server is running");
  const auto garbage = existing_server("postgresql://a:b:c:d");
  ASSERT_FALSE(garbage);
  const DisposableServer server;
  auto session = Connection::open(server.connection());
  ASSERT_TRUE(session->rows("CREATE ROLE poor LOGIN"));
  const auto poor = existing_server(*with_parameter(server.connection(), "user", "poor"));
  ASSERT_FALSE(poor);
  EXPECT_EQ(poor.error().message, "cannot create databases on the server: role 'poor' lacks CREATEDB");
}

TEST(binaries, a_version_is_read_from_what_the_server_says) {
  EXPECT_EQ(version_in("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), "15.20");
  EXPECT_EQ(version_in("psql (PostgreSQL) 18beta1\n"), "18beta1");
  EXPECT_EQ(version_in("mysqld  Ver 8.0\n"), std::nullopt);
  EXPECT_EQ(version_in("postgres (PostgreSQL) nonsense\n"), std::nullopt);
}

TEST(binaries, a_directory_without_a_server_is_passed_over_with_the_reason) {
  const Search search = search_binaries("/etc");
  EXPECT_TRUE(search.found.empty());
  ASSERT_EQ(search.passed_over.size(), 1U);
  EXPECT_EQ(search.passed_over[0].reason, "holds no program 'postgres'");
}

/// A stand-in for a server's directory, whose `postgres` counts how often it was asked.
class KnownVersionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
    std::filesystem::create_directory(m_directory / "bin");
    install("initdb", "true");
    install("postgres", says("17.3"));
  }
  void TearDown() override { std::filesystem::remove_all(m_directory); }

  std::string says(const std::string& version) const {
    return "echo asked >> '" + (m_directory / "asked").string() + "'; echo 'postgres (PostgreSQL) " +
           version + "'";
  }
  void install(const std::string& name, const std::string& script) const {
    const auto path = m_directory / "bin" / name;
    ASSERT_TRUE(write_file(path, "#!/bin/sh\n" + script + "\n"));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  std::string found() const {
    const auto binaries = find_binaries(m_directory / "bin", versions());
    return binaries.empty() ? "none" : binaries[0].version;
  }
  std::filesystem::path versions() const { return m_directory / "versions"; }
  std::size_t times_asked() const { return read_file(m_directory / "asked").value_or("").size() / 6; }

  std::filesystem::path m_directory;
};

TEST_F(KnownVersionsTest, a_server_is_asked_once_and_again_when_it_is_another_file) {
  EXPECT_EQ(found(), "17.3");
  EXPECT_EQ(found(), "17.3");
  EXPECT_EQ(times_asked(), 1U);
  install("postgres", says("17.4"));
  EXPECT_EQ(found(), "17.4");
  EXPECT_EQ(times_asked(), 2U);
  std::filesystem::remove(m_directory / "bin" / "postgres");
  EXPECT_EQ(found(), "none");
}

TEST_F(KnownVersionsTest, what_is_not_whole_or_open_to_others_is_not_believed) {
  EXPECT_EQ(found(), "17.3");
  const std::string whole = read_file(versions()).value();
  const auto asked_with = [&](const std::string& text) {
    EXPECT_TRUE(write_file(versions(), text));
    const std::size_t before = times_asked();
    EXPECT_EQ(found(), "17.3");
    return times_asked() > before;
  };
  EXPECT_FALSE(asked_with(whole));
  for (const std::string& text : {std::string(), std::string("nonsense"), whole.substr(0, whole.size() - 4),
                                  "x" + whole, whole.substr(0, 22) + "latest\t1\t/x\n" + whole.substr(22)}) {
    EXPECT_TRUE(asked_with(text)) << text;
  }
  ASSERT_TRUE(write_file(versions(), whole));
  std::filesystem::permissions(versions(), std::filesystem::perms::all);
  const std::size_t before = times_asked();
  EXPECT_EQ(found(), "17.3");
  EXPECT_GT(times_asked(), before);
}

TEST_F(KnownVersionsTest, a_failure_is_not_remembered) {
  install("postgres", "exit 1");
  EXPECT_EQ(found(), "none");
  EXPECT_FALSE(std::filesystem::exists(versions()));
}

TEST(account, is_never_root) {
  const auto account = server_account();
  ASSERT_TRUE(account);
  EXPECT_NE(account->uid, 0U);
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
