#include "history/load.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "history/format.h"
#include "history/formats/plain.h"

namespace lockkeeper::history {

namespace fs = std::filesystem;

namespace {

/// Every format there is. A further one is one more file in formats/ and one more line here.
const std::vector<Format>& formats() {
  static const std::vector<Format> k_formats = {
      {"plain", "<version>_<name>.up.sql and <version>_<name>.down.sql", formats::plain_fits,
       formats::load_plain},
      {"plain-folders", "<version>_<name>/up.sql and <version>_<name>/down.sql", formats::plain_folders_fits,
       formats::load_plain_folders},
  };
  return k_formats;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format& format : formats()) names.push_back(format.name);
  return names;
}

std::string layouts() {
  std::vector<std::string> texts;
  for (const Format& format : formats()) texts.push_back(fmt::format("{} ({})", format.layout, format.name));
  return join(texts, "; ");
}

tl::unexpected<Failure> nothing_fits(const std::string& directory, const std::vector<Entry>& entries) {
  if (entries.empty()) {
    return failed(FailureKind::usage, fmt::format("migrations '{}': the folder is empty", directory),
                  fmt::format("layouts that are read: {}", layouts()));
  }
  std::vector<std::string> seen;
  const auto see = [&](bool sql_only) {
    for (const Entry& entry : entries) {
      if (seen.size() < 3 && entry.name.ends_with(".sql") == sql_only)
        seen.push_back(fmt::format("'{}'", entry.name));
    }
  };
  see(true);
  if (seen.empty()) see(false);
  return failed(FailureKind::usage,
                fmt::format("migrations '{}': no file fits a layout that is read, seen were {}{}", directory,
                            join(seen, ", "), entries.size() > seen.size() ? ", …" : ""),
                fmt::format("layouts that are read: {}", layouts()));
}

Result<const Format*> detect(const std::string& directory, const std::vector<Entry>& entries) {
  std::vector<const Format*> fitting;
  for (const Format& format : formats()) {
    if (format.fits(directory, entries)) fitting.push_back(&format);
  }
  if (fitting.empty()) return nothing_fits(directory, entries);
  if (fitting.size() > 1) {
    return failed(
        FailureKind::usage,
        fmt::format("migrations '{}': both '{}' and '{}' fit", directory, fitting[0]->name, fitting[1]->name),
        "name the format that is meant, in a scenario: migrations: {path: …, format: …}");
  }
  return fitting[0];
}

Result<const Format*> named(const std::string& name) {
  for (const Format& format : formats()) {
    if (format.name == name) return &format;
  }
  return failed(FailureKind::usage,
                fmt::format("format '{}': not known{}", name, did_you_mean(name, format_names())),
                fmt::format("the formats are: {}", join(format_names(), ", ")));
}

}  // namespace

Result<std::vector<Entry>> list(const std::string& directory) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    entries.push_back({at->path().filename().string(), at->is_directory(ignored)});
  }
  if (error) {
    return failed(FailureKind::usage, fmt::format("migrations '{}': {}", directory, error.message()),
                  "name a folder that holds migrations and can be read");
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

bool is_number(const std::string& version) {
  return !version.empty() && version.find_first_not_of("0123456789") == std::string::npos;
}

bool number_less(const std::string& a, const std::string& b) {
  const auto digits = [](const std::string& number) {
    return number.substr(std::min(number.find_first_not_of('0'), number.size()));
  };
  const std::string left = digits(a);
  const std::string right = digits(b);
  return left.size() != right.size() ? left.size() < right.size() : left < right;
}

namespace {

std::string without_dashes(std::string version) {
  std::erase(version, '-');
  return version;
}

/// Versions as diesel makes them: 20140924113530, 2017-09-23-182408, and with milliseconds
/// 2024-12-04-173106-0000.
bool are_dates(const std::vector<Migration>& migrations, NumberOrder order) {
  constexpr std::size_t k_date_digits = 14;
  bool dashes = false;
  std::size_t shortest = std::string::npos;
  for (const Migration& migration : migrations) {
    const std::string digits = without_dashes(migration.version);
    if (!is_number(digits)) return false;
    dashes = dashes || digits.size() != migration.version.size();
    shortest = std::min(shortest, digits.size());
  }
  return shortest >= k_date_digits && (dashes || order == NumberOrder::dates_as_text);
}

}  // namespace

void sort_by_version(std::vector<Migration>& migrations, NumberOrder order) {
  const bool dates = are_dates(migrations, order);
  const bool numbers =
      !dates && std::all_of(migrations.begin(), migrations.end(),
                            [](const Migration& migration) { return is_number(migration.version); });
  std::sort(migrations.begin(), migrations.end(), [&](const Migration& a, const Migration& b) {
    if (dates) {
      const int compared = without_dashes(a.version).compare(without_dashes(b.version));
      return compared != 0 ? compared < 0 : a.version < b.version;
    }
    if (numbers && number_less(a.version, b.version)) return true;
    if (numbers && number_less(b.version, a.version)) return false;
    return a.version < b.version;
  });
}

Result<History> load(const std::string& directory, const std::string& format) {
  const Result<std::vector<Entry>> entries = list(directory);
  if (!entries) return failed(entries);
  const Result<const Format*> chosen = format.empty() ? detect(directory, *entries) : named(format);
  if (!chosen) return failed(chosen);
  if (!(*chosen)->fits(directory, *entries)) return nothing_fits(directory, *entries);
  Result<History> history = (*chosen)->load(directory, *entries);
  if (history && history->migrations.empty()) return nothing_fits(directory, *entries);
  return history;
}

}  // namespace lockkeeper::history
