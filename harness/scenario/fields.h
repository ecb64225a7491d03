#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "scenario/yaml.h"

namespace lockkeeper::scenario {

/// Keeps the first thing that was found wrong; readers go on with empty values, so that they stay short.
class Problems {
 public:
  void report(const Location& location, std::string message, std::string hint = {});
  const std::optional<Failure>& first() const { return m_first; }

 private:
  std::optional<Failure> m_first;
};

/// Readers of one value; `what` names it in messages, for example "key 'scale'". Each reports and returns an
/// empty value where the type is not as wanted.
std::string read_text(Problems& problems, const Value& value, const std::string& what);
bool read_flag(Problems& problems, const Value& value, const std::string& what);
int read_count(Problems& problems, const Value& value, const std::string& what);  ///< 1 or more
std::string read_date(Problems& problems, const Value& value, const std::string& what);
/// One text, or a list of texts with at least one in it.
std::vector<std::string> read_texts(Problems& problems, const Value& value, const std::string& what);

/// The values of a map by key. The constructor reports what is no map and keys that are not known.
class Fields {
 public:
  Fields(Problems& problems, const Value& map, std::string what, std::vector<std::string> known);

  const Value* find(const std::string& key) const;
  const Value* required(const std::string& key) const;
  const Location& location() const { return m_map.location; }

  std::string required_text(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::optional<std::string> optional_text(const std::string& key) const;
  std::optional<bool> flag(const std::string& key) const;
  std::optional<int> count(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  std::string date(const std::string& key) const;

 private:
  Problems& m_problems;
  const Value& m_map;
  std::string m_what;
};

/// Reports a rule that is not among `rules`.
void check_rule(Problems& problems, const std::string& name, const Location& location,
                const std::vector<std::string>& rules);

/// Where a scenario's path lies (scenario/paths.h); reports one that leads nowhere and hands it back as it
/// is.
std::string existing_path(Problems& problems, const Value& value, const std::string& scenario_file,
                          const std::string& path, std::string_view what);

/// The items of a list; reports anything else.
const std::vector<Value>& items_of(Problems& problems, const Value& value, const std::string& what);

/// "key 'scale'"
std::string key_named(const std::string& key);

}  // namespace lockkeeper::scenario
