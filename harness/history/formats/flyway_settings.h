#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "history/format.h"

namespace lockkeeper::history::formats::flyway {

/// What Flyway is told by flyway.toml or flyway.conf and by its environment
/// (documentation/Reference/Configuration; internal/configuration/ConfigUtils.java).
struct Settings {
  std::string file;  ///< that they were read from; empty where there is none
  std::string versioned = "V";
  std::string undo = "U";
  std::string repeatable = "R";
  std::string baseline = "B";
  std::string separator = "__";
  std::vector<std::string> suffixes = {".sql"};
  std::string table = "flyway_schema_history";
  std::string schema;  ///< other than public, that migrations are sent in; else empty
  std::vector<std::string> locations;

  bool replaces = true;  ///< placeholders
  std::string placeholder_prefix = "${";
  std::string placeholder_suffix = "}";
  std::string placeholder_separator = ":";
  std::map<std::string, std::string> placeholders;  ///< by their names in lower case

  bool in_transaction = true;
  bool mixed = false;
  bool group = false;
  bool out_of_order = false;
};

/// Those that hold for a folder: of the nearest flyway.toml, else flyway.conf, in it or above it.
Result<Settings> settings_for(const Folder& folder);

/// What `<script>.conf` says of one script; a usage failure for what Flyway refuses.
struct ScriptSettings {
  std::optional<bool> in_transaction;
  std::optional<bool> replaces;
  bool runs = true;  ///< shouldExecute
};
Result<ScriptSettings> script_settings(const std::string& path, const Settings& settings);

/// The text with placeholders put in as PlaceholderReplacingReader does it; a usage failure where one has no
/// value. `built_in` goes by the names behind "flyway:".
Result<std::string> with_placeholders(std::string_view text, const std::string& path,
                                      const Settings& settings,
                                      const std::map<std::string, std::string>& built_in);

}  // namespace lockkeeper::history::formats::flyway
