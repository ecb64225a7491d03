#include "engine/postgres/dump.h"

#include <algorithm>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/postgres/client_tools.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr std::chrono::milliseconds k_lock_wait{10'000};
constexpr std::size_t k_largest_schema = 256UL * 1024 * 1024;
constexpr std::string_view k_dump_complete = "--\n-- PostgreSQL database dump complete\n--\n";

struct FreeConninfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// What the session was opened with, wherever libpq had it from; a command line would show passwords.
std::map<std::string, std::string> environment_of(const Connection& session) {
  std::map<std::string, std::string> environment;
  const std::unique_ptr<PQconninfoOption, FreeConninfo> options(PQconninfo(session.handle()));
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    if (option->val != nullptr && option->envvar != nullptr) environment[option->envvar] = option->val;
  }
  // Of several hosts the one that answered: another one does not know the snapshot.
  const auto one = [&](const char* name, const char* value) {
    if (value != nullptr && *value != '\0') environment[name] = value;
  };
  one("PGHOST", PQhost(session.handle()));
  one("PGPORT", PQport(session.handle()));
  one("PGPASSWORD", PQpass(session.handle()));
  if (environment.contains("PGHOSTADDR")) one("PGHOSTADDR", PQhostaddr(session.handle()));
  environment["PGAPPNAME"] = "lockkeeper snapshot";
  return environment;
}

/// The lines that say what went wrong, without those of --verbose.
std::vector<std::string> errors_in(const std::string& said, const std::string& program) {
  std::vector<std::string> errors;
  for (const std::string& line : split(said, '\n')) {
    for (const std::string_view level : {": error: ", ": fatal: ", ": detail: ", ": hint: "}) {
      const std::string prefix = program + std::string(level);
      if (line.starts_with(prefix)) errors.push_back(trimmed(line.substr(prefix.size())));
    }
  }
  return errors;
}

Failure dump_failure(const std::filesystem::path& program, const Finished& finished) {
  const std::string name = program.filename().string();
  auto errors = errors_in(finished.errors, name);
  if (errors.empty()) errors.push_back(abridged(trimmed(finished.errors), 400));
  const std::string said = join(errors, "; ");
  Failure failure{
      FailureKind::environment, fmt::format("{}: {}: {}", name, finished.status(), said), {}, std::nullopt};
  const auto has = [&](const char* words) { return said.find(words) != std::string::npos; };
  if (has("permission denied for") || has("row-level security policy")) {
    failure.kind = FailureKind::usage;
    failure.hint = "name a role that may read all of it, or leave the table out: --exclude-table";
  } else if (has("No space left on device") || has("File too large") || has("Disk quota exceeded")) {
    failure.hint = "free some space there, or write to another disk; nothing was left there";
  } else if (has("lock timeout")) {
    failure.hint = "somebody changes a table: try again later";
  }
  return failure;
}

/// "pg_dump: dumping contents of table "public.users"" → what a person wants to see of it.
class VerboseLines {
 public:
  explicit VerboseLines(const Dump::Progress& progress) : m_progress(progress) {}
  void watch(std::string_view text) {
    for (const char character : text) {
      if (character != '\n') {
        m_line += character;
        continue;
      }
      constexpr std::string_view k_contents = "pg_dump: dumping contents of ";
      if (m_line.starts_with(k_contents)) m_progress("reading " + m_line.substr(k_contents.size()));
      m_line.clear();
    }
  }

 private:
  const Dump::Progress& m_progress;
  std::string m_line;
};

/// Does a line of an archive's table of contents stand for what is left out? It begins with the entry's
/// number and with the OIDs of its catalog and of itself in that: "3187; 2606 16402 FK CONSTRAINT public …".
bool is_left_out(const std::string& line, const std::vector<DroppedKey>& dropped_keys) {
  const auto words = split(line, ' ');
  if (words.size() < 5) return false;
  const std::string kind = words[3] + " " + words[4];
  if (kind == "USER MAPPING") return true;
  return std::ranges::any_of(dropped_keys, [&](const DroppedKey& key) {
    return (kind == "FK CONSTRAINT" && words[2] == key.oid) ||
           (words[3] == "COMMENT" && line.find(" " + key.label + " ") != std::string::npos);
  });
}

/// A file that is cut off is known by its last line, so that must stand at its end alone.
std::string without_last_line(std::string sql) {
  const std::size_t end = sql.rfind(k_dump_complete);
  if (end != std::string::npos) sql.erase(end, k_dump_complete.size());
  return sql;
}

}  // namespace

Result<void> expect_tools_for(const Tools& tools, int server_major) {
  if (tools.pg_dump.empty() || tools.pg_restore.empty()) {
    return failed(FailureKind::environment,
                  fmt::format("cannot take a snapshot: no program '{}' was found",
                              tools.pg_dump.empty() ? "pg_dump" : "pg_restore"),
                  fmt::format("install the client tools of PostgreSQL {} (Debian: postgresql-client-{})",
                              server_major, server_major));
  }
  if (tools.pg_dump_major >= server_major) return {};
  return failed(FailureKind::environment,
                fmt::format("cannot take a snapshot: the server is PostgreSQL {}, newer than pg_dump {} ({})",
                            server_major, tools.pg_dump_major, tools.pg_dump.string()),
                fmt::format("install the client tools of PostgreSQL {} (Debian: postgresql-client-{})",
                            server_major, server_major));
}

Dump::Dump(const SampleSource& source, Tools tools, std::map<std::string, std::string> environment,
           std::vector<std::string> options)
    : m_source(&source),
      m_tools(std::move(tools)),
      m_environment(std::move(environment)),
      m_options(std::move(options)) {}

Result<Dump> Dump::prepare(const Connection& session, const SampleSource& source, Owners owners,
                           Privileges privileges) {
  Tools tools = find_tools({});
  if (const auto fit = expect_tools_for(tools, source.major); !fit) return failed(fit);
  // A subscription holds its publisher's password, and a copy that follows production is no fixture.
  std::vector<std::string> options = {"--no-password", "--no-subscriptions", "--snapshot=" + source.snapshot,
                                      "--encoding=" + session.parameter("client_encoding"),
                                      fmt::format("--lock-wait-timeout={}", k_lock_wait.count())};
  if (owners == Owners::leave_out) options.emplace_back("--no-owner");
  if (privileges == Privileges::leave_out) options.emplace_back("--no-privileges");
  for (const std::string& name : source.excluded) options.push_back("--exclude-table=" + name);
  return Dump(source, std::move(tools), environment_of(session), std::move(options));
}

Result<void> Dump::run_dump(const std::vector<std::string>& arguments, const RunOptions& options) const {
  std::vector<std::string> argv = {m_tools.pg_dump.string()};
  argv.insert(argv.end(), m_options.begin(), m_options.end());
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto finished = run(client_command(m_environment, std::move(argv)), options);
  if (!finished) return failed(finished);
  return finished->ok() ? Result<void>() : tl::unexpected<Failure>(dump_failure(m_tools.pg_dump, *finished));
}

Result<void> Dump::write_archive(const std::filesystem::path& file, const Progress& progress) const {
  RunOptions options;
  VerboseLines lines(progress);
  options.watch_errors = [&](std::string_view errors) { lines.watch(errors); };
  return run_dump({"--format=custom", "--verbose", "--file=" + file.string()}, options);
}

Result<void> Dump::write_sql(OutputFile& out, const Progress& progress) const {
  RunOptions options;
  // With --verbose the file itself would say more, and another time in each.
  std::uint64_t bytes = 0;
  options.take_output = [&](std::string_view sql) {
    bytes += sql.size();
    progress(fmt::format("read {}", human_bytes(bytes)));
    return out.write(sql);
  };
  return run_dump({"--format=plain"}, options);
}

Result<std::string> Dump::restore(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), m_tools.pg_restore.string());
  RunOptions options;
  options.output_limit = k_largest_schema;
  auto finished = run(client_command(m_environment, std::move(arguments)), options);
  if (!finished) return failed(finished);
  if (!finished->ok()) return tl::unexpected<Failure>(dump_failure(m_tools.pg_restore, *finished));
  if (finished->output.size() < k_largest_schema) return std::move(finished->output);
  return failed(
      FailureKind::environment,
      fmt::format("cannot take a snapshot: its schema takes more than {}", human_bytes(k_largest_schema)),
      "leave out what is not needed: --exclude-table");
}

Result<Dump::Schema> Dump::schema(const std::filesystem::path& directory) const {
  const std::string archive = (directory / "schema").string();
  if (const auto dumped = run_dump({"--format=custom", "--schema-only", "--file=" + archive}, {}); !dumped)
    return failed(dumped);
  const auto contents = restore({"--list", archive});
  if (!contents) return failed(contents);
  std::string kept;
  for (const std::string& line : split(*contents, '\n')) {
    if (!is_left_out(line, m_source->dropped_keys)) kept += line + "\n";
  }
  const std::string list = (directory / "contents").string();
  if (const auto written = write_file(list, kept); !written) return failed(written);
  std::vector<std::string> arguments = {"--use-list=" + list, "--file=-", archive};
  for (const char* option : {"--no-owner", "--no-privileges"}) {
    if (std::ranges::find(m_options, option) != m_options.end()) arguments.insert(arguments.begin(), option);
  }
  const auto section = [&](const char* name) {
    auto all = arguments;
    all.insert(all.begin(), fmt::format("--section={}", name));
    return restore(std::move(all));
  };
  auto before = section("pre-data");
  if (!before) return failed(before);
  auto after = section("post-data");
  if (!after) return failed(after);
  return Schema{without_last_line(std::move(*before)), without_last_line(std::move(*after))};
}

}  // namespace lockkeeper::engine::postgres
