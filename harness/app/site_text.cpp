#include <algorithm>

#include <fmt/format.h>

#include "app/site_report.h"
#include "base/text.h"
#include "report/escape.h"

namespace lockkeeper::app {

namespace {

using engine::postgres::Inspected;
using engine::postgres::TableSize;
using engine::postgres::ToolBook;
using engine::postgres::Trouble;

constexpr std::size_t k_tables_shown = 10;
constexpr std::size_t k_versions_shown = 12;
constexpr std::size_t k_drift_shown = 60;

std::string some_of(const std::vector<std::string>& versions) {
  const std::size_t shown = std::min(versions.size(), k_versions_shown);
  std::string text = join({versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(shown)}, ", ");
  if (shown < versions.size()) text += fmt::format(" and {} more", versions.size() - shown);
  return text;
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more, std::string_view indent) {
  for (const std::string& line : more) lines.push_back(std::string(indent) + line);
}

std::vector<std::string> server_lines(const Inspected& seen) {
  const auto& server = seen.server;
  std::vector<std::string> lines = {
      fmt::format("{} · postgres {}{} · as {} · read only", server.database, server.version,
                  server.is_standby ? ", a standby" : "", server.role),
      fmt::format("  database: {}, {}, {}", bytes_text(server.bytes), server.encoding, server.collation)};
  std::vector<std::string> settings;
  for (const auto& [name, value] : server.settings) {
    if (!value.empty()) settings.push_back(fmt::format("{} {}", name, value));
  }
  lines.push_back(fmt::format("  settings: {}", join(settings, " · ")));
  return lines;
}

/// What a rewrite or a dump needs, as far as SQL can know.
std::vector<std::string> disk_lines(const Inspected& seen) {
  const auto largest = std::ranges::find_if(
      seen.tables, [](const TableSize& table) { return table.bytes && !table.is_partitioned; });
  if (largest == seen.tables.end()) return {};
  return {fmt::format(
      "  disk: to rewrite {} takes up to {} more, and as much WAL; a backup up to {}; how much is "
      "free cannot be known from SQL: look at the server",
      largest->table, bytes_text(largest->bytes), bytes_text(seen.server.bytes))};
}

std::vector<std::string> table_lines(const Inspected& seen) {
  std::vector<std::string> lines = {
      fmt::format("  tables: {}", counted(static_cast<std::int64_t>(seen.tables.size()), "table"))};
  for (std::size_t at = 0; at < std::min(seen.tables.size(), k_tables_shown); ++at) {
    const TableSize& table = seen.tables[at];
    lines.push_back(fmt::format("    {:>9}  {}, {}{}{}", bytes_text(table.bytes), table.table,
                                rows_text(table.rows), table.is_partitioned ? ", partitioned" : "",
                                table.analyzed || table.is_partitioned ? "" : ", never analyzed"));
  }
  if (seen.tables.size() > k_tables_shown)
    lines.push_back(fmt::format("    and {} smaller ones", seen.tables.size() - k_tables_shown));
  return lines;
}

std::string book_summary(const ToolBook& book) {
  using engine::postgres::BookEntry;
  const auto in = versions_in(book);
  const auto notes_only_the_last = [](const BookEntry& entry) {
    return entry.state == BookEntry::State::in_with_all_before ||
           entry.state == BookEntry::State::failed_behind_all_before;
  };
  if (std::ranges::any_of(book.entries, notes_only_the_last))
    return "at " + some_of(in.empty() ? failed_versions(book) : in);
  return in.empty() ? "none is in" : fmt::format("{} in, the last is {}", in.size(), in.back());
}

std::vector<std::string> book_lines(const ToolBook& book) {
  std::vector<std::string> lines = {
      fmt::format("  migrations: {} ({}): {}", book.tool, book.table, book_summary(book))};
  if (const auto failed = failed_versions(book); !failed.empty()) {
    lines.push_back(
        fmt::format("✘ DIRTY: {} says that {} failed in the middle", book.table, some_of(failed)));
    lines.emplace_back(
        "    instead: see what of it is there, mend that, and clear the mark as the tool wants it");
  }
  return lines;
}

std::vector<std::string> applied_lines(const Preflight& preflight) {
  if (!preflight.applied) return {};
  const Applied& applied = *preflight.applied;
  const char* const by_whom = applied.tool.empty() ? " (nobody notes it: those before the trial)" : "";
  std::vector<std::string> lines = {
      fmt::format("  of the folder: {} in{}, {} pending{}{}", applied.in.size(), by_whom,
                  applied.pending.size(), applied.pending.empty() ? "" : ": ", some_of(preflight.pending))};
  if (!applied.unknown.empty()) {
    lines.push_back(fmt::format("✘ in there, and unknown to the folder: {}", some_of(applied.unknown)));
    lines.emplace_back("    instead: bring the folder up to date, or find out who ran them");
  }
  return lines;
}

std::vector<std::string> drift_lines(const Preflight& preflight) {
  if (!preflight.drift) return {};
  const Drift& drift = *preflight.drift;
  const auto count = static_cast<std::int64_t>(preflight.applied ? preflight.applied->in.size() : 0);
  const std::string made =
      fmt::format("what those that are in make ({}, on {})", counted(count, "migration"), drift.built_on);
  std::vector<std::string> lines;
  if (drift.objects.empty()) {
    lines.push_back(fmt::format("✔ the schema is {}", made));
  } else {
    lines.push_back(
        fmt::format("✘ the schema is not {}: lost is what they make and is not there, new what they "
                    "do not make",
                    made));
    auto differences = difference_lines(drift.objects);
    const std::size_t all = differences.size();
    differences.resize(std::min(all, k_drift_shown));
    append(lines, differences, "    │ ");
    if (all > k_drift_shown)
      lines.push_back(fmt::format("    │ and {} more: --output json has all", all - k_drift_shown));
    lines.emplace_back("    instead: write what was changed by hand into a migration, or undo it");
  }
  append(lines, difference_lines(drift.asides), "    also: ");
  return lines;
}

}  // namespace

std::string rows_text(const std::optional<std::int64_t>& rows) {
  return rows ? "about " + counted(*rows, "row") : "rows unknown";
}

std::string bytes_text(const std::optional<std::int64_t>& bytes) {
  return bytes ? human_bytes(static_cast<std::uint64_t>(*bytes)) : "size unknown";
}

std::string readable_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += report::readable(line) + "\n";
  return text;
}

std::vector<std::string> trouble_lines(const std::vector<Trouble>& troubles) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < troubles.size();) {
    const std::string& kind = troubles[at].kind;
    std::size_t end = at;
    bool stands = false;
    for (; end < troubles.size() && troubles[end].kind == kind; ++end)
      stands = stands || troubles[end].stands;
    const auto text = engine::postgres::text_of_trouble(kind);
    lines.push_back(fmt::format("{} {}", stands ? "✘" : "·", text.title.empty() ? kind : text.title));
    for (; at < end; ++at)
      lines.push_back(fmt::format("    {}: {}", troubles[at].subject, troubles[at].detail));
    if (!text.advice.empty()) lines.push_back(fmt::format("    instead: {}", text.advice));
  }
  return lines;
}

std::vector<std::string> unseen_lines(const std::vector<engine::postgres::Unseen>& unseen) {
  std::vector<std::string> lines;
  lines.reserve(unseen.size());
  for (const auto& one : unseen) lines.push_back(fmt::format("? not seen: {}: {}", one.what, one.reason));
  return lines;
}

std::string preflight_text(const Preflight& preflight) {
  const Inspected& seen = preflight.seen;
  std::vector<std::string> lines = server_lines(seen);
  append(lines, preflight.notes, "  note: ");
  append(lines, disk_lines(seen), "");
  append(lines, table_lines(seen), "");
  if (seen.books.empty()) lines.emplace_back("  migrations: no table of a tool that is known was seen there");
  for (const ToolBook& book : seen.books) append(lines, book_lines(book), "");
  append(lines, applied_lines(preflight), "");
  append(lines, drift_lines(preflight), "");
  append(lines, trouble_lines(seen.troubles), "");
  append(lines, unseen_lines(seen.unseen), "");
  if (preflight.not_compared) lines.push_back("? not seen: drift: " + preflight.not_compared->message);
  lines.emplace_back(stands_in_the_way(preflight) ? "something stands in the way"
                                                  : "nothing that was seen stands in the way");
  return readable_text(lines);
}

}  // namespace lockkeeper::app
