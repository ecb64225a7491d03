#include <fmt/format.h>

#include "base/text.h"
#include "scenario/scenario.h"

namespace lockkeeper::scenario {

namespace {

std::string with(const std::string& subject, const std::vector<std::string>& said, bool exists) {
  if (!exists) return subject + " does not exist";
  return subject + " " + (said.empty() ? "exists" : join(said, " and "));
}

std::string is(bool so, std::string_view word) {
  return fmt::format("is {}{}", so ? "" : "not ", word);
}

std::string describe_column(const Expectation& expectation) {
  std::vector<std::string> said;
  if (expectation.nullable) said.push_back(is(*expectation.nullable, "nullable"));
  if (expectation.type) said.push_back(fmt::format("has type {}", *expectation.type));
  if (expectation.default_value) {
    said.push_back(expectation.default_value->empty()
                       ? "has no default"
                       : fmt::format("has default {}", *expectation.default_value));
  }
  return with("column " + expectation.column, said, expectation.exists);
}

std::string describe_constraint(const Expectation& expectation) {
  std::vector<std::string> said;
  if (expectation.on_delete) said.push_back(fmt::format("has on delete {}", *expectation.on_delete));
  if (expectation.on_update) said.push_back(fmt::format("has on update {}", *expectation.on_update));
  if (expectation.validated) said.push_back(is(*expectation.validated, "validated"));
  return with("constraint " + expectation.constraint, said, expectation.exists);
}

std::string describe_index(const Expectation& expectation) {
  std::vector<std::string> said;
  if (!expectation.columns.empty())
    said.push_back(fmt::format("has columns ({})", join(expectation.columns, ", ")));
  if (expectation.unique) said.push_back(is(*expectation.unique, "unique"));
  if (expectation.valid) said.push_back(is(*expectation.valid, "valid"));
  return with("index " + expectation.index, said, expectation.exists);
}

}  // namespace

std::string Expectation::describe() const {
  if (!column.empty()) return describe_column(*this);
  if (!constraint.empty()) return describe_constraint(*this);
  if (!index.empty()) return describe_index(*this);
  std::string text = fmt::format("sql '{}' ", abridged(sql));
  text += equals ? fmt::format("answers {}", *equals) : std::string("runs");
  if (!fails_before.empty()) text += fmt::format(" and fails before with {}", join(fails_before, " or "));
  return text;
}

std::string SizeClaim::describe() const {
  if (!table.empty()) return "table " + table;
  if (!index.empty()) return "index " + index;
  return (columns.size() == 1 ? "column " : "columns ") + join(columns, ", ");
}

}  // namespace lockkeeper::scenario
