#include "history/formats/node_pg_migrate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/lines.h"
#include "history/locale_order.h"
#include "history/pairing.h"
#include "history/sections.h"

namespace lockkeeper::history::formats::node_pg_migrate {

namespace {

namespace fs = std::filesystem;
using record::Side;

constexpr std::string_view k_white = " \t\r\n\f\v";
constexpr std::array<std::string_view, 6> k_code = {".js", ".ts", ".cjs", ".mjs", ".cts", ".mts"};

/// Where a line begins whose first words are `-- up migration`: `\s*--[\s-]*up\s+migration` at a line's
/// begin, white space over line ends too.
struct Marker {
  std::size_t at = 0;
  int line = 0;
};

bool begins_with_marker(std::string_view text, std::string_view direction) {
  const auto drop = [&](std::string_view characters) {
    const std::size_t begin = text.find_first_not_of(characters);
    text.remove_prefix(std::min(begin, text.size()));
    return begin;
  };
  constexpr std::string_view k_white_and_dash = " \t\r\n\f\v-";
  constexpr std::string_view k_migration = "migration";
  if (!text.starts_with("--")) return false;
  drop(k_white_and_dash);
  if (lower(text.substr(0, direction.size())) != direction) return false;
  text.remove_prefix(direction.size());
  return drop(k_white) > 0 && lower(text.substr(0, k_migration.size())) == k_migration;
}

std::optional<Marker> marker(std::string_view text, std::string_view direction) {
  for (Lines lines(text); lines.next();) {
    const std::size_t code = text.find_first_not_of(" \t\r\f\v", lines.line().begin);
    if (code == std::string_view::npos) return std::nullopt;
    if (text[code] == '-' && begins_with_marker(text.substr(code), direction))
      return Marker{lines.line().begin, lines.line().number};
  }
  return std::nullopt;
}

/// Where the sides of a file lie; no down: the tool refuses to go back.
struct Sides {
  sql::Piece up;
  std::optional<sql::Piece> down;
  int up_line = 0;
  int down_line = 0;
};

Sides sides_of(std::string_view text) {
  const auto up = marker(text, "up");
  const auto down = marker(text, "down");
  Sides sides;
  sides.up = {up ? up->at : 0, up && down && down->at > up->at ? down->at : text.size()};
  sides.up_line = up ? up->line : 0;
  if (down) {
    sides.down = {down->at, up && up->at > down->at ? up->at : text.size()};
    sides.down_line = down->line;
  }
  return sides;
}

Result<sql::Script> read_side(const Migration& migration, Side side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  const Sides sides = sides_of((*source)->text());
  if (side == Side::down && !sides.down) return sql::Script{};
  return script_of(sql::as_one_message(*source, side == Side::up ? sides.up : *sides.down,
                                       record::TransactionShape::one_transaction, "node-pg-migrate"));
}

Result<Sections> find_sections(const sql::Source& source) {
  const Sides sides = sides_of(source.text());
  return Sections{sides.up_line, sides.down_line};
}

/// The number that orders a file: 17 digits are a date to the millisecond, counted from 1970 like the others.
std::string order_number(const std::string& digits) {
  constexpr std::size_t k_date_digits = 17;
  if (digits.size() != k_date_digits) return digits;
  const auto number = [&](std::size_t at, std::size_t count) { return std::stoi(digits.substr(at, count)); };
  const std::chrono::year_month_day day{std::chrono::year{number(0, 4)},
                                        std::chrono::month{static_cast<unsigned>(number(4, 2))},
                                        std::chrono::day{static_cast<unsigned>(number(6, 2))}};
  if (!day.ok()) return digits;
  const auto days = std::chrono::sys_days{day}.time_since_epoch().count();
  const std::int64_t seconds =
      ((static_cast<std::int64_t>(days) * 24 + number(8, 2)) * 60 + number(10, 2)) * 60 + number(12, 2);
  return seconds < 0 ? "0" : fmt::format("{}", seconds * 1000 + number(14, 3));
}

std::string file_of(const Migration& migration) {
  return fs::path(migration.up_path).filename().string();
}

void sort(std::vector<Migration>& migrations) {
  std::ranges::sort(migrations, [](const Migration& a, const Migration& b) {
    const std::string left = order_number(numbered_file(file_of(a)).version);
    const std::string right = order_number(numbered_file(file_of(b)).version);
    if (number_less(left, right)) return true;
    if (number_less(right, left)) return false;
    return locale_less_by_number(file_of(a), file_of(b));
  });
}

std::shared_ptr<const Bookkeeping> bookkeeping() {
  return books(
      "public.pgmigrations",
      "CREATE TABLE IF NOT EXISTS public.pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, "
      "run_on "
      "timestamp NOT NULL)",
      [](const Migration& migration, Side side) {
        const std::string name = literal(fs::path(migration.up_path).stem().string());
        return side == Side::up
                   ? fmt::format("INSERT INTO public.pgmigrations (name, run_on) VALUES ({}, now())", name)
                   : fmt::format("DELETE FROM public.pgmigrations WHERE name = {}", name);
      });
}

bool is_code(const std::string& name) {
  return std::ranges::any_of(k_code, [&](std::string_view suffix) { return name.ends_with(suffix); });
}

/// A package.json above the folder that names the tool.
std::optional<std::string> package(const Folder& folder) {
  const auto file = folder.above("package.json");
  const auto text = file ? read_file(*file) : Result<std::string>("");
  return text && text->find("\"node-pg-migrate\"") != std::string::npos ? file : std::nullopt;
}

Fit fits(const Folder& folder) {
  const auto taken = [](const Entry& entry) {
    return !entry.is_directory && entry.name.ends_with(".sql") && !numbered_file(entry.name).version.empty();
  };
  if (std::ranges::none_of(folder.entries(), taken)) return {};
  for (const char* line : {"-- up migration", "-- down migration"}) {
    const std::string file = folder.first_with_line(line);
    if (!file.empty()) return {Fit::How::sure, fmt::format("'{}' in {}", line, file)};
  }
  if (const auto file = package(folder))
    return {Fit::How::possible, fmt::format("{} names node-pg-migrate", *file)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  SectionedHistory history(folder, read_side, find_sections);
  Faults faults(folder.path());
  for (const Entry& entry : folder.entries()) {
    NumberedFile numbered = numbered_file(entry.name);
    if (is_hidden(entry.name)) {
      history.leave(entry, "hidden");
    } else if (entry.is_directory) {
      history.leave(entry, "a folder");
    } else if (is_code(entry.name)) {
      history.leave(entry, "a migration in code, which only the project's own program can run");
    } else if (!entry.name.ends_with(".sql")) {
      history.leave(entry, "node-pg-migrate fails on it unless its ignore pattern leaves it out");
    } else if (numbered.version.empty()) {
      faults.add(folder.path_of(entry.name),
                 fmt::format("node-pg-migrate refuses '{}': no number at the front of its name",
                             folder.path_of(entry.name)),
                 "begin the name with a time or a number");
    } else {
      // Its own name for it: two files may begin with one number.
      numbered.name.clear();
      numbered.version = entry.name.substr(0, entry.name.size() - std::string_view(".sql").size());
      history.take(entry, std::move(numbered));
    }
  }
  if (!faults.empty()) return std::move(faults).failure();
  auto loaded = std::move(history).finish(sort);
  if (!loaded) return loaded;
  std::map<std::string, int> count;
  for (const Migration& migration : loaded->migrations) ++count[numbered_file(migration.version).version];
  for (Migration& migration : loaded->migrations) {
    NumberedFile numbered = numbered_file(migration.version);
    if (count[numbered.version] > 1) continue;
    migration.version = std::move(numbered.version);
    migration.name = std::move(numbered.name);
  }
  loaded->all_in_one = true;
  loaded->habits.late = Habits::Late::refused;
  loaded->habits.when_edited = "node-pg-migrate does not notice: databases that have it keep what it was";
  loaded->bookkeeping = bookkeeping();
  return loaded;
}

}  // namespace

Format format() {
  return {"node-pg-migrate", "<time>_<name>.sql with '-- Up Migration'", fits, load};
}

}  // namespace lockkeeper::history::formats::node_pg_migrate
