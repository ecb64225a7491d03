#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "app/app.h"
#include "app/options.h"
#include "app/target.h"
#include "base/text.h"
#include "history/load.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

constexpr std::size_t k_most_files = 5;

void print_formats() {
  for (const auto& layout : history::layouts()) fmt::print("  {:<16} {}\n", layout.format, layout.files);
}

std::string shape_of(const sql::Part& part) {
  const auto name = [&]() -> std::string_view {
    switch (part.shape) {
      case record::TransactionShape::one_transaction:
        return "one transaction";
      case record::TransactionShape::one_message:
        return "one message";
      case record::TransactionShape::own_transactions:
        return "its own transactions";
      case record::TransactionShape::autocommit:
        break;
    }
    return part.statements.size() == 1 ? "no transaction" : "statement by statement";
  }();
  return part.shape_reason.empty() ? std::string(name) : fmt::format("{} ({})", name, part.shape_reason);
}

/// "3 statements, one transaction"; a file that cannot be read says why.
std::string side_text(const history::Migration& migration, record::Side side) {
  if (side == record::Side::down && !migration.down_path) return "none";
  if (migration.command) {
    const auto tool = migration.command(migration, side);
    return tool ? fmt::format("'{}'", abridged(tool->shown, 80)) : "cannot be run: " + tool.error().message;
  }
  const auto script = migration.script(side);
  if (!script) return "cannot be read: " + abridged(script.error().message, 80);
  if (script->empty()) return "empty";
  std::vector<std::string> parts;
  for (const sql::Part& part : script->parts) {
    const auto count = static_cast<std::int64_t>(part.statements.size());
    parts.push_back(fmt::format("{}, {}", counted(count, "statement"), shape_of(part)));
  }
  return join(parts, "; ");
}

std::string dry_run_text(const history::Migration& migration) {
  if (!migration.dry_run) return "";
  const auto tool = migration.dry_run(migration);
  return tool ? fmt::format(" · dry run '{}'", abridged(tool->shown, 80)) : "";
}

/// Of PostgreSQL nothing is said: that is what is expected.
void print_engine(const history::History& history) {
  if (history.dialect == sql::Dialect::postgres) return;
  std::string settings;
  for (const auto& [name, value] : history.session_settings) settings += fmt::format(", {} {}", name, value);
  fmt::print("  for {}{}\n", to_string(history.dialect), settings);
}

void print_migrations(const history::History& history, const history::Trial& trial) {
  std::size_t widest = 0;
  for (const auto& migration : history.migrations)
    widest = std::max(widest, migration.version.size() + migration.name.size() + 1);
  for (std::size_t i = 0; i < history.migrations.size(); ++i) {
    const auto& migration = history.migrations[i];
    const bool judged = std::binary_search(trial.judged.begin(), trial.judged.end(), i);
    fmt::print("  {} {:<{}}  up {} · down {}\n", judged ? "on trial" : "applied ",
               abridged(trimmed(migration.version + " " + migration.name), 60),
               std::min<std::size_t>(widest, 60), side_text(migration, record::Side::up),
               side_text(migration, record::Side::down) + dry_run_text(migration));
  }
}

void print_left(const history::History& history, bool all) {
  const std::size_t shown = all ? history.not_taken.size() : std::min(history.not_taken.size(), k_most_files);
  for (std::size_t i = 0; i < shown; ++i)
    fmt::print("  not taken: {}\n", abridged(history.not_taken[i], 160));
  if (shown < history.not_taken.size())
    fmt::print("  not taken: … and {} more (-v shows them)\n", history.not_taken.size() - shown);
}

Result<void> print_history(const std::string& target, const Parsed& parsed) {
  const auto scenario = target_of(target, parsed);
  if (!scenario) return failed(scenario);
  auto history = read_history(*scenario);
  if (!history) return failed(history);
  if (history->refused) return tl::unexpected<Failure>(*history->refused);
  const auto trial = history::select(*history, scenario->selection);
  if (!trial) return failed(trial);
  const auto count = static_cast<std::int64_t>(history->migrations.size());
  fmt::print("{} · {}{}{}\n", scenario->name, history->format,
             history->detected_by.empty() ? "" : fmt::format(" (seen by {})", history->detected_by),
             fmt::format(" · {}, {} on trial", counted(count, "migration"), trial->judged.size()));
  print_engine(*history);
  if (history->all_in_one) fmt::print("  all that is pending runs in one transaction\n");
  if (history->bookkeeping) fmt::print("  kept in {}\n", join(history->bookkeeping->tables, ", "));
  print_migrations(*history, *trial);
  for (const auto* facts : {&std::as_const(*history).facts, &trial->facts}) {
    for (const record::HistoryFact& fact : *facts) {
      fmt::print("  {}: {}{}\n", to_string(fact.location),
                 fact.migration.empty() ? "" : fmt::format("{}: ", fact.migration), fact.detail);
    }
  }
  print_left(*history, parsed.has("verbose"));
  return {};
}

}  // namespace

Result<ExitCode> history_command(const std::vector<std::string>& arguments) {
  po::options_description options("options");
  options.add_options()("help,h", "this help")("formats", "list the formats and their layouts")(
      "verbose,v", "every file that was not taken");
  options.add(history_options()).add(selection_options());
  const auto parsed = parse("history", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  if (parsed->has("formats")) {
    print_formats();
    return ExitCode::pass;
  }
  if (parsed->positional.empty()) {
    return failed(FailureKind::usage, "history takes a folder of migrations or a scenario",
                  "lockkeeper history path/to/migrations");
  }
  for (const std::string& target : parsed->positional) {
    if (const auto printed = print_history(target, *parsed); !printed) return failed(printed);
  }
  return ExitCode::pass;
}

}  // namespace lockkeeper::app
