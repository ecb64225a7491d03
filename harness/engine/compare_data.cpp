#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/compare_parts.h"

namespace lockkeeper::engine {
namespace {

using record::DataChange;
using record::DataDifference;

const ColumnContent* named(const std::vector<ColumnContent>& columns, std::string_view name) {
  const auto found = std::ranges::find(columns, name, &ColumnContent::name);
  return found == columns.end() ? nullptr : &*found;
}

/// Equal as they are, or, where only the type changed, once cast back to what they were. Either state may be
/// the one that knows the other's types.
bool same_values(const ColumnContent& column, const TableContent& before, const TableContent& after) {
  const ColumnContent* now = named(after.columns, column.name);
  if (now->hash == column.hash) return true;
  if (now->type == column.type) return false;
  const ColumnContent* cast_back = named(after.former, column.name);
  if (cast_back != nullptr && cast_back->type == column.type) return cast_back->hash == column.hash;
  const ColumnContent* was = named(before.former, column.name);
  return was != nullptr && was->type == now->type && was->hash == now->hash;
}

/// False only where both know which values of the same columns stand together, and differ.
bool same_composition(const TableContent& before, const TableContent& after) {
  return std::ranges::all_of(before.compositions, [&](const Composition& was) {
    const auto now = std::ranges::find(after.compositions, was.columns, &Composition::columns);
    return now == after.compositions.end() || now->hash == was.hash;
  });
}

DataDifference difference_of(DataChange change, const TableContent& before, const TableContent& after,
                             const std::string& column = {}) {
  return {.change = change,
          .table = before.table,
          .column = column,
          .rows_before = before.rows,
          .rows_after = after.rows,
          .rows_lost = {},
          .rows_added = {},
          .rows_changed = {},
          .sample_key = {}};
}

void compare_table(const TableContent& before, const TableContent& after,
                   std::vector<DataDifference>& differences) {
  // With other rows every sum is another, which says nothing more.
  if (before.rows != after.rows) {
    differences.push_back(difference_of(DataChange::table_rows, before, after));
    return;
  }
  const std::size_t known = differences.size();
  for (const ColumnContent& column : before.columns) {
    if (named(after.columns, column.name) == nullptr || same_values(column, before, after)) continue;
    differences.push_back(difference_of(DataChange::column_values, before, after, column.name));
  }
  if (differences.size() == known && !same_composition(before, after)) {
    differences.push_back(difference_of(DataChange::row_composition, before, after));
  }
}

}  // namespace

std::vector<record::DataDifference> compare_data(const State& before, const State& after) {
  std::vector<DataDifference> differences;
  auto now = after.tables.begin();
  for (const TableContent& old : before.tables) {
    while (now != after.tables.end() && now->table < old.table) ++now;
    if (now != after.tables.end() && now->table == old.table) {
      compare_table(old, *now, differences);
    } else if (old.storage.empty() && old.rows > 0) {
      differences.push_back(difference_of(DataChange::table_rows, old, {}));
    }
  }
  return differences;
}

}  // namespace lockkeeper::engine
