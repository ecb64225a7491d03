#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/text.h"
#include "engine/attributes.h"
#include "engine/state.h"

namespace lockkeeper::engine {
namespace {

using record::SchemaFact;
using record::SchemaFactKind;

struct Index {
  const Object* object = nullptr;
  std::string key;  ///< all that decides what it can answer: method, columns, classes, collations, condition
  std::vector<std::string> columns;
  bool unique = false;
  bool partial = false;
  bool valid = false;
  bool of_partition = false;
};

/// The definition behind the table's name, without storage parameters.
std::string key_of(const std::string& definition, const std::string& table) {
  const std::string start = table + " USING ";
  const auto at = definition.find(start);
  std::string key = at == std::string::npos ? definition : definition.substr(at + table.size());
  const auto with = key.find(") WITH (");
  if (with == std::string::npos) return key;
  const auto end = key.find(')', with + 8);
  return end == std::string::npos ? key : key.erase(with + 1, end - with);
}

std::vector<std::string> list_of(const std::string& names) {
  return split(names, '\n');
}

Index index_of(const Object& object) {
  const Attributes attributes = parse_attributes(object.attributes);
  const Attributes facts = parse_attributes(object.facts);
  return {.object = &object,
          .key = key_of(value_of(attributes, "definition"), object.parent),
          .columns = list_of(value_of(facts, "columns")),
          .unique = !value_of(facts, "unique").empty(),
          .partial = !value_of(facts, "partial").empty(),
          .valid = value_of(attributes, "valid") != "false",
          .of_partition = !value_of(attributes, "partition of").empty()};
}

using IndexesByTable = std::map<std::string_view, std::vector<Index>>;

IndexesByTable indexes_of(const State& state) {
  IndexesByTable tables;
  for (const Object& object : state.objects) {
    if (object.kind == "index") tables[object.parent].push_back(index_of(object));
  }
  return tables;
}

/// Is `one` of no more use than `other`? Of two alike the one with the later name is.
bool adds_nothing(const Index& one, const Index& other, const std::map<const Object*, bool>& is_new) {
  if (one.object == other.object || one.key != other.key || !other.valid) return false;
  if (one.unique && !other.unique) return false;
  const bool alike = one.unique == other.unique;
  const bool both_new = is_new.contains(other.object);
  return !alike || !both_new || other.object->identity < one.object->identity;
}

/// The leading columns of an index are the key's, in any order.
bool serves(const Index& index, std::vector<std::string> columns) {
  if (index.partial || !index.valid || index.columns.size() < columns.size()) return false;
  std::vector<std::string> leading(index.columns.begin(),
                                   index.columns.begin() + static_cast<std::ptrdiff_t>(columns.size()));
  std::ranges::sort(leading);
  std::ranges::sort(columns);
  return leading == columns;
}

/// Constraints and indexes that `before` had not, or had otherwise.
std::map<const Object*, bool> new_objects(const State& before, const State& after) {
  std::map<const Object*, bool> result;
  for (const Object& object : after.objects) {
    if (object.kind != "index" && object.kind != "constraint") continue;
    const auto place = [](const Object& o) { return std::tie(o.kind, o.identity); };
    const auto found = std::ranges::lower_bound(before.objects, place(object), {}, place);
    const bool known = found != before.objects.end() && place(*found) == place(object);
    if (!known) result.emplace(&object, true);
    if (known && found->attributes != object.attributes) result.emplace(&object, false);
  }
  return result;
}

void judge_index(const Object& object, const IndexesByTable& tables,
                 const std::map<const Object*, bool>& is_new, std::vector<SchemaFact>& facts) {
  const auto& siblings = tables.at(object.parent);
  const auto self = std::ranges::find(siblings, &object, &Index::object);
  if (!self->valid) facts.push_back({SchemaFactKind::index_invalid, object.identity, object.parent, ""});
  // A partition's index is the parent's, which is judged itself.
  if (self->of_partition || !self->valid) return;
  const auto other = std::ranges::find_if(
      siblings, [&](const Index& sibling) { return adds_nothing(*self, sibling, is_new); });
  if (other != siblings.end()) {
    facts.push_back(
        {SchemaFactKind::index_duplicate, object.identity, object.parent, other->object->identity});
  }
}

void judge_constraint(const Object& object, bool added, const IndexesByTable& tables,
                      std::vector<SchemaFact>& facts) {
  if (value_of(parse_attributes(object.attributes), "validated") == "false") {
    facts.push_back({SchemaFactKind::constraint_not_validated, object.identity, object.parent, ""});
  }
  const Attributes known = parse_attributes(object.facts);
  if (!added || value_of(known, "contype") != "f") return;
  const auto columns = list_of(value_of(known, "columns"));
  const auto indexes = tables.find(object.parent);
  const bool served =
      indexes != tables.end() &&
      std::ranges::any_of(indexes->second, [&](const Index& index) { return serves(index, columns); });
  if (!served) {
    facts.push_back(
        {SchemaFactKind::foreign_key_without_index, object.identity, object.parent, join(columns, ", ")});
  }
}

}  // namespace

std::vector<record::SchemaFact> schema_facts(const State& before, const State& after) {
  const auto is_new = new_objects(before, after);
  std::vector<SchemaFact> facts;
  if (is_new.empty()) return facts;
  const IndexesByTable tables = indexes_of(after);
  for (const Object& object : after.objects) {
    const auto found = is_new.find(&object);
    if (found == is_new.end()) continue;
    if (object.kind == "index") judge_index(object, tables, is_new, facts);
    if (object.kind == "constraint") judge_constraint(object, found->second, tables, facts);
  }
  return facts;
}

}  // namespace lockkeeper::engine
