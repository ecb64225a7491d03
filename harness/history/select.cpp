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

/// A version that is in production, or a git ref that says which are.
Result<Trial> select_after(History& history, const std::string& version_or_ref) {
  if (const auto index = index_of(history, version_or_ref)) {
    Trial trial = trial_from(history, *index + 1);
    if (!trial.judged.empty()) return trial;
    return failed(FailureKind::nothing, fmt::format("migrations '{}': nothing comes after version {}",
                                                    history.directory, version_or_ref));
  }
  auto trial = select_since_ref(history, version_or_ref);
  if (trial || trial.error().kind != FailureKind::usage) return trial;
  const auto versions = versions_of(history);
  return failed(FailureKind::usage,
                fmt::format("'{}': neither a version of '{}' nor a git ref ({})", version_or_ref,
                            history.directory, trial.error().message),
                fmt::format("its versions go from {} to {}", versions.front(), versions.back()));
}

/// How many of the history's migrations are in at this version, or at this git ref. A ref's files must be
/// those that lie here: what is rehearsed is what will run.
Result<std::size_t> end_of(const History& history, const std::string& version_or_ref) {
  if (const auto index = index_of(history, version_or_ref)) return *index + 1;
  const auto checkout = Checkout::of(history.directory, version_or_ref);
  if (!checkout) return failed(checkout);
  auto there = load({checkout->folder(), history.format});
  if (!there) return failed(there);
  std::size_t end = 0;
  for (const Migration& migration : there->migrations) {
    const auto index = index_of(history, migration.version);
    const auto ours = index ? history.migrations[*index].hash_of_up() : Result<std::string>(std::string());
    const auto theirs = migration.hash_of_up();
    if (!ours) return failed(ours);
    if (!theirs) return failed(theirs);
    if (*ours != *theirs) {
      return failed(FailureKind::usage,
                    fmt::format("migration '{}' is another one in git ref '{}' than here", migration.version,
                                version_or_ref),
                    fmt::format("check out {} first", version_or_ref));
    }
    end = std::max(end, *index + 1);
  }
  return end;
}

Result<Trial> select_from(History& history, const scenario::Selection& selection) {
  if (selection.after) return select_after(history, *selection.after);
  if (selection.since) return select_since(history, *selection.since);
  if (selection.last) return select_last(history, *selection.last);
  if (!selection.only.empty()) return select_only(history, selection.only);
  if (selection.since_ref) return select_since_ref(history, *selection.since_ref);
  if (selection.since_folder) {
    return beside(history, *selection.since_folder, fmt::format("'{}'", *selection.since_folder));
  }
  return trial_from(history, 0);
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
  auto trial = select_from(history, selection);
  if (!trial || !selection.until) return trial;
  const auto end = end_of(history, *selection.until);
  if (!end) return failed(end);
  std::erase_if(trial->judged, [&](std::size_t index) { return index >= *end; });
  if (trial->judged.empty()) {
    return failed(FailureKind::nothing, fmt::format("migrations '{}': none between there and {}",
                                                    history.directory, *selection.until));
  }
  return trial;
}

Result<Trial> select(History& history, scenario::Selection selection, const std::string& fixture_at) {
  if (fixture_at.empty()) return select(history, selection);
  const auto last = index_of(history, fixture_at);
  if (!last) return not_there(history, fixture_at);
  if (selection.given() == 0) selection.after = fixture_at;
  auto trial = select(history, selection);
  if (!trial || trial->judged.empty()) return trial;
  if (trial->first <= *last) {
    return failed(FailureKind::usage,
                  fmt::format("version '{}' cannot be on trial: the fixture holds all up to {} already",
                              history.migrations[trial->first].version, fixture_at),
                  "begin the trial behind it, or take a fixture from before");
  }
  trial->held = *last + 1;
  return trial;
}

}  // namespace lockkeeper::history
