#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/private_server.h"

namespace lockkeeper::benchmarks {

/// A temporary directory that servers' account can reach; what still works in it is ended and the directory
/// removed with the object.
class Scratch {
 public:
  static Result<Scratch> create();
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  const std::filesystem::path& path() const { return m_path; }

 private:
  explicit Scratch(std::filesystem::path path) : m_path(std::move(path)) {}
  std::filesystem::path m_path;
};

/// A server as a rehearsal starts it, in a directory of its own.
class Server {
 public:
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Result<engine::postgres::Connection> connect(const std::string& database) const;
  std::string connection(const std::string& database) const { return m_server->connection(database); }

 private:
  friend class Workshop;
  Server() = default;
  std::filesystem::path m_directory;
  std::filesystem::path m_sockets;
  std::unique_ptr<engine::postgres::PrivateServer> m_server;
};

/// A run of the program that stands beside this one.
struct ProgramRun {
  double wall_ms = 0;
  double first_statement_ms = 0;  ///< from the report
  std::uint64_t peak_bytes = 0;   ///< resident, of the program without its servers; 0 where not watched
};

/// What `check` is to be run on, and what the report must show for the run to count.
struct CheckRequest {
  std::filesystem::path migrations;
  std::filesystem::path fixture;  ///< may be empty
  std::filesystem::path store;
  int last = 0;  ///< 0: all of the history
  std::size_t judged = 0;
  bool watch_memory = false;  ///< looking takes time from what is looked at, so only where it is asked for
};

/// Server binaries, account, tools and a place to work: what all measures share.
class Workshop {
 public:
  static Result<Workshop> open();

  const engine::postgres::Binaries& binaries() const { return m_binaries; }
  const engine::postgres::Account& account() const { return m_account; }
  const engine::postgres::Tools& tools() const { return m_tools; }
  const std::filesystem::path& program() const { return m_program; }  ///< lockkeeper
  /// A new empty directory that belongs to the servers' account.
  Result<std::filesystem::path> new_directory(const std::string& name);
  /// Where nothing is yet: a store is made by the program that uses it.
  std::filesystem::path new_path(const std::string& name);
  Result<std::unique_ptr<Server>> start_server();
  /// Runs a command to its end as the servers' account and returns its wall time in milliseconds; any exit
  /// code but 0 is a failure.
  Result<double> time_command(const std::vector<std::string>& argv) const;
  /// Runs `lockkeeper check` to its end. A failure where the run was not whole: a report that says so,
  /// another number of judged migrations, no chain, other server binaries than ours.
  Result<ProgramRun> check(const CheckRequest& request);
  /// The wall time of `lockkeeper version`: what a process costs that does nothing.
  Result<double> time_nothing() const;

 private:
  Workshop(Scratch scratch, engine::postgres::Binaries binaries, engine::postgres::Account account,
           engine::postgres::Tools tools, std::filesystem::path program)
      : m_scratch(std::move(scratch)),
        m_binaries(std::move(binaries)),
        m_account(std::move(account)),
        m_tools(std::move(tools)),
        m_program(std::move(program)) {}
  Result<void> must_be_whole(const CheckRequest& request, const std::filesystem::path& report,
                             ProgramRun& run) const;

  Scratch m_scratch;
  engine::postgres::Binaries m_binaries;
  engine::postgres::Account m_account;
  engine::postgres::Tools m_tools;
  std::filesystem::path m_program;
  int m_paths = 0;
};

/// Sends one message; any error of SQL is a failure.
Result<void> execute(engine::postgres::Connection& session, const std::string& sql);

/// Milliseconds that `work` takes.
template <typename Work>
Result<double> timed(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  const auto done = work();
  const auto end = std::chrono::steady_clock::now();
  if (!done) return failed(done);
  return std::chrono::duration<double, std::milli>(end - start).count();
}

}  // namespace lockkeeper::benchmarks
