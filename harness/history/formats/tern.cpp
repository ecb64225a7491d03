#include "history/formats/tern.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/lines.h"
#include "history/sections.h"

namespace lockkeeper::history::formats::tern {

namespace {

using record::Side;

constexpr std::string_view k_separator = "---- create above / drop below ----";
constexpr std::string_view k_disable = "---- tern: disable-tx ----";

bool is_migration(const Entry& entry) {
  const std::size_t digits = entry.name.find_first_not_of("0123456789");
  return !entry.is_directory && digits != 0 && digits != std::string::npos && entry.name[digits] == '_' &&
         entry.name.ends_with(".sql") && entry.name.size() > digits + 5;
}

sql::Piece up_of(std::string_view text) {
  return {0, std::min(text.find(k_separator), text.size())};
}

sql::Piece down_of(std::string_view text) {
  const std::size_t at = text.find(k_separator);
  return {at == std::string_view::npos ? text.size() : at + k_separator.size(), text.size()};
}

std::string_view text_of(const sql::Source& source, sql::Piece piece) {
  return source.text().substr(piece.first, piece.second - piece.first);
}

bool holds_code(std::string_view text) {
  Lines lines(text);
  while (lines.next()) {
    const std::string_view line = stripped(lines.line().text);
    if (!line.empty() && !line.starts_with("--")) return true;
  }
  return false;
}

/// Offset of the line that turns the transaction off, npos for none. Go's $ stands before a line feed or at
/// the end alone, so that a line that ends in CR LF is none, but for the last, whose white space is cut.
std::size_t disabling_line(std::string_view text) {
  const std::string_view cut = stripped(text);
  if (cut.empty()) return std::string_view::npos;
  const std::size_t end = static_cast<std::size_t>(cut.data() - text.data()) + cut.size();
  for (std::size_t at = text.find(k_disable); at < end; at = text.find(k_disable, at + 1)) {
    const std::size_t behind = at + k_disable.size();
    const bool begins = at == static_cast<std::size_t>(cut.data() - text.data()) || text[at - 1] == '\n';
    if (begins && (behind == end || text[behind] == '\n')) return at;
  }
  return std::string_view::npos;
}

Result<Sections> find_sections(const sql::Source& source) {
  const std::string_view text = source.text();
  if (const std::size_t at = text.find("{{"); at != std::string_view::npos) {
    return failed(FailureKind::usage,
                  fmt::format("cannot read '{}': a template, which tern fills in", source.path()),
                  "write the SQL out", source.locate(at));
  }
  if (!holds_code(text_of(source, up_of(text)))) {
    return failed(FailureKind::usage, fmt::format("tern refuses '{}': no SQL in its up", source.path()),
                  "SQL stands above the line '---- create above / drop below ----'",
                  Location{source.path(), 1, 1});
  }
  const bool down = !stripped(text_of(source, down_of(text))).empty();
  return Sections{1, down ? source.locate(text.find(k_separator)).line : 0};
}

Result<sql::Script> read_tern(const Migration& migration, Side side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  const std::string_view text = (*source)->text();
  const sql::Piece piece = side == Side::up ? up_of(text) : down_of(text);
  const std::size_t disabled = disabling_line(text_of(**source, piece));
  if (disabled == std::string_view::npos)
    return script_of(sql::as_one_message(*source, piece, record::TransactionShape::one_transaction, "tern"));
  auto part = sql::statement_by_statement(*source, piece, record::TransactionShape::autocommit);
  if (part) {
    part->shape_reason = fmt::format("{} at {}:1", k_disable, (*source)->locate(piece.first + disabled).line);
  }
  return script_of(std::move(part));
}

std::shared_ptr<const Bookkeeping> bookkeeping() {
  return books("public.schema_version",
               "CREATE TABLE IF NOT EXISTS public.schema_version (version int4 NOT NULL PRIMARY KEY); INSERT "
               "INTO public.schema_version SELECT 0 WHERE NOT EXISTS (SELECT FROM public.schema_version)",
               [](const Migration& migration, Side side) {
                 return fmt::format("UPDATE public.schema_version SET version = {}{}", migration.version,
                                    side == Side::up ? "" : " - 1");
               });
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  if (std::none_of(entries.begin(), entries.end(), is_migration)) return {};
  const std::string file = folder.first_with_line(k_separator);
  if (!file.empty()) return {Fit::How::sure, fmt::format("'{}' in {}", k_separator, file)};
  if (const auto config = folder.above("tern.conf")) return {Fit::How::sure, *config};
  return {Fit::How::if_named, ""};
}

/// The first number that is missing, 0 for none.
std::size_t first_gap(const std::map<std::string, std::string>& files) {
  for (std::size_t number = 1; number <= files.size(); ++number) {
    if (!files.contains(std::to_string(number))) return number;
  }
  return 0;
}

Result<History> load(const Folder& folder) {
  SectionedHistory history(folder, read_tern, find_sections);
  std::map<std::string, std::string> files;
  for (const Entry& entry : folder.entries()) {
    if (!is_migration(entry)) {
      history.leave(entry, entry.is_directory ? "a folder, for what templates take in"
                                              : "not named <number>_<name>.sql");
      continue;
    }
    NumberedFile numbered = numbered_file(entry.name);
    files.emplace(number_key(numbered.version), entry.name);
    history.take(entry, std::move(numbered));
  }
  if (const std::size_t gap = first_gap(files); gap > 0) {
    history.faults().add(folder.path(),
                         fmt::format("tern refuses '{}': migration {} is missing", folder.path(), gap),
                         "numbers go from 1 on without a gap");
  }
  auto loaded = std::move(history).finish(
      [](std::vector<Migration>& migrations) { sort_by_version(migrations); }, number_key);
  if (!loaded) return loaded;
  loaded->bookkeeping = bookkeeping();
  loaded->habits.late = Habits::Late::skipped;
  return loaded;
}

}  // namespace

Format format() {
  return {"tern", "<number>_<name>.sql with '---- create above / drop below ----'", fits, load};
}

}  // namespace lockkeeper::history::formats::tern
