#include "history/formats/atlas.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "history/atlas_sum.h"
#include "history/bookkeeping.h"
#include "history/lines.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::atlas {

namespace {

bool is_sql(const Entry& entry) {
  return !entry.is_directory && entry.name.ends_with(".sql");
}

/// The value of `-- atlas:<name> <value>` where the line is that.
std::optional<std::string> directive(std::string_view line, std::string_view name) {
  const std::size_t at = line.find("atlas:");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = line.substr(at + 6);
  if (!rest.starts_with(name)) return std::nullopt;
  rest.remove_prefix(name.size());
  if (!rest.empty() && rest[0] != ' ') return std::nullopt;
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return std::string(rest);
}

/// The comments at the top of a file that an empty line parts from the rest: those are of the file.
std::vector<Line> file_comments(std::string_view text) {
  std::vector<Line> comments;
  Lines lines(text);
  while (lines.next()) {
    const Line& line = lines.line();
    if (line.text.starts_with("--") || line.text.starts_with('#')) {
      comments.push_back(line);
      continue;
    }
    return stripped(line.text).empty() ? comments : std::vector<Line>();
  }
  return comments;
}

struct Directives {
  std::vector<std::string> transaction_modes;
  int line = 0;  ///< of the last of them
  bool is_checkpoint = false;
};

Directives directives_of(std::string_view text) {
  Directives directives;
  for (const Line& comment : file_comments(text)) {
    if (const auto mode = directive(comment.text, "txmode")) {
      directives.transaction_modes.push_back(*mode);
      directives.line = comment.number;
    }
    directives.is_checkpoint = directives.is_checkpoint || directive(comment.text, "checkpoint").has_value();
  }
  return directives;
}

std::string why_refused(const Directives& directives) {
  const auto& modes = directives.transaction_modes;
  if (modes.size() > 1) return "several txmode directives";
  if (modes.empty() || modes[0] == "none" || modes[0] == "file") return "";
  if (modes[0] == "all") return "txmode all is not for single files";
  return fmt::format("unknown txmode '{}'", abridged(modes[0], 40));
}

/// Text of `-- atlas:delimiter` on the first line with \n, \r and \t put in; none: a semicolon.
std::optional<std::string> delimiter_of(std::string_view text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!line.starts_with("-- atlas:delimiter ")) return std::nullopt;
  std::string value = directive(line, "delimiter").value_or("");
  for (const auto& [written, meant] : {std::pair{"\\n", "\n"}, {"\\r", "\r"}, {"\\t", "\t"}}) {
    for (std::size_t at = value.find(written); at != std::string::npos; at = value.find(written, at + 1))
      value.replace(at, 2, meant);
  }
  if (value.empty()) return std::nullopt;
  return value;
}

/// Behind what begins at `at`, where a delimiter does not count: a quote, a comment, a dollar quote; else
/// `at`.
std::size_t behind_quoted(std::string_view text, std::size_t at) {
  const auto behind = [&](std::string_view end, std::size_t from) {
    const std::size_t found = text.find(end, from);
    return found == std::string_view::npos ? text.size() : found + end.size();
  };
  const std::string_view rest = text.substr(at);
  if (rest.starts_with('\'') || rest.starts_with('"') || rest.starts_with('`'))
    return behind(rest.substr(0, 1), at + 1);
  // The line feed that ends a comment may begin a delimiter.
  if (rest.starts_with("--")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) return behind("*/", at + 2);
  if (!rest.starts_with('$')) return at;
  std::size_t end = 1;
  const auto in_tag = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c & 0x80) != 0;
  };
  while (end < rest.size() && in_tag(rest[end])) ++end;
  const bool is_tag = end < rest.size() && rest[end] == '$' && !(rest[1] >= '0' && rest[1] <= '9');
  return is_tag ? behind(rest.substr(0, end + 1), at + end + 1) : at;
}

/// What stands between delimiters, outside of quotes and parentheses.
std::vector<sql::Piece> pieces_between(std::string_view text, const std::string& delimiter) {
  std::vector<sql::Piece> pieces;
  std::size_t begin = std::min(text.find('\n'), text.size() - 1) + 1;
  int depth = 0;
  for (std::size_t at = begin; at < text.size();) {
    if (depth == 0 && text.substr(at).starts_with(delimiter)) {
      pieces.emplace_back(begin, at);
      at += delimiter.size();
      begin = at;
      continue;
    }
    const std::size_t behind = behind_quoted(text, at);
    if (text[at] == '(') ++depth;
    if (text[at] == ')' && depth > 0) --depth;
    at = std::max(behind, at + 1);
  }
  pieces.emplace_back(begin, text.size());
  return pieces;
}

Result<sql::Script> read_atlas(const Migration& migration, record::Side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  const std::string_view text = (*source)->text();
  const Directives directives = directives_of(text);
  const bool alone = !directives.transaction_modes.empty() && directives.transaction_modes[0] == "none";
  const auto shape = alone ? record::TransactionShape::autocommit : record::TransactionShape::one_transaction;
  const auto delimiter = delimiter_of(text);
  auto part = delimiter ? sql::as_messages(*source, pieces_between(text, *delimiter), shape)
                        : sql::statement_by_statement(*source, sql::all_of(**source), shape);
  if (part && alone) part->shape_reason = fmt::format("-- atlas:txmode none at {}:1", directives.line);
  return script_of(std::move(part));
}

std::string table_of(sql::Dialect dialect) {
  constexpr std::string_view k_name = "atlas_schema_revisions";
  return dialect == sql::Dialect::sqlite ? std::string(k_name) : fmt::format("{0}.{0}", k_name);
}

std::string note(const Migration& migration, record::Side side) {
  const std::string version = literal(migration.version);
  const std::string table = table_of(migration.dialect);
  if (side == record::Side::down) return fmt::format("DELETE FROM {} WHERE version = {}", table, version);
  return fmt::format(
      "INSERT INTO {} (version, description, executed_at, execution_time, hash, operator_version) VALUES "
      "({}, {}, "
      "CURRENT_TIMESTAMP, 0, '', '')",
      table, version, literal(migration.name));
}

std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  // As ent makes it of cmd/atlas/internal/migrate/ent/schema/revision.go.
  if (dialect == sql::Dialect::sqlite) {
    return books(
        table_of(dialect),
        "CREATE TABLE IF NOT EXISTS atlas_schema_revisions (version text NOT NULL, description text NOT "
        "NULL, "
        "type integer NOT NULL DEFAULT (2), applied integer NOT NULL DEFAULT (0), total integer NOT NULL "
        "DEFAULT (0), executed_at datetime NOT NULL, execution_time integer NOT NULL, error text NULL, "
        "error_stmt text NULL, hash text NOT NULL, partial_hashes json NULL, operator_version text NOT NULL, "
        "PRIMARY KEY (version))",
        note);
  }
  return books(
      "atlas_schema_revisions.atlas_schema_revisions",
      "CREATE SCHEMA IF NOT EXISTS atlas_schema_revisions; CREATE TABLE IF NOT EXISTS "
      "atlas_schema_revisions.atlas_schema_revisions (version character varying NOT NULL PRIMARY KEY, "
      "description character varying NOT NULL, type bigint NOT NULL DEFAULT 2, applied bigint NOT NULL "
      "DEFAULT "
      "0, total bigint NOT NULL DEFAULT 0, executed_at timestamp with time zone NOT NULL, execution_time "
      "bigint "
      "NOT NULL, error text, error_stmt text, hash character varying NOT NULL, partial_hashes jsonb, "
      "operator_version character varying NOT NULL)",
      note);
}

/// Whether the files are laid out as another tool has them, whose format is theirs then.
bool is_of_another_tool(const Folder& folder) {
  for (const Entry& entry : folder.entries()) {
    if (!is_sql(entry)) continue;
    if (entry.name.ends_with(".up.sql") || entry.name.ends_with(".down.sql")) return true;
    // Flyway's V1__name.sql
    if (entry.name.starts_with('V') && entry.name.find("__") != std::string::npos) return true;
  }
  for (const char* marker :
       {"-- +goose up", "-- migrate:up", "-- +migrate up", "--liquibase formatted sql"}) {
    if (!folder.first_with_line(marker).empty()) return true;
  }
  return false;
}

Fit fits(const Folder& folder) {
  if (std::none_of(folder.entries().begin(), folder.entries().end(), is_sql)) return {};
  if (folder.has(k_atlas_sum) && !is_of_another_tool(folder))
    return {Fit::How::sure, std::string(k_atlas_sum)};
  return {Fit::How::if_named, ""};
}

void take(Pairing& pairing, const Folder& folder, const Entry& entry) {
  const std::string path = folder.path_of(entry.name);
  const auto source = read_source(path, folder.dialect());
  if (!source) {
    const Failure& failure = source.error();
    pairing.faults().add(failure.location ? to_string(*failure.location) : path, failure.message,
                         failure.hint);
    return;
  }
  const Directives directives = directives_of((*source)->text());
  if (const std::string why = why_refused(directives); !why.empty()) {
    pairing.faults().add(fmt::format("{}:{}:1", path, directives.line),
                         fmt::format("atlas refuses '{}': {}", entry.name, why),
                         "it is '-- atlas:txmode none' or '-- atlas:txmode file', once");
  } else if (directives.is_checkpoint) {
    pairing.leave(entry, "a checkpoint, which is for new databases alone");
  } else {
    pairing.take(record::Side::up,
                 side_file(std::string_view(entry.name).substr(0, entry.name.size() - 4), entry.name));
  }
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_atlas, [](std::vector<Migration>& migrations) {
    std::ranges::sort(migrations, {}, &Migration::up_path);
  });
  for (const Entry& entry : folder.entries()) {
    if (is_sql(entry)) {
      take(pairing, folder, entry);
    } else if (entry.name != k_atlas_sum) {
      pairing.leave(entry, entry.is_directory ? "a folder" : "not a .sql file");
    }
  }
  auto history = std::move(pairing).finish();
  if (!history) return history;
  history->has_down = false;
  history->bookkeeping = bookkeeping(folder.dialect());
  history->habits.keeps_checksums = true;
  history->habits.when_edited = "atlas keeps a checksum of each, and refuses to go on";
  history->habits.late = Habits::Late::refused;
  return history;
}

}  // namespace

Format format() {
  return {"atlas", "<version>_<name>.sql beside atlas.sum", fits, load, true};
}

}  // namespace lockkeeper::history::formats::atlas
