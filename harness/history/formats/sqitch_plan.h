#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "history/faults.h"

namespace lockkeeper::history::formats::sqitch {

/// `[project:][change][@tag]`, or the 40 digits of an id; `!` before it makes a conflict of it.
struct Dependency {
  bool conflicts = false;
  std::string project;  ///< empty: this one
  std::string change;
  std::string tag;
  std::string id;
  std::string text;  ///< without the `!`, and without this project's own name

  std::string key() const;  ///< "change@tag"
};

/// Who planned a line, when, and what they said.
struct Planned {
  std::string at;  ///< 2026-11-26T05:56:48Z
  std::string name;
  std::string email;
  std::string note;
};

struct Tag {
  std::string name;  ///< without its @
  Planned planned;
  int line = 0;
  std::string id;  ///< as sqitch has it: SHA-1 of what the plan says of it
};

struct Change {
  std::string name;
  std::vector<Dependency> dependencies;  ///< required ones first
  Planned planned;
  int line = 0;
  std::vector<Tag> tags;
  std::vector<std::string> rework_tags;  ///< that its scripts may be named by, since the change was reworked
  std::string id;
};

struct Plan {
  std::string project;
  std::string uri;
  std::vector<Change> changes;

  /// Index of the change that a dependency of changes[before] means; nothing where it stands not before it.
  /// Only for dependencies on this project.
  std::optional<std::size_t> find(const Dependency& dependency, std::size_t before) const;
};

/// Reads the text of a plan (App::Sqitch::Plan, _parse and check_changes); what sqitch would refuse goes to
/// the faults.
Plan parse_plan(const std::string& path, std::string_view text, Faults& faults);

}  // namespace lockkeeper::history::formats::sqitch
