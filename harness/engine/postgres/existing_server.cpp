#include <algorithm>
#include <charconv>
#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <regex>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/copy_database.h"
#include "engine/postgres/instance.h"
#include "engine/postgres/untie.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr const char* k_comment_prefix = "lockkeeper run on ";

/// Which kernel and which numbering of processes: two containers on one machine count processes apart.
std::string this_machine() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::error_code error;
  return boot + " " + std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
}

/// When a process started, in clock ticks since boot (proc(5), field 22 of stat); empty where there is none.
/// The name in field 2 may hold anything, so fields are counted from its last parenthesis.
std::string start_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  const std::vector<std::string> fields = split(line.substr(name_end + 2), ' ');
  return fields.size() > 19 ? fields[19] : std::string();
}

/// What the comment of a database of ours says.
std::string own_comment() {
  return fmt::format("{}{} process {} started {}", k_comment_prefix, this_machine(), ::getpid(),
                     start_of(::getpid()));
}

/// Is it the comment of a run on this machine that is no more?
bool is_of_dead_run(const std::string& comment) {
  const std::string here = k_comment_prefix + this_machine() + " process ";
  if (!comment.starts_with(here)) return false;
  static const std::regex pattern("([0-9]+) started ([0-9]+)");
  std::smatch match;
  const std::string rest = comment.substr(here.size());
  if (!std::regex_match(rest, match, pattern)) return false;
  pid_t pid = 0;
  const std::string number = match[1];
  if (std::from_chars(number.data(), number.data() + number.size(), pid).ec != std::errc()) return false;
  return start_of(pid) != match[2];
}

std::string random_word() {
  std::random_device device;
  return fmt::format("{:08x}", device() & 0xffffffffU);
}

tl::unexpected<Failure> cannot(const std::string& what, const Connection::Answered& answered) {
  std::string hint;
  if (answered.sqlstate == "42501") hint = "give the role CREATEDB: ALTER ROLE … CREATEDB";
  if (answered.sqlstate == "53100") hint = "the server's disk is full";
  if (answered.sqlstate == "55006") {
    hint =
        "end in each migration what it begins: a prepared transaction keeps its database from being copied";
  }
  std::string cause = answered.message;
  if (!answered.detail.empty()) cause += " (" + answered.detail + ")";
  return failed(FailureKind::environment, fmt::format("cannot {} on the server: {}", what, cause), hint);
}

/// The databases that this run made on the server; dropped when the last of its users is gone. Instances of
/// several threads share it.
class Databases {
 public:
  Databases(std::string url, Connection session) : m_url(std::move(url)), m_session(std::move(session)) {}
  Databases(const Databases&) = delete;
  Databases& operator=(const Databases&) = delete;
  ~Databases() {
    for (const std::string& name : m_made) drop_now(name);
  }

  Result<std::string> create(const std::string& pattern) {
    const std::lock_guard lock(m_mutex);
    const std::string name = fmt::format("lockkeeper_{}_{}", m_run, ++m_number);
    const std::string quoted = m_session.quoted_name(name);
    const std::string encoding = pattern == "template0" ? " ENCODING 'UTF8'" : "";
    m_made.insert(name);  // before it is there: whatever happens now, it is dropped
    auto made = m_session.ask(
        fmt::format("CREATE DATABASE {} TEMPLATE {}{}", quoted, m_session.quoted_name(pattern), encoding));
    if (!made) return failed(made);
    if (!made->sqlstate.empty()) {
      m_made.erase(name);
      return cannot(fmt::format("create database '{}'", name), *made);
    }
    const auto said = m_session.ask(
        fmt::format("COMMENT ON DATABASE {} IS {}", quoted, m_session.quoted_text(own_comment())));
    if (!said) return failed(said);
    if (!said->sqlstate.empty()) return cannot(fmt::format("mark database '{}'", name), *said);
    return name;
  }

  /// The same of one of ours, with the settings that it has.
  Result<std::string> create_copy(const std::string& original) {
    auto name = create(original);
    if (!name) return name;
    const std::lock_guard lock(m_mutex);
    if (const auto set = copy_settings(m_session, original, *name); !set) return failed(set);
    return name;
  }

  /// Ends what sessions there are in a database of ours, so that it can be a template.
  Result<void> end_sessions(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    const auto ended = m_session.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> "
        "pg_backend_pid()",
        {name});
    if (!ended) return failed(ended);
    return {};
  }

  Result<void> drop(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    if (m_made.count(name) == 0) {
      return failed(FailureKind::environment,
                    fmt::format("cannot drop database '{}': it is not of this run", name));
    }
    if (!drop_now(name))
      return failed(FailureKind::environment, fmt::format("cannot drop database '{}'", name));
    m_made.erase(name);
    return {};
  }

  void keep(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    m_session.run_to_end(
        fmt::format("COMMENT ON DATABASE {} IS 'kept by lockkeeper --keep'", m_session.quoted_name(name)));
    m_made.erase(name);
  }

  /// Drops what dead runs of this machine left: by our name, with our comment, and nothing else.
  void sweep() {
    const auto found = m_session.rows(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname ~ '^lockkeeper_[0-9a-f]{8}_[0-9]+$' AND pg_has_role(datdba, 'USAGE')");
    if (!found) return;
    for (const Connection::Row& row : *found) {
      if (row[0] && row[1] && is_of_dead_run(*row[1])) drop_now(*row[0]);
    }
  }

  Result<std::string> connection(const std::string& name) const {
    return with_parameter(m_url, "dbname", name);
  }

 private:
  bool drop_now(const std::string& name) {
    const std::string drop =
        fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", m_session.quoted_name(name));
    if (m_session.run_to_end(drop)) return true;
    // The session may have been ended by a migration, or left busy by a signal: a new one, once.
    if (auto again = Connection::open(m_url)) m_session = std::move(*again);
    if (m_session.run_to_end(drop)) return true;
    // A database that is named in DROP DATABASE is one of ours, so nothing of anybody else's goes with this.
    m_session.run_to_end(fmt::format("ALTER DATABASE {} WITH IS_TEMPLATE false ALLOW_CONNECTIONS true",
                                     m_session.quoted_name(name)));
    if (const auto inside = connection(name)) untie_database(*inside);
    return m_session.run_to_end(drop);
  }

  std::string m_url;
  Connection m_session;
  std::string m_run = random_word();
  int m_number = 0;
  std::set<std::string> m_made;
  std::mutex m_mutex;
};

class ExistingInstance : public DatabaseInstance {
 public:
  ExistingInstance(std::shared_ptr<Databases> databases, std::string name, record::ServerInfo info,
                   const std::string& connection, std::shared_ptr<ToolBox> tools,
                   std::filesystem::path run_directory)
      : DatabaseInstance(std::move(info), connection, tools, std::nullopt, run_directory),
        m_tools(std::move(tools)),
        m_run_directory(std::move(run_directory)),
        m_databases(std::move(databases)),
        m_name(std::move(name)) {}
  ExistingInstance(const ExistingInstance&) = delete;
  ExistingInstance& operator=(const ExistingInstance&) = delete;
  ~ExistingInstance() override {
    close_sessions();
    // Where it fails, the last user of the databases tries again.
    if (!m_name.empty()) static_cast<void>(m_databases->drop(m_name));
  }

  Result<Image> save(const std::filesystem::path&) override {
    close_sessions();
    if (const auto ended = m_databases->end_sessions(m_name); !ended) return failed(ended);
    return Image{{}, std::exchange(m_name, {})};
  }

  Result<std::unique_ptr<Instance>> copy_beside() override {
    close_sessions();
    if (const auto ended = m_databases->end_sessions(m_name); !ended) return failed(ended);
    auto name = m_databases->create_copy(m_name);
    if (!name) return failed(name);
    const auto connection = m_databases->connection(*name);
    if (!connection) return failed(connection);
    return std::make_unique<ExistingInstance>(m_databases, std::move(*name), server(), *connection, m_tools,
                                              m_run_directory);
  }

  Result<std::string> keep() override {
    close_sessions();
    m_databases->keep(m_name);
    std::vector<std::pair<std::string, std::string>> parameters;
    for (const char* keyword : {"host", "port", "user"}) {
      const std::string value = parameter_of(connection(), keyword);
      if (!value.empty()) parameters.emplace_back(keyword, value);
    }
    parameters.emplace_back("dbname", std::exchange(m_name, {}));
    return "psql \"" + conninfo(parameters) + "\"";
  }

 private:
  std::shared_ptr<ToolBox> m_tools;
  std::filesystem::path m_run_directory;
  std::shared_ptr<Databases> m_databases;
  std::string m_name;
};

/// The settings that a reader of the record wants to know of a server that we did not start.
Result<record::ServerInfo> describe(Connection& session) {
  record::ServerInfo info;
  info.engine = "postgres";
  const int version = session.server_version();
  info.version = fmt::format("{}.{}", version / 10000, version % 10000);
  info.binaries = "existing server";
  const auto settings = session.rows(
      "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('autovacuum', 'fsync', "
      "'full_page_writes', "
      "'jit', 'lc_collate', 'maintenance_work_mem', 'max_connections', 'max_wal_size', 'server_encoding', "
      "'shared_buffers', 'synchronous_commit', 'TimeZone', 'wal_level', 'work_mem')");
  if (!settings) return failed(settings);
  for (const Connection::Row& row : *settings) info.settings[row[0].value_or("")] = row[1].value_or("");
  return info;
}

class ExistingEngine : public Engine {
 public:
  ExistingEngine(std::shared_ptr<Databases> databases, record::ServerInfo info,
                 std::filesystem::path run_directory)
      : m_databases(std::move(databases)),
        m_info(std::move(info)),
        m_tools(std::make_shared<ToolBox>("")),
        m_run_directory(std::move(run_directory)) {}

  std::string fingerprint() const override {
    std::string text = "existing postgres " + m_info.version;
    for (const auto& [name, value] : m_info.settings) text += fmt::format(" {}={}", name, value);
    return text;
  }
  std::vector<record::StopKind> stops() const override {
    using enum record::StopKind;
    return {session_ended, ended_inside, lock_timeout, statement_timeout};
  }
  bool images_are_directories() const override { return false; }
  const record::ServerInfo& server() const override { return m_info; }

  Result<Image> make_empty(const std::filesystem::path&, const std::string&) override {
    auto name = m_databases->create("template0");
    if (!name) return failed(name);
    return Image{{}, std::move(*name)};
  }

  Result<std::unique_ptr<Instance>> restore(const Image& image, const std::string&, Purpose) override {
    auto name = m_databases->create(image.database);
    if (!name) return failed(name);
    const auto connection = m_databases->connection(*name);
    if (!connection) return failed(connection);
    return std::make_unique<ExistingInstance>(m_databases, std::move(*name), m_info, *connection, m_tools,
                                              m_run_directory);
  }

  /// Roles are the whole server's: two copies of a migration that makes one would meet.
  bool has_room_beside(const Image&) const override { return false; }

  Result<void> discard(const Image& image) override { return m_databases->drop(image.database); }

 private:
  std::shared_ptr<Databases> m_databases;
  record::ServerInfo m_info;
  std::shared_ptr<ToolBox> m_tools;
  std::filesystem::path m_run_directory;
};

/// The URL with a database to begin from, our name, and nothing of the environment that changes a session.
Result<std::string> completed(const std::string& url) {
  std::string connection = url;
  const std::vector<std::pair<const char*, const char*>> defaults = {{"dbname", "postgres"},
                                                                     {"connect_timeout", "10"},
                                                                     {"application_name", "lockkeeper"},
                                                                     {"client_encoding", "UTF8"}};
  for (const auto& [keyword, value] : defaults) {
    if (!parameter_of(connection, keyword).empty()) continue;
    auto with = with_parameter(connection, keyword, value);
    if (!with) return with;
    connection = std::move(*with);
  }
  return connection;
}

/// What to do about a server's refusal; it speaks its own language, which is mostly English.
std::string hint_for(const std::string& refusal) {
  const auto says = [&](const char* words) { return refusal.find(words) != std::string::npos; };
  if (says("no password supplied") || says("password authentication failed")) {
    return "give the password in PGPASSWORD or ~/.pgpass, or name another role in the URL";
  }
  if (says("no pg_hba.conf entry")) {
    return "let the role in from here (pg_hba.conf), or name another one in the URL";
  }
  if (says("database \"")) return "name a database to begin from in the URL: postgresql://host/DATABASE";
  return "check the URL of --server and that the server is running";
}

}  // namespace

Result<std::unique_ptr<Engine>> existing_server(const std::string& url,
                                                const std::filesystem::path& run_directory) {
  const auto connection = completed(url);
  if (!connection) return failed(connection);
  auto session = Connection::open(*connection);
  if (!session) {
    session.error().hint = hint_for(session.error().message);
    return failed(session);
  }
  if (session->server_version() < 130000) {
    return failed(FailureKind::environment, fmt::format("cannot use the server: version {} is older than 13",
                                                        session->parameter("server_version")));
  }
  const auto may =
      session->rows("SELECT rolcreatedb OR rolsuper, rolname FROM pg_roles WHERE rolname = current_user");
  if (!may) return failed(may);
  if (may->empty() || (*may)[0][0] != "t") {
    return failed(FailureKind::environment,
                  fmt::format("cannot create databases on the server: role '{}' lacks CREATEDB",
                              may->empty() ? "?" : (*may)[0][1].value_or("?")),
                  "give the role CREATEDB (ALTER ROLE … CREATEDB), or name another role in the URL");
  }
  auto info = describe(*session);
  if (!info) return failed(info);
  auto databases = std::make_shared<Databases>(*connection, std::move(*session));
  databases->sweep();
  return std::make_unique<ExistingEngine>(std::move(databases), std::move(*info), run_directory);
}

}  // namespace lockkeeper::engine::postgres
