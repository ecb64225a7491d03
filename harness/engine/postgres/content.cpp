#include "engine/postgres/content.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
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

/// "ARRAY[…]", also where there is nothing in it.
std::string array_of(const std::vector<std::string>& items) {
  return items.empty() ? "'{}'::text[]" : "ARRAY[" + join(items, ", ") + "]";
}

/// One row: number, count, {sums over columns}, {sums over rows}. The volatile call keeps the planner from
/// merging the two levels, which would compute every hash twice; unlike OFFSET 0 it leaves the scan to
/// parallel workers.
std::string select_of(std::size_t number, const std::string& table, const std::vector<std::string>& hashes,
                      const std::vector<std::string>& row_sums) {
  std::vector<std::string> sums;
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    sums.push_back(fmt::format("coalesce(sum({}), 0)", hash_name(i)));
    columns.push_back(fmt::format("{} AS {}", hashes[i], hash_name(i)));
  }
  columns.emplace_back("clock_timestamp() AS fence");
  return fmt::format("SELECT {}, count(*)::text, {}::text, {}::text FROM (SELECT {} FROM ONLY {} t) s",
                     number, array_of(sums), array_of(row_sums), join(columns, ", "), table);
}

/// Integers of any width hash alike, and so does all text; a composition over them outlives a change of type.
std::string family_of(const ColumnContent& column) {
  if (column.hashed_as.starts_with("int")) return "int";
  return column.hashed_as == "string" ? column.hashed_as : column.type;
}

std::string key_of(const ColumnContent& column) {
  return column.name + '\x1f' + family_of(column) + '\x1f' + column.seed;
}

std::vector<std::string> keys_of(const std::vector<ColumnContent>& columns) {
  std::vector<std::string> keys;
  for (const ColumnContent& column : columns) keys.push_back(key_of(column));
  std::ranges::sort(keys);
  return keys;
}

/// The sum over rows for a composition; empty where one of its columns is not there any more.
std::string row_sum_of(const Composition& composition, const std::vector<ColumnContent>& columns) {
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (std::ranges::binary_search(composition.columns, key_of(columns[i]))) hashes.push_back(hash_name(i));
  }
  return hashes.size() == composition.columns.size() ? row_sum(hashes) : std::string();
}

std::string select_of(std::size_t number, const TableContent& content) {
  std::vector<std::string> hashes;
  std::vector<std::string> row_sums;
  for (const ColumnContent& column : content.columns)
    hashes.push_back(hash_of("t." + quoted_name(column.name), column.hashed_as, column.seed));
  for (const Composition& composition : content.compositions)
    row_sums.push_back(row_sum_of(composition, content.columns));
  return select_of(number, content.table, hashes, row_sums);
}

std::vector<std::string> items_of(const std::string& array) {
  if (array.size() < 3) return {};
  return split(std::string_view(array).substr(1, array.size() - 2), ',');
}

/// What is hashed alike needs no cast to be compared.
bool hash_alike(const ColumnContent& a, const ColumnContent& b) {
  return a.seed == b.seed && family_of(a) == family_of(b);
}

void take_former(TableContent& content) {
  for (ColumnContent& former : content.former) {
    const ColumnContent* now = named(content.columns, former.name);
    if (now != nullptr && hash_alike(*now, former)) former.hash = now->hash;
  }
}

void take(const Connection::Row& row, TableContent& content) {
  content.rows = std::atoll(row[1].value_or("0").c_str());
  const auto sums = items_of(row[2].value_or(""));
  for (std::size_t i = 0; i < content.columns.size() && i < sums.size(); ++i)
    content.columns[i].hash = sums[i];
  const auto row_sums = items_of(row[3].value_or(""));
  for (std::size_t i = 0; i < content.compositions.size() && i < row_sums.size(); ++i)
    content.compositions[i].hash = row_sums[i];
  take_former(content);
}

void take_empty(TableContent& content) {
  content.rows = 0;
  for (Composition& composition : content.compositions) composition.hash = "0";
  for (ColumnContent& column : content.columns) column.hash = "0";
  for (ColumnContent& former : content.former) former.hash = "0";
}

/// What the rows are also read as: the former layout, if there is one and it is another than today's.
std::vector<ColumnContent> former_layout(const TableContent& now, const TableContent* before) {
  if (before == nullptr) return {};
  std::vector<ColumnContent> layout =
      same_layout(now.columns, before->columns) ? before->former : before->columns;
  for (ColumnContent& column : layout) column.hash.clear();
  return layout;
}

/// The sum of a hash that every row has.
std::string times(std::int64_t rows, std::string_view hash) {
  __extension__ using Wide = __int128;
  Wide product = static_cast<Wide>(rows) * std::strtoll(std::string(hash).c_str(), nullptr, 10);
  const bool negative = product < 0;
  std::string digits;
  do {
    const int digit = static_cast<int>(product % 10);
    digits.insert(digits.begin(), static_cast<char>('0' + (digit < 0 ? -digit : digit)));
    product /= 10;
  } while (product != 0);
  return negative ? "-" + digits : digits;
}

ColumnContent layout_of(const HeapColumn& column) {
  return {.name = column.name,
          .type = column.type,
          .hash = {},
          .hashed_as = hashed_as(column.base_type),
          .seed = {},
          .slot = column.computed.empty() ? std::to_string(column.number)
                                          : fmt::format("{} {}", column.number, column.computed)};
}

/// The table's content in a state, whose tables are sorted by name.
const TableContent* content_of(const State* state, const std::string& table) {
  if (state == nullptr) return nullptr;
  const auto found = std::ranges::lower_bound(state->tables, table, {}, &TableContent::table);
  return found != state->tables.end() && found->table == table ? &*found : nullptr;
}

Dependence dependence_of(const HeapColumn& column) {
  if (std::ranges::find(k_naming_types, column.base_type) != std::end(k_naming_types))
    return Dependence::names;
  return column.base_type >= k_first_user_oid ? Dependence::types : Dependence::none;
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

std::string hash_of(std::string_view value, std::string_view how, std::string_view seed) {
  return fmt::format("coalesce({}, {})", hash_expression(value, how, seed_of(seed, "value")),
                     seed_of(seed, "null"));
}

struct ContentReader::Wanted {
  const Heap* heap = nullptr;
  const TableContent* before = nullptr;       ///< in the previous state
  const TableContent* long_before = nullptr;  ///< in the earlier one
  TableContent content;
  bool derived = false;
  std::vector<std::size_t> constants;  ///< columns that hold the same value in every row
};

namespace {

const ColumnContent* in_slot(const TableContent& table, const std::string& slot) {
  const auto found = std::ranges::find(table.columns, slot, &ColumnContent::slot);
  return found == table.columns.end() ? nullptr : &*found;
}

/// A hash is only comparable with one of the same seed: the seed of the column of this name in the states
/// that the table will be compared with, else the one of the column that it was before it was renamed.
std::string seed_for(const ColumnContent& column, const TableContent* before,
                     const TableContent* long_before) {
  for (const TableContent* table : {long_before, before}) {
    if (table == nullptr) continue;
    if (const ColumnContent* same = named(table->columns, column.name)) return same->seed;
  }
  if (before != nullptr) {
    if (const ColumnContent* same = in_slot(*before, column.slot)) return same->seed;
  }
  return column.name;
}

void seed_columns(TableContent& content, const TableContent* before, const TableContent* long_before) {
  std::set<std::string> taken;
  for (ColumnContent& column : content.columns) {
    column.seed = seed_for(column, before, long_before);
    // Two columns of one seed would hide what they exchange in a row.
    if (!taken.insert(column.seed).second) {
      column.seed += " " + column.slot;
      taken.insert(column.seed);
    }
  }
}

/// Over all columns, and over what the states before know of: those that survive unchanged.
void want_compositions(TableContent& content, const TableContent* before, const TableContent* long_before) {
  content.compositions = {{keys_of(content.columns), {}}};
  for (const TableContent* table : {before, long_before}) {
    if (table == nullptr) continue;
    for (const Composition& known : table->compositions) {
      if (std::ranges::find(content.compositions, known.columns, &Composition::columns) ==
              content.compositions.end() &&
          !row_sum_of(known, content.columns).empty()) {
        content.compositions.push_back({known.columns, {}});
      }
    }
  }
}

/// The composition under today's names and types of its columns; none where one of them is gone.
std::optional<Composition> renamed(const Composition& known, const TableContent& from,
                                   const TableContent& now) {
  Composition result{{}, known.hash};
  for (const ColumnContent& column : from.columns) {
    if (!std::ranges::binary_search(known.columns, key_of(column))) continue;
    const ColumnContent* same = in_slot(now, column.slot);
    if (same == nullptr) return std::nullopt;
    result.columns.push_back(key_of(*same));
  }
  if (result.columns.size() != known.columns.size()) return std::nullopt;
  std::ranges::sort(result.columns);
  return result;
}

/// Fills the content from what `from` holds, the rows being the same. None where that is not enough, else the
/// columns that are new, and so hold one value in every row.
std::optional<std::vector<std::size_t>> derived_from(const TableContent& from, TableContent& content) {
  std::vector<std::size_t> constants;
  for (std::size_t i = 0; i < content.columns.size(); ++i) {
    ColumnContent& column = content.columns[i];
    const ColumnContent* was = in_slot(from, column.slot);
    if (was == nullptr) {
      const bool is_stored = column.slot.find(' ') == std::string::npos;
      if (!is_stored) return std::nullopt;
      constants.push_back(i);
      continue;
    }
    if (was->hashed_as != column.hashed_as || was->seed != column.seed) return std::nullopt;
    const bool may_depend = std::max(from.depends_on, content.depends_on) != Dependence::none;
    if (was->type != column.type && may_depend) return std::nullopt;
    column.hash = was->hash;
  }
  content.compositions.clear();
  for (const Composition& known : from.compositions) {
    if (auto same = renamed(known, from, content)) content.compositions.push_back(std::move(*same));
  }
  if (content.compositions.empty() && from.rows > 1) return std::nullopt;
  content.rows = from.rows;
  content.former = from.former;
  return constants;
}

}  // namespace

std::vector<ContentReader::Wanted> ContentReader::wanted(const Since& previous, const Since& earlier) const {
  std::vector<Wanted> tables;
  for (const Heap& heap : m_catalog.heaps) {
    Wanted table{.heap = &heap,
                 .before = content_of(previous.state, heap.identity),
                 .long_before = content_of(earlier.state, heap.identity),
                 .content = {.table = heap.identity, .rows = 0, .columns = {}},
                 .derived = false,
                 .constants = {}};
    TableContent& content = table.content;
    if (!heap.storage.empty()) content.storage = fmt::format("{} {}", heap.oid, heap.storage);
    for (const HeapColumn& column :
         std::ranges::equal_range(m_catalog.columns, heap.oid, {}, &HeapColumn::relation)) {
      content.columns.push_back(layout_of(column));
      content.depends_on = std::max(content.depends_on, dependence_of(column));
    }
    std::ranges::sort(content.columns, {}, &ColumnContent::name);
    seed_columns(content, table.before, table.long_before);
    want_compositions(content, table.before, table.long_before);
    content.former = former_layout(content, table.before);
    tables.push_back(std::move(table));
  }
  return tables;
}

/// Has what the text of values hangs on changed since? An enum's labels and a composite's parts belong to
/// types; a regclass says what its object is called now.
bool ContentReader::schema_changed(const State& before, Dependence dependence) {
  const auto known = m_schema_changed.find({&before, dependence});
  if (known != m_schema_changed.end()) return known->second;
  return m_schema_changed[{&before, dependence}] = compare_schema(before, dependence);
}

bool ContentReader::compare_schema(const State& before, Dependence dependence) const {
  const auto matters = [dependence](const Object& object) {
    return dependence == Dependence::names || object.kind == "type";
  };
  auto now = m_catalog.objects.begin();
  for (const Object& was : before.objects) {
    if (!matters(was)) continue;
    while (now != m_catalog.objects.end() && !matters(*now)) ++now;
    if (now == m_catalog.objects.end() || now->oid != was.oid || now->identity != was.identity ||
        now->attributes != was.attributes) {
      return true;
    }
    // A type that holds a name of some object, however deep.
    if (dependence == Dependence::types && was.attributes.find("reg") != std::string::npos) return true;
    ++now;
  }
  return std::any_of(now, m_catalog.objects.end(), matters);
}

/// Not touched by the server's word, and the same file.
bool ContentReader::may_derive(const Wanted& table, const TableContent* before, const Since& since) {
  if (before == nullptr || since.touched.everything || since.touched.tables.contains(table.heap->identity))
    return false;
  if (before->storage.empty() || before->storage != table.content.storage) return false;
  const Dependence dependence = std::max(before->depends_on, table.content.depends_on);
  return dependence == Dependence::none || !schema_changed(*since.state, dependence);
}

/// From the one of the two states that leaves the least to ask for.
void ContentReader::derive(Wanted& table, const Since& previous, const Since& earlier) {
  const std::pair<const TableContent*, const Since*> sources[] = {{table.before, &previous},
                                                                  {table.long_before, &earlier}};
  std::optional<TableContent> best;
  for (const auto& [before, since] : sources) {
    if (!may_derive(table, before, *since)) continue;
    TableContent content = table.content;
    auto constants = derived_from(*before, content);
    if (!constants || (best && constants->size() >= table.constants.size())) continue;
    best = std::move(content);
    table.constants = std::move(*constants);
  }
  if (!best) return;
  table.content = std::move(*best);
  table.derived = true;
}

/// One row of each table tells what all of its rows hold in the columns that came without a rewrite.
Result<void> ContentReader::read_constants(std::vector<Wanted>& tables) {
  std::vector<std::string> selects;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    Wanted& table = tables[i];
    for (const std::size_t index : table.constants) table.content.columns[index].hash = "0";
    if (table.constants.empty() || table.content.rows == 0) continue;
    std::vector<std::string> hashes;
    for (const std::size_t index : table.constants) {
      const ColumnContent& column = table.content.columns[index];
      hashes.push_back(hash_of("t." + quoted_name(column.name), column.hashed_as, column.seed));
    }
    selects.push_back(fmt::format("(SELECT {}, {}::text FROM ONLY {} t LIMIT 1)", i, array_of(hashes),
                                  table.content.table));
  }
  if (selects.empty()) return {};
  const auto answered = m_connection.ask(join(selects, "\nUNION ALL "));
  if (!answered) return failed(answered);
  std::map<std::size_t, std::vector<std::string>> found;
  for (const auto& row : answered->rows) found[std::stoul(row[0].value())] = items_of(row[1].value_or(""));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    Wanted& table = tables[i];
    if (table.constants.empty() || table.content.rows == 0) continue;
    const auto& hashes = found[i];
    table.derived = hashes.size() == table.constants.size();
    for (std::size_t at = 0; table.derived && at < hashes.size(); ++at)
      table.content.columns[table.constants[at]].hash = times(table.content.rows, hashes[at]);
    if (table.derived) continue;
    want_compositions(table.content, table.before, table.long_before);
    table.content.former = former_layout(table.content, table.before);
  }
  return {};
}

Result<void> ContentReader::scan_batch(std::vector<Wanted*>& batch) {
  std::vector<std::string> selects;
  for (std::size_t i = 0; i < batch.size(); ++i) selects.push_back(select_of(i, batch[i]->content));
  const auto answered = m_connection.ask(join(selects, "\nUNION ALL "));
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty()) {
    if (batch.size() == 1) return cannot_read(batch.front()->content.table, *answered);
    for (Wanted* table : batch) {
      std::vector<Wanted*> alone{table};
      if (const auto read = scan_batch(alone); !read) return failed(read);
    }
    return {};
  }
  for (const auto& row : answered->rows) take(row, batch[std::stoul(row[0].value())]->content);
  return {};
}

Result<void> ContentReader::scan(std::vector<Wanted>& tables) {
  std::vector<Wanted*> batch;
  std::size_t columns = 0;
  const auto flush = [&]() -> Result<void> {
    const auto done = batch.empty() ? Result<void>() : scan_batch(batch);
    batch.clear();
    columns = 0;
    return done;
  };
  for (Wanted& table : tables) {
    if (table.derived) continue;
    if (table.heap->empty) {
      take_empty(table.content);
      continue;
    }
    batch.push_back(&table);
    columns += table.content.columns.size();
    if (batch.size() < k_tables_at_once && columns < k_columns_at_once) continue;
    if (const auto done = flush(); !done) return done;
  }
  return flush();
}

/// Values as they were typed before. False where the server cannot cast them back, or not all of them.
Result<bool> ContentReader::read_former_columns(Wanted& table, const std::vector<ColumnContent>& columns,
                                                bool rows_too) {
  std::vector<std::string> hashes;
  std::vector<std::string> names;
  for (const ColumnContent& column : columns) {
    names.push_back(hash_name(hashes.size()));
    hashes.push_back(hash_of(fmt::format("(t.{})::{}", quoted_name(column.name), column.type),
                             column.hashed_as, column.seed));
  }
  const auto answered = m_connection.ask(select_of(0, table.content.table, hashes, {row_sum(names)}));
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty() || answered->rows.empty()) return false;
  const auto sums = items_of(answered->rows[0][2].value_or(""));
  for (std::size_t i = 0; i < columns.size() && i < sums.size(); ++i) {
    auto former = std::ranges::find(table.content.former, columns[i].name, &ColumnContent::name);
    former->hash = sums[i];
  }
  const auto row_sums = items_of(answered->rows[0][3].value_or(""));
  if (rows_too && row_sums.size() == 1) table.content.compositions.push_back({keys_of(columns), row_sums[0]});
  return true;
}

/// All former columns in one pass; where that fails, those that changed their type one by one. Where a type
/// became another of the same family, the values as they are now say it already, and so do whole rows.
Result<void> ContentReader::read_former(Wanted& table) {
  auto& former = table.content.former;
  std::vector<ColumnContent> retyped;
  bool whole = true;
  for (const ColumnContent& column : former) {
    const ColumnContent* now = named(table.content.columns, column.name);
    if (now == nullptr) whole = false;
    if (now != nullptr && !hash_alike(*now, column)) retyped.push_back(column);
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
  const Since before{previous, touched};
  auto tables = wanted(before, earlier);
  for (Wanted& table : tables) derive(table, before, earlier);
  if (const auto read = read_constants(tables); !read) return failed(read);
  if (const auto read = scan(tables); !read) return failed(read);
  for (Wanted& table : tables) {
    if (table.derived) continue;
    if (const auto read = read_former(table); !read) return failed(read);
  }
  std::vector<TableContent> contents;
  for (Wanted& table : tables) contents.push_back(std::move(table.content));
  std::ranges::sort(contents, {}, &TableContent::table);
  return contents;
}

}  // namespace lockkeeper::engine::postgres
