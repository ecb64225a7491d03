#include "history/formats/script.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "history/faults.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::script {

namespace {

namespace fs = std::filesystem;
using record::Side;
using Words = std::vector<std::string>;

Result<ToolCommand> command_of(const std::string& directory, const Words& words) {
  ToolCommand command;
  command.command.argv = words;
  command.command.directory = directory;
  command.shown = join(words, " ");
  // The interpreter says less than what it runs.
  const bool interpreted = words.size() > 1 && !words[1].starts_with('-');
  command.name = fs::path(words[interpreted ? 1 : 0]).filename().string();
  return command;
}

/// What stands in its text is the program's own affair.
Result<sql::Script> read_no_statements(const Migration&, Side) {
  return sql::Script{};
}

Migration migration_of(const Folder& folder, const scenario::Tool::Script& script) {
  Migration migration;
  migration.version = script.version;
  migration.up_path = folder.path_of(script.file);
  if (!script.down.empty()) migration.down_path = migration.up_path;
  migration.up_settings = join(script.up, " ");
  migration.claims_rerunnable = script.claims_rerunnable;
  migration.read = read_no_statements;
  migration.command = [directory = folder.path(), up = script.up, down = script.down](const Migration&,
                                                                                      Side side) {
    return command_of(directory, side == Side::up ? up : down);
  };
  if (!script.dry_run.empty()) {
    migration.dry_run = [directory = folder.path(), words = script.dry_run](const Migration&) {
      return command_of(directory, words);
    };
  }
  return migration;
}

Fit fits(const Folder& folder) {
  if (folder.tool().scripts.empty()) return {};
  return {Fit::How::sure, "the scenario's scripts"};
}

Result<History> load(const Folder& folder) {
  History history;
  history.directory = folder.path();
  history.is_started_by_hand = true;
  history.keeps_session = false;
  Faults faults(folder.path());
  std::set<std::string> versions;
  std::set<std::string> files;
  for (const scenario::Tool::Script& script : folder.tool().scripts) {
    std::error_code ignored;
    if (!fs::is_regular_file(folder.path_of(script.file), ignored)) {
      faults.add(to_string(script.location),
                 fmt::format("script '{}': there is no such file in '{}'", script.file, folder.path()),
                 "name the file that the commands run");
    }
    if (!versions.insert(script.version).second)
      faults.add_duplicate(folder.path(), script.version, script.file, script.file);
    files.insert(script.file);
    history.has_down = history.has_down && !script.down.empty();
    history.migrations.push_back(migration_of(folder, script));
  }
  if (const auto refused = std::move(faults).refuse(history); !refused) return failed(refused);
  for (const Entry& entry : folder.entries()) {
    if (!files.contains(entry.name))
      history.not_taken.push_back(left_file(entry, "no script of the scenario's"));
  }
  return history;
}

}  // namespace

Format format() {
  return {
      "script",
      "programs that the scenario names: migrations: {path, tool: {scripts: [{version, file, up, dry_run}]}}",
      fits, load, true};
}

}  // namespace lockkeeper::history::formats::script
