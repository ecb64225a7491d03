#include "engine/postgres/fixture.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <regex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/decompress.h"
#include "engine/postgres/client_tools.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t k_head = 4096;
constexpr std::size_t k_tail = 4096;
constexpr const char* k_kinds =
    "a fixture is .sql, .csv (each also .gz or .zst), or a dump of pg_dump: plain, custom, directory or tar";

enum class FixtureKind { sql, csv, archive, tar, directory };

struct Detected {
  FixtureKind kind = FixtureKind::sql;
  int archive_minor = 0;  ///< the 16 of archive format 1.16
};

tl::unexpected<Failure> cannot_load(const FixtureRequest& request, const std::string& cause,
                                    const std::string& hint = {}, FailureKind kind = FailureKind::usage,
                                    int line = 0) {
  return failed(kind, fmt::format("cannot load fixture '{}': {}", request.path, cause), hint,
                line > 0 ? std::optional(Location{request.path, line, 0}) : std::nullopt);
}

std::string suffix_of(const fs::path& path) {
  const std::string last = lower(path.extension().string());
  if (last == ".gz" || last == ".zst" || last == ".zstd") return lower(path.stem().extension().string());
  return last;
}

std::string stem_of(const fs::path& path) {
  const std::string last = lower(path.extension().string());
  const bool packed = last == ".gz" || last == ".zst" || last == ".zstd";
  return packed ? path.stem().stem().string() : path.stem().string();
}

/// The magic of an archive's table of contents: "PGDMP", then major, minor and revision of the format.
int archive_minor(std::string_view toc) {
  return toc.size() > 6 && toc.starts_with(k_archive_mark) ? static_cast<unsigned char>(toc[6]) : 0;
}

Result<Detected> detect(const FixtureRequest& request) {
  const fs::path path(request.path);
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const auto toc = head_of(path / "toc.dat", k_head);
    if (!toc || !toc->starts_with(k_archive_mark))
      return cannot_load(request, "the directory holds no dump (no toc.dat)", k_kinds);
    return Detected{FixtureKind::directory, archive_minor(*toc)};
  }
  const auto head = head_of(path, k_head);
  if (!head) return failed(head);
  if (head->starts_with(k_archive_mark)) return Detected{FixtureKind::archive, archive_minor(*head)};
  if (is_tar_dump(*head))
    return Detected{FixtureKind::tar, archive_minor(std::string_view(*head).substr(512))};
  const std::string suffix = suffix_of(path);
  if (suffix == ".csv") return Detected{FixtureKind::csv};
  if (suffix == ".sql" || head->find("-- PostgreSQL database dump") != std::string::npos)
    return Detected{FixtureKind::sql};
  return cannot_load(request, fmt::format("unknown kind of file '{}'", suffix), k_kinds);
}

/// What a fixture names and the server lacks.
struct Missing {
  std::set<std::string> roles;
  std::set<std::string> extensions;
  std::set<std::string> uninstallable;

  bool any() const { return !roles.empty() || !extensions.empty() || !uninstallable.empty(); }
};

void note_missing(const std::string& message, Missing& missing) {
  static const std::regex role(R"re(role "((?:[^"]|"")+)" does not exist)re");
  static const std::regex extension(R"re(extension "((?:[^"]|"")+)" (is not available|does not exist))re");
  static const std::regex control(R"re(could not open extension control file ".*/([^/"]+)\.control")re");
  std::smatch match;
  if (std::regex_search(message, match, role)) missing.roles.insert(match[1]);
  if (std::regex_search(message, match, control)) missing.uninstallable.insert(match[1]);
  if (std::regex_search(message, match, extension)) {
    (match[2] == "does not exist" ? missing.extensions : missing.uninstallable).insert(match[1]);
  }
}

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char character : name)
    text += character == '"' ? std::string("\"\"") : std::string(1, character);
  return text + "\"";
}

std::string hint_for(const Missing& missing) {
  std::vector<std::string> statements;
  for (const std::string& role : missing.roles) statements.push_back("CREATE ROLE " + quoted(role));
  for (const std::string& name : missing.extensions) statements.push_back("CREATE EXTENSION " + quoted(name));
  std::string hint;
  if (!statements.empty()) {
    hint = "the fixture needs what the server lacks; create it in the scenario's init: " +
           join(statements, "; ");
  }
  if (!missing.uninstallable.empty()) {
    if (!hint.empty()) hint += "; ";
    const std::vector<std::string> names(missing.uninstallable.begin(), missing.uninstallable.end());
    hint += fmt::format(
        "the server has no extension {}: install its package (Debian: postgresql-<version>-<name>)",
        join(names, ", "));
  }
  return hint;
}

std::string unquoted(const std::string& name) {
  if (name.size() < 2 || name.front() != '"') return lower(name);
  return std::regex_replace(name.substr(1, name.size() - 2), std::regex("\"\""), "\"");
}

/// Roles and extensions that a line of a plain dump names.
void note_named(const std::string& line, std::set<std::string>& roles, std::set<std::string>& extensions) {
  static const std::regex role(
      R"re((?:\bOWNER TO|\bFOR ROLE|^GRANT .* TO|^REVOKE .* FROM|SESSION AUTHORIZATION|\bAUTHORIZATION) ("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*))re");
  static const std::regex extension(
      R"re(^CREATE EXTENSION (?:IF NOT EXISTS )?("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*))re");
  for (std::sregex_iterator match(line.begin(), line.end(), role), end; match != end; ++match) {
    roles.insert(unquoted((*match)[1]));
  }
  std::smatch match;
  if (std::regex_search(line, match, extension)) extensions.insert(unquoted(match[1]));
}

/// psql stops at the first missing role; a person wants all of them at once. Whatever the text seems to name
/// is held against the server's own lists before it is said.
void note_all_missing(const FixtureRequest& request, Missing& missing) {
  constexpr std::size_t k_longest_line = 2000;
  auto stream = FileStream::open(request.path);
  auto server = Connection::open(request.connection);
  if (!stream || !server) return;
  std::set<std::string> roles;
  std::set<std::string> extensions;
  std::string line;
  bool copying = false;
  std::vector<char> buffer(65536);
  while (true) {
    const auto got = (*stream)->read(buffer.data(), buffer.size());
    if (!got || *got == 0) break;
    for (const char character : std::string_view(buffer.data(), *got)) {
      if (character != '\n') {
        if (line.size() < k_longest_line) line += character;
        continue;
      }
      if (copying)
        copying = line != "\\.";
      else if (line.starts_with("COPY ") && line.ends_with("FROM stdin;"))
        copying = true;
      else
        note_named(line, roles, extensions);
      line.clear();
    }
  }
  for (const std::string& role : roles) {
    if (role == "public" || role == "current_user" || role == "session_user" || role == "current_role")
      continue;
    const auto found = server->rows("SELECT 1 FROM pg_roles WHERE rolname = $1", {role});
    if (found && found->empty()) missing.roles.insert(role);
  }
  for (const std::string& name : extensions) {
    const auto found = server->rows("SELECT 1 FROM pg_available_extensions WHERE name = $1", {name});
    if (found && found->empty()) missing.uninstallable.insert(name);
  }
}

Command command_for(const FixtureRequest& request, const std::map<std::string, std::string>& environment,
                    std::vector<std::string> argv) {
  Command command = client_command(environment, std::move(argv));
  command.environment["PGOPTIONS"] =
      trimmed(parameter_of(request.connection, "options") + " " + scale_option(request.scale));
  command.environment["PGAPPNAME"] = "lockkeeper fixture";
  command.environment["PGCLIENTENCODING"] = "UTF8";
  return command;
}

/// Watches what psql says while it runs, and what is fed to it.
class PsqlRun {
 public:
  PsqlRun(const FixtureRequest& request, FileStream& stream) : m_request(request), m_stream(stream) {}

  struct Error {
    int line = 0;
    std::string severity;
    std::string message;
    std::string detail;
  };

  Result<std::size_t> feed(char* buffer, std::size_t size) {
    if (m_error) return 0;  // what comes after the first error only confuses
    auto got = m_stream.read(buffer, size);
    if (!got) return got;
    const std::string_view bytes(buffer, *got);
    if (m_head.size() < k_head) m_head.append(bytes.substr(0, k_head - m_head.size()));
    m_tail.append(bytes.substr(bytes.size() - std::min(bytes.size(), k_tail)));
    if (m_tail.size() > k_tail) m_tail.erase(0, m_tail.size() - k_tail);
    if (const auto allowed = look_for_connect(bytes); !allowed) return failed(allowed);
    return got;
  }

  void watch(std::string_view errors) {
    for (const char character : errors) {
      if (character != '\n') {
        m_line += character;
        continue;
      }
      take_line(m_line);
      m_line.clear();
    }
  }

  const std::optional<Error>& error() const { return m_error; }

  /// A plain dump that begins as one and does not end as one: psql takes the end of the file for the end of
  /// COPY's data and says nothing.
  bool cut_off() const {
    return m_head.find("-- PostgreSQL database dump\n") != std::string::npos &&
           m_tail.find("-- PostgreSQL database dump complete") == std::string::npos;
  }

 private:
  void take_line(const std::string& line) {
    static const std::regex pattern(R"re(^psql:<stdin>:(\d+): (ERROR|FATAL|PANIC|error): +(.*)$)re");
    std::smatch match;
    if (std::regex_match(line, match, pattern)) {
      m_detail_follows = !m_error && !is_harmless(match[3]);
      if (!m_detail_follows) return;
      m_error = Error{std::stoi(match[1]), match[2], match[3], {}};
    } else if (m_detail_follows && line.starts_with("DETAIL:")) {
      m_error->detail = trimmed(line.substr(7));
    } else if (line.starts_with("psql: error:") && !m_error) {
      m_error = Error{0, "error", trimmed(line.substr(12)), {}};
    }
  }

  /// \connect would leave the database that is ours to fill.
  Result<void> look_for_connect(std::string_view bytes) {
    for (const char character : bytes) {
      if (character == '\n') {
        ++m_fed_lines;
        if (is_connect(m_beginning)) {
          return cannot_load(m_request, "'\\connect' leaves the database that is filled",
                             "dump one database (pg_dump without --create, not pg_dumpall)",
                             FailureKind::usage, m_fed_lines);
        }
        m_beginning.clear();
      } else if (m_beginning.size() < 10) {
        m_beginning += character;
      }
    }
    return {};
  }

  static bool is_connect(const std::string& line) {
    return line.starts_with("\\connect ") || line == "\\connect" || line.starts_with("\\c ");
  }

  const FixtureRequest& m_request;
  FileStream& m_stream;
  std::string m_head;
  std::string m_tail;
  std::string m_line;
  std::string m_beginning;
  int m_fed_lines = 0;
  bool m_detail_follows = false;
  std::optional<Error> m_error;
};

bool is_lost_server(const std::string& message) {
  for (const char* sign :
       {"No space left on device", "server closed the connection", "terminating connection",
        "connection to server", "could not connect", "the database system is"}) {
    if (message.find(sign) != std::string::npos) return true;
  }
  return false;
}

tl::unexpected<Failure> psql_failure(const FixtureRequest& request, const PsqlRun::Error& error) {
  Missing missing;
  note_missing(error.message, missing);
  if (missing.any()) note_all_missing(request, missing);
  std::string cause = error.message;
  if (!error.detail.empty()) cause += " (" + error.detail + ")";
  const FailureKind kind = is_lost_server(error.message) ? FailureKind::environment : FailureKind::usage;
  return cannot_load(request, cause, hint_for(missing), kind, error.line);
}

Result<void> load_sql(const Tools& tools, const FixtureRequest& request) {
  if (tools.psql.empty()) {
    return cannot_load(request, "no program 'psql' was found", "install postgresql-client",
                       FailureKind::environment);
  }
  auto stream = FileStream::open(request.path);
  if (!stream) return failed(stream);
  const auto environment = as_environment(request.connection);
  if (!environment) return failed(environment);
  PsqlRun watching(request, **stream);
  RunOptions options;
  options.input = [&](char* buffer, std::size_t size) { return watching.feed(buffer, size); };
  options.watch_errors = [&](std::string_view errors) { watching.watch(errors); };
  options.output_limit = 64UL * 1024;
  // Errors are judged here, one by one, since a newer dump's harmless ones must not stop it (no
  // ON_ERROR_STOP).
  Command command = command_for(request, *environment,
                                {tools.psql.string(), "-X", "-q", "-w", "-A", "-t", "-o", "/dev/null", "-v",
                                 "VERBOSITY=default", "-f", "-"});
  command.directory = fs::absolute(request.path).parent_path();  // \ir and \i stand relative to the file
  command.run_as = request.run_as;
  const auto finished = run(command, options);
  if (!finished) return failed(finished);
  watching.watch("\n");
  if (watching.error()) return psql_failure(request, *watching.error());
  if (!finished->ok()) {
    return cannot_load(
        request, fmt::format("psql: {}: {}", finished->status(), abridged(trimmed(finished->errors), 400)),
        {}, FailureKind::environment);
  }
  if (watching.cut_off()) {
    return cannot_load(request,
                       "the dump is cut off: its last line 'PostgreSQL database dump complete' is missing",
                       "make the dump again");
  }
  return {};
}

/// pg_restore goes on after errors: all of them, each once, those that matter.
struct RestoreErrors {
  std::vector<std::string> messages;
  Missing missing;
};

RestoreErrors errors_of(const std::string& said) {
  RestoreErrors errors;
  errors.messages = client_errors(said);
  for (const std::string& message : errors.messages) note_missing(message, errors.missing);
  return errors;
}

/// Which release writes archive format 1.<minor>.
std::string release_of(int archive_format_minor) {
  if (archive_format_minor <= 14) return "12";
  if (archive_format_minor == 15) return "16";
  return archive_format_minor == 16 ? "17" : "a newer one";
}

tl::unexpected<Failure> restore_failure(const Tools& tools, const FixtureRequest& request,
                                        const Detected& detected, const Finished& finished,
                                        const RestoreErrors& errors) {
  for (const std::string& message : errors.messages) {
    if (message.starts_with("unsupported version")) {
      return cannot_load(
          request,
          fmt::format("its archive format 1.{} is newer than pg_restore {} can read", detected.archive_minor,
                      tools.pg_restore_major),
          fmt::format("install the client tools of PostgreSQL {} (Debian: postgresql-client-{}), or dump "
                      "with pg_dump {}",
                      release_of(detected.archive_minor), release_of(detected.archive_minor),
                      tools.pg_restore_major),
          FailureKind::environment);
    }
  }
  if (errors.messages.empty()) {
    return cannot_load(
        request,
        fmt::format("pg_restore: {}: {}", finished.status(), abridged(trimmed(finished.errors), 400)), {},
        FailureKind::environment);
  }
  constexpr std::size_t k_told = 10;
  std::vector<std::string> told = errors.messages;
  if (told.size() > k_told) {
    const std::size_t more = told.size() - k_told;
    told.resize(k_told);
    told.push_back(fmt::format("and {} more", more));
  }
  const bool lost = std::any_of(errors.messages.begin(), errors.messages.end(), is_lost_server);
  return cannot_load(request, join(told, "; "), hint_for(errors.missing),
                     lost ? FailureKind::environment : FailureKind::usage);
}

Result<void> load_archive(const Tools& tools, const FixtureRequest& request, const Detected& detected) {
  if (tools.pg_restore.empty()) {
    return cannot_load(request, "no program 'pg_restore' was found", "install postgresql-client",
                       FailureKind::environment);
  }
  const auto environment = as_environment(request.connection);
  if (!environment) return failed(environment);
  const std::string database = conninfo({{"dbname", parameter_of(request.connection, "dbname")}});
  std::vector<std::string> argv = {tools.pg_restore.string(), "-w", "-d", database};
  std::unique_ptr<FileStream> stream;
  if (detected.kind != FixtureKind::directory) {
    auto opened = FileStream::open(request.path);
    if (!opened) return failed(opened);
    if ((*opened)->compressed()) stream = std::move(*opened);
  }
  // Neither tar nor a pipe can be read from several places at once.
  if (detected.kind != FixtureKind::tar && !stream) {
    argv.push_back("-j" + std::to_string(std::clamp(std::thread::hardware_concurrency(), 1U, 8U)));
  }
  if (!stream) argv.push_back(fs::absolute(request.path).string());
  RunOptions options;
  if (stream) options.input = [&](char* buffer, std::size_t size) { return stream->read(buffer, size); };
  const auto finished = run(command_for(request, *environment, std::move(argv)), options);
  if (!finished) return failed(finished);
  if (finished->ok()) return {};
  const RestoreErrors errors = errors_of(finished->errors);
  const bool only_harmless = finished->exit_code == 1 && errors.messages.empty() &&
                             finished->errors.find("errors ignored on restore") != std::string::npos;
  if (only_harmless) return {};
  return restore_failure(tools, request, detected, *finished, errors);
}

/// The fields of a CSV file's first record, and how many bytes it takes; none where it does not end in
/// `text`.
std::optional<std::vector<std::string>> header_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoting = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (quoting) {
      if (character != '"')
        fields.back() += character;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        fields.back() += text[++i];
      else
        quoting = false;
    } else if (character == '"') {
      quoting = true;
    } else if (character == ',') {
      fields.emplace_back();
    } else if (character == '\n' || character == '\r') {
      return fields;
    } else {
      fields.back() += character;
    }
  }
  return std::nullopt;
}

constexpr std::string_view k_byte_order_mark = "\xef\xbb\xbf";

/// The table as SQL writes it: as given if that names one, else as one quoted name.
Result<std::string> resolve_table(const FixtureRequest& request, Connection& server,
                                  const std::string& name) {
  for (const std::string& spelling : {name, server.quoted_name(name)}) {
    // A name with a syntax error in it is an error rather than null.
    const auto found = server.ask("SELECT to_regclass($1)::text", {spelling});
    if (!found) return failed(found);
    if (found->sqlstate.empty() && !found->rows.empty() && found->rows[0][0]) return *found->rows[0][0];
  }
  return cannot_load(request, fmt::format("there is no table '{}'", name),
                     "load the schema first, or name the table: {path: …, table: …}");
}

Result<void> load_csv(const FixtureRequest& request) {
  constexpr std::size_t k_longest_header = 1UL << 20U;
  auto head = head_of(request.path, k_longest_header);
  if (!head) return failed(head);
  std::string_view text = *head;
  const bool marked = text.starts_with(k_byte_order_mark);
  if (marked) text.remove_prefix(k_byte_order_mark.size());
  // A header without an end of line is a file without rows.
  const auto fields = header_fields(std::string(text) + "\n");
  if (!fields || text.empty())
    return cannot_load(request, "the first line names no columns", {}, FailureKind::usage, 1);

  auto connection = with_parameter(
      request.connection, "options",
      trimmed(parameter_of(request.connection, "options") + " " + scale_option(request.scale)));
  if (!connection) return failed(connection);
  auto session = Connection::open(*connection);
  if (!session) return failed(session);
  const auto table =
      resolve_table(request, *session, request.table.empty() ? stem_of(request.path) : request.table);
  if (!table) return failed(table);
  std::vector<std::string> columns;
  for (const std::string& field : *fields) columns.push_back(session->quoted_name(field));

  auto stream = FileStream::open(request.path);
  if (!stream) return failed(stream);
  if (marked) {
    std::string mark(k_byte_order_mark.size(), '\0');
    for (char& byte : mark) {
      if (const auto got = (*stream)->read(&byte, 1); !got) return failed(got);
    }
  }
  const auto copied = session->copy_in(
      fmt::format("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER)", *table, join(columns, ", ")),
      [&](char* buffer, std::size_t size) { return (*stream)->read(buffer, size); });
  if (!copied) return failed(copied);
  if (copied->sqlstate.empty() && copied->message.empty()) return {};
  static const std::regex line_number("line ([0-9]+)");
  std::smatch match;
  const int line = std::regex_search(copied->context, match, line_number) ? std::stoi(match[1]) : 0;
  std::string cause = copied->message;
  if (!copied->detail.empty()) cause += " (" + copied->detail + ")";
  return cannot_load(request, cause, {},
                     is_lost_server(cause) ? FailureKind::environment : FailureKind::usage, line);
}

}  // namespace

std::string scale_option(int scale) {
  return fmt::format("-c lockkeeper.scale={}", scale);
}

Result<void> load_fixture(const Tools& tools, const FixtureRequest& request) {
  const auto detected = detect(request);
  if (!detected) return failed(detected);
  switch (detected->kind) {
    case FixtureKind::sql:
      return load_sql(tools, request);
    case FixtureKind::csv:
      return load_csv(request);
    case FixtureKind::archive:
    case FixtureKind::tar:
    case FixtureKind::directory:
      return load_archive(tools, request, *detected);
  }
  return {};
}

}  // namespace lockkeeper::engine::postgres
