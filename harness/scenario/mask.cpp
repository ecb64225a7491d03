#include "scenario/mask.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/text.h"
#include "scenario/fields.h"
#include "scenario/yaml.h"

namespace lockkeeper::scenario {

namespace {

constexpr int k_longest_kept = 1000;

constexpr std::pair<std::string_view, MaskRule::Kind> k_mask_kinds[] = {
    {"null", MaskRule::Kind::null},           {"constant", MaskRule::Kind::constant},
    {"hash", MaskRule::Kind::hash},           {"email", MaskRule::Kind::email},
    {"keep_last", MaskRule::Kind::keep_last},
};

std::string name_of(MaskRule::Kind kind) {
  const auto* const found =
      std::ranges::find(k_mask_kinds, kind, &std::pair<std::string_view, MaskRule::Kind>::second);
  return std::string(found->first);
}

std::vector<std::string> mask_names() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : k_mask_kinds) names.emplace_back(name);
  return names;
}

/// 'constant 2000-01-01' is a word and what stands behind it.
void read_rule(Problems& problems, const Value& value, MaskRule& rule) {
  // In YAML a bare null is no text.
  if (value.kind == Value::Kind::null) return;
  const std::string text = read_text(problems, value, key_named(rule.written));
  const std::size_t space = text.find(' ');
  const std::string word = text.substr(0, space);
  const std::string rest = space == std::string::npos ? std::string() : text.substr(space + 1);
  const auto* const found = std::ranges::find(k_mask_kinds, std::string_view(word),
                                              &std::pair<std::string_view, MaskRule::Kind>::first);
  if (found == std::end(k_mask_kinds)) {
    problems.report(value.location,
                    fmt::format("unknown rule '{}'{}", abridged(text, 40), did_you_mean(word, mask_names())),
                    "the rules are null, constant X, hash, email and keep_last N");
    return;
  }
  rule.kind = found->second;
  if (rule.kind == MaskRule::Kind::constant) {
    rule.constant = rest;
    if (space == std::string::npos)
      problems.report(value.location, "rule 'constant': its value is missing", "write it as 'constant X'");
    return;
  }
  if (rule.kind == MaskRule::Kind::keep_last) {
    const char* const end = rest.data() + rest.size();
    const auto [stopped, error] = std::from_chars(rest.data(), end, rule.keep);
    if (error != std::errc{} || stopped != end || rule.keep < 1 || rule.keep > k_longest_kept)
      problems.report(value.location, fmt::format("rule 'keep_last': '{}' is no number of characters", rest),
                      "write it as 'keep_last 4'");
    return;
  }
  if (!rest.empty())
    problems.report(value.location, fmt::format("rule '{}': takes nothing more, not '{}'", word, rest));
}

MaskRule mask_of(Problems& problems, const Value::Key& key, const Value& value) {
  MaskRule rule;
  rule.written = key.text;
  rule.location = key.location;
  const auto parts = name_parts(key.text);
  if (parts.size() != rule.pattern.size() || std::ranges::any_of(parts, &std::string::empty)) {
    problems.report(key.location, fmt::format("'{}' is no schema.table.column", abridged(key.text)),
                    "write all three parts, '*' for any; a part that holds a dot stands in double quotes");
    return rule;
  }
  std::ranges::copy(parts, rule.pattern.begin());
  read_rule(problems, value, rule);
  return rule;
}

}  // namespace

std::vector<std::string> name_parts(std::string_view name) {
  std::vector<std::string> parts(1);
  bool quoting = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '"' && quoting && i + 1 < name.size() && name[i + 1] == '"') {
      parts.back() += name[i++];
    } else if (name[i] == '"') {
      quoting = !quoting;
    } else if (name[i] == '.' && !quoting) {
      parts.emplace_back();
    } else {
      parts.back() += name[i];
    }
  }
  if (quoting) parts.clear();
  return parts;
}

bool matches_pattern(const std::string& pattern, std::string_view name) {
  return ::fnmatch(pattern.c_str(), std::string(name).c_str(), FNM_NOESCAPE) == 0;
}

bool MaskRule::is_exact() const {
  return std::ranges::none_of(
      pattern, [](const std::string& part) { return part.find_first_of("*?") != std::string::npos; });
}

bool MaskRule::matches(std::string_view schema, std::string_view table, std::string_view column) const {
  if (is_exact()) return pattern[0] == schema && pattern[1] == table && pattern[2] == column;
  return matches_pattern(pattern[0], schema) && matches_pattern(pattern[1], table) &&
         matches_pattern(pattern[2], column);
}

std::string to_string(const MaskRule& rule) {
  if (rule.kind == MaskRule::Kind::keep_last) return fmt::format("keep_last {}", rule.keep);
  return name_of(rule.kind);
}

Result<std::vector<MaskRule>> load_masks(const std::string& path) {
  const auto root = read_yaml(path);
  if (!root) return failed(root);
  Problems problems;
  std::vector<MaskRule> rules;
  const Fields fields(problems, *root, "a file of masks", {"columns"});
  if (const Value* const columns = fields.required("columns")) {
    if (columns->kind != Value::Kind::map || columns->keys.empty()) {
      problems.report(columns->location, "key 'columns': a map of columns to rules is wanted",
                      "columns: {public.users.email: email}");
    } else {
      for (std::size_t i = 0; i < columns->keys.size(); ++i)
        rules.push_back(mask_of(problems, columns->keys[i], columns->items[i]));
    }
  }
  if (problems.first()) return tl::unexpected<Failure>(*problems.first());
  return rules;
}

}  // namespace lockkeeper::scenario
