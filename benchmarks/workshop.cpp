#include "benchmarks/workshop.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "base/tree.h"

namespace lockkeeper::benchmarks {

namespace {

namespace fs = std::filesystem;
using engine::postgres::Account;
using engine::postgres::Binaries;
using engine::postgres::Connection;
using engine::postgres::Tools;

// No single step takes a tenth of it; a server that hangs must not hang us.
constexpr std::chrono::minutes k_deadline{30};
constexpr std::chrono::milliseconds k_memory_look{5};
constexpr std::chrono::milliseconds k_look{1000};

tl::unexpected<Failure> cannot(std::string_view what, const fs::path& path) {
  return failed(FailureKind::environment,
                fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(errno)));
}

Result<void> hand_over(const fs::path& path, const Account& account) {
  if (::geteuid() != 0 || ::chown(path.c_str(), account.uid, account.gid) == 0) return {};
  return cannot("hand over", path);
}

/// The most memory that the process has held so far (proc(5), VmHWM); 0 when it is gone. The rusage of
/// wait4(2) would not do: it counts the servers that the process has waited for.
std::uint64_t peak_resident(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

/// Waits for the end of the process and watches its memory: the peak only grows, so what the last look misses
/// is what grew in its last milliseconds.
Result<std::uint64_t> watch_to_the_end(Daemon& daemon, bool watch_memory) {
  const auto until = std::chrono::steady_clock::now() + k_deadline;
  std::uint64_t peak = 0;
  while (!daemon.wait_for(watch_memory ? k_memory_look : k_look)) {
    if (interrupted()) return failed_by_interrupt();
    if (std::chrono::steady_clock::now() > until) {
      return failed(FailureKind::environment, fmt::format("lockkeeper: no end within {}", human(k_deadline)));
    }
    if (watch_memory) peak = std::max(peak, peak_resident(daemon.pid()));
  }
  return peak;
}

}  // namespace

Result<Scratch> Scratch::create() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) return failed(FailureKind::environment, "cannot find a temporary directory: " + error.message());
  std::string path = (parent / "lockkeeper-bench-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return cannot("make", path);
  Scratch scratch{fs::path(path)};
  // The servers' account has to pass through; each directory in it is closed again.
  if (::chmod(path.c_str(), 0711) != 0) return cannot("open", path);
  return scratch;
}

Scratch::Scratch(Scratch&& other) noexcept : m_path(std::exchange(other.m_path, {})) {}

Scratch::~Scratch() {
  if (m_path.empty()) return;
  // pg_ctl puts a server into a session of its own, so an interrupted shell job leaves it.
  end_processes_in(m_path, std::chrono::seconds(5));
  if (const auto removed = remove_tree(m_path); !removed) {
    fmt::print(stderr, "{}\n", to_string(removed.error()));
  }
}

Server::~Server() {
  m_server.reset();
  for (const fs::path& path : {m_sockets, m_directory}) {
    if (path.empty()) continue;
    if (const auto removed = remove_tree(path); !removed)
      fmt::print(stderr, "{}\n", to_string(removed.error()));
  }
}

Result<Connection> Server::connect(const std::string& database) const {
  return Connection::open(connection(database));
}

Result<Workshop> Workshop::open() {
  // The first is the one that `lockkeeper check` takes too; every report is held against it.
  const auto found = engine::postgres::find_binaries(std::nullopt);
  if (found.empty()) return failed(FailureKind::environment, "no server binaries", "install postgresql");
  auto account = engine::postgres::server_account();
  if (!account) return failed(account);
  Tools tools = engine::postgres::find_tools(found.front().directory);
  if (tools.psql.empty() || tools.pg_dump.empty() || tools.pg_restore.empty()) {
    return failed(FailureKind::environment, "no psql, pg_dump and pg_restore", "install postgresql-client");
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path() / "lockkeeper";
  if (!fs::exists(program, error)) {
    return failed(FailureKind::environment, fmt::format("no program '{}'", program.string()), "./dev build");
  }
  auto scratch = Scratch::create();
  if (!scratch) return failed(scratch);
  return Workshop(std::move(*scratch), found.front(), std::move(*account), std::move(tools), program);
}

fs::path Workshop::new_path(const std::string& name) {
  return m_scratch.path() / fmt::format("{}-{}", name, ++m_paths);
}

Result<fs::path> Workshop::new_directory(const std::string& name) {
  const fs::path path = new_path(name);
  if (::mkdir(path.c_str(), 0700) != 0) return cannot("make", path);
  if (const auto handed = hand_over(path, m_account); !handed) return failed(handed);
  return path;
}

Result<std::unique_ptr<Server>> Workshop::start_server() {
  auto directory = new_directory("server");
  if (!directory) return failed(directory);
  std::unique_ptr<Server> server(new Server);
  server->m_directory = *directory;
  auto sockets = make_socket_directory(m_scratch.path(), *directory / "s");
  if (!sockets) return failed(sockets);
  server->m_sockets = *sockets;
  if (const auto handed = hand_over(*sockets, m_account); !handed) return failed(handed);
  const fs::path data = *directory / "data";
  if (const auto made = engine::postgres::initialise_cluster(m_binaries, m_account, data); !made)
    return failed(made);
  auto started = engine::postgres::PrivateServer::start(
      m_binaries, m_account, {data, *sockets, *directory / "log"}, engine::Purpose::rehearse);
  if (!started) return failed(started);
  server->m_server = std::move(*started);
  return server;
}

Result<double> Workshop::time_command(const std::vector<std::string>& argv) const {
  Command command;
  command.argv = argv;
  command.unset = {"PG*"};
  command.directory = m_scratch.path();
  command.run_as = RunAs{m_account.name, m_account.uid, m_account.gid};
  RunOptions options;
  options.deadline = k_deadline;
  return timed([&]() -> Result<void> {
    const auto finished = run(command, options);
    if (!finished) return failed(finished);
    if (finished->ok()) return {};
    return failed(FailureKind::environment, fmt::format("'{}': {}: {}", argv.front(), finished->status(),
                                                        abridged(trimmed(finished->errors), 600)));
  });
}

Result<double> Workshop::time_nothing() const {
  Command command;
  command.argv = {m_program.string(), "version"};
  return timed([&] { return run(command); });
}

Result<ProgramRun> Workshop::check(const CheckRequest& request) {
  const fs::path report = m_scratch.path() / "report.json";
  const fs::path log = m_scratch.path() / "log";
  std::error_code error;
  for (const fs::path& path : {report, log}) fs::remove(path, error);
  Command command;
  command.argv = {m_program.string(),
                  "check",
                  request.migrations.string(),
                  "--store",
                  request.store.string(),
                  "--report",
                  "json=" + report.string(),
                  "--quiet",
                  "--depth",
                  "quick"};
  if (!request.fixture.empty())
    command.argv.insert(command.argv.end(), {"--fixture", request.fixture.string()});
  if (request.last > 0) command.argv.insert(command.argv.end(), {"--last", std::to_string(request.last)});
  ProgramRun result;
  const auto wall = timed([&]() -> Result<void> {
    auto daemon = Daemon::start(command, log, Daemon::Life::bound_to_ours);
    if (!daemon) return failed(daemon);
    const auto peak = watch_to_the_end(*daemon, request.watch_memory);
    if (!peak) return failed(peak);
    result.peak_bytes = *peak;
    // Findings (exit code 1) do not make a run less whole.
    if (daemon->status() == "exit code 0" || daemon->status() == "exit code 1") return {};
    return failed(FailureKind::environment, fmt::format("lockkeeper: {}: {}", daemon->status(),
                                                        abridged(read_file(log).value_or(""), 900)));
  });
  if (!wall) return failed(wall);
  result.wall_ms = *wall;
  if (const auto whole = must_be_whole(request, report, result); !whole) return failed(whole);
  return result;
}

Result<void> Workshop::must_be_whole(const CheckRequest& request, const fs::path& report,
                                     ProgramRun& result) const {
  const auto text = read_file(report);
  if (!text) return failed(text);
  try {
    const auto run = nlohmann::json::parse(*text).at("runs").at(0);
    const auto not_whole = [&](const std::string& why) {
      return failed(FailureKind::environment, fmt::format("lockkeeper's run is not the one wanted: {}", why));
    };
    if (run.contains("failure") && !run.at("failure").is_null()) return not_whole(run.at("failure").dump());
    const auto& migrations = run.at("migrations");
    if (migrations.size() != request.judged)
      return not_whole(fmt::format("{} migrations", migrations.size()));
    for (const auto& migration : migrations) {
      for (const char* stage : {"forward", "back", "again"}) {
        if (!migration.contains(stage) || migration.at(stage).is_null()) {
          return not_whole(fmt::format("{} has no stage {}", migration.at("version").dump(), stage));
        }
      }
    }
    if (run.at("chain").at("ran") != true) return not_whole("the chain did not run");
    if (run.at("verdict") == "error") return not_whole("the verdict is error");
    if (run.at("server").at("binaries") != m_binaries.directory.string()) {
      return not_whole("its server is " + run.at("server").at("binaries").dump());
    }
    result.first_statement_ms = run.at("timings").at("first_statement_us").get<double>() / 1000;
  } catch (const nlohmann::json::exception& error) {
    return failed(FailureKind::environment,
                  fmt::format("cannot read '{}': {}", report.string(), error.what()));
  }
  return {};
}

Result<void> execute(Connection& session, const std::string& sql) {
  const auto answer = session.ask(sql);
  if (!answer) return failed(answer);
  if (answer->sqlstate.empty()) return {};
  return failed(FailureKind::environment,
                fmt::format("'{}': {}: {}", abridged(sql), answer->sqlstate, answer->message));
}

}  // namespace lockkeeper::benchmarks
