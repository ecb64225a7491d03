#include "history/formats/dbmate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/lines.h"
#include "history/sections.h"

namespace lockkeeper::history::formats::dbmate {

namespace {

/// A line `-- migrate:up key:value …`.
struct Marker {
  std::size_t begin = 0;
  int line = 0;
  bool transaction = true;
};

struct Markers {
  std::optional<Marker> up;
  std::optional<Marker> down;
  int stray_line = 0;   ///< first line before them that is neither empty nor a comment
  int second_line = 0;  ///< of the first that is there already
};

/// At the beginning of its line, unlike other comments.
std::optional<Marker> marker(const Line& line, std::string_view name) {
  if (!line.text.starts_with("--")) return std::nullopt;
  const std::string_view text = stripped(line.text.substr(2));
  if (!text.starts_with(name)) return std::nullopt;
  const std::string_view options = text.substr(name.size());
  if (!options.empty() && options[0] != ' ' && options[0] != '\t') return std::nullopt;
  Marker marker{line.begin, line.number, true};
  for (const std::string& option : split(stripped(options), ' ')) {
    if (stripped(option) == "transaction:false") marker.transaction = false;
  }
  return marker;
}

Markers markers_of(std::string_view text) {
  Markers markers;
  Lines lines(text);
  while (lines.next()) {
    const Line& line = lines.line();
    const std::string_view code = stripped(line.text);
    if (!code.starts_with("--")) {
      const bool before = !markers.up && !markers.down && !code.empty();
      if (before && markers.stray_line == 0) markers.stray_line = line.number;
      continue;
    }
    for (const bool is_up : {true, false}) {
      auto found = marker(line, is_up ? "migrate:up" : "migrate:down");
      if (!found) continue;
      auto& known = is_up ? markers.up : markers.down;
      if (known && markers.second_line == 0) markers.second_line = line.number;
      if (!known) known = found;
    }
  }
  return markers;
}

Result<Sections> find_sections(const sql::Source& source) {
  const Markers markers = markers_of(source.text());
  const auto refused = [&](std::string_view cause, int line) {
    return failed(FailureKind::usage, fmt::format("dbmate refuses '{}': {}", source.path(), cause),
                  "a migration is '-- migrate:up', its SQL, '-- migrate:down', its SQL",
                  Location{source.path(), line, line > 0 ? 1 : 0});
  };
  if (!markers.up) return refused("it has no '-- migrate:up'", 0);
  if (markers.stray_line > 0) return refused("a statement stands before '-- migrate:up'", markers.stray_line);
  if (!markers.down) return refused("it has no '-- migrate:down'", 0);
  if (markers.down->begin < markers.up->begin)
    return refused("'-- migrate:down' stands before '-- migrate:up'", markers.down->line);
  // It runs several sections, but notes the version behind each of them, which fails from the second on.
  if (markers.second_line > 0)
    return refused("a section of the same name stands before it", markers.second_line);
  return Sections{markers.up->line, markers.down->line};
}

Result<sql::Script> read_dbmate(const Migration& migration, record::Side side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  const std::string_view text = (*source)->text();
  const Markers markers = markers_of(text);
  const bool up = side == record::Side::up;
  const auto& marker = up ? markers.up : markers.down;
  if (!marker) return sql::Script{};
  const std::size_t end = up && markers.down ? markers.down->begin : text.size();
  const auto shape =
      marker->transaction ? record::TransactionShape::one_transaction : record::TransactionShape::autocommit;
  auto part = sql::as_one_message(*source, {marker->begin, end}, shape, "dbmate");
  if (part && !marker->transaction && part->shape_reason.empty())
    part->shape_reason = fmt::format("transaction:false at {}:1", marker->line);
  if (part) part->error_where_ended = "pq: unexpected transaction status idle";
  return script_of(std::move(part));
}

/// pkg/driver/sqlite/sqlite.go: CreateMigrationsTable
std::shared_ptr<const Bookkeeping> sqlite_bookkeeping() {
  return books("schema_migrations",
               "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY)",
               [](const Migration& migration, record::Side side) {
                 const std::string version = literal(migration.version);
                 return side == record::Side::up
                            ? fmt::format("INSERT INTO schema_migrations (version) VALUES ({})", version)
                            : fmt::format("DELETE FROM schema_migrations WHERE version = {}", version);
               });
}

std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  if (dialect == sql::Dialect::sqlite) return sqlite_bookkeeping();
  return books(
      "public.schema_migrations",
      "CREATE TABLE IF NOT EXISTS public.schema_migrations (version varchar(128) NOT NULL PRIMARY KEY)",
      [](const Migration& migration, record::Side side) {
        // The table is that of the schema which comes first in the path when the section has run.
        const char* sql = side == record::Side::up ? "INSERT INTO %I.schema_migrations (version) VALUES (%L)"
                                                   : "DELETE FROM %I.schema_migrations WHERE version = %L";
        return fmt::format(
            "DO $dbmate$ BEGIN EXECUTE pg_catalog.format('{}', coalesce(pg_catalog.current_schema(), "
            "'public'), "
            "'{}'); END $dbmate$",
            sql, migration.version);
      });
}

Fit fits(const Folder& folder) {
  const std::string file = folder.first_with_line("-- migrate:up");
  if (file.empty()) return {};
  return {Fit::How::sure, fmt::format("'-- migrate:up' in {}", file)};
}

Result<History> load(const Folder& folder) {
  SectionedHistory history(folder, read_dbmate, find_sections);
  for (const Entry& entry : folder.entries()) {
    NumberedFile numbered = numbered_file(entry.name);
    if (entry.is_directory) {
      history.leave(entry, "a folder");
    } else if (!entry.name.ends_with(".sql")) {
      history.leave(entry, "not a .sql file");
    } else if (numbered.version.empty()) {
      history.leave(entry, "does not begin with digits");
    } else {
      history.take(entry, std::move(numbered));
    }
  }
  auto loaded = std::move(history).finish([](std::vector<Migration>& migrations) {
    std::sort(migrations.begin(), migrations.end(),
              [](const Migration& a, const Migration& b) { return a.up_path < b.up_path; });
  });
  if (!loaded) return loaded;
  loaded->bookkeeping = bookkeeping(folder.dialect());
  loaded->habits.late = Habits::Late::applied;
  return loaded;
}

}  // namespace

Format format() {
  return {"dbmate", "<number>_<name>.sql with '-- migrate:up'", fits, load, true};
}

}  // namespace lockkeeper::history::formats::dbmate
