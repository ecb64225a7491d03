#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockkeeper::history::formats::sqitch {

/// A project's sqitch.conf: the syntax of git's configuration (`[engine "pg"]`, `key = value`). The system's
/// and the user's own are not read, since a history is to mean the same everywhere.
class Config {
 public:
  /// Nothing is set.
  Config() = default;
  /// A usage failure where it cannot be read or makes no sense.
  static Result<Config> read(const std::string& path);
  static Result<Config> parse(const std::string& path, std::string_view text);

  /// "core.top_dir", "engine.pg.top_dir"; empty where it is not set.
  std::string value(const std::string& key) const;
  /// What a target has: its own section's, the engine's, or core's.
  std::string of_target(const std::string& key) const;
  /// Keys and values of a section: "engine.pg.variables".
  std::map<std::string, std::string> section(const std::string& name) const;
  /// "pg"; empty where nothing tells.
  std::string engine() const;
  /// The same as sections name it, of those that are rehearsed: "pg" where nothing tells.
  std::string engine_key() const;

 private:
  std::string target() const;

  std::map<std::string, std::string> m_values;
};

}  // namespace lockkeeper::history::formats::sqitch
