#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/attributes.h"
#include "engine/compare_parts.h"
#include "engine/state.h"

namespace lockkeeper::engine {
namespace {

using record::AttributeChange;
using record::Change;
using record::ObjectDifference;

auto place_of(const Object& object) {
  return std::tie(object.kind, object.identity);
}

/// Objects by identity, for the question whether a parent was made anew. Relations, types and schemas have no
/// parent, and no two of them share a name where it matters.
std::map<std::string_view, std::uint64_t> parents_of(const State& state) {
  std::map<std::string_view, std::uint64_t> parents;
  for (const Object& object : state.objects) {
    if (object.parent.empty()) parents.emplace(object.identity, object.oid);
  }
  return parents;
}

std::vector<AttributeChange> changes_between(const Object& before, const Object& after) {
  const Attributes was = parse_attributes(before.attributes);
  const Attributes is = parse_attributes(after.attributes);
  std::vector<AttributeChange> changes;
  for (const auto& [name, value] : was) {
    // The order of columns is judged for a relation as a whole.
    if (name == "position") continue;
    if (const std::string now = value_of(is, name); now != value) changes.push_back({name, value, now});
  }
  for (const auto& [name, value] : is) {
    const bool known = std::ranges::find(was, name, &Attributes::value_type::first) != was.end();
    if (!known && name != "position") changes.push_back({name, "", value});
  }
  return changes;
}

/// OIDs are none (0) where recreation has no meaning.
bool recreated(const Object& before, const Object& after) {
  return before.oid != after.oid && after.oid != 0;
}

class Comparison {
 public:
  Comparison(const State& before, const State& after)
      : m_before(before),
        m_after(after),
        m_parents_before(parents_of(before)),
        m_parents_after(parents_of(after)) {}

  std::vector<ObjectDifference> run() {
    auto old = m_before.objects.begin();
    auto now = m_after.objects.begin();
    while (old != m_before.objects.end() || now != m_after.objects.end()) {
      const bool lost =
          now == m_after.objects.end() || (old != m_before.objects.end() && place_of(*old) < place_of(*now));
      const bool added =
          old == m_before.objects.end() || (now != m_after.objects.end() && place_of(*now) < place_of(*old));
      if (lost) {
        add_one(*old++, Change::lost);
      } else if (added) {
        add_one(*now++, Change::added);
      } else {
        add_altered(*old++, *now++);
      }
    }
    return std::move(m_differences);
  }

 private:
  void add_one(const Object& object, Change change) {
    ObjectDifference difference{.kind = object.kind,
                                .identity = object.identity,
                                .parent = object.parent,
                                .change = change,
                                .attributes = {},
                                .definition = describe(object)};
    if (change == Change::lost && !object.parent.empty()) {
      const auto was = m_parents_before.find(object.parent);
      const auto is = m_parents_after.find(object.parent);
      difference.parent_recreated =
          was != m_parents_before.end() && is != m_parents_after.end() && was->second != is->second;
    }
    m_differences.push_back(std::move(difference));
  }

  void add_altered(const Object& before, const Object& after) {
    std::vector<AttributeChange> changes;
    if (before.parent != after.parent) changes.push_back({"parent", before.parent, after.parent});
    if (before.attributes != after.attributes) {
      auto others = changes_between(before, after);
      changes.insert(changes.end(), others.begin(), others.end());
    }
    if (changes.empty()) return;
    m_differences.push_back({.kind = after.kind,
                             .identity = after.identity,
                             .parent = after.parent,
                             .change = Change::altered,
                             .recreated = recreated(before, after),
                             .attributes = std::move(changes),
                             .definition = {}});
  }

  const State& m_before;
  const State& m_after;
  std::map<std::string_view, std::uint64_t> m_parents_before;
  std::map<std::string_view, std::uint64_t> m_parents_after;
  std::vector<ObjectDifference> m_differences;
};

}  // namespace

record::StateDifference compare(const State& before, const State& after) {
  record::StateDifference difference;
  difference.objects = Comparison(before, after).run();
  add_moved_columns(before, after, difference.objects);
  difference.data = compare_data(before, after);
  return difference;
}

record::StateDifference compare_apart(const State& before, const State& after) {
  record::StateDifference difference = compare(before, after);
  for (record::ObjectDifference& object : difference.objects)
    object.recreated = object.parent_recreated = false;
  return difference;
}

}  // namespace lockkeeper::engine
