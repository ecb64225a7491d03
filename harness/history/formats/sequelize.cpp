#include "history/formats/sequelize.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "history/bookkeeping.h"
#include "history/outside_tool.h"

namespace lockkeeper::history::formats::sequelize {

namespace {

namespace fs = std::filesystem;
using record::Side;

/// .sequelizerc, or a package.json that names the tool, in or above the folder.
std::optional<std::string> evidence(const Folder& folder) {
  if (const auto settings = folder.above(".sequelizerc")) return settings;
  for (const std::string& package : folder.all_above("package.json")) {
    const auto text = read_file(package);
    if (text && text->find("\"sequelize-cli\"") != std::string::npos) return package;
  }
  return std::nullopt;
}

bool is_taken(std::string_view name) {
  return ends_with_any(name, {".js", ".cjs", ".ts", ".cts"}) && !name.ends_with(".d.ts");
}

Result<ToolCommand> command(const fs::path& project, const Migration& migration, Side side) {
  const auto program = node_program(project, "sequelize-cli");
  if (!program) {
    return not_installed(
        "sequelize-cli",
        fmt::format("run 'npm install' in {}, or there: npm install sequelize sequelize-cli pg",
                    project.string()));
  }
  const fs::path file = fs::absolute(migration.up_path).lexically_normal();
  const std::vector<std::string> words =
      side == Side::up ? std::vector<std::string>{"db:migrate", "--to", file.filename().string()}
                       : std::vector<std::string>{"db:migrate:undo", "--name", file.filename().string()};
  ToolCommand tool;
  tool.name = "sequelize-cli";
  tool.shown = fmt::format("sequelize-cli {} {} {}", words[0], words[1], words[2]);
  tool.connects = true;
  tool.command.argv = {program->string()};
  tool.command.argv.insert(tool.command.argv.end(), words.begin(), words.end());
  for (const std::string& word : {std::string("--url"), std::string("{url}"),
                                  std::string("--migrations-path"), file.parent_path().string()})
    tool.command.argv.push_back(word);
  tool.command.directory = project;
  return tool;
}

Fit fits(const Folder& folder) {
  const auto found = evidence(folder);
  if (!found) return {};
  const auto fitting = [](const Entry& entry) { return !entry.is_directory && is_taken(entry.name); };
  const auto numbered = [&](const Entry& entry) {
    return fitting(entry) && entry.name.front() >= '0' && entry.name.front() <= '9';
  };
  if (std::ranges::any_of(folder.entries(), numbered)) return {Fit::How::sure, *found};
  return {std::ranges::any_of(folder.entries(), fitting) ? Fit::How::if_named : Fit::How::no, ""};
}

Result<History> load(const Folder& folder) {
  const fs::path project = fs::path(*evidence(folder)).parent_path();
  History history = history_of_code(folder, [](const Entry& entry) {
    return is_taken(entry.name) ? "" : "not a file that sequelize-cli loads";
  });
  const Migration* previous = nullptr;
  for (Migration& migration : history.migrations) {
    migration.command = [project](const Migration& one, Side side) { return command(project, one, side); };
    if (previous != nullptr) history.brings[migration.version] = {previous->version};
    previous = &migration;
  }
  history.bookkeeping = books_of_program({"public.\"SequelizeMeta\""});
  history.habits.late = Habits::Late::applied;
  history.habits.when_edited = "sequelize-cli does not notice: databases that have it keep what it was";
  return history;
}

}  // namespace

Format format() {
  return {"sequelize",
          "<time>-<name>.js (.ts, .cjs), with .sequelizerc or sequelize-cli in package.json above", fits,
          load};
}

}  // namespace lockkeeper::history::formats::sequelize
