#include "history/formats/flyway_settings.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "history/lines.h"
#include "history/settings_file.h"

extern char** environ;

namespace lockkeeper::history::formats::flyway {

namespace {

/// Backslashes stand for themselves, but for one that ends a line before another that is neither empty nor a
/// setting (ConfigUtils.java: loadConfigurationFromString).
std::string with_plain_backslashes(std::string_view text) {
  std::string result;
  for (Lines lines(text); lines.next();) {
    const std::string_view line = stripped(lines.line().text);
    const std::string_view rest = text.substr(lines.line().next);
    const std::string_view following = stripped(rest.substr(0, rest.find('\n')));
    const bool goes_on = line.ends_with('\\') && !following.empty() && !following.starts_with("flyway.");
    for (const char c : line.substr(0, line.size() - (goes_on ? 1 : 0)))
      result += c == '\\' ? "\\\\" : std::string(1, c);
    result += goes_on ? "\\\n" : "\n";
  }
  return result;
}

/// ${NAME} of the environment; nothing where it is not set.
std::string with_environment(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text.substr(at, 2) == "${" ? text.find('}', at) : std::string_view::npos;
    const std::string name(close == std::string_view::npos ? "" : text.substr(at + 2, close - at - 2));
    const auto is_word = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_word)) {
      result += text[at++];
      continue;
    }
    if (const char* value = std::getenv(name.c_str())) result += value;
    at = close + 1;
  }
  return result;
}

std::optional<bool> truth(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true") return true;
  if (word == "false") return false;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(const SettingsFile& file) : m_file(file) {}

  void text(const std::string& key, std::string& into) const {
    if (const auto found = m_file.find("flyway." + key); found != m_file.end()) into = found->second;
  }
  void list(const std::string& key, std::vector<std::string>& into) const {
    std::string value;
    text(key, value);
    if (value.empty()) return;
    into.clear();
    for (const std::string& item : split(value, ',')) {
      if (!trimmed(item).empty()) into.push_back(trimmed(item));
    }
  }
  Result<void> flag(const std::string& key, bool& into, const std::string& file) const {
    std::string value;
    text(key, value);
    if (value.empty()) return {};
    const auto flag = truth(value);
    if (!flag) {
      return failed(FailureKind::usage,
                    fmt::format("Flyway refuses '{}': flyway.{} is '{}'", file, key, abridged(value, 40)),
                    "it is true or false", Location{file, 0, 0});
    }
    into = *flag;
    return {};
  }

 private:
  const SettingsFile& m_file;
};

void take_placeholders(const SettingsFile& file, Settings& settings) {
  constexpr std::string_view k_key = "flyway.placeholders.";
  for (const auto& [key, value] : file) {
    if (key.starts_with(k_key)) settings.placeholders[lower(key.substr(k_key.size()))] = value;
  }
  constexpr std::string_view k_variable = "FLYWAY_PLACEHOLDERS_";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    const std::size_t equals = variable.find('=');
    if (!variable.starts_with(k_variable) || equals == std::string_view::npos) continue;
    settings.placeholders[lower(variable.substr(k_variable.size(), equals - k_variable.size()))] =
        std::string(variable.substr(equals + 1));
  }
}

Result<Settings> taken(const SettingsFile& file, std::string path) {
  Settings settings;
  settings.file = std::move(path);
  const Reader reader(file);
  reader.text("sqlMigrationPrefix", settings.versioned);
  reader.text("undoSqlMigrationPrefix", settings.undo);
  reader.text("repeatableSqlMigrationPrefix", settings.repeatable);
  reader.text("baselineMigrationPrefix", settings.baseline);
  reader.text("sqlMigrationSeparator", settings.separator);
  reader.list("sqlMigrationSuffixes", settings.suffixes);
  reader.text("table", settings.table);
  std::vector<std::string> schemas;
  reader.list("schemas", schemas);
  if (!schemas.empty()) settings.schema = schemas.front();
  reader.text("defaultSchema", settings.schema);
  if (settings.schema == "public") settings.schema.clear();
  reader.list("locations", settings.locations);
  reader.text("placeholderPrefix", settings.placeholder_prefix);
  reader.text("placeholderSuffix", settings.placeholder_suffix);
  reader.text("placeholderSeparator", settings.placeholder_separator);
  take_placeholders(file, settings);
  for (const auto& [key, into] : {std::pair<const char*, bool*>{"placeholderReplacement", &settings.replaces},
                                  {"executeInTransaction", &settings.in_transaction},
                                  {"mixed", &settings.mixed},
                                  {"group", &settings.group},
                                  {"outOfOrder", &settings.out_of_order}}) {
    if (const auto read = reader.flag(key, *into, settings.file); !read) return failed(read);
  }
  return settings;
}

/// `before` is the text up to the placeholder.
tl::unexpected<Failure> without_value(const std::string& path, const std::string& placeholder, bool own,
                                      std::string_view before) {
  const std::size_t newline = before.rfind('\n');
  const std::string_view line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  const Location place{path, 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
                       1 + static_cast<int>(line.size())};
  if (own) {
    return failed(FailureKind::usage,
                  fmt::format("cannot read '{}': Flyway knows {} only when it is connected", path,
                              abridged(placeholder, 60)),
                  "use SQL for it: current_user, current_database()", place);
  }
  return failed(FailureKind::usage,
                fmt::format("Flyway refuses '{}': no value provided for placeholder: {}", path,
                            abridged(placeholder, 60)),
                "give it one: flyway.placeholders.<name>=<value> in flyway.conf, or in the environment "
                "FLYWAY_PLACEHOLDERS_<NAME>",
                place);
}

tl::unexpected<Failure> refused(const std::string& path, const std::string& cause) {
  return failed(FailureKind::usage, fmt::format("Flyway refuses '{}': {}", path, cause),
                "a script's settings are executeInTransaction, placeholderReplacement, encoding and "
                "shouldExecute",
                Location{path, 0, 0});
}

}  // namespace

Result<Settings> settings_for(const Folder& folder) {
  if (const auto toml = folder.above("flyway.toml")) {
    const auto text = read_file(*toml);
    if (!text) return failed(text);
    return taken(read_toml(*text), *toml);
  }
  if (const auto conf = folder.above("flyway.conf")) {
    const auto text = read_file(*conf);
    if (!text) return failed(text);
    return taken(read_properties(with_environment(with_plain_backslashes(*text))), *conf);
  }
  return taken({}, "");
}

Result<ScriptSettings> script_settings(const std::string& path, const Settings& settings) {
  ScriptSettings script;
  const auto text = read_file(path);
  if (!text) return failed(text);
  const auto put_in = with_placeholders(*text, path, settings, {});
  if (!put_in) return failed(put_in);
  for (const auto& [key, value] : read_properties(with_plain_backslashes(*put_in))) {
    const auto flag = truth(value);
    if (key == "executeInTransaction" && flag) {
      script.in_transaction = flag;
    } else if (key == "placeholderReplacement" && flag) {
      script.replaces = flag;
    } else if (key == "shouldExecute") {
      if (!flag) {
        return failed(
            FailureKind::usage,
            fmt::format("'{}': shouldExecute '{}' cannot be worked out here", path, abridged(value, 60)),
            "make it true or false for the rehearsal", Location{path, 0, 0});
      }
      script.runs = *flag;
    } else if (key == "executeInTransaction" || key == "placeholderReplacement") {
      return refused(path, fmt::format("{} is '{}', neither true nor false", key, abridged(value, 40)));
    } else if (key != "encoding") {
      return refused(path, fmt::format("unknown setting '{}'", abridged(key, 40)));
    }
  }
  return script;
}

Result<std::string> with_placeholders(std::string_view text, const std::string& path,
                                      const Settings& settings,
                                      const std::map<std::string, std::string>& built_in) {
  const std::string& prefix = settings.placeholder_prefix;
  const std::string own = "flyway" + settings.placeholder_separator;
  std::string result;
  if (prefix.empty() || settings.placeholder_suffix.empty()) return std::string(text);
  std::size_t at = 0;
  for (std::size_t open = 0; (open = text.find(prefix, at)) != std::string_view::npos;) {
    result += text.substr(at, open - at);
    const std::size_t begin = open + prefix.size();
    const std::size_t close = std::min(text.find(settings.placeholder_suffix, begin), text.size());
    const std::string name(text.substr(begin, close - begin));
    const auto given = settings.placeholders.find(lower(name));
    const auto known = built_in.find(name.starts_with(own) ? name.substr(own.size()) : "");
    if (given == settings.placeholders.end() && known == built_in.end())
      return without_value(path, prefix + name + settings.placeholder_suffix, name.starts_with(own),
                           text.substr(0, open));
    result += given != settings.placeholders.end() ? given->second : known->second;
    at = std::min(close + settings.placeholder_suffix.size(), text.size());
  }
  result += text.substr(at);
  return result;
}

}  // namespace lockkeeper::history::formats::flyway
