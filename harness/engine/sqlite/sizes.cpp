#include "engine/sqlite/sizes.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/sqlite/schema.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

using Size = std::optional<std::int64_t>;

/// dbstat counts pages, and is in libraries alone that were built with it (Debian's are).
Result<Size> size_of_trees(Database& database, const std::string& names) {
  if (sqlite3_compileoption_used("ENABLE_DBSTAT_VTAB") == 0) return Size();
  const auto bytes = database.value(
      fmt::format("SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN ({})", names));
  if (!bytes) return failed(bytes);
  return bytes->empty() ? Size() : Size(std::stoll(*bytes));
}

/// Two indexes begin alike only where order and collation are the same too.
Result<std::vector<std::string>> columns_of(Database& database, const SchemaEntry& index) {
  std::vector<std::string> columns;
  const auto done =
      database.each(fmt::format("PRAGMA main.index_xinfo({})", quoted_text(index.name)), [&](Statement& row) {
        if (row.number(5) == 0) return;  // stored beside the key
        std::string column = row.is_null(2)
                                 ? fmt::format("{} of {}", columns.size() + 1, index_shape(index.sql))
                                 : shown_name(row.text(2));
        if (row.text(4) != "BINARY") column += " COLLATE " + row.text(4);
        if (row.number(3) != 0) column += " DESC";
        columns.push_back(std::move(column));
      });
  if (!done) return failed(done);
  return columns;
}

/// Made by CREATE INDEX, of columns alone, of all rows, not unique.
Result<bool> is_plain(Database& database, const SchemaEntry& index) {
  const auto found = database.value(fmt::format(
      "SELECT count(*) FROM pragma_index_list({}) WHERE name = {} AND origin = 'c' AND NOT \"unique\" "
      "AND NOT partial AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo({}) WHERE cid = -2)",
      quoted_text(index.table), quoted_text(index.name), quoted_text(index.name)));
  if (!found) return failed(found);
  return *found != "0";
}

/// Where the values of a column lie.
struct ColumnPlace {
  std::string table;
  std::string name;
  std::string affinity;
  bool is_rowid = false;    ///< the key of its table's b-tree, and NULL in the record
  bool is_virtual = false;  ///< computed when it is read
};

/// INTEGER PRIMARY KEY is the rowid, but for INTEGER PRIMARY KEY DESC and in tables WITHOUT ROWID: there a
/// key has an index, if only by name (https://www.sqlite.org/lang_createtable.html#rowid).
Result<bool> has_key_index(Database& database, const std::string& table) {
  const auto found = database.value(
      fmt::format("SELECT count(*) FROM pragma_index_list({}) WHERE origin = 'pk'", quoted_text(table)));
  if (!found) return failed(found);
  return *found != "0";
}

/// The column that is called so within a table.
Result<std::optional<ColumnPlace>> find_column_of(Database& database, const std::string& table,
                                                  const std::string& column) {
  std::optional<ColumnPlace> place;
  int keys = 0;
  bool is_key = false;
  const auto done =
      database.each(fmt::format("PRAGMA main.table_xinfo({})", quoted_text(table)), [&](Statement& row) {
        const std::string name = row.text(1);
        if (row.number(5) > 0) ++keys;
        if (lower(name) != lower(column) && lower(shown_name(name)) != lower(column)) return;
        constexpr std::int64_t k_generated_when_read = 2;  // "hidden", of PRAGMA table_xinfo
        place = {table, name, affinity_of(row.text(2)), false, row.number(6) == k_generated_when_read};
        is_key = row.number(5) > 0 && lower(row.text(2)) == "integer";
      });
  if (!done) return failed(done);
  if (!place || !is_key || keys != 1) return place;
  const auto indexed = has_key_index(database, table);
  if (!indexed) return failed(indexed);
  place->is_rowid = !*indexed;
  return place;
}

/// "table.column", of a table whose records are SQLite's own.
Result<std::optional<ColumnPlace>> find_column(Database& database, const std::string& column) {
  const auto schema = read_schema(database);
  if (!schema) return failed(schema);
  for (const SchemaEntry& entry : *schema) {
    if (entry.type != "table" || entry.root_page == 0) continue;
    for (const std::string& name : {entry.name, shown_name(entry.name)}) {
      const std::string prefix = lower(name) + ".";
      if (!lower(column).starts_with(prefix)) continue;
      auto place = find_column_of(database, entry.name, column.substr(prefix.size()));
      if (!place || *place) return place;
    }
  }
  return std::optional<ColumnPlace>();
}

/// A number of seven bits a byte, nine bytes at most; negative ones take all.
std::int64_t bytes_of_varint(std::int64_t number) {
  if (number < 0) return 9;
  std::int64_t bytes = 1;
  while (bytes < 9 && (number >> (7 * bytes)) != 0) ++bytes;
  return bytes;
}

std::int64_t bytes_of_integer(std::int64_t number) {
  if (number == 0 || number == 1) return 0;  // serial types 8 and 9
  for (const int bytes : {1, 2, 3, 4, 6}) {
    const std::int64_t end = std::int64_t{1} << (8 * bytes - 1);
    if (number >= -end && number < end) return bytes;
  }
  return 8;
}

/// In a column of REAL affinity a whole number that fits into six bytes lies as an integer
/// (https://www.sqlite.org/datatype3.html#storage_classes_and_datatypes).
std::int64_t bytes_of_real(double number, const std::string& affinity) {
  constexpr double k_six_bytes = 140737488355328.0;
  if (affinity != "REAL" || !(number >= -k_six_bytes && number < k_six_bytes)) return 8;
  const auto whole = static_cast<std::int64_t>(number);
  return static_cast<double>(whole) == number ? bytes_of_integer(whole) : 8;
}

/// One value with its serial type, which stands in the record's header.
std::int64_t bytes_of_value(sqlite3_stmt* statement, const std::string& affinity, bool is_utf16) {
  switch (sqlite3_column_type(statement, 0)) {
    case SQLITE_NULL:
      return 1;
    case SQLITE_INTEGER:
      return 1 + bytes_of_integer(sqlite3_column_int64(statement, 0));
    case SQLITE_FLOAT:
      return 1 + bytes_of_real(sqlite3_column_double(statement, 0), affinity);
    case SQLITE_TEXT: {
      const std::int64_t bytes =
          is_utf16 ? sqlite3_column_bytes16(statement, 0) : sqlite3_column_bytes(statement, 0);
      return bytes_of_varint(13 + 2 * bytes) + bytes;
    }
    default: {
      const std::int64_t bytes = sqlite3_column_bytes(statement, 0);
      return bytes_of_varint(12 + 2 * bytes) + bytes;
    }
  }
}

}  // namespace

Result<std::optional<std::int64_t>> size_of_table(Database& database, const std::string& table) {
  const auto entry = find_entry(database, "table", table);
  if (!entry) return failed(entry);
  if (!*entry) return Size();
  if ((*entry)->root_page != 0) return size_of_trees(database, quoted_text((*entry)->name));
  const std::string prefix = quoted_text((*entry)->name + "_");
  return size_of_trees(database,
                       fmt::format("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = "
                                   "'shadow' AND substr(name, 1, length({})) = {}",
                                   prefix, prefix));
}

Result<std::optional<std::int64_t>> size_of_index(Database& database, const std::string& index) {
  const auto entry = find_entry(database, "index", index);
  if (!entry) return failed(entry);
  return *entry ? size_of_trees(database, quoted_text((*entry)->name)) : Result<Size>(Size());
}

Result<std::optional<std::int64_t>> size_of_column(Database& database, const std::string& column) {
  const auto place = find_column(database, column);
  if (!place) return failed(place);
  if (!*place) return Size();
  if ((*place)->is_virtual) return Size(0);
  const auto encoding = database.value("PRAGMA encoding");
  if (!encoding) return failed(encoding);
  const bool is_utf16 = encoding->starts_with("UTF-16");
  std::int64_t bytes = 0;
  const auto done = database.each(
      fmt::format("SELECT {} FROM main.{}", quoted_name((*place)->name), quoted_name((*place)->table)),
      [&](Statement& row) {
        bytes += (*place)->is_rowid ? 1 + bytes_of_varint(row.number(0))
                                    : bytes_of_value(row.get(), (*place)->affinity, is_utf16);
      });
  if (!done) return failed(done);
  return Size(bytes);
}

Result<std::vector<Instance::IndexInfo>> indexes(Database& database) {
  std::vector<Instance::IndexInfo> found;
  const auto schema = read_schema(database);
  if (!schema) return failed(schema);
  for (const SchemaEntry& entry : *schema) {
    if (entry.type != "index") continue;
    auto columns = columns_of(database, entry);
    if (!columns) return failed(columns);
    const auto plain = is_plain(database, entry);
    if (!plain) return failed(plain);
    const auto bytes = size_of_trees(database, quoted_text(entry.name));
    if (!bytes) return failed(bytes);
    found.push_back(
        {shown_name(entry.name), shown_name(entry.table), std::move(*columns), *plain, bytes->value_or(0)});
  }
  std::ranges::sort(found, {}, &Instance::IndexInfo::name);
  return found;
}

Result<record::Microseconds> rebuild_index(Database& database, const std::string& index) {
  const auto entry = find_entry(database, "index", index);
  if (!entry) return failed(entry);
  if (!*entry)
    return failed(FailureKind::environment, fmt::format("cannot rebuild index '{}': there is none", index));
  const auto begun = std::chrono::steady_clock::now();
  if (const auto error = database.execute("REINDEX main." + quoted_name((*entry)->name)))
    return tl::unexpected<Failure>(database.failure(*error));
  return std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - begun);
}

}  // namespace lockkeeper::engine::sqlite
