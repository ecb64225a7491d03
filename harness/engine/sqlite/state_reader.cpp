#include "engine/sqlite/state_reader.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/sqlite/content.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

const TableContent* content_of(const State* state, const std::string& identity) {
  if (state == nullptr) return nullptr;
  const auto found = std::ranges::lower_bound(state->tables, identity, {}, &TableContent::table);
  return found == state->tables.end() || found->table != identity ? nullptr : &*found;
}

}  // namespace

Result<State> read_state(Database& database, const Lineage& lineage, const std::set<std::string>& apart,
                         const State* previous, const Touched& touched) {
  auto catalog = read_catalog(database, lineage, apart);
  if (!catalog) return failed(catalog);
  State state;
  for (Object& object : catalog->objects) state.objects.push_back(std::move(object));
  state.sequences = std::move(catalog->sequences);
  for (const TableShape& table : catalog->tables) {
    const TableContent* before = content_of(previous, table.identity);
    const bool stays = before != nullptr && !touched.everything && !table.is_virtual &&
                       !touched.tables.contains(table.identity) && before->storage == table.storage;
    if (stays) {
      state.tables.push_back(*before);
      continue;
    }
    auto content = read_content(database, table, before);
    if (!content) return failed(content);
    state.tables.push_back(std::move(*content));
  }
  return state;
}

Result<void> restore_sequences(Database& database, const State& state) {
  if (state.sequences.empty()) return {};
  // The table is there as soon as one table has AUTOINCREMENT.
  const auto known = database.value("SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'");
  if (!known) return failed(known);
  if (*known == "0") return {};
  std::vector<std::pair<std::string, std::string>> numbered;  // name, as people write it
  const auto done =
      database.each("SELECT name FROM main.sqlite_schema WHERE type = 'table'",
                    [&](Statement& row) { numbered.emplace_back(row.text(0), shown_name(row.text(0))); });
  if (!done) return done;
  for (const SequencePosition& sequence : state.sequences) {
    const auto table =
        std::ranges::find(numbered, sequence.sequence, &std::pair<std::string, std::string>::second);
    if (table == numbered.end()) continue;
    const std::string name = quoted_text(table->first);
    std::string sql = fmt::format("DELETE FROM main.sqlite_sequence WHERE name = {};", name);
    if (sequence.position != "unused") {
      sql += fmt::format("INSERT INTO main.sqlite_sequence (name, seq) VALUES ({}, {});", name,
                         sequence.position);
    }
    if (const auto error = database.execute(sql)) return tl::unexpected<Failure>(database.failure(*error));
  }
  return {};
}

namespace {

using record::SchemaFact;
using record::SchemaFactKind;

/// The constraint that a line of foreign_key_check is about.
Result<std::string> name_of_key(Database& database, const std::string& table, const std::string& id) {
  const auto columns = database.rows(
      fmt::format("SELECT \"from\", \"table\" FROM pragma_foreign_key_list({}) WHERE id = {} ORDER BY seq",
                  quoted_text(table), id));
  if (!columns) return failed(columns);
  const auto sql =
      database.value(fmt::format("SELECT sql FROM main.sqlite_schema WHERE name = {}", quoted_text(table)));
  if (!sql) return failed(sql);
  for (const TableConstraint& constraint : read_table(*sql).constraints) {
    if (constraint.kind != TableConstraint::Kind::foreign_key || constraint.columns.size() != columns->size())
      continue;
    bool same = true;
    for (std::size_t i = 0; i < columns->size(); ++i) {
      same = same && lower(constraint.columns[i]) == lower((*columns)[i][0].value_or("")) &&
             lower(constraint.target) == lower((*columns)[i][1].value_or(""));
    }
    if (same) return constraint.name.empty() ? constraint.bare() : shown_name(constraint.name);
  }
  return std::string("FOREIGN KEY");
}

/// "NULL value in t.c" and "CHECK constraint failed in t" name what is broken; of anything else the text
/// does.
SchemaFact fact_of(const std::string& message) {
  SchemaFact fact{SchemaFactKind::constraint_violated, "main.integrity", "main", "", "", false};
  constexpr std::string_view k_null = "NULL value in ";
  constexpr std::string_view k_check = "CHECK constraint failed in ";
  if (message.starts_with(k_null)) {
    const std::string column = message.substr(k_null.size());
    fact.table = column.substr(0, column.rfind('.'));
    fact.object = column + " NOT NULL";
  } else if (message.starts_with(k_check)) {
    fact.table = message.substr(k_check.size());
    fact.object = fact.table + ".CHECK";
  } else {
    fact.detail = message;
  }
  return fact;
}

}  // namespace

Result<std::vector<SchemaFact>> find_violations(Database& database, const std::set<std::string>& apart) {
  std::vector<SchemaFact> facts;
  const auto broken = database.rows(
      "SELECT \"table\", fkid, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2");
  // A key that leads to no table or to no unique column is said when it is used; it breaks no row.
  for (const auto& row : broken ? *broken : std::vector<Database::Row>{}) {
    const std::string table = row[0].value_or("");
    if (apart.contains(table)) continue;
    const auto name = name_of_key(database, table, row[1].value_or("0"));
    if (!name) return failed(name);
    facts.push_back({SchemaFactKind::constraint_violated, shown_name(table) + "." + *name, shown_name(table),
                     counted(std::atoll(row[2].value_or("0").c_str()), "row"), "", false});
  }
  const auto found = database.rows("PRAGMA main.integrity_check");
  if (!found) return failed(found);
  std::map<std::string, std::int64_t> rows;
  std::vector<SchemaFact> more;
  for (const auto& row : *found) {
    const std::string message = row.empty() ? "" : row[0].value_or("");
    if (message == "ok") continue;
    SchemaFact fact = fact_of(message);
    const bool counts = fact.detail.empty();
    if (counts && ++rows[fact.object] > 1) continue;
    more.push_back(std::move(fact));
  }
  for (SchemaFact& fact : more) {
    if (fact.detail.empty()) fact.detail = counted(rows[fact.object], "row");
    facts.push_back(std::move(fact));
  }
  return facts;
}

namespace {

/// Columns that both have, and the key among them by which rows can be told.
struct Common {
  std::vector<std::string> columns;
  std::vector<std::string> key;
};

Result<Common> common_columns(Database& database, const std::string& name) {
  Common common;
  const auto columns =
      database.rows(fmt::format("SELECT h.name FROM pragma_table_xinfo({0}, 'main') h JOIN "
                                "pragma_table_xinfo({0}, 'base') b ON b.name = h.name "
                                "WHERE h.hidden <> 1 AND b.hidden <> 1 ORDER BY h.cid",
                                quoted_text(name)));
  if (!columns) return failed(columns);
  for (const auto& row : *columns) common.columns.push_back(row[0].value_or(""));
  const auto is_common = [&](const std::string& column) {
    return std::ranges::find(common.columns, column) != common.columns.end();
  };
  const auto key = database.rows(fmt::format(
      "SELECT name FROM pragma_table_xinfo({}, 'base') WHERE pk > 0 ORDER BY pk", quoted_text(name)));
  if (!key) return failed(key);
  for (const auto& row : *key) common.key.push_back(row[0].value_or(""));
  if (!common.key.empty() && std::ranges::all_of(common.key, is_common)) return common;
  common.key.clear();
  const auto unique =
      database.rows(fmt::format("SELECT l.name, x.name FROM pragma_index_list({0}, 'base') l JOIN "
                                "pragma_index_info(l.name, 'base') x WHERE "
                                "l.\"unique\" = 1 AND l.partial = 0 ORDER BY l.seq DESC, x.seqno",
                                quoted_text(name)));
  if (!unique) return failed(unique);
  std::map<std::string, std::vector<std::string>> indexes;
  for (const auto& row : *unique) indexes[row[0].value_or("")].push_back(row[1].value_or(""));
  for (const auto& [index, names] : indexes) {
    if (common.key.empty() && std::ranges::all_of(names, is_common)) common.key = names;
  }
  return common;
}

std::string each_of(const std::vector<std::string>& columns, std::string_view form,
                    std::string_view between) {
  std::vector<std::string> parts;
  for (const std::string& column : columns)
    parts.push_back(fmt::format(fmt::runtime(form), fmt::arg("c", quoted_name(column))));
  return join(parts, std::string(between));
}

std::string key_text(const std::vector<std::string>& key, const Database::Row& row) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < key.size(); ++i)
    parts.push_back(fmt::format("{}={}", key[i], row[i].value_or("NULL")));
  return join(parts, ", ");
}

}  // namespace

Result<std::optional<record::DataDifference>> compare_rows(const std::filesystem::path& base,
                                                           const std::filesystem::path& head,
                                                           const std::string& table) {
  auto database = Database::open(head, Database::Mode::read_write);
  if (!database) return failed(database);
  if (const auto error = database->execute(fmt::format("ATTACH {} AS base", quoted_text(base.string()))))
    return tl::unexpected<Failure>(database->failure(*error));
  std::string name;
  const auto named =
      database->each("SELECT name FROM main.sqlite_schema WHERE type = 'table'", [&](Statement& row) {
        if (shown_name(row.text(0)) == table) name = row.text(0);
      });
  if (!named) return failed(named);
  const auto common = common_columns(*database, name);
  if (!common) return failed(common);
  if (name.empty() || common->key.empty()) return std::optional<record::DataDifference>();
  const std::string same = each_of(common->key, "a.{c} IS b.{c}", " AND ");
  const std::string keys = each_of(common->key, "b.{c}", ", ");
  const std::string other =
      each_of(common->columns, "(a.{c} IS NOT b.{c} OR typeof(a.{c}) <> typeof(b.{c}))", " OR ");
  const std::string quoted = quoted_name(name);
  const std::string alone = "FROM {1}.{0} b WHERE NOT EXISTS (SELECT 1 FROM {2}.{0} a WHERE {3})";
  const std::vector<std::string> sources = {
      fmt::format(fmt::runtime(alone), quoted, "base", "main", same),
      fmt::format("FROM base.{0} b JOIN main.{0} a ON {1} WHERE {2}", quoted, same, other),
      fmt::format(fmt::runtime(alone), quoted, "main", "base", same)};
  record::DataDifference difference;
  difference.table = table;
  std::vector<std::int64_t> counts;
  for (const std::string& source : sources) {
    const auto count = database->value("SELECT count(*) " + source);
    if (!count) return failed(count);
    counts.push_back(std::atoll(count->c_str()));
    if (counts.back() == 0 || !difference.sample_key.empty()) continue;
    const auto sample = database->rows(fmt::format("SELECT {} {} ORDER BY {} LIMIT 1", keys, source, keys));
    if (!sample) return failed(sample);
    if (!sample->empty()) difference.sample_key = key_text(common->key, sample->front());
  }
  difference.rows_lost = counts[0];
  difference.rows_changed = counts[1];
  difference.rows_added = counts[2];
  return std::optional(difference);
}

}  // namespace lockkeeper::engine::sqlite
