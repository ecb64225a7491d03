#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/history.h"
#include "scenario/scenario.h"

namespace lockkeeper::history {

/// One entry of a folder; a symbolic link counts as what it leads to.
struct Entry {
  std::string name;
  bool is_directory = false;
};

/// The entries of a folder sorted by name; a usage failure where it cannot be read.
Result<std::vector<Entry>> list(const std::string& directory);

/// A folder that may hold a history, as formats look at it.
class Folder {
 public:
  static Result<Folder> open(const std::string& directory, const scenario::Tool& tool = {});
  /// Which SQL the history is for; known when its format is.
  sql::Dialect dialect() const { return m_dialect; }
  void set_dialect(sql::Dialect dialect) { m_dialect = dialect; }

  const std::string& path() const { return m_path; }
  const std::vector<Entry>& entries() const { return m_entries; }
  /// What the scenario says of the program that runs the history; mostly nothing.
  const scenario::Tool& tool() const { return m_tool; }
  /// The path of an entry, to open it.
  std::string path_of(std::string_view name) const;
  bool has(std::string_view name) const;  ///< an entry of that name, file or folder
  /// Name of the first plain .sql file (no folder, not hidden, a side of nothing by its name) one of whose
  /// lines begins with `marker`, white space before it and the case of its letters aside; empty where there
  /// is none. Files are read once, and only their first 64 KiB.
  std::string first_with_line(std::string_view marker) const;
  /// Name of the first .sql file (no folder, not hidden), sides by their name included, whose text begins so,
  /// a byte order mark aside; empty where there is none. `beginning` is at most 61 bytes long. Files are read
  /// once.
  std::string first_beginning_with(std::string_view beginning) const;
  /// Nearest of the files `name` in this folder and those above it, up to the root of its repository.
  std::optional<std::string> above(const std::string& name) const;
  /// All of them, the nearest first.
  std::vector<std::string> all_above(const std::string& name) const;

 private:
  struct Head {
    std::string name;
    std::string text;  ///< of a head in lower case, of a beginning as it is
  };
  const std::vector<Head>& heads() const;

  std::string m_path;
  std::vector<Entry> m_entries;
  scenario::Tool m_tool;
  sql::Dialect m_dialect = sql::Dialect::postgres;
  mutable std::shared_ptr<std::vector<Head>> m_heads;
  mutable std::shared_ptr<std::vector<Head>> m_beginnings;
};

/// What a format makes of a folder.
struct Fit {
  enum class How {
    no,
    if_named,  ///< it can be read so, but nothing speaks for it: only where the user names the format
    possible,  ///< the names fit, as they do for others too
    sure       ///< something in it is of this tool alone
  };
  How how = How::no;
  std::string because;  ///< what it was seen by: "'-- +goose Up' in 001_a.sql"
  /// Which SQL the folder says it is for, where it says so.
  std::optional<sql::Dialect> dialect = std::nullopt;
};

/// A way to lay out a history: how to know it and how to read it.
struct Format {
  std::string name;
  std::string layout;  ///< for messages: "<version>_<name>.up.sql beside …"
  Fit (*fits)(const Folder& folder);
  Result<History> (*load)(const Folder& folder);
  bool knows_sqlite = false;
};

/// How numbers are ordered that all have the 14 digits of a date and time, or more: golang-migrate by value,
/// diesel as text, so that 20240102030405000 stands before 20250101000000.
enum class NumberOrder { by_value, dates_as_text };

/// Puts migrations into the order of their versions: by value where every version is a number (9 before 10;
/// of equal values, 01 before 1), as text without its dashes where some are dates with dashes (diesel leaves
/// them out: 20170804200817 before 2017-08-31-230457), else all of them byte by byte.
void sort_by_version(std::vector<Migration>& migrations, NumberOrder order = NumberOrder::by_value);

bool is_number(const std::string& version);
/// The number without leading zeros, so that 007 and 7 are one; the text itself where it is no number.
std::string number_key(const std::string& version);
std::string without_dashes(std::string version);
/// Compares two numbers of any length by value.
bool number_less(const std::string& a, const std::string& b);

/// Reads a file as a source that parts can keep.
Result<std::shared_ptr<const sql::Source>> read_source(const std::string& path, sql::Dialect dialect);
/// A script of one part.
Result<sql::Script> script_of(Result<sql::Part> part);

}  // namespace lockkeeper::history
