#include "scenario/yaml.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::scenario {

namespace {

constexpr std::size_t k_largest_bytes = 1024 * 1024;
constexpr int k_deepest = 16;
constexpr std::size_t k_most_values = 100'000;

/// Turns yaml-cpp's nodes into values. Aliases share nodes there, so that ten lines can stand for a billion
/// values: depth and number are limited here.
class Converter {
 public:
  Converter(std::string path, std::string_view text) : m_path(std::move(path)), m_lines(split(text, '\n')) {}

  Location place(const YAML::Mark& mark) const {
    if (mark.is_null()) return {m_path, 0, 0};
    const auto line = static_cast<std::size_t>(std::max(mark.line, 0));
    const std::string_view before =
        line < m_lines.size()
            ? std::string_view(m_lines[line]).substr(0, static_cast<std::size_t>(mark.column))
            : "";
    const auto characters = std::count_if(before.begin(), before.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // yaml-cpp counts bytes
    });
    return {m_path, mark.line + 1, static_cast<int>(characters) + 1};
  }

  Result<Value> convert(const YAML::Node& node, int depth = 0) {
    Value value;
    value.location = place(node.Mark());
    if (depth > k_deepest || ++m_values > k_most_values) {
      return failed(FailureKind::usage,
                    fmt::format("scenario '{}': nested or repeated beyond reason", m_path),
                    "a scenario needs few levels and no aliases of aliases", value.location);
    }
    if (node.IsScalar()) {
      value.kind = Value::Kind::scalar;
      value.text = node.Scalar();
    }
    if (node.IsSequence()) return convert_list(node, std::move(value), depth);
    if (node.IsMap()) return convert_map(node, std::move(value), depth);
    return value;
  }

 private:
  Result<Value> convert_list(const YAML::Node& node, Value value, int depth) {
    value.kind = Value::Kind::list;
    for (const YAML::Node& item : node) {
      Result<Value> converted = convert(item, depth + 1);
      if (!converted) return converted;
      value.items.push_back(std::move(*converted));
    }
    return value;
  }

  Result<Value> convert_map(const YAML::Node& node, Value value, int depth) {
    value.kind = Value::Kind::map;
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const Location location = place(entry.first.Mark());
      if (!entry.first.IsScalar()) {
        return failed(FailureKind::usage, fmt::format("scenario '{}': a key must be text", m_path), {},
                      location);
      }
      const std::string key = entry.first.Scalar();
      if (!seen.insert(key).second) {
        return failed(FailureKind::usage, fmt::format("key '{}': stands here twice", abridged(key)),
                      "keep one of the two", location);
      }
      Result<Value> converted = convert(entry.second, depth + 1);
      if (!converted) return converted;
      if (converted->location.line == 0) converted->location = location;
      value.keys.push_back({key, location});
      value.items.push_back(std::move(*converted));
    }
    return value;
  }

  std::string m_path;
  std::vector<std::string> m_lines;
  std::size_t m_values = 0;
};

/// The text without a byte order mark, if it can be a scenario's.
Result<std::string> checked(const std::string& path, std::string text) {
  const auto refused = [&](std::string cause, std::string hint, int line = 0) {
    return failed(FailureKind::usage, fmt::format("scenario '{}': {}", path, cause), std::move(hint),
                  Location{path, line, 0});
  };
  if (text.size() > k_largest_bytes) {
    return refused(fmt::format("{} is too large for a scenario", human_bytes(text.size())),
                   "rows belong into a fixture, statements into migrations");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  const std::size_t bad = std::min(first_invalid_utf8(text).value_or(std::string::npos), text.find('\0'));
  if (bad != std::string::npos) {
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n') + 1;
    return refused("not UTF-8 text", "save the file as UTF-8", static_cast<int>(line));
  }
  return text;
}

}  // namespace

Result<Value> read_yaml(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return failed(text);
  return parse_yaml(path, std::move(*text));
}

Result<Value> parse_yaml(const std::string& path, std::string written) {
  const Result<std::string> text = checked(path, std::move(written));
  if (!text) return failed(text);
  Converter converter(path, *text);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(*text);
    if (documents.empty() || documents[0].IsNull()) {
      return failed(FailureKind::usage, fmt::format("scenario '{}': the file is empty", path),
                    "a scenario needs at least the keys 'scenario' and 'migrations'", Location{path, 0, 0});
    }
    if (documents.size() > 1) {
      return failed(FailureKind::usage, fmt::format("scenario '{}': more than one document", path),
                    "write each scenario into a file of its own", converter.place(documents[1].Mark()));
    }
    return converter.convert(documents[0]);
  } catch (const YAML::Exception& error) {
    return failed(FailureKind::usage, fmt::format("scenario '{}': not YAML: {}", path, error.msg),
                  "quote values that hold ': ', '#', '{' or '['", converter.place(error.mark));
  }
}

Result<Value> parse_yaml_value(const Location& place, std::string_view text) {
  // White space in front leads to the same lines and columns as in the file itself.
  const std::string padded = std::string(static_cast<std::size_t>(place.line - 1), '\n') +
                             std::string(static_cast<std::size_t>(place.column - 1), ' ') + std::string(text);
  Converter converter(place.file, padded);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(padded);
    Result<Value> value = documents.empty() ? Value() : converter.convert(documents[0]);
    if (value && value->location.line == 0) value->location = place;
    return value;
  } catch (const YAML::Exception& error) {
    const Location where = converter.place(error.mark);
    return failed(FailureKind::usage, fmt::format("value '{}': not YAML: {}", abridged(text, 40), error.msg),
                  "quote values that hold ': ', '#', '{' or '['",
                  // An end that comes too soon has no place of its own.
                  std::pair(where.line, where.column) < std::pair(place.line, place.column) ? place : where);
  }
}

}  // namespace lockkeeper::scenario
