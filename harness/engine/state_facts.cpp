#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
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
  bool primary = false;
  bool partial = false;
  bool valid = false;
  bool of_partition = false;
};

/// The definition behind the table's name, without storage parameters.
std::string key_of(const std::string& definition, const std::string& table) {
  // PostgreSQL names the method behind the table, SQLite has none.
  auto at = definition.find(table + " USING ");
  if (at == std::string::npos) at = definition.find(table + " (");
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
          .primary = !value_of(attributes, "constraint").empty(),
          .partial = !value_of(facts, "partial").empty(),
          .valid = value_of(attributes, "valid") != "false",
          .of_partition = !value_of(attributes, "partition of").empty()};
}

/// The indexes of a state by their table, read where they are asked for: most tables are not on trial.
class Indexes {
 public:
  explicit Indexes(const State& state) : m_state(state) {
    for (const Object& object : state.objects) {
      if (object.kind == "index") m_objects[object.parent].push_back(&object);
    }
  }

  const State& state() const { return m_state; }
  const std::vector<Index>& of(const std::string& table) {
    const auto [place, fresh] = m_read.try_emplace(table);
    const auto objects = m_objects.find(table);
    if (!fresh || objects == m_objects.end()) return place->second;
    for (const Object* object : objects->second) place->second.push_back(index_of(*object));
    return place->second;
  }

 private:
  const State& m_state;
  std::map<std::string_view, std::vector<const Object*>> m_objects;
  std::map<std::string, std::vector<Index>> m_read;
};

/// A constraint or index that is new (no `before`), gone (no `after`), or otherwise than before: altered, or
/// under another name or on a table that has one.
struct Changed {
  const Object* before = nullptr;
  const Object* after = nullptr;
};

/// Is `one` of no more use than `other`? Of two alike that are new a primary key is kept, else the one with
/// the earlier name.
bool adds_nothing(const Index& one, const Index& other, const std::set<const Object*>& is_new) {
  if (one.object == other.object || one.key != other.key || !other.valid) return false;
  if (one.unique && !other.unique) return false;
  const bool alike = one.unique == other.unique;
  const auto rank = [](const Index& index) { return std::tuple(!index.primary, index.object->identity); };
  return !alike || !is_new.contains(other.object) || rank(other) < rank(one);
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

bool is_rename(const Changed& change) {
  return change.before != nullptr && change.after != nullptr &&
         change.before->identity != change.after->identity;
}

bool is_judged(const Object& object) {
  return object.kind == "index" || object.kind == "constraint";
}

/// What stands in `one` and not alike in `other`, with what has its name there.
std::vector<std::pair<const Object*, const Object*>> unlike(const State& one, const State& other) {
  std::vector<std::pair<const Object*, const Object*>> result;
  const auto place = [](const Object& o) { return std::tie(o.kind, o.identity); };
  for (const Object& object : one.objects) {
    if (!is_judged(object)) continue;
    const auto found = std::ranges::lower_bound(other.objects, place(object), {}, place);
    const bool known = found != other.objects.end() && place(*found) == place(object);
    if (!known) result.emplace_back(&object, nullptr);
    if (known && found->attributes != object.attributes) result.emplace_back(&object, &*found);
  }
  return result;
}

/// In the order of `after`, then what is gone. An object is the same under another name where its OID is.
std::vector<Changed> changes_between(const State& before, const State& after) {
  using Place = std::pair<std::string_view, std::uint64_t>;
  std::map<Place, const Object*> gone;
  std::vector<Changed> changes;
  const auto lost = unlike(before, after);
  for (const auto& [object, now] : lost) {
    if (now == nullptr && object->oid != 0) gone.emplace(Place{object->kind, object->oid}, object);
  }
  std::set<const Object*> renamed;
  for (const auto& [object, former] : unlike(after, before)) {
    const auto found = former == nullptr ? gone.find(Place{object->kind, object->oid}) : gone.end();
    const Object* same = found == gone.end() ? former : found->second;
    if (same != former) renamed.insert(same);
    changes.push_back({same, object});
  }
  for (const auto& [object, now] : lost) {
    if (now == nullptr && !renamed.contains(object)) changes.push_back({object, nullptr});
  }
  return changes;
}

bool is_invalid(const Object& object) {
  return object.kind == "index" && !index_of(object).valid;
}

bool is_not_validated(const Object& object) {
  return object.kind == "constraint" && value_of(parse_attributes(object.attributes), "validated") == "false";
}

std::vector<std::string> columns_of(const Object& object) {
  return list_of(value_of(parse_attributes(object.facts), "columns"));
}

bool is_key_without_index(const Object& object, Indexes& indexes) {
  if (object.kind != "constraint" || value_of(parse_attributes(object.facts), "contype") != "f") return false;
  const auto columns = columns_of(object);
  return std::ranges::none_of(indexes.of(object.parent),
                              [&](const Index& index) { return serves(index, columns); });
}

/// Judges what changed between two states.
class Facts {
 public:
  Facts(const State& before, const State& after, std::vector<Changed> changes)
      : m_before(before), m_after(after), m_changes(std::move(changes)) {
    for (const Changed& change : m_changes) {
      if (!is_rename(change)) m_new.insert(change.after);
    }
  }

  std::vector<SchemaFact> judge() && {
    for (const Changed& change : m_changes) {
      if (change.after != nullptr) judge_after(change);
      if (change.before != nullptr) judge_settled(change);
    }
    judge_keys_that_got_an_index();
    return std::move(m_facts);
  }

 private:
  void judge_after(const Changed& change) {
    const Object& object = *change.after;
    const bool renamed = is_rename(change);
    const std::string formerly = renamed ? change.before->identity : "";
    const auto tell = [&](SchemaFactKind kind, const std::string& detail) {
      m_facts.push_back({kind, object.identity, object.parent, detail, formerly, false});
    };
    if (is_not_validated(object)) tell(SchemaFactKind::constraint_not_validated, "");
    if ((change.before == nullptr || renamed) && is_key_without_index(object, m_after)) {
      tell(SchemaFactKind::foreign_key_without_index, join(columns_of(object), ", "));
    }
    if (object.kind != "index") return;
    const auto& siblings = m_after.of(object.parent);
    const auto self = std::ranges::find(siblings, &object, &Index::object);
    if (!self->valid) tell(SchemaFactKind::index_invalid, "");
    // A partition's index is the parent's, which is judged itself.
    if (self->of_partition || !self->valid) return;
    const auto other = std::ranges::find_if(
        siblings, [&](const Index& sibling) { return adds_nothing(*self, sibling, m_new); });
    if (other != siblings.end()) tell(SchemaFactKind::index_duplicate, other->object->identity);
  }

  void settle(SchemaFactKind kind, const Object& before) {
    m_facts.push_back({kind, before.identity, before.parent, "", "", true});
  }

  void judge_settled(const Changed& change) {
    const Object& before = *change.before;
    const Object* after = change.after;
    if (is_invalid(before) && (after == nullptr || !is_invalid(*after))) {
      settle(SchemaFactKind::index_invalid, before);
    }
    if (is_not_validated(before) && (after == nullptr || !is_not_validated(*after))) {
      settle(SchemaFactKind::constraint_not_validated, before);
    }
    if (before.kind == "index" && after == nullptr) settle(SchemaFactKind::index_duplicate, before);
    if (is_key_without_index(before, m_before) &&
        (after == nullptr || !is_key_without_index(*after, m_after))) {
      settle(SchemaFactKind::foreign_key_without_index, before);
    }
  }

  /// The key itself stayed as it was; an index on its table is new, or valid only now.
  void judge_keys_that_got_an_index() {
    std::set<std::string_view> tables;
    std::set<const Object*> judged;
    for (const Changed& change : m_changes) {
      judged.insert(change.after);
      if (change.after != nullptr && change.after->kind == "index") tables.insert(change.after->parent);
    }
    if (tables.empty()) return;
    for (const Object& object : m_after.state().objects) {
      if (object.kind != "constraint" || !tables.contains(object.parent) || judged.contains(&object))
        continue;
      if (is_key_without_index(object, m_before) && !is_key_without_index(object, m_after)) {
        settle(SchemaFactKind::foreign_key_without_index, object);
      }
    }
  }

  Indexes m_before;
  Indexes m_after;
  std::vector<Changed> m_changes;
  std::set<const Object*> m_new;  ///< as they are after
  std::vector<SchemaFact> m_facts;
};

}  // namespace

std::vector<record::SchemaFact> schema_facts(const State& before, const State& after) {
  auto changes = changes_between(before, after);
  if (changes.empty()) return {};
  return Facts(before, after, std::move(changes)).judge();
}

}  // namespace lockkeeper::engine
