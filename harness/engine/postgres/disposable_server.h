#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/tree.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/private_server.h"

namespace lockkeeper::engine::postgres {

/// For tests: a real server of the newest (or the given) version in a directory of its own below /tmp, gone
/// with the object. Throws std::runtime_error where something fails, which fails the test.
class DisposableServer {
 public:
  explicit DisposableServer(Purpose purpose = Purpose::rehearse, int major = 0) {
    const Binaries binaries = chosen(major);
    const Account account = must(server_account());
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
    m_directory = directory;
    if (::geteuid() == 0 && ::chown(directory.c_str(), account.uid, account.gid) != 0) {
      throw std::runtime_error("cannot hand over " + directory);
    }
    must(initialise_cluster(binaries, account, m_directory / "data"));
    m_server = must(PrivateServer::start(binaries, account,
                                         {m_directory / "data", m_directory, m_directory / "log"}, purpose));
    must(m_server->ensure_database("lockkeeper"));
  }
  ~DisposableServer() {
    m_server.reset();
    std::error_code error;
    std::filesystem::remove_all(m_directory, error);
  }
  DisposableServer(const DisposableServer&) = delete;
  DisposableServer& operator=(const DisposableServer&) = delete;

  /// A connection string to a database that ensure() made, or to "lockkeeper", which is there.
  std::string connection(const std::string& database = "lockkeeper") const {
    return m_server->connection(database);
  }
  void ensure(const std::string& database) const { must(m_server->ensure_database(database)); }
  PrivateServer& server() { return *m_server; }
  /// The first column of what it answers there; NULL as "NULL".
  std::vector<std::string> ask(const std::string& database, const std::string& sql) const {
    auto session = must(Connection::open(connection(database)));
    std::vector<std::string> values;
    for (const auto& row : must(session.rows(sql))) values.push_back(row.at(0).value_or("NULL"));
    return values;
  }

 private:
  template <typename T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(to_string(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  static Binaries chosen(int major) {
    for (const Binaries& binaries : find_binaries(std::nullopt)) {
      if (major == 0 || binaries.major == major) return binaries;
    }
    throw std::runtime_error("no server binaries: install postgresql");
  }

  std::filesystem::path m_directory;
  std::unique_ptr<PrivateServer> m_server;
};

}  // namespace lockkeeper::engine::postgres
