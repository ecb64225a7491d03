#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "scenario/yaml.h"

namespace lockkeeper::scenario {

/// What may be said of a query in a comment in front of it.
extern const std::vector<std::string> k_query_comment_keys;

/// A file that holds one query, and before it comment lines "-- key: value" with the keys of a query and
/// values as YAML writes them. The value of `params` may be a SELECT, and it may go on on lines that begin
/// with "--" and three spaces or more. Other comments stay a part of the SQL.
struct QueryFile {
  Value fields;       ///< a map, with the places in the file
  std::string sql;    ///< without those lines and without a semicolon at its end
  Location location;  ///< of the query's first word
};

/// `called` is the file's name in messages and places. Usage failures: unreadable, not UTF-8, over 1 MB, no
/// SQL in it, a key that stands there twice or looks like a slip of the keyboard, a value that is not YAML.
Result<QueryFile> read_query_file(const std::string& path, const std::string& called);

/// Does a text begin as a query that yields rows does?
bool is_row_query(std::string_view text);

}  // namespace lockkeeper::scenario
