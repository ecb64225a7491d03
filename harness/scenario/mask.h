#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::scenario {

/// What becomes of a column's values when a database is copied for a fixture.
struct MaskRule {
  enum class Kind { null, constant, hash, email, keep_last };

  Kind kind = Kind::null;
  std::string constant;  ///< of Kind::constant, as text
  int keep = 0;          ///< of Kind::keep_last: characters at the end that stay
  /// Schema, table and column as the catalog has them; '*' and '?' stand for others.
  std::array<std::string, 3> pattern;
  std::string written;  ///< the pattern as it stands in the file
  Location location;

  bool is_exact() const;
  bool matches(std::string_view schema, std::string_view table, std::string_view column) const;
};

/// "hash", "keep_last 4": as a rule is written.
std::string to_string(const MaskRule& rule);

/// The rules of a file, `columns: {schema.table.column: rule}`. Usage failures with line and column: an
/// unknown key or rule, a name that is not made of three parts, a count that is none.
Result<std::vector<MaskRule>> load_masks(const std::string& path);

/// A dotted name in its parts; what stands in double quotes may hold dots. Empty where a quote is not closed.
std::vector<std::string> name_parts(std::string_view name);

/// Does a name match a pattern of letters, '*' and '?'?
bool matches_pattern(const std::string& pattern, std::string_view name);

}  // namespace lockkeeper::scenario
