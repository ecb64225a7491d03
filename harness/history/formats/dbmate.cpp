#include "history/formats/dbmate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
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
  int second_up_line = 0;
  int second_down_line = 0;
  int stray_line = 0;  ///< first line before the up that is neither empty nor a comment
};

/// The markers stand at the beginning of their line: dbmate's expressions are anchored there.
std::optional<Marker> marker(const Line& line, std::string_view name) {
  std::string_view text = line.text;
  if (!text.starts_with("--")) return std::nullopt;
  text = stripped(text.substr(2));
  if (!text.starts_with(name)) return std::nullopt;
  const std::string_view options = text.substr(name.size());
  if (!options.empty() && options[0] != ' ' && options[0] != '\t') return std::nullopt;
  Marker marker{line.begin, line.number, true};
  for (std::size_t at = 0; at < options.size();) {
    const std::size_t begin = std::min(options.find_first_not_of(" \t", at), options.size());
    at = std::min(options.find_first_of(" \t", begin), options.size());
    const std::string_view option = options.substr(begin, at - begin);
    // The last of several counts, and only "false" is false.
    if (option.starts_with("transaction:") && std::count(option.begin(), option.end(), ':') == 1)
      marker.transaction = option != "transaction:false";
  }
  return marker;
}

Markers markers_of(std::string_view text) {
  Markers markers;
  Lines lines(text);
  while (lines.next()) {
    const Line& line = lines.line();
    const std::string_view code = stripped(line.text);
    if (code.starts_with("--")) {
      const auto up = marker(line, "migrate:up");
      const auto down = marker(line, "migrate:down");
      if (up && markers.up && markers.second_up_line == 0) markers.second_up_line = line.number;
      if (down && markers.down && markers.second_down_line == 0) markers.second_down_line = line.number;
      if (up && !markers.up) markers.up = up;
      if (down && !markers.down) markers.down = down;
    } else if (!markers.up && !code.empty() && markers.stray_line == 0) {
      markers.stray_line = line.number;
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
  if (markers.down && markers.down->begin < markers.up->begin)
    return refused("'-- migrate:down' stands before '-- migrate:up'", markers.down->line);
  if (markers.stray_line > 0) return refused("a statement stands before '-- migrate:up'", markers.stray_line);
  if (!markers.down) return refused("it has no '-- migrate:down'", 0);
  if (markers.second_up_line > 0)
    return refused("a second '-- migrate:up' would note the version twice", markers.second_up_line);
  if (markers.second_down_line > 0)
    return refused("'-- migrate:down' stands twice", markers.second_down_line);
  return Sections{markers.up->line, markers.down->line};
}

Result<sql::Script> read_dbmate(const Migration& migration, record::Side side) {
  auto source = read_source(migration.up_path);
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
  return script_of(std::move(part));
}

std::shared_ptr<const Bookkeeping> bookkeeping() {
  return books("public.schema_migrations",
               "CREATE TABLE IF NOT EXISTS public.schema_migrations (version varchar PRIMARY KEY)",
               [](const Migration& migration, record::Side side) {
                 const std::string version = literal(migration.version);
                 return side == record::Side::up
                            ? fmt::format("INSERT INTO public.schema_migrations (version) VALUES ({})",
                                          version)
                            : fmt::format("DELETE FROM public.schema_migrations WHERE version = {}", version);
               });
}

Fit fits(const Folder& folder) {
  const std::string file = folder.first_with_line("-- migrate:up");
  if (file.empty()) return {has_sql(folder) ? Fit::How::if_named : Fit::How::no, ""};
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
  loaded->bookkeeping = bookkeeping();
  loaded->habits.late = Habits::Late::applied;
  return loaded;
}

}  // namespace

Format format() {
  return {"dbmate", "<number>_<name>.sql with '-- migrate:up'", fits, load};
}

}  // namespace lockkeeper::history::formats::dbmate
