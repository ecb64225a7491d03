#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "history/history.h"

namespace lockkeeper::history {

/// One entry of a folder; a symbolic link counts as what it leads to.
struct Entry {
  std::string name;
  bool is_directory = false;
};

/// The entries of a folder sorted by name; a usage failure where it cannot be read.
Result<std::vector<Entry>> list(const std::string& directory);

/// A way to lay out a history: how to know it and how to read it.
struct Format {
  std::string name;
  std::string layout;  ///< for messages: "<version>_<name>.up.sql beside …"
  bool (*fits)(const std::string& directory, const std::vector<Entry>& entries);
  Result<History> (*load)(const std::string& directory, const std::vector<Entry>& entries);
};

/// How numbers are ordered that all have the 14 digits of a date and time, or more: golang-migrate by value,
/// diesel as text, so that 20240102030405000 stands before 20250101000000.
enum class NumberOrder { by_value, dates_as_text };

/// Puts migrations into the order of their versions: by value where every version is a number (9 before 10;
/// of equal values, 01 before 1), as text without its dashes where some are dates with dashes (diesel leaves
/// them out: 20170804200817 before 2017-08-31-230457), else all of them byte by byte.
void sort_by_version(std::vector<Migration>& migrations, NumberOrder order = NumberOrder::by_value);

bool is_number(const std::string& version);
/// Compares two numbers of any length by value.
bool number_less(const std::string& a, const std::string& b);

}  // namespace lockkeeper::history
