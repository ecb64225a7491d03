#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lockkeeper::history {

/// Settings of a tool by their full keys: "flyway.placeholders.x". Lists are joined by commas.
using SettingsFile = std::map<std::string, std::string>;

/// A properties file as Java reads it (java.util.Properties), as far as tools' settings go: # and ! begin a
/// comment, `=` or `:` ends a key, a line that ends in a backslash goes on. What is no setting is left out.
SettingsFile read_properties(std::string_view text);

/// A TOML file as far as settings go: tables, bare and quoted keys, text, numbers, booleans, lists of them.
SettingsFile read_toml(std::string_view text);

}  // namespace lockkeeper::history
