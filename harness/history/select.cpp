#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "history/base.h"
#include "history/format.h"
#include "history/git.h"
#include "history/load.h"

namespace lockkeeper::history {

namespace {

std::vector<std::string> versions_of(const History& history) {
  std::vector<std::string> versions;
  for (const Migration& migration : history.migrations) versions.push_back(migration.version);
  return versions;
}

/// All from index `first` on.
Trial trial_from(const History& history, std::size_t first) {
  Trial trial;
  trial.first = first;
  for (std::size_t i = first; i < history.migrations.size(); ++i) trial.judged.push_back(i);
  return trial;
}

tl::unexpected<Failure> not_there(const History& history, const std::string& version) {
  const std::vector<std::string> versions = versions_of(history);
  return failed(
      FailureKind::usage,
      fmt::format("version '{}': not in '{}'{}", version, history.directory, did_you_mean(version, versions)),
      fmt::format("its versions go from {} to {}", versions.front(), versions.back()));
}

bool all_numbers(const History& history) {
  return std::all_of(history.migrations.begin(), history.migrations.end(),
                     [](const Migration& migration) { return is_number(migration.version); });
}

/// The index of a version as it is written, or else of the only one that is the same number (1 for 0001,
/// 20230101000000 for 2023-01-01-000000).
std::optional<std::size_t> index_of(const History& history, const std::string& version) {
  std::optional<std::size_t> same_number;
  int numbers = 0;
  for (std::size_t i = 0; i < history.migrations.size(); ++i) {
    const std::string& candidate = history.migrations[i].version;
    if (candidate == version) return i;
    const std::string digits = without_dashes(candidate);
    if (is_number(digits) && is_number(version) && !number_less(digits, version) &&
        !number_less(version, digits)) {
      same_number = i;
      ++numbers;
    }
  }
  return numbers == 1 ? same_number : std::nullopt;
}

/// A version that is there, or any number where all versions are numbers: the first that is not below it.
Result<Trial> select_since(const History& history, const std::string& version) {
  if (const auto index = index_of(history, version)) return trial_from(history, *index);
  if (!is_number(version) || !all_numbers(history)) return not_there(history, version);
  for (std::size_t i = 0; i < history.migrations.size(); ++i) {
    if (!number_less(history.migrations[i].version, version)) return trial_from(history, i);
  }
  return failed(FailureKind::nothing,
                fmt::format("migrations '{}': none from version {} on", history.directory, version),
                fmt::format("the last one is {}", history.migrations.back().version));
}

Result<Trial> select_last(const History& history, int count) {
  if (count < 1) {
    return failed(FailureKind::usage, fmt::format("last '{}': a number from 1 on is wanted", count));
  }
  const std::size_t wanted = std::min(static_cast<std::size_t>(count), history.migrations.size());
  return trial_from(history, history.migrations.size() - wanted);
}

Result<Trial> select_only(const History& history, const std::vector<std::string>& versions) {
  Trial trial;
  for (const std::string& version : versions) {
    const auto index = index_of(history, version);
    if (!index) return not_there(history, version);
    trial.judged.push_back(*index);
  }
  std::sort(trial.judged.begin(), trial.judged.end());
  trial.judged.erase(std::unique(trial.judged.begin(), trial.judged.end()), trial.judged.end());
  trial.first = trial.judged.front();
  return trial;
}

Result<Trial> beside(History& history, const std::string& folder, const std::string& name) {
  const auto entries = list(folder);
  if (!entries) return failed(entries);
  History base;
  if (!entries->empty()) {
    auto loaded = load({folder, history.format});
    if (!loaded) {
      return failed(loaded.error().kind,
                    fmt::format("{}: its migrations cannot be read: {}", name, loaded.error().message),
                    loaded.error().hint);
    }
    base = std::move(*loaded);
  }
  Trial trial = trial_beside(history, base, name);
  if (trial.judged.empty() && trial.facts.empty()) {
    return failed(FailureKind::nothing,
                  fmt::format("migrations '{}': {} has all of them", history.directory, name),
                  "nothing is new, so nothing is on trial");
  }
  return trial;
}

Result<Trial> select_since_ref(History& history, const std::string& ref) {
  const auto checkout = Checkout::of(history.directory, ref);
  if (!checkout) return failed(checkout);
  return beside(history, checkout->folder(), fmt::format("git ref '{}'", ref));
}

}  // namespace

Result<Trial> select(History& history, const scenario::Selection& selection) {
  if (selection.given() > 1) {
    return failed(FailureKind::usage,
                  "since, last, only, since-ref and since-folder: only one of them can be given");
  }
  if (history.migrations.empty()) {
    return failed(FailureKind::nothing, fmt::format("migrations '{}': there are none", history.directory));
  }
  if (selection.since) return select_since(history, *selection.since);
  if (selection.last) return select_last(history, *selection.last);
  if (!selection.only.empty()) return select_only(history, selection.only);
  if (selection.since_ref) return select_since_ref(history, *selection.since_ref);
  if (selection.since_folder) {
    return beside(history, *selection.since_folder, fmt::format("'{}'", *selection.since_folder));
  }
  return trial_from(history, 0);
}

}  // namespace lockkeeper::history
