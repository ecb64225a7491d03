#include "history/formats/knex.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "history/bookkeeping.h"
#include "history/outside_tool.h"

namespace lockkeeper::history::formats::knex {

namespace {

namespace fs = std::filesystem;
using record::Side;

constexpr std::string_view k_default_table = "knex_migrations";

/// As the server writes it.
std::string identifier(const std::string& name) {
  const bool plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos;
  return plain ? name : fmt::format("\"{}\"", name);
}

/// The nearest knexfile in or above the folder, in the order in which Knex looks for its endings.
std::optional<std::string> knexfile(const Folder& folder) {
  std::optional<std::string> nearest;
  for (const char* name : {"knexfile.js", "knexfile.mjs", "knexfile.cjs", "knexfile.ts"}) {
    const auto found = folder.above(name);
    const auto depth = [](const std::string& path) { return fs::path(path).parent_path().string().size(); };
    if (found && (!nearest || depth(*found) > depth(*nearest))) nearest = found;
  }
  return nearest;
}

std::string text_of(const std::string& path) {
  return read_file(path).value_or("");
}

bool is_taken(std::string_view name, bool with_modules) {
  return ends_with_any(name, {".js", ".cjs", ".ts", ".coffee", ".litcoffee", ".co", ".eg", ".iced", ".ls"}) ||
         (with_modules && name.ends_with(".mjs"));
}

bool takes_modules(std::string_view knexfile_text) {
  const std::size_t at = knexfile_text.find("loadExtensions");
  if (at == std::string_view::npos) return false;
  const std::string_view list = knexfile_text.substr(at, knexfile_text.find(']', at) - at);
  return list.find(".mjs") != std::string_view::npos;
}

Result<ToolCommand> command(const std::string& config, const Migration& migration, Side side) {
  const fs::path project = fs::path(config).parent_path();
  const auto program = node_program(project, "knex");
  if (!program)
    return not_installed(
        "knex", fmt::format("run 'npm install' in {}, or there: npm install knex pg", project.string()));
  const fs::path file = fs::absolute(migration.up_path).lexically_normal();
  const std::string verb = side == Side::up ? "migrate:up" : "migrate:down";
  ToolCommand tool;
  tool.name = "knex";
  tool.shown = fmt::format("knex {} {}", verb, file.filename().string());
  tool.connects = true;
  tool.command.argv = {program->string(),
                       verb,
                       file.filename().string(),
                       "--knexfile",
                       config,
                       "--connection",
                       "{url}",
                       "--migrations-directory",
                       file.parent_path().string()};
  tool.command.directory = project;
  return tool;
}

Fit fits(const Folder& folder) {
  const auto config = knexfile(folder);
  if (!config) return {};
  const auto fitting = [](const Entry& entry) { return !entry.is_directory && is_taken(entry.name, true); };
  const auto numbered = [&](const Entry& entry) {
    return fitting(entry) && entry.name.front() >= '0' && entry.name.front() <= '9';
  };
  if (std::ranges::any_of(folder.entries(), numbered)) return {Fit::How::sure, *config};
  return {std::ranges::any_of(folder.entries(), fitting) ? Fit::How::if_named : Fit::How::no, ""};
}

Result<History> load(const Folder& folder) {
  const std::string config = *knexfile(folder);
  const std::string text = text_of(config);
  const bool modules = takes_modules(text);
  History history = history_of_code(folder, [&](const Entry& entry) -> std::string {
    if (is_taken(entry.name, modules)) return "";
    return entry.name.ends_with(".mjs") ? "knex takes .mjs files only where loadExtensions names them"
                                        : "not a file that knex loads";
  });
  for (Migration& migration : history.migrations) {
    migration.command = [config](const Migration& one, Side side) { return command(config, one, side); };
  }
  std::string table = literal_of(text, "tableName");
  if (table.empty()) table = k_default_table;
  const std::string schema = literal_of(text, "schemaName");
  const std::string place = identifier(schema.empty() ? "public" : schema) + ".";
  history.bookkeeping = books_of_program({place + identifier(table), place + identifier(table + "_lock")});
  history.habits.late = Habits::Late::applied;
  history.habits.when_edited = "knex does not notice: databases that have it keep what it was";
  return history;
}

}  // namespace

Format format() {
  return {"knex", "<time>_<name>.js (.ts, .cjs), with a knexfile beside or above", fits, load};
}

}  // namespace lockkeeper::history::formats::knex
