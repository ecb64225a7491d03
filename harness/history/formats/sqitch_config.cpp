#include "history/formats/sqitch_config.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/lines.h"

namespace lockkeeper::history::formats::sqitch {

namespace {

/// `[core]`, `[engine "pg"]` and the older `[engine.pg]`, as "engine.pg"; empty where it is none.
std::string section_name(std::string_view line) {
  const std::size_t close = line.rfind(']');
  if (close == std::string_view::npos) return {};
  const std::string_view inside = stripped(line.substr(1, close - 1));
  const std::size_t quote = inside.find('"');
  if (quote == std::string_view::npos) return lower(inside);
  const std::size_t end = inside.rfind('"');
  if (end == quote) return {};
  std::string name;
  for (std::size_t at = quote + 1; at < end; ++at) {
    if (inside[at] == '\\' && at + 1 < end) ++at;
    name += inside[at];
  }
  return fmt::format("{}.{}", lower(stripped(inside.substr(0, quote))), name);
}

/// Without its comment and quotes.
std::string plain_value(std::string_view raw) {
  std::string value;
  std::size_t kept = 0;  ///< white space behind it is not
  bool quoted = false;
  for (std::size_t at = 0; at < raw.size(); ++at) {
    char c = raw[at];
    if (c == '"') {
      quoted = !quoted;
      kept = value.size();
      continue;
    }
    if (!quoted && (c == '#' || c == ';')) break;
    const bool escaped = c == '\\' && at + 1 < raw.size();
    if (escaped) {
      c = raw[++at];
      if (c == 'n') c = '\n';
      if (c == 't') c = '\t';
    }
    value += c;
    if (quoted || escaped || (c != ' ' && c != '\t')) kept = value.size();
  }
  value.resize(kept);
  return value;
}

}  // namespace

Result<Config> Config::read(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return failed(text);
  return parse(path, *text);
}

Result<Config> Config::parse(const std::string& path, std::string_view text) {
  Config config;
  std::string section;
  Lines lines(text);
  while (lines.next()) {
    const std::string_view line = stripped(lines.line().text);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    const auto refused = [&] {
      return failed(
          FailureKind::usage,
          fmt::format("sqitch refuses '{}': '{}' is neither a section nor a key", path, abridged(line, 40)),
          "a section is [core] or [engine \"pg\"], a key is NAME = VALUE",
          Location{path, lines.line().number, 1});
    };
    if (line[0] == '[') {
      section = section_name(line);
      if (section.empty()) return refused();
      continue;
    }
    const std::size_t equals = line.find('=');
    const std::string key = lower(stripped(line.substr(0, equals)));
    if (key.empty() || section.empty()) return refused();
    std::string value =
        equals == std::string_view::npos ? "true" : plain_value(stripped(line.substr(equals + 1)));
    config.m_values[fmt::format("{}.{}", section, key)] = std::move(value);
  }
  return config;
}

std::string Config::value(const std::string& key) const {
  const auto found = m_values.find(key);
  return found == m_values.end() ? "" : found->second;
}

std::string Config::target() const {
  const std::string core = value("core.target");
  const std::string target = core.empty() ? value(fmt::format("engine.{}.target", engine_key())) : core;
  return target.find(':') == std::string::npos ? target : "";
}

std::string Config::of_target(const std::string& key) const {
  if (const std::string name = target(); !name.empty()) {
    if (auto own = value(fmt::format("target.{}.{}", name, key)); !own.empty()) return own;
  }
  if (auto of_engine = value(fmt::format("engine.{}.{}", engine_key(), key)); !of_engine.empty())
    return of_engine;
  return value("core." + key);
}

std::map<std::string, std::string> Config::section(const std::string& name) const {
  std::map<std::string, std::string> keys;
  const std::string prefix = name + ".";
  for (auto at = m_values.lower_bound(prefix); at != m_values.end() && at->first.starts_with(prefix); ++at) {
    const std::string key = at->first.substr(prefix.size());
    if (key.find('.') == std::string::npos) keys[key] = at->second;
  }
  return keys;
}

std::string Config::engine_key() const {
  return engine() == "sqlite" ? "sqlite" : "pg";
}

std::string Config::engine() const {
  std::string uri = value("core.target");
  if (!uri.empty() && uri.find(':') == std::string::npos) uri = value(fmt::format("target.{}.uri", uri));
  if (uri.empty()) return value("core.engine");
  const auto parts = split(uri, ':');
  const std::string named = parts.size() > 1 && parts[0] == "db" ? parts[1] : parts[0];
  return named == "postgres" || named == "postgresql" || named == "pgsql" ? "pg" : named;
}

}  // namespace lockkeeper::history::formats::sqitch
