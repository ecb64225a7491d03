#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::scenario {

/// A YAML value with its place, aliases put in. Scalars keep their text as written: 0012 stays 0012.
struct Value {
  enum class Kind { null, scalar, list, map };
  struct Key {
    std::string text;
    Location location;
  };

  Kind kind = Kind::null;
  std::string text;  ///< of a scalar
  Location location;
  std::vector<Value> items;  ///< of a list, or of a map in the order of its keys
  std::vector<Key> keys;     ///< of a map
};

/// The one document of a file. Usage failures, with the place: unreadable, over 1 MB, not UTF-8, not YAML,
/// empty, more than one document, a key twice in one map, a key that is no text, nested or expanded beyond
/// reason.
Result<Value> read_yaml(const std::string& path);
/// The same of a text that was read already; `path` is for messages.
Result<Value> parse_yaml(const std::string& path, std::string text);
/// One value that stands in a file of another kind, at `place` there; of Kind::null where the text is empty.
Result<Value> parse_yaml_value(const Location& place, std::string_view text);

}  // namespace lockkeeper::scenario
