#include <array>
#include <csignal>
#include <fstream>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/program_test.h"
#include "base/descriptor.h"
#include "base/process.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/postgres.h"
#include "engine/postgres/private_server.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A port of the loopback that nobody has at this moment.
int free_port() {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

/// A server that listens on the loopback alone: the superuser comes in by trust, everybody else needs a
/// password.
class TcpServer : public ::testing::Test {
 protected:
  TcpServer() : m_port(free_port()) {
    const auto account = must(engine::postgres::server_account());
    const auto binaries = engine::postgres::find_binaries(std::nullopt).at(0);
    if (::geteuid() == 0) {
      if (::chown(m_server_folder.path().c_str(), account.uid, account.gid) != 0)
        throw std::runtime_error("cannot hand the folder over");
    }
    const fs::path data = m_server_folder.path() / "data";
    must(engine::postgres::initialise_cluster(binaries, account, data));
    std::ofstream(data / "pg_hba.conf") << "host all postgres 127.0.0.1/32 trust\n"
                                           "host all all 127.0.0.1/32 scram-sha-256\n";
    Command command;
    command.argv = {(binaries.directory / "postgres").string(), "-D", data.string()};
    for (const std::string& setting :
         {std::string("listen_addresses=127.0.0.1"), fmt::format("port={}", m_port),
          std::string("unix_socket_directories="), std::string("fsync=off")}) {
      command.argv.insert(command.argv.end(), {"-c", setting});
    }
    command.directory = data;
    command.run_as = RunAs{account.name, account.uid, account.gid};
    m_daemon.emplace(
        must(Daemon::start(command, m_server_folder.path() / "log", Daemon::Life::bound_to_ours)));
    while (!Connection::open(url("postgres"))) {
      if (m_daemon->wait_for(std::chrono::milliseconds(5))) throw std::runtime_error(m_daemon->status());
    }
    write_good_history(m_folder);
  }

  std::string url(const std::string& user) const {
    return fmt::format("postgresql://{}@127.0.0.1:{}/postgres", user, m_port);
  }
  void run(const std::string& sql) const { must(must(Connection::open(url("postgres"))).rows(sql)); }
  Checked checked(const std::string& server,
                  const std::map<std::string, std::string>& environment = {}) const {
    Start setup{m_folder.path()};
    setup.environment = environment;
    return check({"migrations", "--server", server}, setup);
  }
  void expect_nothing_left() const {
    EXPECT_THAT(must(must(Connection::open(url("postgres")))
                         .rows("SELECT datname FROM pg_database WHERE datname LIKE 'lockkeeper%'")),
                IsEmpty());
  }

  Folder m_server_folder;
  Folder m_folder;
  int m_port;
  std::optional<Daemon> m_daemon;
};

TEST_F(TcpServer, is_rehearsed_on_as_superuser) {
  const Checked passing = checked(url("postgres"));
  EXPECT_EQ(passing.outcome.exit_code, 0) << passing.outcome.said();
  EXPECT_EQ(passing.outcome.errors, "");
  expect_nothing_left();
}

TEST_F(TcpServer, is_rehearsed_on_by_a_role_that_may_create_databases_and_nothing_else) {
  run("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'se\"cret'");
  const Checked passing = checked(url("maker:se%22cret"));
  EXPECT_EQ(passing.outcome.exit_code, 0) << passing.outcome.said();
  EXPECT_EQ(checked(url("maker"), {{"PGPASSWORD", "se\"cret"}}).outcome.exit_code, 0);
  expect_nothing_left();
}

TEST_F(TcpServer, that_wants_a_password_says_so_and_where_it_can_be_given) {
  run("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'secret'");
  const Checked without = checked(url("maker"));
  EXPECT_EQ(without.outcome.exit_code, 3) << without.outcome.said();
  EXPECT_THAT(without.outcome.output, HasSubstr("no password supplied"));
  EXPECT_THAT(without.outcome.output, HasSubstr("hint: give the password in PGPASSWORD or ~/.pgpass"));
  const Checked wrong = checked(url("maker:wrong"));
  EXPECT_EQ(wrong.outcome.exit_code, 3) << wrong.outcome.said();
  EXPECT_THAT(wrong.outcome.output, HasSubstr("password authentication failed for user \"maker\""));
  EXPECT_THAT(wrong.outcome.output, HasSubstr("hint: give the password in PGPASSWORD or ~/.pgpass"));
  EXPECT_THAT(wrong.outcome.said(), ::testing::Not(HasSubstr("maker:wrong")));
}

TEST_F(TcpServer, whose_password_stands_in_the_url_shows_it_in_no_report) {
  run("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'secret'");
  m_folder.write("migrations/0003_bad.up.sql", "bogus;");
  const Checked failing = checked(url("maker:secret"));
  EXPECT_EQ(failing.outcome.exit_code, 1) << failing.outcome.said();
  const std::string reproduce = failing.run()["reproduce"];
  EXPECT_THAT(reproduce, HasSubstr("--server 'user='\\''maker'\\'' "));
  EXPECT_THAT(failing.outcome.output + failing.record.dump(), ::testing::Not(HasSubstr("secret")));
}

}  // namespace

}  // namespace lockkeeper::app::testing
