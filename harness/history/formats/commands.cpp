#include "history/formats/commands.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "history/faults.h"
#include "history/lines.h"

namespace lockkeeper::history::formats::commands {

namespace {

using record::Side;

constexpr std::chrono::seconds k_list_deadline{60};

void put_in(std::string& text, const std::string& name, const std::string& value) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

Command command_of(const std::string& directory, std::vector<std::string> words) {
  Command command;
  command.argv = std::move(words);
  command.directory = directory;
  return command;
}

/// The versions that the program lists, in its order.
Result<std::vector<std::string>> listed(const Folder& folder) {
  const auto command = command_of(folder.path(), folder.tool().list);
  RunOptions options;
  options.deadline = k_list_deadline;
  const auto finished = run(command, options);
  if (!finished) return failed(finished);
  if (!finished->ok()) {
    return failed(FailureKind::usage,
                  fmt::format("cannot list the migrations: '{}' ended with {}: {}", join(command.argv, " "),
                              finished->status(), abridged(trimmed(finished->errors), 200)),
                  "tool.list must print the versions in order, one a line");
  }
  std::vector<std::string> versions;
  Lines lines(finished->output);
  while (lines.next()) {
    if (const auto version = stripped(lines.line().text); !version.empty()) versions.emplace_back(version);
  }
  return versions;
}

/// The file that a version is most likely in; the folder where none is named so.
std::string file_of(const Folder& folder, const std::string& version) {
  for (const Entry& entry : folder.entries()) {
    if (!entry.is_directory && entry.name.starts_with(version)) return folder.path_of(entry.name);
  }
  return folder.path();
}

Result<sql::Script> read_nothing(const Migration&, Side) {
  return sql::Script{};
}

Result<ToolCommand> filled(Command words, const Migration& migration, const std::string& previous) {
  ToolCommand command;
  command.command = std::move(words);
  for (std::string& word : command.command.argv) {
    put_in(word, "{version}", migration.version);
    put_in(word, "{previous}", previous);
  }
  command.shown = join(command.command.argv, " ");
  command.name = std::filesystem::path(command.command.argv.front()).filename().string();
  return command;
}

Migration migration_of(const Folder& folder, const std::string& version, const std::string& previous) {
  const scenario::Tool& tool = folder.tool();
  Migration migration;
  migration.version = version;
  migration.up_path = file_of(folder, version);
  if (!tool.down.empty()) migration.down_path = migration.up_path;
  migration.up_digest = join(tool.up, " ") + " " + version;
  if (!tool.dry_run.empty()) {
    migration.dry_run = [directory = folder.path(), words = tool.dry_run, previous](const Migration& one) {
      return filled(command_of(directory, words), one, previous);
    };
  }
  migration.read = read_nothing;
  migration.command = [directory = folder.path(), up = tool.up, down = tool.down, previous](
                          const Migration& one, Side side) -> Result<ToolCommand> {
    return filled(command_of(directory, side == Side::up ? up : down), one, previous);
  };
  return migration;
}

Fit fits(const Folder& folder) {
  const scenario::Tool& tool = folder.tool();
  if (tool.list.empty() && tool.up.empty()) return {};
  return {Fit::How::sure, "the scenario's tool"};
}

Result<History> load(const Folder& folder) {
  const scenario::Tool& tool = folder.tool();
  if (tool.list.empty() || tool.up.empty()) {
    return failed(
        FailureKind::usage, "the tool of a history needs both 'list' and 'up'",
        "tool: {list: ./migrate list, up: ./migrate up {version}, down: ./migrate down {previous}}");
  }
  const auto versions = listed(folder);
  if (!versions) return failed(versions);
  History history;
  history.directory = folder.path();
  history.has_down = !tool.down.empty();
  Faults faults(folder.path());
  std::set<std::string> known;
  std::string previous;
  for (const std::string& version : *versions) {
    if (!known.insert(version).second) faults.add_duplicate(folder.path(), version, version, version);
    history.migrations.push_back(migration_of(folder, version, previous));
    previous = version;
  }
  if (const auto refused = std::move(faults).refuse(history); !refused) return failed(refused);
  return history;
}

}  // namespace

Format format() {
  return {"commands", "a program that the scenario names: migrations: {path, tool: {list, up, down}}", fits,
          load, true};
}

}  // namespace lockkeeper::history::formats::commands
