#include "app/target.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "check/rule.h"
#include "history/git.h"
#include "history/load.h"
#include "scenario/load.h"
#include "scenario/paths.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

Result<scenario::Selection> selection_of(const Parsed& parsed) {
  scenario::Selection selection;
  if (parsed.has("since")) selection.since = parsed.text("since");
  if (parsed.has("last")) selection.last = parsed.values["last"].as<int>();
  selection.only = parsed.texts("only");
  if (parsed.has("since-ref")) selection.since_ref = parsed.text("since-ref");
  if (parsed.has("since-folder")) selection.since_folder = parsed.text("since-folder");
  if (selection.given() > 1) {
    return failed(FailureKind::usage,
                  "--since, --last, --only, --since-ref and --since-folder exclude each other");
  }
  if (selection.last && *selection.last < 1)
    return failed(FailureKind::usage, "--last takes a number from 1 up");
  return selection;
}

/// None where the scenario leaves it to the folder.
Result<std::optional<sql::Dialect>> dialect_of(const scenario::Scenario& scenario) {
  if (scenario.engine.empty()) return std::nullopt;
  if (scenario.engine == "postgres") return sql::Dialect::postgres;
  if (scenario.engine == "sqlite") return sql::Dialect::sqlite;
  return failed(FailureKind::usage,
                fmt::format("engine '{}': not known{}", scenario.engine,
                            did_you_mean(scenario.engine, {"postgres", "sqlite"})),
                "the engines are postgres and sqlite");
}

/// What the base's release runs, where the base is a git ref and has this scenario too.
void take_old_release(scenario::Scenario& scenario) {
  const auto& ref = scenario.selection.since_ref;
  if (!ref || scenario.file.empty() || scenario.old_release) return;
  auto text = history::text_at(scenario.file, *ref);
  if (!text || !*text) return;
  std::vector<history::Checkout> folders;  // for as long as they are read
  const auto folder_at = [&](const std::string& folder) -> Result<std::string> {
    const auto found = scenario::find_path(scenario.file, folder);
    if (!found)
      return failed(FailureKind::usage, fmt::format("folder '{}': it is not there any more", folder));
    auto checkout = history::Checkout::of(*found, *ref);
    if (!checkout) return failed(checkout);
    folders.push_back(std::move(*checkout));
    return folders.back().folder();
  };
  auto release = scenario::load_release(scenario.file, std::move(**text), folder_at);
  scenario.old_release = release ? std::move(*release) : scenario::OldRelease{};
  scenario.old_release->from = fmt::format("git ref '{}'", *ref);
  if (!release) scenario.old_release->unread = release.error().message;
}

}  // namespace

po::options_description selection_options() {
  po::options_description options("what is on trial (default: what the scenario says, else all)");
  options.add_options()("since", po::value<std::string>()->value_name("VERSION"),
                        "this version and all after it")("last", po::value<int>()->value_name("N"),
                                                         "the last N migrations")(
      "only", po::value<std::vector<std::string>>()->value_name("VERSION"), "this version (may be repeated)")(
      "since-ref", po::value<std::string>()->value_name("REF"), "what this git ref does not have")(
      "since-folder", po::value<std::string>()->value_name("DIR"),
      "what this folder does not have: the history as it is in production");
  return options;
}

po::options_description history_options() {
  po::options_description options("how the history is read");
  options.add_options()("format", po::value<std::string>()->value_name("NAME"),
                        "its format (default: detected; lockkeeper history --formats lists them)")(
      "engine", po::value<std::string>()->value_name("NAME"),
      "postgres or sqlite (default: as the folder says, else postgres)")(
      "transaction", po::value<std::string>()->value_name("SHAPE"),
      "send sides in another shape than their tool does: per-migration, all, statement or file");
  return options;
}

Result<scenario::Scenario> target_of(const std::string& target, const Parsed& parsed) {
  const auto selection = selection_of(parsed);
  if (!selection) return failed(selection);
  std::error_code error;
  auto scenario = std::filesystem::is_directory(target, error)
                      ? Result<scenario::Scenario>(scenario::for_directory(target))
                      : scenario::load(target, check::rule_ids());
  if (!scenario) return scenario;
  if (!selection->empty()) scenario->selection = *selection;
  take_old_release(*scenario);
  if (parsed.has("format")) scenario->format = parsed.text("format");
  if (parsed.has("transaction")) scenario->transaction = parsed.text("transaction");
  if (parsed.has("engine")) scenario->engine = parsed.text("engine");
  if (const auto dialect = dialect_of(*scenario); !dialect) return failed(dialect);
  if (const auto shape = history::transaction_named(scenario->transaction); !shape) return failed(shape);
  return scenario;
}

Result<history::History> read_history(const scenario::Scenario& scenario) {
  const auto transaction = history::transaction_named(scenario.transaction);
  if (!transaction) return failed(transaction);
  const auto dialect = dialect_of(scenario);
  if (!dialect) return failed(dialect);
  return history::look({scenario.migrations_path, scenario.format, *transaction, scenario.tool, *dialect});
}

}  // namespace lockkeeper::app
