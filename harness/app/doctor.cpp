#include <thread>

#include <fmt/format.h>

#include "app/app.h"
#include "app/ground_options.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/binaries.h"
#include "engine/sqlite/sqlite.h"

namespace lockkeeper::app {

namespace {

/// One line of what was found; a cross where something that is needed is missing.
void line(bool good, std::string_view what, std::string_view found) {
  fmt::print("{} {:<14} {}\n", good ? "✔" : "✘", what, found);
}

bool show_servers(const ServerOptions& options, const Result<engine::postgres::Account>& account) {
  const auto search = engine::postgres::search_binaries(options.pg_bin);
  for (const auto& binaries : search.found) {
    const auto usable = account ? engine::postgres::can_execute(binaries, *account) : Result<void>();
    line(usable.has_value(), "server",
         fmt::format("PostgreSQL {} in {}{}", binaries.version, binaries.directory.string(),
                     usable ? "" : ": " + usable.error().message));
  }
  for (const auto& passed : search.passed_over) {
    line(false, "passed over", fmt::format("{}: {}", passed.directory.string(), passed.reason));
  }
  if (search.found.empty())
    line(false, "server", "none found: install the package postgresql, or use --pg-bin");
  return !search.found.empty();
}

void show_tools() {
  const auto tools = engine::postgres::find_tools({});
  line(!tools.psql.empty(), "psql",
       tools.psql.empty() ? "none: .sql and .csv fixtures need it" : tools.psql.string());
  line(!tools.pg_restore.empty(), "pg_restore",
       tools.pg_restore.empty() ? "none: dumps as fixtures need it"
                                : fmt::format("{} (reads dumps up to version {})", tools.pg_restore.string(),
                                              tools.pg_restore_major));
}

bool show_store(const Parsed& parsed) {
  const auto store = open_store(parsed);
  if (!store) {
    line(false, "store", store.error().message);
    return false;
  }
  line(true, "store", store->directory().string());
  line(true, "free disk", human_bytes(free_space(store->directory())));
  const bool clones = can_clone(store->directory());
  line(true, "copy-on-write", clones ? "yes: snapshots are cloned" : "no: snapshots are copied");
  const auto kept = kept_runs(store->directory() / "runs");
  for (const auto& run : kept) line(true, "kept database", run.line);
  return true;
}

}  // namespace

Result<ExitCode> doctor_command(const std::vector<std::string>& arguments) {
  boost::program_options::options_description options("options");
  add_server_options(options);
  add_store_options(options);
  options.add_options()("help,h", "this help");
  const auto parsed = parse("doctor", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const auto servers = server_options(*parsed);
  if (!servers) return failed(servers);
  const auto account = engine::postgres::server_account();
  line(account.has_value(), "account", account ? "servers run as " + account->name : account.error().message);
  const bool served = show_servers(*servers, account);
  show_tools();
  line(true, "sqlite", engine::sqlite::library_version() + ", the library that this program is linked with");
  const bool stored = show_store(*parsed);
  line(true, "processors", std::to_string(std::thread::hardware_concurrency()));
  return served && stored && account ? ExitCode::pass : ExitCode::environment;
}

}  // namespace lockkeeper::app
