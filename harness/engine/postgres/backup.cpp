#include "engine/postgres/backup.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/decompress.h"
#include "engine/postgres/client_tools.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/untie.h"
#include "engine/tool_process.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;
using record::BackupForm;
using record::ToolRun;

constexpr std::size_t k_most_said = 5;
constexpr std::string_view k_sql_mark = "PostgreSQL database dump";

/// What a file turns out to be, whoever made it.
enum class BackupKind { archive, sql, unknown };

BackupKind kind_of_backup(const fs::path& path) {
  std::error_code error;
  const fs::path file = fs::is_directory(path, error) ? path / "toc.dat" : path;
  const auto head = head_of(file, 4096);
  if (!head) return BackupKind::unknown;
  if (head->starts_with(k_archive_mark) || is_tar_dump(*head)) return BackupKind::archive;
  return head->find(k_sql_mark) != std::string::npos ? BackupKind::sql : BackupKind::unknown;
}

/// What feeds a client with a file that it cannot read by itself; none where it can.
Result<std::unique_ptr<FileStream>> unpacked(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return std::unique_ptr<FileStream>();
  auto stream = FileStream::open(path);
  if (!stream || !(*stream)->compressed()) return std::unique_ptr<FileStream>();
  return stream;
}

/// As a person would type it: no directories of ours, no connection string.
std::string as_typed(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  for (const std::string& word : argv) {
    const auto slash = word.rfind('/');
    words.push_back(slash == std::string::npos ? word : word.substr(slash + 1));
  }
  return join(words, " ");
}

/// What a client is given beside its arguments, and what it gives.
struct ClientStreams {
  FileStream* input = nullptr;
  std::string* output = nullptr;
  std::chrono::milliseconds deadline{0};
  Leftovers leftovers = Leftovers::await;
};

Result<ToolRun> run_client(const BackupPlace& place, std::vector<std::string> argv, std::string text,
                           std::optional<std::uint64_t> room, const ClientStreams& streams = {}) {
  const auto environment = as_environment(place.connection);
  if (!environment) return failed(environment);
  Command command = client_command(*environment, std::move(argv));
  command.environment["PGOPTIONS"] = parameter_of(place.connection, "options");
  command.environment["PGAPPNAME"] = "lockkeeper backup";
  command.environment["PGCLIENTENCODING"] = "UTF8";
  command.run_as = place.run_as;
  if (command.argv.front() != "sh") command.directory = "/";
  command.file_limit = room;
  const auto start = std::chrono::steady_clock::now();
  RunOptions options;
  options.deadline = streams.deadline;
  options.leftovers = streams.leftovers;
  if (streams.input != nullptr)
    options.input = [&](char* buffer, std::size_t size) { return streams.input->read(buffer, size); };
  auto finished = lockkeeper::run(command, options);
  ToolRun run;
  run.command = std::move(text);
  const bool out_of_time =
      !finished && finished.error().kind == FailureKind::environment && streams.deadline.count() > 0;
  if (out_of_time || (!finished && streams.input != nullptr && finished.error().kind == FailureKind::usage)) {
    // It did not end, or what is fed to it cannot be unpacked to its end.
    run.duration = std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
    run.failed = true;
    run.errors = 1;
    run.status = "ended by us";
    run.said = {abridged(finished.error().message, 400)};
    return run;
  }
  if (!finished) return failed(finished);
  run.duration = std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  run.status = finished->status();
  run.failed = !finished->ok();
  std::vector<std::string> errors = client_errors(finished->errors);
  run.errors = static_cast<std::int64_t>(errors.size());
  // pg_restore ends with 1 where it ignored errors that only another version's dump has.
  if (errors.empty() && finished->exit_code == 1 &&
      finished->errors.find("errors ignored on restore") != std::string::npos)
    run.failed = false;
  if (errors.empty() && run.failed) errors.push_back(trimmed(finished->errors));
  if (errors.size() > k_most_said) errors.resize(k_most_said);
  for (std::string& error : errors) {
    if (!error.empty()) run.said.push_back(abridged(error, 400));
  }
  if (streams.output != nullptr) *streams.output = std::move(finished->output);
  return run;
}

/// What a command of the scenario's may hold in braces.
Result<std::string> with_database(const BackupPlace& place, const std::string& command,
                                  const std::string& file) {
  const auto environment = as_environment(place.connection);
  if (!environment) return failed(environment);
  const auto value = [&](const char* name) {
    const auto found = environment->find(name);
    return shell_word(found == environment->end() ? std::string() : found->second);
  };
  // The password stays in the environment: a command line shows it.
  return with_places(command, {{"{file}", shell_word(file)},
                               {"{host}", value("PGHOST")},
                               {"{port}", value("PGPORT")},
                               {"{user}", value("PGUSER")},
                               {"{database}", value("PGDATABASE")}});
}

/// Where we were started, as whoever wrote it tries it; what it leaves running is ended with it.
Result<ToolRun> run_own(const BackupPlace& place, const std::string& command, const BackupRequest& request) {
  auto line = with_database(place, command, request.path.string());
  if (!line) return failed(line);
  const auto text = with_database(place, command, request.path.filename().string());
  if (!text) return failed(text);
  ClientStreams streams;
  streams.deadline = request.deadline;
  streams.leftovers = Leftovers::end;
  return run_client(place, {"sh", "-c", *line}, *text, request.room, streams);
}

std::string database_argument(const std::string& connection) {
  return conninfo({{"dbname", parameter_of(connection, "dbname")}});
}

tl::unexpected<Failure> no_program(std::string_view name) {
  return failed(FailureKind::environment, fmt::format("no program '{}' was found", name),
                "install postgresql-client");
}

/// The server's own account writes what its clients make.
Result<void> hand_over(const BackupPlace& place, const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return cannot("make", directory, error.value());
  if (!place.run_as || ::geteuid() != 0) return {};
  if (::chown(directory.c_str(), place.run_as->uid, place.run_as->gid) != 0)
    return cannot("hand over", directory);
  return {};
}

std::string_view format_of(BackupForm form) {
  return form == BackupForm::plain ? "plain" : form == BackupForm::directory ? "directory" : "custom";
}

/// Another database takes the place of this one, with what CREATE DATABASE can give it.
Result<void> renew_database(const std::string& connection) {
  const std::string name = parameter_of(connection, "dbname");
  // Any database will do to stand in meanwhile; "postgres" may have been dropped.
  Result<Connection> opened = failed(FailureKind::environment, "no database to stand in");
  for (const char* other : {"postgres", "template1"}) {
    const auto elsewhere = with_parameter(connection, "dbname", other);
    if (!elsewhere) return failed(elsewhere);
    opened = Connection::open(*elsewhere);
    if (opened) break;
  }
  if (!opened) return failed(opened);
  const auto comment = opened->rows(
      "SELECT shobj_description(oid, 'pg_database'), pg_encoding_to_char(encoding), datcollate, datctype, "
      "current_setting('server_version_num')::int FROM pg_database WHERE datname = $1",
      {name});
  if (!comment) return failed(comment);
  const std::string quoted = opened->quoted_name(name);
  const std::string drop = fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted);
  if (!opened->run_to_end(drop)) {
    untie_database(connection);
    const auto dropped = opened->rows(drop);
    if (!dropped) return failed(dropped);
  }
  std::string create = fmt::format("CREATE DATABASE {} TEMPLATE template0", quoted);
  if (!comment->empty()) {
    const auto& row = comment->front();
    create += fmt::format(" ENCODING {} LC_COLLATE {} LC_CTYPE {}", opened->quoted_text(row[1].value_or("")),
                          opened->quoted_text(row[2].value_or("")), opened->quoted_text(row[3].value_or("")));
  }
  const auto created = opened->rows(create);
  if (!created) return failed(created);
  if (comment->empty() || !comment->front()[0]) return {};
  const auto said = opened->rows(
      fmt::format("COMMENT ON DATABASE {} IS {}", quoted, opened->quoted_text(*comment->front()[0])));
  return said ? Result<void>() : failed(said);
}

/// Ends whatever is connected to the database when the time has come.
class Cutter {
 public:
  Cutter(const std::string& connection, std::chrono::microseconds after)
      : m_thread([this, connection, after](const std::stop_token& stop) {
          std::mutex alone;
          std::unique_lock lock(alone);
          std::condition_variable_any().wait_for(lock, stop, after, [] { return false; });
          if (stop.stop_requested()) return;
          const auto elsewhere = with_parameter(connection, "dbname", "postgres");
          auto session = elsewhere ? Connection::open(*elsewhere) : failed(elsewhere);
          if (!session) return;
          const auto ended = session->rows(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> "
              "pg_backend_pid() AND backend_type = 'client backend'",
              {parameter_of(connection, "dbname")});
          m_cut = ended && !ended->empty();
        }) {}
  bool cut() {
    m_thread.request_stop();
    m_thread.join();
    return m_cut;
  }

 private:
  std::atomic<bool> m_cut{false};
  std::jthread m_thread;
};

/// "public.users" as a list of pg_restore's has it: TABLE DATA public users postgres
std::string listed_as(const std::string& table) {
  std::string text;
  bool quoting = false;
  for (const char c : table) {
    if (c == '"')
      quoting = !quoting;
    else
      text += c == '.' && !quoting ? ' ' : c;
  }
  return text;
}

/// Calls `take` with the beginning of each line; false where the file cannot be read to its end.
bool each_line(const fs::path& path, const std::function<void(std::string_view)>& take) {
  constexpr std::size_t k_longest = 2000;
  auto stream = FileStream::open(path);
  if (!stream) return false;
  std::vector<char> buffer(1U << 18);
  std::string line;
  while (true) {
    const auto got = (*stream)->read(buffer.data(), buffer.size());
    if (!got) return false;
    if (*got == 0) break;
    for (std::string_view rest(buffer.data(), *got); !rest.empty();) {
      const std::size_t end = rest.find('\n');
      const std::string_view piece = rest.substr(0, end);
      line.append(piece.substr(0, k_longest - std::min(k_longest, line.size())));
      if (end == std::string_view::npos) break;
      take(line);
      line.clear();
      rest.remove_prefix(end + 1);
    }
  }
  take(line);
  return true;
}

/// By its comments, its COPY lines, and the last line, without which it is cut off.
BackupContents contents_of_sql(const fs::path& path, const std::vector<std::string>& tables) {
  BackupContents contents;
  contents.run.command = fmt::format("tail {}", path.filename().string());
  contents.run.status = "read";
  contents.unlisted = tables;
  bool complete = false;
  const bool read = each_line(path, [&](std::string_view line) {
    if (line.starts_with("-- Name: ") || line.starts_with("-- Data for Name: ")) ++contents.entries;
    complete = complete || line == "-- PostgreSQL database dump complete";
    if (!line.starts_with("COPY ") && !line.starts_with("INSERT INTO ")) return;
    std::erase_if(contents.unlisted, [&](const std::string& table) {
      return line.find(" " + table + " ") != std::string_view::npos;
    });
  });
  if (read && complete) return contents;
  contents.run.failed = true;
  contents.run.errors = 1;
  contents.run.said = {read ? "its last line 'PostgreSQL database dump complete' is missing: it is cut off"
                            : "it cannot be unpacked to its end"};
  return contents;
}

}  // namespace

Result<std::uint64_t> database_size(const std::string& connection) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  const auto rows = session->rows("SELECT pg_database_size(current_database())");
  if (!rows) return failed(rows);
  return std::strtoull(rows->front()[0].value_or("0").c_str(), nullptr, 10);
}

Result<ToolRun> back_up(const BackupPlace& place, const BackupRequest& request) {
  if (const auto ours = hand_over(place, request.path.parent_path()); !ours) return failed(ours);
  if (request.form == BackupForm::command) return run_own(place, request.command, request);
  if (place.tools->pg_dump.empty()) return no_program("pg_dump");
  const std::string database = parameter_of(place.connection, "dbname");
  std::vector<std::string> argv = {place.tools->pg_dump.string(), "-w",
                                   fmt::format("--format={}", format_of(request.form))};
  if (request.compress) argv.push_back(fmt::format("--compress={}", *request.compress));
  if (request.form == BackupForm::directory) argv.push_back(fmt::format("--jobs={}", request.jobs));
  std::vector<std::string> words = argv;
  argv.push_back("--file=" + request.path.string());
  words.push_back("--file=" + request.path.filename().string());
  argv.push_back("--dbname=" + database_argument(place.connection));
  words.push_back(database);
  std::erase(words, "-w");
  auto run = run_client(place, std::move(argv), as_typed(words), request.room);
  // That is no fault of the backup's, but of this machine's.
  if (run && !run->said.empty() && run->said.front().find("server version mismatch") != std::string::npos)
    return failed(FailureKind::environment,
                  fmt::format("pg_dump cannot back this server up: {}", run->said.front()),
                  "install the client tools of the server's version (Debian: postgresql-client-<version>)");
  return run;
}

Result<BackupContents> look_into(const BackupPlace& place, const BackupRequest& request,
                                 const std::vector<std::string>& tables) {
  const BackupKind kind = kind_of_backup(request.path);
  if (kind == BackupKind::sql) return contents_of_sql(request.path, tables);
  BackupContents contents;
  // What only the scenario's own command can read is proved by bringing it back.
  if (kind == BackupKind::unknown && request.form == BackupForm::command && !request.restore.empty())
    return contents;
  if (place.tools->pg_restore.empty()) return no_program("pg_restore");
  std::string output;
  auto packed = unpacked(request.path);
  if (!packed) return failed(packed);
  std::vector<std::string> argv = {place.tools->pg_restore.string(), "--list"};
  if (!*packed) argv.push_back(request.path.string());
  auto run = run_client(place, std::move(argv),
                        fmt::format("pg_restore --list {}", request.path.filename().string()), std::nullopt,
                        {packed->get(), &output});
  if (!run) return failed(run);
  contents.run = std::move(*run);
  std::vector<std::string> lines;
  for (const std::string& line : split(output, '\n')) {
    if (line.empty() || line.front() == ';') continue;
    ++contents.entries;
    if (line.find(" TABLE DATA ") != std::string::npos) lines.push_back(line + " ");
  }
  for (const std::string& table : tables) {
    const std::string wanted = " TABLE DATA " + listed_as(table) + " ";
    const bool there = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(wanted) != std::string::npos;
    });
    if (!there && !contents.run.failed) contents.unlisted.push_back(table);
  }
  return contents;
}

Result<ToolRun> bring_back(const BackupPlace& place, const RestoreRequest& request) {
  const BackupRequest& backup = request.backup;
  if (request.fresh) {
    if (const auto renewed = renew_database(place.connection); !renewed) return failed(renewed);
  }
  std::optional<Cutter> cutter;
  if (request.cut_after) cutter.emplace(place.connection, *request.cut_after);
  const auto run = [&]() -> Result<ToolRun> {
    if (backup.form == BackupForm::command && !backup.restore.empty()) {
      BackupRequest unlimited = backup;
      unlimited.room.reset();
      return run_own(place, backup.restore, unlimited);
    }
    const std::string database = parameter_of(place.connection, "dbname");
    const std::string file = backup.path.filename().string();
    auto packed = unpacked(backup.path);
    if (!packed) return failed(packed);
    const ClientStreams streams{packed->get(), nullptr};
    if (kind_of_backup(backup.path) == BackupKind::archive) {
      if (place.tools->pg_restore.empty()) return no_program("pg_restore");
      std::vector<std::string> argv = {place.tools->pg_restore.string(), "-w"};
      if (!request.fresh) argv.insert(argv.end(), {"--clean", "--if-exists"});
      if (backup.form == BackupForm::directory) argv.push_back(fmt::format("--jobs={}", backup.jobs));
      std::vector<std::string> words = argv;
      std::erase(words, "-w");
      words.insert(words.end(), {"--dbname=" + database, file});
      argv.push_back("--dbname=" + database_argument(place.connection));
      if (!*packed) argv.push_back(backup.path.string());
      return run_client(place, std::move(argv), as_typed(words), std::nullopt, streams);
    }
    if (place.tools->psql.empty()) return no_program("psql");
    std::vector<std::string> argv = {place.tools->psql.string(), "-X", "-w", "-q", "-o", "/dev/null"};
    if (request.fresh) argv.insert(argv.end(), {"-v", "ON_ERROR_STOP=1"});
    argv.insert(argv.end(),
                {"-f", *packed ? "-" : backup.path.string(), database_argument(place.connection)});
    return run_client(
        place, std::move(argv),
        fmt::format("psql{} -f {} {}", request.fresh ? " -v ON_ERROR_STOP=1" : "", file, database),
        std::nullopt, streams);
  };
  auto done = run();
  if (cutter && !cutter->cut() && done) done->status = "not cut: " + done->status;
  return done;
}

}  // namespace lockkeeper::engine::postgres
