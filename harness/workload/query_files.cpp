#include "workload/query_files.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "sql/parameter_query.h"
#include "workload/secret.h"

namespace lockkeeper::workload {

namespace {

using Kind = sql::ParameterUse::Kind;
using Texts = std::vector<std::string>;

constexpr std::size_t k_most_named = 3;
constexpr std::size_t k_longest_stem = 60;

std::string verb_word(sql::QueryFacts::Verb verb) {
  using Verb = sql::QueryFacts::Verb;
  switch (verb) {
    case Verb::insert:
      return "insert";
    case Verb::update:
      return "update";
    case Verb::remove:
      return "delete";
    case Verb::merge:
      return "merge";
    case Verb::select:
    case Verb::utility:
      break;
  }
  return "select";
}

std::string first_few(Texts names) {
  const bool more = names.size() > k_most_named;
  if (more) names.resize(k_most_named);
  return join(names, ", ") + (more ? " and more" : "");
}

/// "select orders, users by user_id"
std::string name_of(const sql::QueryFacts& facts) {
  std::string name = verb_word(facts.verb);
  if (!facts.tables.empty()) name += " " + first_few(facts.tables);
  Texts columns;
  for (const sql::ParameterUse& use : facts.parameters) {
    const bool chosen_by = use.relation >= 0 && use.kind != Kind::assigned && use.kind != Kind::inserted;
    if (chosen_by && std::find(columns.begin(), columns.end(), use.column) == columns.end())
      columns.push_back(use.column);
  }
  if (!columns.empty()) name += " by " + first_few(columns);
  return name;
}

std::string stem_of(const std::string& name) {
  std::string stem;
  for (const char c : lower(name)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (plain)
      stem += c;
    else if (!stem.ends_with('-'))
      stem += '-';
  }
  stem.resize(std::min(stem.size(), k_longest_stem));
  while (stem.ends_with('-')) stem.pop_back();
  return stem;
}

/// Strings of JSON are YAML's double-quoted ones.
std::string in_quotes(const std::string& text) {
  const std::string dumped =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // JSON lets DEL and the controls of C1 (C2 80 to C2 9F in UTF-8) stand as they are.
  std::string quoted;
  for (std::size_t i = 0; i < dumped.size(); ++i) {
    const bool two = dumped[i] == '\xC2' && i + 1 < dumped.size();
    const auto code = static_cast<unsigned char>(dumped[two ? i + 1 : i]);
    if (code == 0x7F || (two && code < 0xA0))
      quoted += fmt::format("\\u{:04x}", code);
    else
      quoted += dumped.substr(i, two ? 2 : 1);
    if (two) ++i;
  }
  return quoted;
}

/// A file may be called anything: control characters would go to whoever shows the comment.
std::string shown(const std::string& from) {
  std::string text = abridged(from, 200);
  if (holds_control(text)) text = in_quotes(text);
  return text;
}

std::string yaml_name(const std::string& name) {
  const bool plain =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ,") ==
      std::string::npos;
  return plain ? name : in_quotes(name);
}

std::string yaml_sets(const std::vector<Values>& sets) {
  Texts written;
  for (const Values& set : sets) {
    Texts values;
    for (const auto& value : set) values.push_back(value ? in_quotes(*value) : "null");
    written.push_back("[" + join(values, ", ") + "]");
  }
  return written.size() == 1 ? written[0] : "[" + join(written, ",\n--   ") + "]";
}

std::chrono::microseconds microseconds(double ms) {
  return std::chrono::microseconds(static_cast<std::int64_t>(std::min(ms, 1e12) * 1000));
}

std::string said_of(const Statement& statement) {
  std::string said = counted(statement.calls, "call");
  if (statement.total_ms && statement.calls > 0) {
    const double mean = *statement.total_ms / static_cast<double>(statement.calls);
    said += fmt::format(", mean {}, total {}", human(microseconds(mean)),
                        human(microseconds(*statement.total_ms)));
  }
  return said;
}

/// What a person who fills in values by hand has to know.
std::string to_fill_in(const sql::QueryFacts& facts, int missing) {
  std::string text = fmt::format(
      "-- no value known for ${}: give params by hand, and take the .todo off the file's name\n", missing);
  int number = 0;
  for (const sql::ParameterUse& use : facts.parameters) {
    ++number;
    // A quoted name may have lines.
    if (use.relation >= 0)
      text += fmt::format("-- ${} is a value of {}\n", number,
                          join(split(fmt::format("{}.{}", use.table, use.value), '\n'), "\n--   "));
  }
  return text;
}

/// The line of `params`, and what else is to be said of it.
std::string params_of(const Statement& statement, int& missing) {
  const sql::QueryFacts& facts = statement.facts;
  if (facts.parameters.empty()) return {};
  if (!statement.values.empty()) return "-- params: " + yaml_sets(statement.values) + "\n";
  const sql::ParameterQuery query = sql::parameter_query(facts.parameters);
  missing = query.missing;
  if (missing != 0) return to_fill_in(facts, missing);
  std::string text = "-- params: " + join(split(query.sql, '\n'), "\n--   ") + "\n";
  const bool inserts = std::any_of(facts.parameters.begin(), facts.parameters.end(),
                                   [](const auto& use) { return use.kind == Kind::inserted; });
  if (inserts && facts.may_conflict)
    text += "-- its values are those of a row that is there: change those of a unique key\n";
  return text;
}

}  // namespace

std::vector<WrittenQuery> query_files(const std::vector<Statement>& statements, const std::string& from) {
  std::vector<WrittenQuery> files;
  std::set<std::string> stems;
  for (const Statement& statement : statements) {
    const std::string name = name_of(statement.facts);
    std::string stem = stem_of(name);
    std::string suffix;
    for (int number = 2; !stems.insert(stem).second; ++number) {
      suffix = fmt::format(" {}", number);
      stem = fmt::format("{}-{}", stem_of(name), number);
    }
    WrittenQuery file;
    file.said = said_of(statement);
    const std::string params = params_of(statement, file.missing);
    file.file = stem + (file.missing == 0 ? ".sql" : ".sql.todo");
    file.text = fmt::format("-- name: {}\n-- {}; from {}\n{}{};\n", yaml_name(name + suffix), file.said,
                            shown(from), params, statement.facts.text);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace lockkeeper::workload
