#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/attributes.h"
#include "engine/compare_parts.h"

namespace lockkeeper::engine {
namespace {

struct Column {
  const Object* before = nullptr;
  const Object* after = nullptr;
  int rank_before = 0;
  int rank_after = 0;
  bool moved = false;
};

int position_of(const Object& object) {
  return std::atoi(value_of(parse_attributes(object.attributes), "position").c_str());
}

/// The columns that both states have, by relation, of those relations only where one column's text differs at
/// all: elsewhere the order is the same.
std::map<std::string_view, std::vector<Column>> common_columns(const State& before, const State& after) {
  std::map<std::string_view, std::vector<Column>> relations;
  std::map<std::string_view, bool> differs;
  auto now = after.objects.begin();
  for (const Object& old : before.objects) {
    if (old.kind != "column") continue;
    while (now != after.objects.end() &&
           std::tie(now->kind, now->identity) < std::tie(old.kind, old.identity))
      ++now;
    if (now == after.objects.end() || now->kind != old.kind || now->identity != old.identity) continue;
    relations[old.parent].push_back({&old, &*now});
    differs[old.parent] |= old.attributes != now->attributes;
  }
  std::erase_if(relations, [&differs](const auto& relation) { return !differs[relation.first]; });
  return relations;
}

template <typename Position, typename Rank>
void rank(std::vector<Column>& columns, Position position, Rank rank_of) {
  std::ranges::sort(columns, {}, position);
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].*rank_of = static_cast<int>(i) + 1;
}

/// Dropped and added again, a column is likelier the one that moved.
int weight_of(const Column& column) {
  return column.before->oid == column.after->oid ? 2 : 1;
}

/// All but the heaviest run of columns that keep their order, in the order before.
void mark_moved(std::vector<Column>& columns) {
  std::vector<int> weight;
  std::vector<std::size_t> previous(columns.size(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    weight.push_back(weight_of(columns[i]));
    for (std::size_t j = 0; j < i; ++j) {
      const int together = weight[j] + weight_of(columns[i]);
      if (columns[j].rank_after >= columns[i].rank_after || together <= weight[i]) continue;
      weight[i] = together;
      previous[i] = j;
    }
  }
  for (Column& column : columns) column.moved = true;
  auto at = static_cast<std::size_t>(std::ranges::max_element(weight) - weight.begin());
  for (; at < columns.size(); at = previous[at]) columns[at].moved = false;
}

void add_move(const Column& column, std::vector<record::ObjectDifference>& differences) {
  const record::AttributeChange change{"position", std::to_string(column.rank_before),
                                       std::to_string(column.rank_after)};
  const auto place = [](const record::ObjectDifference& d) { return std::tie(d.kind, d.identity); };
  const auto at =
      std::ranges::lower_bound(differences, std::tie(column.after->kind, column.after->identity), {}, place);
  if (at != differences.end() && at->kind == column.after->kind && at->identity == column.after->identity) {
    at->attributes.push_back(change);
    return;
  }
  differences.insert(at, {.kind = column.after->kind,
                          .identity = column.after->identity,
                          .parent = column.after->parent,
                          .change = record::Change::altered,
                          .recreated = column.before->oid != column.after->oid,
                          .attributes = {change},
                          .definition = {}});
}

}  // namespace

void add_moved_columns(const State& before, const State& after,
                       std::vector<record::ObjectDifference>& differences) {
  for (auto& [relation, columns] : common_columns(before, after)) {
    rank(
        columns, [](const Column& c) { return position_of(*c.after); }, &Column::rank_after);
    rank(
        columns, [](const Column& c) { return position_of(*c.before); }, &Column::rank_before);
    mark_moved(columns);
    for (const Column& column : columns) {
      if (column.moved) add_move(column, differences);
    }
  }
}

}  // namespace lockkeeper::engine
