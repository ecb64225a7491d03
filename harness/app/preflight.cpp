#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "app/app.h"
#include "app/inspection_options.h"
#include "app/site_report.h"
#include "app/target.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/postgres/private_server.h"
#include "history/load.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

using engine::postgres::Inspected;
using engine::postgres::Inspection;

constexpr int k_newest_major = 18;

po::options_description preflight_options() {
  po::options_description files("what it writes here");
  files.add_options()("production", po::value<std::string>()->value_name("FILE"),
                      "estimated rows by table, as the production: block of a scenario")(
      "save", po::value<std::string>()->value_name("FILE"), "what was seen, for postflight --before");
  po::options_description disposable("the disposable database for drift");
  add_server_options(disposable);
  add_store_options(disposable);
  po::options_description all;
  all.add(inspection_options()).add(files).add(history_options()).add(selection_options()).add(disposable);
  return all;
}

/// What migrations are in is to be held against.
struct Folder {
  scenario::Scenario scenario;
  history::History history;
};

Result<std::optional<Folder>> folder_of(const Parsed& parsed) {
  if (parsed.positional.size() < 2) return std::optional<Folder>();
  auto scenario = target_of(parsed.positional[1], parsed);
  if (!scenario) return failed(scenario);
  auto history = read_history(*scenario);
  if (!history) return failed(history);
  if (history->refused) return tl::unexpected(*history->refused);
  if (history->dialect != sql::Dialect::postgres) {
    return failed(
        FailureKind::usage,
        fmt::format("the migrations of '{}' are for SQLite: preflight looks at PostgreSQL", scenario->name),
        "name another folder, or say --engine postgres");
  }
  return std::optional(Folder{std::move(*scenario), std::move(*history)});
}

/// What a rehearsal's sessions have of these, where they are not told otherwise.
constexpr std::array<std::pair<const char*, const char*>, 6> k_usual = {
    {{"lock_timeout", "0"},
     {"statement_timeout", "0"},
     {"idle_in_transaction_session_timeout", "0"},
     {"session_replication_role", "origin"},
     {"standard_conforming_strings", "on"},
     {"default_transaction_isolation", "read committed"}}};

void add_note(std::vector<std::string>& notes, const Inspected& seen, const std::string& name,
              const std::string& rehearsed) {
  const auto there = seen.server.settings.find(name);
  if (there == seen.server.settings.end() || lower(there->second) == lower(rehearsed)) return;
  if (name == "TimeZone" && there->second == "Etc/UTC") return;
  notes.push_back(fmt::format("{} is {} there, {} in rehearsals", name, there->second, rehearsed));
}

std::vector<std::string> notes_on(const Inspected& seen, const scenario::Scenario& scenario) {
  std::vector<std::string> notes;
  const auto& versions = scenario.postgres_versions;
  if (!versions.empty() && std::ranges::find(versions, seen.server.major) == versions.end()) {
    notes.push_back(fmt::format("the scenario is rehearsed on PostgreSQL {}, and the server is {}",
                                fmt::join(versions, ", "), seen.server.version));
  }
  for (const auto& [name, rehearsed] : k_usual) add_note(notes, seen, name, rehearsed);
  const auto rehearsed = engine::postgres::server_settings(engine::Purpose::rehearse, seen.server.major);
  for (const char* name :
       {"TimeZone", "wal_level", "max_locks_per_transaction", "max_prepared_transactions"}) {
    if (const auto found = rehearsed.find(lower(name)); found != rehearsed.end())
      add_note(notes, seen, name, found->second);
  }
  if (seen.server.encoding != "UTF8")
    notes.push_back(fmt::format("the encoding is {} there, UTF8 in rehearsals", seen.server.encoding));
  return notes;
}

/// Where nobody notes what is in, that which is not on trial.
Result<Applied> before_trial(Folder& folder) {
  if (folder.scenario.selection.empty()) {
    return failed(FailureKind::usage,
                  fmt::format("'{}' is of no tool that notes what it has run, so what is in is not known",
                              folder.history.directory),
                  "name the tool with --format, or the first migration that is not in with --since");
  }
  const auto trial = history::select(folder.history, folder.scenario.selection);
  if (!trial) return failed(trial);
  Applied applied;
  for (std::size_t index = 0; index < folder.history.migrations.size(); ++index)
    (index < trial->first ? applied.in : applied.pending).push_back(index);
  return applied;
}

/// Which of the folder's migrations are in; a failure where that cannot be known.
Result<Applied> applied_there(Folder& folder, const Inspected& seen) {
  if (const auto* book = book_of(folder.history, seen.books)) return applied_of(folder.history, *book);
  if (!folder.history.bookkeeping) return before_trial(folder);
  const auto& tables = folder.history.bookkeeping->tables;
  for (const auto& unseen : seen.unseen) {
    const bool is_its_book = std::ranges::any_of(
        tables, [&](const std::string& table) { return unseen.what.starts_with(table + " of "); });
    if (is_its_book || unseen.what == "tables of migration tools") {
      return failed(FailureKind::environment,
                    fmt::format("cannot tell which migrations are in: {}: {}", unseen.what, unseen.reason),
                    "let the role read it, or leave the folder out");
    }
  }
  // The tool has never run there.
  return applied_of(folder.history, {folder.history.format, "", {}});
}

Result<void> compare_with_folder(Preflight& preflight, Folder& folder,
                                 const std::optional<engine::State>& schema, const Parsed& parsed,
                                 const ServerOptions& servers) {
  preflight.notes = notes_on(preflight.seen, folder.scenario);
  auto applied = applied_there(folder, preflight.seen);
  if (!applied) return failed(applied);
  for (const std::size_t index : applied->pending)
    preflight.pending.push_back(folder.history.migrations[index].version);
  preflight.applied = std::move(*applied);
  if (!schema)
    return failed(FailureKind::environment, "the schema could not be read", "see what was not seen");
  auto drift = find_drift(*schema, folder.scenario, folder.history, *preflight.applied,
                          preflight.seen.server.major, parsed, servers);
  if (!drift) return failed(drift);
  preflight.drift = std::move(*drift);
  return {};
}

Result<void> write_files(const Preflight& preflight, const Parsed& parsed) {
  if (parsed.has("save")) {
    if (const auto done = write_file(parsed.text("save"), preflight_json(preflight)); !done)
      return failed(done);
  }
  if (!parsed.has("production")) return {};
  return write_file(parsed.text("production"), production_yaml(preflight.seen));
}

ExitCode preflight_ending(const Preflight& preflight) {
  if (preflight.not_compared) return exit_code_of(preflight.not_compared->kind);
  if (std::ranges::any_of(preflight.seen.unseen, &engine::postgres::Unseen::timed_out))
    return ExitCode::environment;
  return stands_in_the_way(preflight) ? ExitCode::findings : ExitCode::pass;
}

Result<Preflight> fly(const engine::postgres::InspectionOptions& options, std::optional<Folder>& folder,
                      const Parsed& parsed, const ServerOptions& servers) {
  Preflight preflight;
  std::optional<engine::State> schema;
  {
    auto inspection = Inspection::open(options);
    if (!inspection) return failed(inspection);
    auto seen = inspection->look();
    if (!seen) return failed(seen);
    preflight.seen = std::move(*seen);
    if (folder) {
      auto read = inspection->read_schema(preflight.seen.unseen);
      if (!read) return failed(read);
      schema = std::move(*read);
    }
    // The transaction ends here: a snapshot that is held keeps vacuum from its work.
  }
  if (!folder) return preflight;
  const auto compared = compare_with_folder(preflight, *folder, schema, parsed, servers);
  if (!compared) preflight.not_compared = compared.error();
  return preflight;
}

}  // namespace

Result<ExitCode> preflight_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("preflight", preflight_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const bool prints = parsed->has("print");
  if (parsed->positional.size() > 2 || (parsed->positional.empty() && !prints)) {
    return failed(FailureKind::usage,
                  "preflight takes a URL, and a scenario or a folder of migrations at most",
                  "lockkeeper preflight postgresql://inspector@host/shop db/migrations");
  }
  const auto output = output_of(*parsed);
  if (!output) return failed(output);
  const auto servers = server_options(*parsed);
  if (!servers) return failed(servers);
  const auto options =
      inspection_of(*parsed, parsed->positional.empty() ? "" : parsed->positional.front(), "preflight");
  if (!options) return failed(options);
  if (prints) {
    using engine::postgres::WithSchema;
    print_statements(*options, servers->pg_version.value_or(k_newest_major),
                     parsed->positional.size() == 1 ? WithSchema::no : WithSchema::yes);
    return ExitCode::pass;
  }
  auto folder = folder_of(*parsed);
  if (!folder) return failed(folder);
  const auto preflight = fly(*options, *folder, *parsed, *servers);
  if (!preflight) return failed(preflight);
  fmt::print("{}", *output == Output::json ? preflight_json(*preflight) : preflight_text(*preflight));
  if (const auto written = write_files(*preflight, *parsed); !written) return failed(written);
  if (preflight->not_compared) {
    std::fflush(stdout);
    fmt::print(stderr, "{}\n", to_string(*preflight->not_compared));
  }
  return preflight_ending(*preflight);
}

}  // namespace lockkeeper::app
