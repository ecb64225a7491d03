#include "engine/postgres/content.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace lockkeeper::engine::postgres {
namespace {

constexpr std::size_t k_tables_at_once = 40;
constexpr std::size_t k_columns_at_once = 400;

/// Types of pg_type.dat, whose OIDs never change, and the hash that is exact for them. Everything else is
/// hashed as text: numeric (1.0 and 1.00 are equal to hash_numeric), interval (a day is 24 hours to
/// interval_hash), jsonb, …
struct TypeHash {
  std::uint64_t oid;
  std::string_view how;
};
constexpr TypeHash k_hashes[] = {
    {16, "bool"},     {18, "char"},        {20, "int8"},          {21, "int2"},
    {23, "int4"},     {26, "oid"},         {25, "string"},        {1043, "string"},
    {700, "float4"},  {701, "float8"},     {1082, "date"},        {1083, "time"},
    {1266, "timetz"}, {1114, "timestamp"}, {1184, "timestamptz"}, {2950, "uuid"},
};

/// Types whose text names objects or roles, so that a rename elsewhere changes it: reg…, aclitem, and arrays
/// of them.
constexpr std::uint64_t k_naming_types[] = {24,   1008, 1033, 1034, 2202, 2203, 2204, 2205,
                                            2206, 2207, 2208, 2209, 2210, 2211, 3734, 3735,
                                            3769, 3770, 4089, 4090, 4096, 4097, 4191, 4192};

/// 64 bits of the name, as SQL reads them. `salt` tells NULL from the seed.
std::string seed_of(std::string_view column, std::string_view salt) {
  const std::string hex = Hasher().add_field(column).add_field(salt).hex();
  return fmt::format("'{}'::int8",
                     static_cast<std::int64_t>(std::strtoull(hex.substr(0, 16).c_str(), nullptr, 16)));
}

std::string hash_expression(std::string_view v, std::string_view how, const std::string& seed) {
  const auto as_text = [&] { return fmt::format("hashtextextended(({})::text COLLATE \"C\", {})", v, seed); };
  if (how == "bool") return fmt::format("hashint4extended(({})::int4, {})", v, seed);
  if (how == "char") return fmt::format("hashcharextended({}, {})", v, seed);
  if (how == "int8" || how == "int4" || how == "int2")
    return fmt::format("hash{}extended({}, {})", how, v, seed);
  if (how == "oid") return fmt::format("hashoidextended({}, {})", v, seed);
  if (how == "uuid") return fmt::format("uuid_hash_extended({}, {})", v, seed);
  if (how == "time") return fmt::format("time_hash_extended({}, {})", v, seed);
  if (how == "timetz") return fmt::format("timetz_hash_extended({}, {})", v, seed);
  if (how == "timestamp") return fmt::format("timestamp_hash_extended({}, {})", v, seed);
  // In the pinned time zone, UTC, this cast changes nothing.
  if (how == "timestamptz") return fmt::format("timestamp_hash_extended(({})::timestamp, {})", v, seed);
  // A date reaches further than a timestamp.
  if (how == "date") {
    return fmt::format(
        "CASE WHEN {0} BETWEEN '4713-01-01 BC'::date AND '294276-12-31'::date THEN"
        " timestamp_hash_extended(({0})::timestamp, {1}) ELSE {2} END",
        v, seed, as_text());
  }
  // Zero and minus zero are equal to the hash.
  if (how == "float4" || how == "float8") {
    return fmt::format("CASE WHEN {0} = 0 THEN {3} ELSE hash{1}extended({0}, {2}) END", v, how, seed,
                       as_text());
  }
  if (how == "string") return fmt::format("hashtextextended({} COLLATE \"C\", {})", v, seed);
  return as_text();
}

/// "name type, …": whether two hashes over rows are comparable.
bool same_layout(const std::vector<ColumnContent>& a, const std::vector<ColumnContent>& b) {
  return std::ranges::equal(a, b, [](const ColumnContent& x, const ColumnContent& y) {
    return x.name == y.name && x.type == y.type;
  });
}

const ColumnContent* named(const std::vector<ColumnContent>& columns, std::string_view name) {
  const auto found = std::ranges::find(columns, name, &ColumnContent::name);
  return found == columns.end() ? nullptr : &*found;
}

std::string xor_of(const std::vector<std::string>& hashes) {
  return hashes.empty() ? "0::int8" : join(hashes, " # ");
}

/// Columns by their place in the list: a name might be anything.
std::string hash_name(std::size_t index) {
  return fmt::format("h{}", index);
}

/// The sum over rows of a hash over each row.
std::string row_sum(const std::vector<std::string>& hashes) {
  return fmt::format("coalesce(sum(hashint8extended({}, 0)), 0)::text", xor_of(hashes));
}

/// One row: number, count, hash over rows, hash over rows of the former columns (or NULL), {sums}. The
/// volatile call keeps the planner from merging the two levels, which would compute every hash twice; unlike
/// OFFSET 0 it leaves the scan to parallel workers.
std::string select_of(std::size_t number, const std::string& table, const std::vector<std::string>& hashes,
                      const std::string& rows, const std::string& former_rows) {
  std::vector<std::string> sums;
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    sums.push_back(fmt::format("coalesce(sum({}), 0)", hash_name(i)));
    columns.push_back(fmt::format("{} AS {}", hashes[i], hash_name(i)));
  }
  columns.emplace_back("clock_timestamp() AS fence");
  return fmt::format("SELECT {}, count(*)::text, {}, {}, {}::text FROM (SELECT {} FROM ONLY {} t) s", number,
                     rows, former_rows.empty() ? "NULL" : former_rows,
                     sums.empty() ? "'{}'" : "ARRAY[" + join(sums, ", ") + "]", join(columns, ", "), table);
}

/// The former columns' hashes among those of all columns; none where a former column is gone or of another
/// type.
std::string former_rows_of(const TableContent& content) {
  std::vector<std::string> hashes;
  for (const ColumnContent& former : content.former) {
    const ColumnContent* now = named(content.columns, former.name);
    if (now == nullptr || now->type != former.type) return {};
    hashes.push_back(hash_name(static_cast<std::size_t>(now - content.columns.data())));
  }
  return hashes.empty() ? std::string() : row_sum(hashes);
}

std::string select_of(std::size_t number, const TableContent& content) {
  std::vector<std::string> hashes;
  std::vector<std::string> names;
  for (const ColumnContent& column : content.columns) {
    names.push_back(hash_name(hashes.size()));
    hashes.push_back(hash_of("t." + quoted_name(column.name), column.hashed_as, column.name));
  }
  return select_of(number, content.table, hashes, row_sum(names), former_rows_of(content));
}

std::vector<std::string> sums_of(const std::string& array) {
  if (array.size() < 3) return {};
  return split(std::string_view(array).substr(1, array.size() - 2), ',');
}

void take(const Connection::Row& row, TableContent& content) {
  content.rows = std::atoll(row[1].value_or("0").c_str());
  content.row_hash = row[2].value_or("");
  content.former_row_hash = row[3].value_or("");
  const auto sums = sums_of(row[4].value_or(""));
  for (std::size_t i = 0; i < content.columns.size() && i < sums.size(); ++i)
    content.columns[i].hash = sums[i];
  for (ColumnContent& former : content.former) {
    const ColumnContent* now = named(content.columns, former.name);
    if (now != nullptr && now->type == former.type) former.hash = now->hash;
  }
}

void take_empty(TableContent& content) {
  content.rows = 0;
  content.row_hash = "0";
  for (ColumnContent& column : content.columns) column.hash = "0";
  for (ColumnContent& former : content.former) former.hash = "0";
  content.former_row_hash = content.former.empty() ? "" : "0";
}

/// What the rows are also read as: the former layout, if there is one and it is another than today's.
std::vector<ColumnContent> former_layout(const TableContent& now, const TableContent* before) {
  if (before == nullptr) return {};
  std::vector<ColumnContent> layout =
      same_layout(now.columns, before->columns) ? before->former : before->columns;
  for (ColumnContent& column : layout) column.hash.clear();
  return layout;
}

ColumnContent layout_of(const HeapColumn& column) {
  return {.name = column.name,
          .type = column.type,
          .hash = {},
          .hashed_as = hashed_as(column.base_type),
          .slot = column.computed.empty() ? std::to_string(column.number)
                                          : fmt::format("{} {}", column.number, column.computed)};
}

/// The table's content in a state, whose tables are sorted by name.
const TableContent* content_of(const State* state, const std::string& table) {
  if (state == nullptr) return nullptr;
  const auto found = std::ranges::lower_bound(state->tables, table, {}, &TableContent::table);
  return found != state->tables.end() && found->table == table ? &*found : nullptr;
}

bool names_objects(const HeapColumn& column) {
  return column.base_type >= k_first_user_oid ||
         std::ranges::find(k_naming_types, column.base_type) != std::end(k_naming_types);
}

tl::unexpected<Failure> cannot_read(const std::string& table, const Connection::Answered& answered) {
  return failed(
      FailureKind::environment,
      fmt::format("cannot read the rows of table '{}': {} ({})", table, answered.message, answered.sqlstate),
      "try SELECT * FROM " + table + " on the same data");
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

std::string hashed_as(std::uint64_t base_type) {
  const auto* found = std::ranges::find(k_hashes, base_type, &TypeHash::oid);
  return found == std::end(k_hashes) ? "text" : std::string(found->how);
}

std::string hash_of(std::string_view value, std::string_view how, std::string_view column) {
  return fmt::format("coalesce({}, {})", hash_expression(value, how, seed_of(column, "value")),
                     seed_of(column, "null"));
}

std::vector<ContentReader::Wanted> ContentReader::wanted(const State* previous) {
  std::map<std::string_view, const TableContent*> before;
  if (previous != nullptr) {
    for (const TableContent& table : previous->tables) before.emplace(table.table, &table);
  }
  std::vector<Wanted> tables;
  for (const Heap& heap : m_catalog.heaps) {
    Wanted table{&heap, nullptr, {.table = heap.identity, .rows = 0, .row_hash = {}, .columns = {}}};
    if (!heap.storage.empty()) table.content.storage = fmt::format("{} {}", heap.oid, heap.storage);
    if (const auto found = before.find(heap.identity); found != before.end()) table.before = found->second;
    const auto columns = std::ranges::equal_range(m_catalog.columns, heap.oid, {}, &HeapColumn::relation);
    for (const HeapColumn& column : columns) {
      table.content.columns.push_back(layout_of(column));
      table.content.depends_on_catalog |= names_objects(column);
    }
    std::ranges::sort(table.content.columns, {}, &ColumnContent::name);
    table.content.former = former_layout(table.content, table.before);
    tables.push_back(std::move(table));
  }
  return tables;
}

bool ContentReader::schema_changed(const State& before) const {
  return !std::ranges::equal(m_catalog.objects, before.objects, [](const Object& a, const Object& b) {
    return a.oid == b.oid && a.identity == b.identity && a.attributes == b.attributes;
  });
}

/// Not touched by the server's word, the same file, the same columns in the same places.
bool ContentReader::unchanged(const Wanted& table, const TableContent* before, const State* state,
                              const Touched& touched) const {
  if (before == nullptr || touched.everything || touched.tables.contains(table.heap->identity)) return false;
  if (before->storage.empty() || before->storage != table.content.storage) return false;
  const bool same_columns = std::ranges::equal(
      before->columns, table.content.columns, [](const ColumnContent& a, const ColumnContent& b) {
        return a.name == b.name && a.type == b.type && a.slot == b.slot && a.hashed_as == b.hashed_as;
      });
  return same_columns && !(table.content.depends_on_catalog && schema_changed(*state));
}

Result<void> ContentReader::read_batch(std::vector<Wanted*>& batch) {
  std::vector<std::string> selects;
  for (std::size_t i = 0; i < batch.size(); ++i) selects.push_back(select_of(i, batch[i]->content));
  const auto answered = m_connection.ask(join(selects, "\nUNION ALL "));
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty()) {
    if (batch.size() == 1) return cannot_read(batch.front()->content.table, *answered);
    for (Wanted* table : batch) {
      std::vector<Wanted*> alone{table};
      if (const auto read = read_batch(alone); !read) return failed(read);
    }
    return {};
  }
  for (const auto& row : answered->rows) take(row, batch[std::stoul(row[0].value())]->content);
  batch.clear();
  return {};
}

/// Values as they were typed before. False where the server cannot cast them back, or not all of them.
Result<bool> ContentReader::read_former_columns(Wanted& table, const std::vector<ColumnContent>& columns,
                                                bool rows_too) {
  std::vector<std::string> hashes;
  std::vector<std::string> names;
  for (const ColumnContent& column : columns) {
    names.push_back(hash_name(hashes.size()));
    hashes.push_back(hash_of(fmt::format("(t.{})::{}", quoted_name(column.name), column.type),
                             column.hashed_as, column.name));
  }
  const auto answered = m_connection.ask(select_of(0, table.content.table, hashes, row_sum(names), ""));
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty() || answered->rows.empty()) return false;
  const auto sums = sums_of(answered->rows[0][4].value_or(""));
  for (std::size_t i = 0; i < columns.size() && i < sums.size(); ++i) {
    auto former = std::ranges::find(table.content.former, columns[i].name, &ColumnContent::name);
    former->hash = sums[i];
  }
  if (rows_too) table.content.former_row_hash = answered->rows[0][2].value_or("");
  return true;
}

/// All former columns in one pass; where that fails, those that changed their type one by one.
Result<void> ContentReader::read_former(Wanted& table) {
  auto& former = table.content.former;
  std::vector<ColumnContent> retyped;
  bool whole = true;
  for (const ColumnContent& column : former) {
    const ColumnContent* now = named(table.content.columns, column.name);
    if (now == nullptr) whole = false;
    if (now != nullptr && now->type != column.type) retyped.push_back(column);
  }
  if (!retyped.empty()) {
    const std::vector<ColumnContent> all = former;
    const auto read = read_former_columns(table, whole ? all : retyped, whole);
    if (!read) return failed(read);
    for (std::size_t i = 0; !*read && i < retyped.size(); ++i) {
      if (const auto one = read_former_columns(table, {retyped[i]}, false); !one) return failed(one);
    }
  }
  std::erase_if(former, [](const ColumnContent& column) { return column.hash.empty(); });
  return {};
}

Result<std::vector<TableContent>> ContentReader::read(const State* previous, const Touched& touched,
                                                      const Since& earlier) {
  auto tables = wanted(previous);
  std::vector<Wanted*> batch;
  std::vector<Wanted*> read_now;
  std::size_t columns = 0;
  for (Wanted& table : tables) {
    const TableContent* long_before = content_of(earlier.state, table.heap->identity);
    if (unchanged(table, table.before, previous, touched)) {
      table.content = *table.before;
    } else if (unchanged(table, long_before, earlier.state, earlier.touched)) {
      table.content = *long_before;
    } else if (table.heap->empty) {
      take_empty(table.content);
    } else {
      batch.push_back(&table);
      read_now.push_back(&table);
      columns += table.content.columns.size();
    }
    if (batch.size() < k_tables_at_once && columns < k_columns_at_once) continue;
    if (const auto read = read_batch(batch); !read) return failed(read);
    batch.clear();
    columns = 0;
  }
  if (!batch.empty()) {
    if (const auto read = read_batch(batch); !read) return failed(read);
  }
  for (Wanted* table : read_now) {
    if (const auto read = read_former(*table); !read) return failed(read);
  }
  std::vector<TableContent> contents;
  for (Wanted& table : tables) contents.push_back(std::move(table.content));
  std::ranges::sort(contents, {}, &TableContent::table);
  return contents;
}

}  // namespace lockkeeper::engine::postgres
