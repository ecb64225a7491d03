#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/client.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/copy_database.h"
#include "engine/postgres/instance.h"
#include "engine/postgres/private_server.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;

std::optional<RunAs> owner(const Account& account) {
  if (::geteuid() != 0) return std::nullopt;
  return RunAs{account.name, account.uid, account.gid};
}

constexpr std::uint64_t k_memory_reserve = 1ULL << 30;
constexpr std::uint64_t k_little_load = 512ULL << 20;
constexpr std::chrono::milliseconds k_memory_look{20};
constexpr std::chrono::seconds k_longest_dying{30};
constexpr std::chrono::milliseconds k_dying_look{50};
constexpr std::uint64_t k_disk_reserve = 2ULL << 30;
constexpr std::uint64_t k_largest_beside = 2ULL << 30;

/// MemAvailable of /proc/meminfo in bytes; 0 where it cannot be read.
std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::uint64_t kilobytes = 0;
  while (file >> word) {
    if (word == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

/// While a server loads on the memory disk, nobody knows how much: it is ended before the machine runs out.
class MemoryGuard {
 public:
  MemoryGuard(fs::path memory, pid_t server)
      : m_thread([this, memory = std::move(memory), server](const std::stop_token& stop) {
          std::mutex alone;
          std::unique_lock lock(alone);
          while (!stop.stop_requested() && !m_short) {
            m_short = free_space(memory) < k_memory_reserve || available_memory() < k_memory_reserve;
            if (m_short) ::kill(server, SIGQUIT);
            std::condition_variable_any().wait_for(lock, stop, k_memory_look, [] { return false; });
          }
        }) {}
  bool ran_out() const { return m_short; }
  /// Before the server ends otherwise, and its number is another's.
  void leave() {
    m_thread.request_stop();
    if (m_thread.joinable()) m_thread.join();
  }

 private:
  std::atomic<bool> m_short{false};
  std::jthread m_thread;
};

/// An instance's directory, the account's own: data, sockets and log lie in it. Removed with the object.
class InstanceDirectory {
 public:
  /// In the options' run directory, or its twin on the memory disk.
  static Result<InstanceDirectory> create(const PrivateOptions& options, bool in_memory, int number) {
    const fs::path& run_directory = in_memory ? options.memory_directory : options.run_directory;
    InstanceDirectory directory(run_directory / fmt::format("instance-{}", number), in_memory);
    if (::mkdir(directory.m_path.c_str(), 0700) != 0) return cannot("make", directory.m_path);
    auto sockets = make_socket_directory(run_directory, directory.m_path / "s");
    if (!sockets) return failed(sockets);
    directory.m_sockets = std::move(*sockets);
    if (::geteuid() == 0) {
      for (const fs::path& path : {directory.m_path, directory.m_sockets}) {
        if (::chown(path.c_str(), options.account.uid, options.account.gid) != 0)
          return cannot("hand over", path);
      }
    }
    return directory;
  }
  InstanceDirectory(InstanceDirectory&& other) noexcept
      : m_path(std::exchange(other.m_path, {})),
        m_sockets(std::exchange(other.m_sockets, {})),
        m_in_memory(other.m_in_memory) {}
  InstanceDirectory& operator=(InstanceDirectory&&) = delete;
  InstanceDirectory(const InstanceDirectory&) = delete;
  InstanceDirectory& operator=(const InstanceDirectory&) = delete;
  ~InstanceDirectory() {
    // What stays behind lies in the run's directory, whose owner removes it and reports what it cannot.
    if (!m_sockets.empty()) static_cast<void>(remove_tree(m_sockets));
    if (!m_path.empty()) static_cast<void>(remove_tree(m_path));
  }
  void leave_standing() {
    m_path.clear();
    m_sockets.clear();
  }
  Place place() const { return {m_path / "data", m_sockets, m_path / "log"}; }
  bool in_memory() const { return m_in_memory; }

  /// Makes an image of what the server left: in `directory`, or beside this one on the memory disk.
  Result<Image> move_data(const fs::path& directory, const std::string& database) const {
    const fs::path from = place().data;
    const fs::path to = m_in_memory ? fs::path(m_path.string() + "-image") : directory;
    if (::rename(from.c_str(), to.c_str()) == 0) return Image{to, database, m_in_memory};
    if (errno != EXDEV) return cannot("move the data directory to", to);
    if (const auto copied = copy_tree(from, to); !copied) return failed(copied);
    if (const auto removed = remove_tree(from); !removed) return failed(removed);
    return Image{to, database, false};
  }

 private:
  InstanceDirectory(fs::path path, bool in_memory) : m_path(std::move(path)), m_in_memory(in_memory) {}
  fs::path m_path;
  fs::path m_sockets;
  bool m_in_memory;
};

/// A path in double quotes inside single ones, as a shell takes it.
std::string psql_line(const Place& place, const std::string& database) {
  const std::string parameters = conninfo(
      {{"host", place.sockets.string()}, {"port", "5432"}, {"user", "postgres"}, {"dbname", database}});
  std::string line = "psql \"";
  for (const char character : parameters) {
    if (std::strchr("\\\"$`", character) != nullptr) line += '\\';
    line += character;
  }
  return line + "\"";
}

/// Two at a time; what stays behind goes with the instance's directory.
void remove_databases(const fs::path& base) {
  std::vector<fs::path> databases;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(base, error)) databases.push_back(entry.path());
  std::atomic<std::size_t> next{0};
  const auto remove_some = [&] {
    for (std::size_t i = next++; i < databases.size(); i = next++)
      static_cast<void>(remove_tree(databases[i]));
  };
  const auto beside = std::async(std::launch::async, remove_some);
  remove_some();
}

/// One more database on the server of an instance, with which it goes.
class DatabaseCopy : public DatabaseInstance {
 public:
  DatabaseCopy(record::ServerInfo server, std::string connection, std::shared_ptr<ToolBox> tools,
               std::optional<RunAs> run_as, fs::path run_directory)
      : DatabaseInstance(std::move(server), std::move(connection), std::move(tools), std::move(run_as),
                         std::move(run_directory)) {}
  DatabaseCopy(const DatabaseCopy&) = delete;
  DatabaseCopy& operator=(const DatabaseCopy&) = delete;
  ~DatabaseCopy() override { close_sessions(); }
  bool is_on_this_machine() const override { return true; }
  Result<Image> save(const fs::path&) override { return not_alone("saved"); }
  Result<std::string> keep() override { return not_alone("kept"); }
  Result<std::unique_ptr<Instance>> copy_beside() override { return not_alone("copied"); }

 private:
  static tl::unexpected<Failure> not_alone(const char* what) {
    return failed(FailureKind::environment,
                  fmt::format("cannot be {} by itself: a database beside another", what));
  }
};

class PrivateInstance : public DatabaseInstance {
 public:
  PrivateInstance(const PrivateOptions& options, std::shared_ptr<ToolBox> tools, record::ServerInfo info,
                  InstanceDirectory directory, std::unique_ptr<PrivateServer> server, std::string database,
                  bool guarded)
      : DatabaseInstance(info, server->connection(database), tools, owner(options.account),
                         options.run_directory),
        m_options(options),
        m_info(std::move(info)),
        m_tools(std::move(tools)),
        m_directory(std::move(directory)),
        m_server(std::move(server)),
        m_database(std::move(database)) {
    watch_log(m_server->place().log);
    if (guarded) m_guard.emplace(m_options.memory_directory, m_server->pid());
  }

  ~PrivateInstance() override {
    close_sessions();
    if (m_guard && m_server != nullptr) m_guard->leave();
    if (m_server == nullptr || m_kept) return;
    // A server takes as long to end as its files take to go, and has no more use for them.
    const fs::path data = m_server->place().data;
    const auto gone = std::async(std::launch::async, [&] { remove_databases(data / "base"); });
    m_server.reset();
  }
  PrivateInstance(const PrivateInstance&) = delete;
  PrivateInstance& operator=(const PrivateInstance&) = delete;

  Result<Image> save(const fs::path& directory) override {
    close_sessions();
    // Its last checkpoint is guarded too.
    const auto stopped = m_server->stop(Stop::clean);
    if (m_guard) m_guard->leave();
    if (!stopped) return failed(stopped);
    const fs::path data = m_server->place().data;
    m_server.reset();
    // What the next start writes anew anyway, and what names this machine's paths.
    std::error_code error;
    fs::remove(data / "postmaster.opts", error);
    return m_directory.move_data(directory, m_database);
  }
  Result<SideOutcome> run_side(const SideRequest& request) override {
    if (!request.stop || request.stop->how != record::StopKind::server_killed)
      return DatabaseInstance::run_side(request);
    SideRequest deadly = request;
    deadly.kill_server = [this] { m_server->kill(); };
    return run_until_killed([&] { return DatabaseInstance::run_side(deadly); });
  }
  Result<SideOutcome> run_tool(const ToolRequest& request) override {
    if (!request.stop || request.stop->how != record::StopKind::server_killed)
      return DatabaseInstance::run_tool(request);
    ToolRequest deadly = request;
    deadly.kill_server = [this] { m_server->kill(); };
    return run_until_killed([&] { return DatabaseInstance::run_tool(deadly); });
  }
  bool is_on_this_machine() const override { return true; }
  Result<std::unique_ptr<Instance>> copy_beside() override {
    close_sessions();
    const std::string name = m_database == "lockkeeper_base" ? "lockkeeper_base_2" : "lockkeeper_base";
    auto session = Connection::open(m_server->connection("postgres"));
    if (!session) return failed(session);
    if (const auto copied = copy_database(*session, m_database, name); !copied) return failed(copied);
    return std::make_unique<DatabaseCopy>(m_info, m_server->connection(name), m_tools,
                                          owner(m_options.account), m_options.run_directory);
  }
  bool has_ended() override { return m_server != nullptr && m_server->ended(); }
  bool ran_out_of_memory() const override { return m_guard && m_guard->ran_out(); }

  Result<std::string> keep() override {
    close_sessions();
    // The bond to our thread cannot be undone from outside, so the server is started again without it.
    if (const auto stopped = m_server->stop(Stop::clean); !stopped) return failed(stopped);
    const Place place = m_server->place();
    m_server.reset();
    const std::string line = psql_line(place, m_database);
    if (const auto marked = mark_kept(m_options.run_directory, line); !marked) return failed(marked);
    auto server = PrivateServer::start(m_options.binaries, m_options.account, place, Purpose::rehearse,
                                       m_database, Daemon::Life::detached);
    if (!server) return failed(server);
    m_server = std::move(*server);
    m_kept = true;
    m_directory.leave_standing();
    return line;
  }

 private:
  Result<SideOutcome> run_until_killed(const Drive& drive) {
    if (const auto started = start_anew(Purpose::rehearse_durably); !started) return failed(started);
    auto outcome = drive();
    if (!outcome) return outcome;
    if (const auto recovered = start_anew(Purpose::rehearse); !recovered) return failed(recovered);
    return outcome;
  }

  /// A server in the same place: after a clean stop, or with recovery from what was killed.
  Result<void> start_anew(Purpose purpose) {
    close_sessions();
    const auto until = std::chrono::steady_clock::now() + k_longest_dying;
    if (!m_server->ended()) {
      if (const auto stopped = m_server->stop(Stop::clean); !stopped) return stopped;
    }
    const Place place = m_server->place();
    while (true) {
      auto server = PrivateServer::start(m_options.binaries, m_options.account, place, purpose, m_database);
      if (server) {
        m_server = std::move(*server);
        open_ahead(m_server->take_session());
        return {};
      }
      // "pre-existing shared memory block … is still in use": sessions have not noticed yet.
      const bool dying = server.error().message.find("is still in use") != std::string::npos;
      if (!dying || interrupted() || std::chrono::steady_clock::now() > until) return failed(server);
      std::this_thread::sleep_for(k_dying_look);
    }
  }

  PrivateOptions m_options;
  record::ServerInfo m_info;
  std::shared_ptr<ToolBox> m_tools;
  InstanceDirectory m_directory;  // outlives the server that works in it
  std::unique_ptr<PrivateServer> m_server;
  std::string m_database;
  std::optional<MemoryGuard> m_guard;
  bool m_kept = false;
};

/// Can the account reach the directory at all? PostgreSQL's own message does not say which parent is closed.
Result<void> is_open_to(const Account& account, const fs::path& directory) {
  if (::geteuid() != 0) return {};
  fs::path path;
  for (const fs::path& part : fs::absolute(directory)) {
    path /= part;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return cannot("read", path);
    const mode_t bit = status.st_uid == account.uid   ? S_IXUSR
                       : status.st_gid == account.gid ? S_IXGRP
                                                      : S_IXOTH;
    if ((status.st_mode & bit) != 0) continue;
    return failed(
        FailureKind::environment,
        fmt::format("cannot run a server below '{}': it is closed to account '{}', which servers run as",
                    path.string(), account.name),
        "set LOCKKEEPER_STORE to a directory that the account can reach, for example /var/cache/lockkeeper");
  }
  return {};
}

record::ServerInfo describe(const PrivateOptions& options) {
  record::ServerInfo info;
  info.engine = "postgres";
  info.version = options.binaries.version;
  info.binaries = options.binaries.directory.string();
  info.settings = server_settings(Purpose::rehearse, options.binaries.major);
  return info;
}

class PrivateEngine : public Engine {
 public:
  explicit PrivateEngine(PrivateOptions options)
      : m_options(std::move(options)),
        m_info(describe(m_options)),
        m_tools(std::make_shared<ToolBox>(m_options.binaries.directory)) {}

  std::string fingerprint() const override {
    utsname machine{};
    ::uname(&machine);
    std::string text = fmt::format("postgres {} {} {}", m_info.version, m_info.binaries, machine.machine);
    for (const auto& [name, value] : m_info.settings) text += fmt::format(" {}={}", name, value);
    return text;
  }
  std::vector<record::StopKind> stops() const override {
    using enum record::StopKind;
    return {session_ended, ended_inside, lock_timeout, statement_timeout, server_killed};
  }
  bool images_are_directories() const override { return true; }
  const record::ServerInfo& server() const override { return m_info; }

  Result<Image> make_empty(const fs::path& directory, const std::string& database) override {
    auto place = InstanceDirectory::create(m_options, has_memory_for(k_little_load), ++m_instances);
    if (!place) return failed(place);
    const fs::path data = place->place().data;
    if (const auto made = initialise_cluster(m_options.binaries, m_options.account, data); !made)
      return failed(made);
    // Without the database, which whoever restores it finds missing and makes: a start less.
    return place->move_data(directory, database);
  }

  Result<std::unique_ptr<Instance>> restore(const Image& image, const std::string& database,
                                            Purpose purpose) override {
    const bool in_memory = purpose == Purpose::rehearse      ? fits_in_memory(image)
                           : purpose == Purpose::load_little ? has_memory_for(k_little_load)
                                                             : false;
    auto place = InstanceDirectory::create(m_options, in_memory, ++m_instances);
    if (!place) return failed(place);
    const fs::path data = place->place().data;
    if (const auto copied = copy_stored_tree(image.directory, data, owner(m_options.account)); !copied) {
      return failed(copied);
    }
    return open(std::move(*place), database, purpose);
  }

  /// A large one is not copied a second time only to save the time of a chain.
  bool has_room_beside(const Image& image) const override {
    if (std::thread::hardware_concurrency() < 2) return false;
    const auto size = stored_tree_size(image.directory);
    if (!size || *size > k_largest_beside) return false;
    return fits_in_memory(image) || free_space(m_options.run_directory) >= 8 * *size + k_disk_reserve;
  }

  Result<void> discard(const Image& image) override { return remove_tree(image.directory); }

 private:
  Result<std::unique_ptr<Instance>> open(InstanceDirectory directory, const std::string& database,
                                         Purpose purpose) {
    auto server =
        PrivateServer::start(m_options.binaries, m_options.account, directory.place(), purpose, database);
    if (!server) return failed(server);
    record::ServerInfo info = m_info;
    info.settings = server_settings(purpose, m_options.binaries.major);
    auto session = (*server)->take_session();
    const bool guarded = directory.in_memory() && purpose != Purpose::rehearse;
    auto instance = std::make_unique<PrivateInstance>(
        m_options, m_tools, std::move(info), std::move(directory), std::move(*server), database, guarded);
    if (purpose == Purpose::rehearse) instance->open_ahead(std::move(session));
    return instance;
  }

  /// A memory disk makes a thousand small files several times as fast as ext4 does. Room is left for a
  /// rehearsal that rewrites everything several times over, and for the servers themselves.
  bool fits_in_memory(const Image& image) const {
    const auto size = stored_tree_size(image.directory);
    return size && has_memory_for(4 * *size);
  }

  bool has_memory_for(std::uint64_t bytes) const {
    if (m_options.memory_directory.empty()) return false;
    const std::uint64_t room = bytes + k_memory_reserve;
    return free_space(m_options.memory_directory) >= room && available_memory() >= 2 * room;
  }

  PrivateOptions m_options;
  record::ServerInfo m_info;
  std::shared_ptr<ToolBox> m_tools;
  std::atomic<int> m_instances{0};
};

}  // namespace

Result<std::unique_ptr<Engine>> private_servers(PrivateOptions options) {
  if (const auto open = is_open_to(options.account, options.run_directory); !open) return failed(open);
  return std::make_unique<PrivateEngine>(std::move(options));
}

}  // namespace lockkeeper::engine::postgres
