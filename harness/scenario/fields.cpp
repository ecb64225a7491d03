#include "scenario/fields.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "scenario/paths.h"

namespace lockkeeper::scenario {

namespace {

std::string found(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::scalar:
      return fmt::format("'{}'", abridged(value.text, 40));
    case Value::Kind::list:
      return "a list";
    case Value::Kind::map:
      return "a map";
  }
  return {};
}

void report_type(Problems& problems, const Value& value, const std::string& what, std::string_view wanted) {
  problems.report(value.location, fmt::format("{}: {} is wanted, not {}", what, wanted, found(value)));
}

}  // namespace

void Problems::report(const Location& location, std::string message, std::string hint) {
  if (!m_first) m_first = Failure{FailureKind::usage, std::move(message), std::move(hint), location};
}

std::string key_named(const std::string& key) {
  return fmt::format("key '{}'", key);
}

std::string read_text(Problems& problems, const Value& value, const std::string& what) {
  if (value.kind != Value::Kind::scalar || trimmed(value.text).empty())
    report_type(problems, value, what, "text");
  return value.text;
}

bool read_flag(Problems& problems, const Value& value, const std::string& what) {
  if (value.kind != Value::Kind::scalar || (value.text != "true" && value.text != "false")) {
    report_type(problems, value, what, "true or false");
  }
  return value.text == "true";
}

int read_count(Problems& problems, const Value& value, const std::string& what) {
  int count = 0;
  const char* const end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, count);
  if (value.kind != Value::Kind::scalar || error != std::errc{} || stopped != end || count < 1) {
    report_type(problems, value, what, "a whole number from 1 on");
    return 1;
  }
  return count;
}

std::string read_date(Problems& problems, const Value& value, const std::string& what) {
  if (value.kind != Value::Kind::scalar || !is_date(value.text)) {
    report_type(problems, value, what, "a date (YYYY-MM-DD)");
  }
  return value.text;
}

std::vector<std::string> read_texts(Problems& problems, const Value& value, const std::string& what) {
  if (value.kind != Value::Kind::list) return {read_text(problems, value, what)};
  if (value.items.empty()) problems.report(value.location, fmt::format("{}: the list is empty", what));
  std::vector<std::string> texts;
  for (const Value& item : value.items) texts.push_back(read_text(problems, item, what));
  return texts;
}

void check_rule(Problems& problems, const std::string& name, const Location& location,
                const std::vector<std::string>& rules) {
  if (std::find(rules.begin(), rules.end(), name) != rules.end()) return;
  problems.report(location, fmt::format("rule '{}': not known{}", abridged(name), did_you_mean(name, rules)),
                  "'lockkeeper rules' lists them");
}

std::string existing_path(Problems& problems, const Value& value, const std::string& scenario_file,
                          const std::string& path, std::string_view what) {
  if (path.empty()) return path;
  const auto found = find_path(scenario_file, path);
  if (!found) {
    problems.report(
        value.location,
        fmt::format("{} '{}': no such file or directory{}", what, path, similar_path(scenario_file, path)),
        "paths are looked up from the scenario's folder, from each one above it, and from the "
        "working directory");
  }
  return found.value_or(path);
}

const std::vector<Value>& items_of(Problems& problems, const Value& value, const std::string& what) {
  static const std::vector<Value> k_none;
  if (value.kind == Value::Kind::list) return value.items;
  report_type(problems, value, what, "a list");
  return k_none;
}

Fields::Fields(Problems& problems, const Value& map, std::string what, std::vector<std::string> known)
    : m_problems(problems), m_map(map), m_what(std::move(what)) {
  if (map.kind != Value::Kind::map) {
    report_type(problems, map, m_what, "a map");
    return;
  }
  for (const Value::Key& key : map.keys) {
    if (std::find(known.begin(), known.end(), key.text) != known.end()) continue;
    problems.report(key.location,
                    fmt::format("unknown key '{}'{}", abridged(key.text), did_you_mean(key.text, known)),
                    fmt::format("{} knows: {}", m_what, join(known, ", ")));
  }
}

const Value* Fields::find(const std::string& key) const {
  for (std::size_t i = 0; i < m_map.keys.size(); ++i) {
    if (m_map.keys[i].text == key) return &m_map.items[i];
  }
  return nullptr;
}

const Value* Fields::required(const std::string& key) const {
  const Value* const value = find(key);
  if (value == nullptr) {
    m_problems.report(m_map.location, fmt::format("{}: key '{}' is missing", m_what, key));
  }
  return value;
}

std::string Fields::required_text(const std::string& key) const {
  const Value* const value = required(key);
  return value ? read_text(m_problems, *value, key_named(key)) : std::string();
}

std::string Fields::text(const std::string& key) const {
  return optional_text(key).value_or("");
}

std::optional<std::string> Fields::optional_text(const std::string& key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  return read_text(m_problems, *value, key_named(key));
}

std::optional<bool> Fields::flag(const std::string& key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  return read_flag(m_problems, *value, key_named(key));
}

std::optional<int> Fields::count(const std::string& key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  return read_count(m_problems, *value, key_named(key));
}

std::vector<std::string> Fields::texts(const std::string& key) const {
  const Value* const value = find(key);
  return value ? read_texts(m_problems, *value, key_named(key)) : std::vector<std::string>();
}

std::string Fields::date(const std::string& key) const {
  const Value* const value = find(key);
  return value ? read_date(m_problems, *value, key_named(key)) : std::string();
}

}  // namespace lockkeeper::scenario
