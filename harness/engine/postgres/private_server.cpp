#include "engine/postgres/private_server.h"

#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/client.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds k_initdb_deadline{120};
constexpr std::chrono::seconds k_start_deadline{60};
constexpr std::chrono::seconds k_clean_stop_deadline{300};
constexpr std::chrono::seconds k_quick_stop_deadline{10};

RunAs as_run_as(const Account& account) {
  return RunAs{account.name, account.uid, account.gid};
}

Command initdb_command(const Binaries& binaries, const Account& account, const fs::path& data,
                       const std::string& locale) {
  Command command;
  command.argv = {(binaries.directory / "initdb").string(),
                  "-D",
                  data.string(),
                  "-U",
                  "postgres",
                  "-A",
                  "trust",
                  "-E",
                  "UTF8",
                  "--locale=" + locale,
                  "--lc-messages=C",
                  "--wal-segsize=1",
                  "--no-sync"};
  if (binaries.major >= 14) command.argv.emplace_back("--no-instructions");
  command.unset = {"PG*", "LC_*", "LANG", "LANGUAGE", "TZ"};
  // initdb compares time zone files to guess ours (60 ms); a TZ that it knows spares that.
  command.environment = {{"TZ", "UTC"}, {"LC_ALL", "C"}};
  command.directory = data.parent_path();
  command.run_as = as_run_as(account);
  return command;
}

std::map<std::string, std::string> load_settings() {
  return {{"wal_level", "minimal"}, {"max_wal_senders", "0"}, {"maintenance_work_mem", "512MB"}};
}

std::map<std::string, std::string> rehearse_settings() {
  return {{"wal_level", "replica"}, {"max_wal_senders", "10"}, {"maintenance_work_mem", "64MB"}};
}

/// The server's own word that it takes sessions (line 8 of its pid file, since 10). To find out by opening
/// one makes it fork, which delays what is waited for.
bool says_that_it_is_ready(const fs::path& data) {
  std::ifstream file(data / "postmaster.pid");
  std::string line;
  for (int number = 1; number <= 8; ++number) {
    if (!std::getline(file, line)) return false;
  }
  return line.starts_with("ready");
}

}  // namespace

std::map<std::string, std::string> server_settings(Purpose purpose, int major) {
  std::map<std::string, std::string> settings = {
      {"autovacuum", "off"},
      {"bgwriter_lru_maxpages", "0"},
      {"checkpoint_timeout", "1d"},
      // Segments in /dev/shm would outlive a killed server, and containers have 64 MB of it.
      {"dynamic_shared_memory_type", "mmap"},
      {"fsync", "off"},
      {"full_page_writes", "off"},
      {"huge_pages", "off"},
      {"jit", "off"},
      {"lc_messages", "C"},
      {"listen_addresses", ""},
      {"log_checkpoints", "off"},
      {"log_destination", "stderr"},
      // What spills is told, with its size, when it is over.
      {"log_temp_files", "0"},
      {"log_timezone", "UTC"},
      {"logging_collector", "off"},
      {"max_connections", "40"},
      {"max_locks_per_transaction", "256"},
      {"max_prepared_transactions", "10"},
      {"max_wal_size", "16GB"},
      {"min_wal_size", "2MB"},
      {"port", "5432"},
      {"restart_after_crash", "on"},
      // Of 32 to 128 MB the fastest for twenty migrations: every page of it that is touched is first cleared.
      {"shared_buffers", "64MB"},
      {"synchronous_commit", "off"},
      {"timezone", "UTC"},
      {"track_counts", "on"},
      {"unix_socket_permissions", "0700"},
      {"wal_init_zero", "off"},
      {"wal_recycle", "off"},
  };
  // From 18 on reads go through worker processes by default: three more to start, for nothing here.
  if (major >= 18) settings["io_method"] = "sync";
  const bool loads = purpose == Purpose::load || purpose == Purpose::load_little;
  settings.merge(loads ? load_settings() : rehearse_settings());
  if (purpose == Purpose::rehearse_durably) {
    for (const char* name : {"fsync", "full_page_writes", "synchronous_commit"}) settings[name] = "on";
  }
  return settings;
}

Result<void> initialise_cluster(const Binaries& binaries, const Account& account, const fs::path& data) {
  RunOptions options;
  options.deadline = k_initdb_deadline;
  Finished last;
  for (const char* locale : {"C.UTF-8", "C"}) {
    auto finished = run(initdb_command(binaries, account, data, locale), options);
    if (!finished) return failed(finished);
    if (finished->ok()) return {};
    last = std::move(*finished);
    if (const auto removed = remove_tree(data); !removed) return removed;
    if (last.errors.find("locale") == std::string::npos) break;
  }
  return failed(FailureKind::environment, fmt::format("cannot initialise a cluster with '{}': {}: {}",
                                                      (binaries.directory / "initdb").string(), last.status(),
                                                      abridged(trimmed(last.errors), 600)));
}

Result<std::unique_ptr<PrivateServer>> PrivateServer::start(const Binaries& binaries, const Account& account,
                                                            const Place& place, Purpose purpose,
                                                            const std::string& database, Daemon::Life life) {
  Command command;
  command.argv = {(binaries.directory / "postgres").string(), "-D", place.data.string()};
  for (const auto& [name, value] : server_settings(purpose, binaries.major)) {
    command.argv.insert(command.argv.end(), {"-c", name + "=" + value});
  }
  command.argv.insert(command.argv.end(), {"-c", "unix_socket_directories=" + place.sockets.string()});
  command.unset = {"PG*", "LC_*", "LANG", "LANGUAGE", "TZ"};
  // A session's first catalog query takes 15 MB of memory, page by page; where the kernel gives huge pages to
  // those who ask, glibc (2.35) gets them in a few pieces, which halves that query's time.
  command.environment = {{"LC_ALL", "C"}, {"GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"}};
  command.directory = place.data;
  command.run_as = as_run_as(account);
  auto daemon = Daemon::start(command, place.log, life);
  if (!daemon) return failed(daemon);
  // A detached one is bound to us until it has answered: a start that fails must leave nothing.
  std::unique_ptr<PrivateServer> server(new PrivateServer(std::move(*daemon), place));
  if (const auto ready = server->wait_until_ready(database); !ready) {
    if (life == Daemon::Life::detached) server->m_daemon.stop(SIGQUIT, k_quick_stop_deadline);
    return failed(ready);
  }
  return server;
}

Result<void> PrivateServer::wait_until_ready(const std::string& database) {
  const auto until = Clock::now() + k_start_deadline;
  std::string last = "it does not say that it is ready";
  while (Clock::now() < until) {
    if (interrupted()) return failed_by_interrupt();
    if (m_daemon.ended()) {
      return failed(FailureKind::environment,
                    fmt::format("cannot start the server in '{}': {}: {}", m_place.data.string(),
                                m_daemon.status(), log_tail()));
    }
    if (says_that_it_is_ready(m_place.data)) {
      m_session = std::make_unique<Client>(connection(database));
      auto answered = m_session->send("SELECT 1", k_start_deadline);
      if (answered && !answered->error) return {};
      m_session.reset();
      last = answered ? answered->error->message : answered.error().message;
      // Only a server that is ready says so; lc_messages is C.
      if (last.find("database \"") != std::string::npos && last.ends_with("\" does not exist"))
        return ensure_database(database);
    }
    pollfd polled{interrupt_descriptor(), POLLIN, 0};
    ::poll(&polled, 1, 1);
  }
  return failed(FailureKind::environment,
                fmt::format("cannot start the server in '{}': no answer within {}: {}: {}",
                            m_place.data.string(), human(k_start_deadline), last, log_tail()));
}

std::string PrivateServer::connection(const std::string& database) const {
  // All that the environment (PGHOST, PGSSLMODE, PGOPTIONS …) or ~/.pgpass could otherwise add is said here.
  return conninfo({{"host", m_place.sockets.string()},
                   {"port", "5432"},
                   {"user", "postgres"},
                   {"dbname", database},
                   {"hostaddr", ""},
                   {"options", ""},
                   {"password", "unused"},
                   {"requirepeer", ""},
                   {"sslmode", "disable"},
                   {"gssencmode", "disable"},
                   {"channel_binding", "disable"},
                   {"target_session_attrs", "any"},
                   {"client_encoding", "UTF8"},
                   {"connect_timeout", "60"},
                   {"application_name", "lockkeeper"}});
}

Result<void> PrivateServer::ensure_database(const std::string& database) const {
  auto session = Connection::open(connection("postgres"));
  if (!session) return failed(session);
  const auto found = session->rows("SELECT 1 FROM pg_database WHERE datname = $1", {database});
  if (!found) return failed(found);
  if (!found->empty()) return {};
  const auto made =
      session->rows("CREATE DATABASE " + session->quoted_name(database) + " TEMPLATE template0");
  if (!made) return failed(made);
  return {};
}

PrivateServer::PrivateServer(Daemon daemon, Place place)
    : m_daemon(std::move(daemon)), m_place(std::move(place)) {}
PrivateServer::~PrivateServer() = default;

std::unique_ptr<Client> PrivateServer::take_session() {
  return std::move(m_session);
}

void PrivateServer::kill() {
  m_session.reset();
  m_daemon.stop(SIGKILL, k_quick_stop_deadline);
}

Result<void> PrivateServer::stop(Stop how) {
  m_session.reset();
  const bool clean = how == Stop::clean;
  // SIGINT: fast shutdown, sessions are ended and a checkpoint is written. SIGQUIT: immediate.
  const bool obeyed =
      m_daemon.stop(clean ? SIGINT : SIGQUIT, clean ? std::chrono::milliseconds(k_clean_stop_deadline)
                                                    : std::chrono::milliseconds(k_quick_stop_deadline));
  if (!clean) return {};
  if (!obeyed) {
    return failed(FailureKind::environment, fmt::format("cannot stop the server in '{}': no end within {}",
                                                        m_place.data.string(), human(k_clean_stop_deadline)));
  }
  if (m_daemon.status() == "exit code 0") return {};
  return failed(FailureKind::environment, fmt::format("cannot stop the server in '{}' cleanly: {}: {}",
                                                      m_place.data.string(), m_daemon.status(), log_tail()));
}

std::string PrivateServer::log_tail() const {
  constexpr std::streamoff k_tail = 1500;
  std::ifstream log(m_place.log, std::ios::binary | std::ios::ate);
  if (!log) return "no log";
  const std::streamoff size = log.tellg();
  log.seekg(std::max<std::streamoff>(0, size - k_tail));
  std::string text(static_cast<std::size_t>(std::min(size, k_tail)), '\0');
  log.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text.empty() ? "the log is empty" : abridged(text, 900);
}

}  // namespace lockkeeper::engine::postgres
