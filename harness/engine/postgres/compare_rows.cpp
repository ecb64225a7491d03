#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/content.h"
#include "engine/postgres/state_reader.h"
#include "engine/postgres/state_session.h"

namespace lockkeeper::engine::postgres {
namespace {

/// Rows fetched at once: memory stays bounded however long the table is.
constexpr int k_rows_at_once = 5000;

struct Column {
  std::string name;
  std::string type;
  std::uint64_t base_type = 0;
};

struct Layout {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>>
      keys;  ///< the primary key first, then unique indexes over NOT NULL columns
};

constexpr const char* k_columns =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE"
    " a.atttypid END FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = "
    "to_regclass($1)"
    " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname COLLATE \"C\"";

/// Names come one a row, since a name may hold any separator.
constexpr const char* k_keys =
    "SELECT i.indexrelid, a.attname FROM pg_index i JOIN LATERAL unnest(i.indkey) WITH ORDINALITY u(n, o)"
    " ON u.o <= i.indnkeyatts JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n"
    " WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
    " AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM pg_attribute m WHERE m.attrelid = i.indrelid"
    " AND m.attnum = ANY (i.indkey) AND NOT m.attnotnull) ORDER BY i.indisprimary DESC, i.indexrelid, u.o";

Result<Layout> layout_of(Connection& connection, const std::string& table) {
  Layout layout;
  const auto columns = connection.rows(k_columns, {table});
  if (!columns) return failed(columns);
  for (const auto& row : *columns) {
    layout.columns.push_back({row[0].value(), row[1].value(), std::stoull(row[2].value())});
  }
  const auto keys = connection.rows(k_keys, {table});
  if (!keys) return failed(keys);
  std::string index;
  for (const auto& row : *keys) {
    if (row[0] != index) layout.keys.emplace_back();
    index = row[0].value();
    layout.keys.back().push_back(row[1].value());
  }
  return layout;
}

const Column* named(const Layout& layout, const std::string& name) {
  const auto found = std::ranges::find(layout.columns, name, &Column::name);
  return found == layout.columns.end() ? nullptr : &*found;
}

/// A key that both sides have, and that holds the same type: else its values do not meet.
std::vector<std::string> shared_key(const Layout& before, const Layout& after) {
  for (const auto& key : after.keys) {
    const bool shared = std::ranges::find(before.keys, key) != before.keys.end();
    if (shared) return key;
  }
  return {};
}

/// One side, streamed in key order: the key's texts, then the hash of the row.
class Stream {
 public:
  Stream(Connection connection, std::size_t key_columns)
      : m_connection(std::move(connection)), m_width(key_columns) {}

  Result<bool> open(const std::string& query) {
    const auto answered = m_connection.ask("BEGIN; DECLARE lockkeeper_rows NO SCROLL CURSOR FOR " + query);
    if (!answered) return failed(answered);
    if (!answered->sqlstate.empty()) {
      m_connection.run_to_end("ROLLBACK");
      return false;
    }
    return true;
  }

  /// Makes `row()` the next one; false once there is none, or where the server fails (`error()`).
  Result<bool> next() {
    if (++m_at < m_rows.size()) return true;
    const auto answered = m_connection.ask(fmt::format("FETCH {} FROM lockkeeper_rows", k_rows_at_once));
    if (!answered) return failed(answered);
    m_failed = !answered->sqlstate.empty();
    m_rows = answered->rows;
    m_at = 0;
    return !m_rows.empty();
  }

  bool failed_to_read() const { return m_failed; }
  const Connection::Row& row() const { return m_rows[m_at]; }
  const std::string& hash() const { return *m_rows[m_at][m_width]; }
  std::vector<std::string> key() const {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < m_width; ++i) parts.push_back(m_rows[m_at][i].value_or(""));
    return parts;
  }
  Connection& connection() { return m_connection; }

 private:
  Connection m_connection;
  std::size_t m_width;
  std::vector<Connection::Row> m_rows;
  std::size_t m_at = 0;
  bool m_failed = false;
};

/// How the values of a column that changed its type are compared.
enum class Retyped { cast_back, as_text };

std::string query_of(const std::string& table, const std::vector<std::string>& key, const Layout& own,
                     const Layout& before, const Layout& after, Retyped retyped) {
  std::vector<std::string> columns;
  std::vector<std::string> order;
  for (const std::string& name : key) {
    columns.push_back(fmt::format("t.{}::text", quoted_name(name)));
    order.push_back(fmt::format("t.{}::text COLLATE \"C\"", quoted_name(name)));
  }
  std::vector<std::string> hashes{"0::int8"};
  for (const Column& column : own.columns) {
    const Column* was = named(before, column.name);
    const Column* is = named(after, column.name);
    if (was == nullptr || is == nullptr) continue;
    const std::string value = "t." + quoted_name(column.name);
    if (was->type == is->type) {
      hashes.push_back(hash_of(value, hashed_as(column.base_type), column.name));
    } else if (retyped == Retyped::cast_back) {
      hashes.push_back(
          hash_of(fmt::format("({})::{}", value, was->type), hashed_as(was->base_type), column.name));
    } else {
      hashes.push_back(hash_of(value, "text", column.name));
    }
  }
  columns.push_back(join(hashes, " # "));
  return fmt::format("SELECT {} FROM ONLY {} t ORDER BY {}", join(columns, ", "), table, join(order, ", "));
}

std::string sample_of(const std::vector<std::string>& key, const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < key.size(); ++i)
    parts.push_back(fmt::format("{}={}", key[i], abridged(values[i], 60)));
  return join(parts, ", ");
}

struct Counts {
  std::int64_t before = 0;
  std::int64_t after = 0;
  std::int64_t lost = 0;
  std::int64_t added = 0;
  std::int64_t changed = 0;
  std::string sample;
};

/// One step of the merge: which side stands first?
void count_step(Stream& before, bool more_before, Stream& after, bool more_after,
                const std::vector<std::string>& key, Counts& counts, bool& step_before, bool& step_after) {
  const auto old_key = more_before ? before.key() : std::vector<std::string>();
  const auto new_key = more_after ? after.key() : std::vector<std::string>();
  step_before = more_before && (!more_after || old_key <= new_key);
  step_after = more_after && (!more_before || new_key <= old_key);
  counts.before += step_before ? 1 : 0;
  counts.after += step_after ? 1 : 0;
  const bool both = step_before && step_after;
  if (both && before.hash() == after.hash()) return;
  (both ? counts.changed : step_before ? counts.lost : counts.added) += 1;
  if (counts.sample.empty()) counts.sample = sample_of(key, step_before ? old_key : new_key);
}

Result<std::optional<Counts>> merge(Stream& before, Stream& after, const std::vector<std::string>& key) {
  Counts counts;
  auto more_before = before.next();
  auto more_after = after.next();
  while (more_before && more_after && (*more_before || *more_after)) {
    bool step_before = false;
    bool step_after = false;
    count_step(before, *more_before, after, *more_after, key, counts, step_before, step_after);
    if (step_before) more_before = before.next();
    if (step_after) more_after = after.next();
  }
  if (!more_before) return failed(more_before);
  if (!more_after) return failed(more_after);
  if (before.failed_to_read() || after.failed_to_read()) return std::optional<Counts>();
  return std::optional<Counts>(counts);
}

Result<std::optional<Counts>> count(Stream& before, Stream& after, const std::string& table,
                                    const std::vector<std::string>& key, const Layout& old_layout,
                                    const Layout& new_layout, Retyped retyped) {
  const auto old_open = before.open(query_of(table, key, old_layout, old_layout, new_layout, retyped));
  if (!old_open) return failed(old_open);
  const auto new_open = after.open(query_of(table, key, new_layout, old_layout, new_layout, retyped));
  if (!new_open) return failed(new_open);
  if (!*old_open || !*new_open) return std::optional<Counts>();
  return merge(before, after, key);
}

record::DataDifference difference_of(const std::string& table, const Counts& counts) {
  return {.change = counts.before != counts.after ? record::DataChange::table_rows
                                                  : record::DataChange::column_values,
          .table = table,
          .column = {},
          .rows_before = counts.before,
          .rows_after = counts.after,
          .rows_lost = counts.lost,
          .rows_added = counts.added,
          .rows_changed = counts.changed,
          .sample_key = counts.sample};
}

}  // namespace

Result<std::optional<record::DataDifference>> compare_rows(const std::string& before,
                                                           const std::string& after,
                                                           const std::string& table) {
  const std::optional<record::DataDifference> none;
  for (const Retyped retyped : {Retyped::cast_back, Retyped::as_text}) {
    auto old_session = open_state_session(before);
    if (!old_session) return failed(old_session);
    auto new_session = open_state_session(after);
    if (!new_session) return failed(new_session);
    const auto old_layout = layout_of(*old_session, table);
    if (!old_layout) return failed(old_layout);
    const auto new_layout = layout_of(*new_session, table);
    if (!new_layout) return failed(new_layout);
    const auto key = shared_key(*old_layout, *new_layout);
    if (key.empty()) return none;
    Stream old_rows(std::move(*old_session), key.size());
    Stream new_rows(std::move(*new_session), key.size());
    const auto counts = count(old_rows, new_rows, table, key, *old_layout, *new_layout, retyped);
    if (!counts) return failed(counts);
    if (*counts) return std::optional(difference_of(table, **counts));
  }
  return none;
}

}  // namespace lockkeeper::engine::postgres
