#include "engine/attributes.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lockkeeper::engine {
namespace {

constexpr std::size_t k_line = 300;

/// Kinds whose "definition" is a whole statement.
bool has_own_statement(const Object& object) {
  constexpr std::array<std::string_view, 6> k_kinds = {"index",    "trigger",   "rule",
                                                       "function", "procedure", "statistics"};
  return std::ranges::find(k_kinds, object.kind) != k_kinds.end();
}

std::string name_in_parent(const Object& object) {
  const std::string prefix = object.parent + ".";
  return !object.parent.empty() && object.identity.starts_with(prefix) ? object.identity.substr(prefix.size())
                                                                       : object.identity;
}

std::string describe_column(const Object& object, const Attributes& attributes) {
  std::string line = fmt::format("column {} {}", name_in_parent(object), value_of(attributes, "type"));
  if (const auto collation = value_of(attributes, "collation"); !collation.empty())
    line += " collate " + collation;
  if (value_of(attributes, "nullable") == "false") line += " not null";
  if (const auto value = value_of(attributes, "default"); !value.empty()) line += " default " + value;
  if (const auto identity = value_of(attributes, "identity"); !identity.empty()) {
    line += fmt::format(" generated {} as identity", identity);
  }
  if (const auto generated = value_of(attributes, "generated"); !generated.empty()) {
    line += " generated always as " + generated;
  }
  return line;
}

std::string describe_rest(const Object& object, const Attributes& attributes) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : attributes) {
    if (name != "owner" && name != "position") parts.push_back(fmt::format("{} {}", name, value));
  }
  std::string line = object.kind + " " + object.identity;
  return parts.empty() ? line : line + ": " + join(parts, ", ");
}

}  // namespace

Attributes parse_attributes(std::string_view json) {
  Attributes attributes;
  if (json.empty()) return attributes;
  // The text is our own; bytes that are not UTF-8 (a database in SQL_ASCII) must not end the run.
  const auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    attributes.emplace_back("attributes", std::string(json));
    return attributes;
  }
  for (const auto& [name, value] : parsed.items()) {
    attributes.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return attributes;
}

std::string value_of(const Attributes& attributes, std::string_view name) {
  const auto found = std::ranges::find(attributes, name, &Attributes::value_type::first);
  return found == attributes.end() ? std::string() : found->second;
}

std::string describe(const Object& object) {
  const Attributes attributes = parse_attributes(object.attributes);
  if (object.kind == "column") return abridged(describe_column(object, attributes), k_line);
  const std::string definition = value_of(attributes, "definition");
  if (!definition.empty() && has_own_statement(object)) return abridged(definition, k_line);
  if (!definition.empty() && object.kind == "constraint") {
    const std::string suffix = value_of(attributes, "validated") == "false" ? " NOT VALID" : "";
    return abridged(fmt::format("constraint {} {}{}", name_in_parent(object), definition, suffix), k_line);
  }
  if (!definition.empty()) {
    return abridged(fmt::format("{} {}: {}", object.kind, object.identity, definition), k_line);
  }
  return abridged(describe_rest(object, attributes), k_line);
}

}  // namespace lockkeeper::engine
