#include "app/applied.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace {

using engine::postgres::BookEntry;
using engine::postgres::ToolBook;
namespace fs = std::filesystem;
using State = BookEntry::State;

/// Numbers are the same with and without zeros before them, dates with and without dashes (Diesel).
std::string book_key(const std::string& version) {
  std::string digits = version;
  std::erase(digits, '-');
  const bool is_number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) return version;
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string::npos ? "0" : digits.substr(first);
}

/// Of Liquibase's file::id::author, without the file: how that is written depends on where it was started.
std::string change_set(const std::string& version) {
  const std::size_t file_end = version.find("::");
  return file_end == std::string::npos ? "" : version.substr(file_end);
}

/// All that tools write into their tables for a migration: its version, its file's or folder's name, or the
/// SHA-256 of the file (Drizzle).
std::set<std::string> keys_of(const history::Migration& migration, const std::string& tool) {
  const fs::path path = migration.up_path;
  std::set<std::string> keys = {book_key(migration.version), migration.version + "_" + migration.name,
                                path.filename().string(), path.stem().string(),
                                path.parent_path().filename().string()};
  if (tool == "drizzle") {
    if (const auto text = read_file(path)) keys.insert(Sha256().add(*text).hex());
  }
  keys.insert(change_set(migration.version));
  keys.erase("");
  return keys;
}

/// The index by key, without keys that several migrations share (the folder that all of them lie in).
std::map<std::string, std::size_t> places_of(const history::History& history, const std::string& tool) {
  std::map<std::string, std::size_t> places;
  std::set<std::string> shared;
  for (std::size_t index = 0; index < history.migrations.size(); ++index) {
    for (const std::string& key : keys_of(history.migrations[index], tool)) {
      if (!places.emplace(key, index).second) shared.insert(key);
    }
  }
  for (const std::string& key : shared) places.erase(key);
  return places;
}

/// The last word on each version, in the order of the table. Of Django's rows those of this app.
std::vector<BookEntry> last_words(const ToolBook& book, const std::string& app) {
  std::vector<BookEntry> entries;
  for (BookEntry entry : book.entries) {
    if (book.tool == "django" && !app.empty()) {
      if (!entry.version.starts_with(app + ".")) continue;
      entry.version.erase(0, app.size() + 1);
    }
    std::erase_if(entries, [&](const BookEntry& earlier) { return earlier.version == entry.version; });
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> versions_where(const ToolBook& book, const std::set<State>& states) {
  std::vector<std::string> versions;
  for (const BookEntry& entry : last_words(book, "")) {
    if (states.contains(entry.state)) versions.push_back(entry.version);
  }
  return versions;
}

std::string django_app(const history::History& history) {
  const fs::path folder = fs::path(history.directory).lexically_normal();
  return (folder.filename().empty() ? folder.parent_path() : folder).parent_path().filename().string();
}

}  // namespace

const ToolBook* book_of(const history::History& history, const std::vector<ToolBook>& books) {
  const std::vector<std::string> tables =
      history.bookkeeping ? history.bookkeeping->tables : std::vector<std::string>();
  for (const ToolBook& book : books) {
    if (std::ranges::find(tables, book.table) != tables.end()) return &book;
  }
  // In another schema than usual; a layout that is no tool's own may be run by any.
  const auto bare = [](const std::string& table) { return table.substr(table.rfind('.') + 1); };
  for (const ToolBook& book : books) {
    const bool same_name = std::ranges::any_of(
        tables, [&](const std::string& table) { return bare(table) == bare(book.table); });
    if (same_name || (tables.empty() && books.size() == 1)) return &book;
  }
  return nullptr;
}

Applied applied_of(const history::History& history, const ToolBook& book) {
  Applied applied{book.tool, book.table, {}, {}, {}};
  const auto places = places_of(history, book.tool);
  std::set<std::size_t> in;
  for (const BookEntry& entry : last_words(book, django_app(history))) {
    if (entry.state == State::out) continue;
    auto place = places.find(book_key(entry.version));
    if (place == places.end()) place = places.find(change_set(entry.version));
    if (place == places.end()) {
      applied.unknown.push_back(entry.version);
      continue;
    }
    const bool itself = entry.state == State::in || entry.state == State::in_with_all_before;
    const bool before =
        entry.state == State::in_with_all_before || entry.state == State::failed_behind_all_before;
    for (std::size_t index = 0; before && index < place->second; ++index) in.insert(index);
    if (itself) in.insert(place->second);
  }
  applied.in.assign(in.begin(), in.end());
  for (std::size_t index = 0; index < history.migrations.size(); ++index) {
    if (!in.contains(index)) applied.pending.push_back(index);
  }
  return applied;
}

std::vector<std::string> failed_versions(const ToolBook& book) {
  return versions_where(book, {State::failed, State::failed_behind_all_before});
}

std::vector<std::string> versions_in(const ToolBook& book) {
  return versions_where(book, {State::in, State::in_with_all_before});
}

}  // namespace lockkeeper::app
