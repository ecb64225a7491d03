#include "engine/sqlite/content.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine::sqlite {

namespace {

/// A sum of 128-bit hashes: the order of what is added does not matter, and what is added twice counts twice.
struct Sum {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(XXH128_hash_t hash) {
    low += hash.low64;
    high += hash.high64;
  }
  std::string hex() const { return fmt::format("{:016x}{:016x}", high, low); }
};

/// The value in a column of the row under way.
XXH128_hash_t hash_of_value(sqlite3_stmt* row, int column, std::uint64_t seed) {
  const int type = sqlite3_column_type(row, column);
  const std::uint64_t typed = seed + static_cast<std::uint64_t>(type);
  switch (type) {
    case SQLITE_INTEGER: {
      const sqlite3_int64 number = sqlite3_column_int64(row, column);
      return XXH3_128bits_withSeed(&number, sizeof number, typed);
    }
    case SQLITE_FLOAT: {
      const double number = sqlite3_column_double(row, column);
      return XXH3_128bits_withSeed(&number, sizeof number, typed);
    }
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
      // In the order that the documentation asks for: the value, then its size.
      const void* bytes =
          type == SQLITE_TEXT ? sqlite3_column_text(row, column) : sqlite3_column_blob(row, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
      return XXH3_128bits_withSeed(bytes == nullptr ? "" : bytes, size, typed);
    }
    default:
      return XXH3_128bits_withSeed("", 0, typed);
  }
}

std::uint64_t seed_of(const std::string& name) {
  // Room for the storage classes.
  return XXH3_64bits(name.data(), name.size()) & ~std::uint64_t{0xF};
}

std::string line_of(const TableShape::Column& column) {
  return column.name + " " + column.type;
}

/// The columns of one composition, by their places among those that are read.
struct Group {
  std::vector<std::string> columns;
  std::vector<std::size_t> places;
  Sum sum = {};
};

class ContentReader {
 public:
  ContentReader(const TableShape& table, const TableContent* previous) : m_table(table) {
    for (const auto& column : table.columns) add_column(column.name, column.type, quoted_name(column.name));
    m_own = m_columns.size();
    if (previous == nullptr) return;
    for (const ColumnContent& was : previous->columns) add_former(was);
  }

  Result<TableContent> read(Database& database, const TableContent* previous) {
    add_group(m_table.columns);
    if (previous != nullptr) {
      for (const Composition& known : previous->compositions) add_known_group(known);
    }
    TableContent content;
    content.table = m_table.identity;
    content.storage = m_table.storage;
    auto statement = database.prepare(query());
    if (!statement) return tl::unexpected<Failure>(database.failure(statement.error()));
    int code = statement->step();
    for (; code == SQLITE_ROW; code = statement->step()) {
      add_row(statement->get());
      ++content.rows;
    }
    if (code != SQLITE_DONE) return tl::unexpected<Failure>(database.failure(database.last_error()));
    for (std::size_t i = 0; i < m_columns.size(); ++i) {
      auto& columns = i < m_own ? content.columns : content.former;
      columns.push_back({m_columns[i].name, m_columns[i].type, m_columns[i].sum.hex()});
    }
    for (Group& group : m_groups) content.compositions.push_back({std::move(group.columns), group.sum.hex()});
    return content;
  }

 private:
  struct Column {
    std::string name;
    std::string type;
    std::string expression;
    std::uint64_t seed = 0;
    Sum sum = {};
  };

  void add_column(const std::string& name, const std::string& type, std::string expression) {
    m_columns.push_back({name, type, std::move(expression), seed_of(name)});
  }

  /// Values of a column whose type is another now, cast back to what they were.
  void add_former(const ColumnContent& was) {
    const auto now = std::ranges::find(m_table.columns, was.name, &TableShape::Column::name);
    if (now == m_table.columns.end() || now->type == was.type) return;
    const std::string affinity = affinity_of(was.type);
    add_column(was.name, was.type, fmt::format("CAST({} AS {})", quoted_name(was.name), affinity));
  }

  void add_group(const std::vector<TableShape::Column>& columns) {
    Group group;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      group.columns.push_back(line_of(columns[i]));
      group.places.push_back(i);
    }
    m_groups.push_back(std::move(group));
  }

  /// What an earlier state knows to stand together, where all of these columns are still there.
  void add_known_group(const Composition& known) {
    if (std::ranges::any_of(m_groups, [&](const Group& group) { return group.columns == known.columns; }))
      return;
    Group group;
    group.columns = known.columns;
    for (const std::string& line : known.columns) {
      const auto found = std::ranges::find(m_table.columns, line, line_of);
      if (found == m_table.columns.end()) return;
      group.places.push_back(static_cast<std::size_t>(found - m_table.columns.begin()));
    }
    m_groups.push_back(std::move(group));
  }

  std::string query() const {
    std::vector<std::string> expressions;
    for (const Column& column : m_columns) expressions.push_back(column.expression);
    if (expressions.empty()) expressions.emplace_back("1");
    return fmt::format("SELECT {} FROM main.{}", join(expressions, ", "), quoted_name(m_table.name));
  }

  void add_row(sqlite3_stmt* row) {
    m_hashes.resize(m_columns.size());
    for (std::size_t i = 0; i < m_columns.size(); ++i) {
      m_hashes[i] = hash_of_value(row, static_cast<int>(i), m_columns[i].seed);
      m_columns[i].sum.add(m_hashes[i]);
    }
    for (Group& group : m_groups) {
      m_together.clear();
      for (const std::size_t place : group.places) m_together.push_back(m_hashes[place]);
      group.sum.add(XXH3_128bits(m_together.data(), m_together.size() * sizeof(XXH128_hash_t)));
    }
  }

  const TableShape& m_table;
  std::vector<Column> m_columns;
  std::size_t m_own = 0;  ///< how many of them are the table's; the rest are cast back
  std::vector<Group> m_groups;
  std::vector<XXH128_hash_t> m_hashes;
  std::vector<XXH128_hash_t> m_together;
};

}  // namespace

Result<TableContent> read_content(Database& database, const TableShape& table, const TableContent* previous) {
  return ContentReader(table, previous).read(database, previous);
}

}  // namespace lockkeeper::engine::sqlite
