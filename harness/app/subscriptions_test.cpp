#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/program_test.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/postgres.h"
#include "engine/postgres/private_server.h"

/// migrations/subscriptions, run by Alembic itself and without us: what its fixture and its dry run promise.
namespace lockkeeper::app::testing {

namespace {

using ::testing::HasSubstr;

const std::string k_base = "d6d022bcff3b";

template <typename T>
T must_have(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

fs::path source(const std::string& path) {
  return fs::path(LOCKKEEPER_SOURCE_DIR) / path;
}

class Subscriptions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_in_path("alembic")) GTEST_SKIP() << "alembic is not installed";
    start_server();
    make("probe");
    const Finished probe = alembic("probe", {"current"});
    if (probe.errors.find("No module named") != std::string::npos)
      GTEST_SKIP() << "alembic has no driver: " << probe.errors.substr(probe.errors.find("No module named"));
    ASSERT_TRUE(probe.ok()) << probe.errors;
  }

  void make(const std::string& database) const {
    const auto made = m_server->ensure_database(database);
    ASSERT_TRUE(made) << to_string(made.error());
  }
  /// Production as the fixture has it.
  void make_production(const std::string& database) const {
    make(database);
    load(database, source("fixtures/subscriptions/schema.sql"));
    load(database, source("fixtures/subscriptions/data.sql"));
  }
  void load(const std::string& database, const fs::path& script) const {
    const Finished psql = client("psql", {"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                                          m_server->connection(database), "-f", script.string()});
    EXPECT_TRUE(psql.ok()) << script << "\n" << psql.errors;
  }
  void run_alembic(const std::string& database, const std::vector<std::string>& words) const {
    const Finished ran = alembic(database, words);
    EXPECT_TRUE(ran.ok()) << join(words, " ") << "\n" << ran.errors;
  }
  /// The script that `alembic upgrade RANGE --sql` prints.
  fs::path dry_run(const std::string& database, const std::string& range) const {
    const Finished ran = alembic(database, {"upgrade", range, "--sql"});
    EXPECT_TRUE(ran.ok()) << ran.errors;
    return m_folder.write(database + ".sql", ran.output);
  }
  /// Of the project in migrations/NAME, with the URL of its alembic.ini replaced.
  Finished alembic(const std::string& database, const std::vector<std::string>& words,
                   const std::string& project = "subscriptions") const {
    const fs::path ini = write_ini(database, project);
    std::vector<std::string> argv{find_in_path("alembic")->string(), "-c", ini.string()};
    argv.insert(argv.end(), words.begin(), words.end());
    return finished(std::move(argv));
  }
  /// All of pg_dump's text but the key that it makes up anew each time.
  std::string dump(const std::string& database, const std::vector<std::string>& options = {}) const {
    std::vector<std::string> words{"--no-owner", "-d", m_server->connection(database)};
    words.insert(words.end(), options.begin(), options.end());
    const Finished dumped = client("pg_dump", words);
    EXPECT_TRUE(dumped.ok()) << dumped.errors;
    std::vector<std::string> lines = split(dumped.output, '\n');
    std::erase_if(lines, [](const std::string& line) {
      return line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    });
    return join(lines, "\n");
  }

 private:
  void start_server() {
    const auto binaries = engine::postgres::find_binaries(std::nullopt);
    ASSERT_FALSE(binaries.empty());
    m_binaries = binaries.front();
    const auto account = must_have(engine::postgres::server_account());
    const engine::postgres::Place place{m_server_folder.path() / "data", m_server_folder.path() / "s",
                                        m_server_folder.path() / "log"};
    fs::create_directory(place.sockets);
    for (const fs::path& folder : {m_server_folder.path(), place.sockets}) {
      ASSERT_TRUE(::geteuid() != 0 || ::chown(folder.c_str(), account.uid, account.gid) == 0) << folder;
    }
    const auto initialised = engine::postgres::initialise_cluster(m_binaries, account, place.data);
    ASSERT_TRUE(initialised) << to_string(initialised.error());
    m_server = must_have(
        engine::postgres::PrivateServer::start(m_binaries, account, place, engine::Purpose::rehearse));
  }
  fs::path write_ini(const std::string& database, const std::string& project) const {
    std::ifstream file(source("migrations/" + project + "/alembic.ini"));
    std::string text;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("sqlalchemy.url"))
        line = fmt::format("sqlalchemy.url = postgresql+psycopg2://postgres@/{}?host={}", database,
                           m_server->place().sockets.string());
      const auto here = line.find("%(here)s");
      if (here != std::string::npos && !line.starts_with("#"))
        line.replace(here, 8, source("migrations/" + project).string());
      text += line + "\n";
    }
    return m_folder.write(database + "-" + project + ".ini", text);
  }
  Finished client(const std::string& program, const std::vector<std::string>& words) const {
    const auto tools = engine::postgres::find_tools(m_binaries.directory);
    std::vector<std::string> argv{(program == "psql" ? tools.psql : tools.pg_dump).string()};
    argv.insert(argv.end(), words.begin(), words.end());
    return finished(std::move(argv));
  }
  Finished finished(std::vector<std::string> argv) const {
    Command command;
    command.argv = std::move(argv);
    command.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
    command.unset = {"PG*"};
    command.directory = m_folder.path();
    return must_have(run(command, {.deadline = std::chrono::minutes(1), .input = {}, .watch_errors = {}}));
  }

  Folder m_server_folder;
  Folder m_folder;
  engine::postgres::Binaries m_binaries;
  std::unique_ptr<engine::postgres::PrivateServer> m_server;
};

TEST_F(Subscriptions, fixture_stands_where_the_migrations_lead) {
  make_production("production");
  make("migrated");
  run_alembic("migrated", {"upgrade", k_base});
  EXPECT_EQ(dump("production", {"--schema-only"}), dump("migrated", {"--schema-only"}));
  const std::vector<std::string> revision{"--data-only", "--table=alembic_version"};
  EXPECT_EQ(dump("production", revision), dump("migrated", revision));
}

TEST_F(Subscriptions, dry_run_changes_nothing_and_says_what_a_real_run_does) {
  make_production("real");
  make_production("dry");
  const std::string before = dump("dry");
  const fs::path script = dry_run("dry", k_base + ":head");
  EXPECT_EQ(dump("dry"), before);
  load("dry", script);
  run_alembic("real", {"upgrade", "head"});
  EXPECT_NE(dump("dry"), before);
  EXPECT_EQ(dump("dry"), dump("real"));
}

TEST_F(Subscriptions, dry_run_of_a_migration_that_reads_rows_in_python_fails) {
  const Finished ran = alembic("probe", {"upgrade", "004:005", "--sql"}, "subscriptions-as-written");
  EXPECT_FALSE(ran.ok());
  EXPECT_THAT(ran.errors, HasSubstr("AttributeError: 'NoneType' object has no attribute"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
