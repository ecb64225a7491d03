#include "history/formats/rails.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/process.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/files_below.h"
#include "history/outside_tool.h"

namespace lockkeeper::history::formats::rails {

namespace {

namespace fs = std::filesystem;
using record::Side;

struct Named {
  std::string version;
  std::string name;
};

/// ^([0-9]+)_([_a-z0-9]*)\.?([_a-z0-9]*)?\.rb$
std::optional<Named> parse(const std::string& file) {
  const std::size_t digits = file.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos || file[digits] != '_' || !file.ends_with(".rb"))
    return std::nullopt;
  std::string name = file.substr(digits + 1, file.size() - digits - 4);
  const std::string scope_cut = name.substr(0, name.find('.'));
  std::string rest = name.size() > scope_cut.size() ? name.substr(scope_cut.size() + 1) : "";
  if ((scope_cut + rest).find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") != std::string::npos)
    return std::nullopt;
  return Named{file.substr(0, digits), scope_cut};
}

std::optional<fs::path> project_of(const Folder& folder) {
  const auto application = folder.above("config/application.rb");
  if (!application) return std::nullopt;
  return fs::path(*application).parent_path().parent_path();
}

Result<ToolCommand> command(const fs::path& project, const Migration& migration, Side side) {
  const std::string& version = migration.version;
  const std::string install = fmt::format("install Ruby, and in {}: bundle install", project.string());
  std::error_code ignored;
  const bool has_own = fs::is_regular_file(project / "bin" / "rails", ignored);
  ToolCommand tool;
  if (has_own) {
    if (!find_in_path("ruby")) return not_installed("ruby", install);
    tool.command.argv = {"ruby", "bin/rails"};
  } else {
    if (!find_in_path("bundle")) return not_installed("bundle", install);
    tool.command.argv = {"bundle", "exec", "rails"};
  }
  const std::string task = side == Side::up ? "db:migrate:up" : "db:migrate:down";
  tool.name = "rails";
  tool.shown = fmt::format("rails {} VERSION={}", task, version);
  tool.connects = true;
  tool.command.argv.push_back(task);
  tool.command.environment = {{"VERSION", version}, {"SCHEMA", "/dev/null"}};
  // The name of its adapter, and not what others call it.
  if (migration.dialect == sql::Dialect::sqlite)
    tool.command.environment["DATABASE_URL"] = "sqlite3:{database}";
  if (std::getenv("RAILS_ENV") == nullptr) tool.command.environment["RAILS_ENV"] = "test";
  tool.command.directory = project;
  return tool;
}

bool has_migrations(const Folder& folder) {
  return std::ranges::any_of(folder.entries(), [](const Entry& entry) {
    return !entry.is_directory && parse(entry.name).has_value();
  });
}

Fit fits(const Folder& folder) {
  const auto project = project_of(folder);
  if (!project || !has_migrations(folder)) return {};
  return {Fit::How::sure, (*project / "config" / "application.rb").string()};
}

Migration migration_of(const Folder& folder, const fs::path& project, const std::string& path, Named named) {
  Migration migration;
  migration.version = std::move(named.version);
  migration.name = std::move(named.name);
  migration.up_path = folder.path_of(path);
  migration.down_path = migration.up_path;
  migration.read = [](const Migration& one, Side) { return comments_in_code(one, "#"); };
  migration.command = [project](const Migration& one, Side side) { return command(project, one, side); };
  return migration;
}

Result<History> load(const Folder& folder) {
  const fs::path project = *project_of(folder);
  const auto found = files_below(folder.path());
  if (!found) return failed(found);
  History history;
  history.directory = folder.path();
  history.not_taken = found->skipped;
  Faults faults(folder.path());
  std::map<std::string, std::string> versions;
  std::map<std::string, std::string> names;
  for (const FileBelow& file : found->files) {
    auto named = parse(file.name);
    if (!named) {
      history.not_taken.push_back(file.path + ": not named <number>_<name>.rb in small letters");
      continue;
    }
    const std::string path = folder.path_of(file.path);
    const auto [same, is_new] = versions.emplace(number_key(named->version), file.path);
    if (!is_new) faults.add_duplicate(path, named->version, same->second, file.path);
    const auto [namesake, is_new_name] = names.emplace(named->name, file.path);
    if (is_new && !is_new_name) {
      faults.add(path, fmt::format("rails refuses '{}': '{}' has the same name", path, namesake->second),
                 "give one of the classes another name, and its file with it");
    }
    history.migrations.push_back(migration_of(folder, project, file.path, std::move(*named)));
  }
  if (const auto refused = std::move(faults).refuse(history); !refused) return failed(refused);
  sort_by_version(history.migrations);
  history.bookkeeping = books_of_program({"public.schema_migrations", "public.ar_internal_metadata"});
  history.habits.late = Habits::Late::applied;
  history.habits.when_edited = "Rails does not notice: databases that have it keep what it was";
  return history;
}

}  // namespace

Format format() {
  return {"rails", "db/migrate/<time>_<name>.rb, with config/application.rb above", fits, load, true};
}

}  // namespace lockkeeper::history::formats::rails
