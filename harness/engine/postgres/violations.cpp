#include "engine/postgres/violations.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {
namespace {

/// Keys and checks that claim to hold, each once: those that partitions and children inherit are tested with
/// the table that they come from. A list of all tables below is what a touched partition is found in.
constexpr const char* k_claims = R"(
SELECT k.conrelid::regclass::text AS relation, quote_ident(k.conname), k.contype::text,
       pg_get_expr(k.conbin, k.conrelid), k.confmatchtype::text, k.confrelid::regclass::text,
       (SELECT string_agg(quote_ident(a.attname), chr(1) ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
       (SELECT string_agg(quote_ident(a.attname), chr(1) ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n),
       k.connoinherit OR c.relkind <> 'p' AND k.contype = 'f', f.relkind <> 'p',
       concat_ws(chr(1), k.conrelid::regclass, nullif(k.confrelid, 0)::regclass,
                 CASE c.relkind WHEN 'p' THEN
                   (SELECT string_agg(t.relid::text, chr(1)) FROM pg_partition_tree(k.conrelid) t) END,
                 CASE f.relkind WHEN 'p' THEN
                   (SELECT string_agg(t.relid::text, chr(1)) FROM pg_partition_tree(k.confrelid) t) END)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE k.oid >= 16384 AND k.convalidated AND k.contype IN ('f', 'c') AND k.conparentid = 0
  AND (k.contype = 'f' OR k.conislocal) AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND (f.relkind IS NULL OR f.relkind IN ('r', 'p')))";

struct Claim {
  std::string relation;
  std::string name;
  std::string type;
  std::string expression;
  std::string match;
  std::string target;
  std::vector<std::string> columns;
  std::vector<std::string> target_columns;
  bool only = false;
  bool target_only = false;
  std::vector<std::string> tables;
};

std::vector<std::string> names(const std::optional<std::string>& list) {
  return list ? split(*list, '\1') : std::vector<std::string>();
}

Claim claim_of(const Connection::Row& row) {
  const auto text = [&row](std::size_t i) { return row[i].value_or(""); };
  return {.relation = text(0),
          .name = text(1),
          .type = text(2),
          .expression = text(3),
          .match = text(4),
          .target = text(5),
          .columns = names(row[6]),
          .target_columns = names(row[7]),
          .only = text(8) == "t",
          .target_only = text(9) == "t",
          .tables = names(row[10])};
}

bool concerns(const Claim& claim, const Touched& touched) {
  if (touched.everything) return true;
  for (const std::string& table : claim.tables) {
    if (touched.tables.contains(table)) return true;
  }
  return false;
}

const TableContent* table_in(const State& state, const std::string& table) {
  const auto found = std::ranges::lower_bound(state.tables, table, {}, &TableContent::table);
  return found != state.tables.end() && found->table == table ? &*found : nullptr;
}

/// `column` as SQL writes it. A quoted one is said to differ, since contents know columns by their bare
/// names.
bool holds_same_values(const Step& step, const std::string& table, const std::string& column) {
  const TableContent* before = table_in(*step.before, table);
  const TableContent* after = table_in(*step.after, table);
  if (before == nullptr || after == nullptr || column.starts_with('"')) return false;
  const auto was = std::ranges::find(before->columns, column, &ColumnContent::name);
  const auto is = std::ranges::find(after->columns, column, &ColumnContent::name);
  return was != before->columns.end() && is != after->columns.end() && was->hash == is->hash &&
         was->type == is->type && was->hashed_as == is->hashed_as && was->seed == is->seed;
}

bool is_same_constraint(const Step& step, const std::string& identity) {
  const auto attributes = [&identity](const State& state) {
    const auto found = std::ranges::find_if(state.objects, [&](const Object& object) {
      return object.kind == "constraint" && object.identity == identity;
    });
    return found == state.objects.end() ? std::string() : found->attributes;
  };
  const std::string before = attributes(*step.before);
  return !before.empty() && before == attributes(*step.after);
}

/// Which values the one column holds, and which the other, decides over a key of one column; over a longer
/// one it is also which stand together.
bool holds_as_before(const Claim& claim, const Step& step) {
  if (step.before == nullptr || step.after == nullptr) return false;
  if (claim.type != "f" || !claim.only || !claim.target_only) return false;
  return claim.columns.size() == 1 && claim.target_columns.size() == 1 &&
         holds_same_values(step, claim.relation, claim.columns.front()) &&
         holds_same_values(step, claim.target, claim.target_columns.front()) &&
         is_same_constraint(step, claim.relation + "." + claim.name);
}

std::string each(const std::vector<std::string>& columns, std::string_view before, std::string_view after,
                 std::string_view between) {
  std::vector<std::string> parts;
  for (const std::string& column : columns) parts.push_back(fmt::format("{}{}{}", before, column, after));
  return join(parts, between);
}

/// MATCH SIMPLE lets a row be where any of its columns is NULL, MATCH FULL only where all of them are.
std::string foreign_key_query(const Claim& claim) {
  std::vector<std::string> equal;
  for (std::size_t i = 0; i < claim.columns.size() && i < claim.target_columns.size(); ++i) {
    equal.push_back(fmt::format("p.{} = c.{}", claim.target_columns[i], claim.columns[i]));
  }
  const std::string given = claim.match == "f"
                                ? "NOT (" + each(claim.columns, "c.", " IS NULL", " AND ") + ")"
                                : each(claim.columns, "c.", " IS NOT NULL", " AND ");
  return fmt::format("SELECT count(*) FROM {}{} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {}{} p WHERE {})",
                     claim.only ? "ONLY " : "", claim.relation, given, claim.target_only ? "ONLY " : "",
                     claim.target, join(equal, " AND "));
}

std::string query_of(const Claim& claim) {
  if (claim.type == "f") return foreign_key_query(claim);
  return fmt::format("SELECT count(*) FROM {}{} WHERE NOT ({})", claim.only ? "ONLY " : "", claim.relation,
                     claim.expression);
}

/// Not even the columns of keys on tables that nobody touched are looked up.
std::string claims_query(const Connection& connection, const Touched& touched) {
  std::string sql = k_claims;
  if (!touched.everything) {
    std::vector<std::string> tables;
    for (const std::string& table : touched.tables) tables.push_back(connection.quoted_text(table));
    sql += fmt::format(
        "\n  AND (c.relkind = 'p' OR f.relkind = 'p' OR k.conrelid::regclass::text IN ({0})"
        " OR nullif(k.confrelid, 0)::regclass::text IN ({0}))",
        join(tables, ", "));
  }
  return sql + "\nORDER BY 1, 2";
}

}  // namespace

Result<std::vector<record::SchemaFact>> find_violations(Connection& connection, const Touched& touched,
                                                        const Step& step) {
  std::vector<record::SchemaFact> facts;
  if (!touched.everything && touched.tables.empty()) return facts;
  const auto claims = connection.rows(claims_query(connection, touched));
  if (!claims) return failed(claims);
  for (const Connection::Row& row : *claims) {
    const Claim claim = claim_of(row);
    if (!concerns(claim, touched) || holds_as_before(claim, step)) continue;
    // A check may call functions that find their tables on the search path that sessions have.
    const auto counted_rows =
        connection.ask("BEGIN; SET LOCAL search_path TO DEFAULT; " + query_of(claim) + "; ROLLBACK");
    if (!counted_rows) return failed(counted_rows);
    const std::string object = claim.relation + "." + claim.name;
    if (!counted_rows->sqlstate.empty()) {
      connection.run_to_end("ROLLBACK");
      facts.push_back({record::SchemaFactKind::constraint_violated, object, claim.relation,
                       "cannot be tested: " + counted_rows->message});
      continue;
    }
    const std::int64_t broken = std::atoll(counted_rows->rows.at(0)[0].value_or("0").c_str());
    if (broken > 0) {
      facts.push_back(
          {record::SchemaFactKind::constraint_violated, object, claim.relation, counted(broken, "row")});
    }
  }
  return facts;
}

}  // namespace lockkeeper::engine::postgres
