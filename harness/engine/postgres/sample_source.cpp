#include "engine/postgres/sample_source.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/sample_session.h"
#include "scenario/mask.h"

namespace lockkeeper::engine::postgres {

namespace {

// OIDs, names and quoted names of what is the user's: not the system's, not temporary, not an extension's.
constexpr const char* k_relations = R"sql(
SELECT c.oid, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relkind,
       COALESCE(pg_partition_root(c.oid), c.oid)::oid, CASE WHEN c.reltuples < 0 THEN -1 ELSE c.reltuples::int8 END,
       has_table_privilege(c.oid, 'SELECT'), c.relispopulated
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S', 'm', 'v', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")sql";

// What cannot be made without the given relations: partitions and children, views over them, identity's
// sequences.
constexpr const char* k_dependants = R"sql(
WITH RECURSIVE gone(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT next.oid FROM gone, LATERAL (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = gone.oid
    UNION ALL
    SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = gone.oid
    UNION ALL
    SELECT d.objid FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = gone.oid
      AND d.deptype IN ('i', 'a') AND d.objsubid = 0
      AND EXISTS (SELECT FROM pg_class s WHERE s.oid = d.objid AND s.relkind = 'S')
      AND NOT EXISTS (SELECT FROM pg_depend u JOIN pg_attrdef def ON def.oid = u.objid
                      WHERE u.classid = 'pg_attrdef'::regclass AND u.refclassid = 'pg_class'::regclass
                        AND u.refobjid = d.objid AND def.adrelid <> gone.oid)) next(oid))
SELECT oid FROM gone)sql";

constexpr const char* k_columns = R"sql(
WITH top AS (SELECT unnest($1::oid[]) AS oid),
part AS (  -- a partition's columns may be numbered in another way, but have the same names
  SELECT top.oid AS top, c.oid FROM top JOIN pg_class c ON COALESCE(pg_partition_root(c.oid), c.oid) = top.oid
  WHERE c.relkind IN ('r', 'p')),
in_key AS (
  SELECT part.top, a.attname, bool_or(con.contype = 'p') AS is_primary
  FROM part JOIN pg_constraint con ON con.conrelid = part.oid AND con.contype IN ('p', 'u', 'x')
  JOIN pg_attribute a ON a.attrelid = part.oid AND a.attnum = ANY (con.conkey) GROUP BY 1, 2
  UNION ALL
  SELECT part.top, a.attname, false  -- with what stands in expressions and conditions of indexes
  FROM part JOIN pg_index i ON i.indrelid = part.oid AND (i.indisunique OR i.indisexclusion)
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = part.oid AND d.refobjsubid > 0
  JOIN pg_attribute a ON a.attrelid = part.oid AND a.attnum = d.refobjsubid),
partitioning AS (  -- columns depend internally on the table that is cut by them
  SELECT DISTINCT part.top, a.attname
  FROM part JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = part.oid AND d.objsubid > 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = part.oid AND d.refobjsubid = 0 AND d.deptype = 'i'
  JOIN pg_attribute a ON a.attrelid = part.oid AND a.attnum = d.objsubid
  JOIN pg_partitioned_table p ON p.partrelid = part.oid)
SELECT a.attrelid, a.attname, format('%I', a.attname), format_type(a.atttypid, a.atttypmod), base.typname,
       CASE WHEN base.typname IN ('varchar', 'bpchar') AND base.typmod > 4 THEN base.typmod - 4 ELSE 0 END,
       a.attnotnull OR base.required, a.attgenerated <> '',
       EXISTS (SELECT FROM in_key k WHERE k.top = a.attrelid AND k.attname = a.attname AND k.is_primary),
       EXISTS (SELECT FROM in_key k WHERE k.top = a.attrelid AND k.attname = a.attname),
       EXISTS (SELECT FROM partitioning p WHERE p.top = a.attrelid AND p.attname = a.attname),
       COALESCE((SELECT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation), true)
FROM top JOIN pg_attribute a ON a.attrelid = top.oid AND a.attnum > 0 AND NOT a.attisdropped,
LATERAL (
  WITH RECURSIVE chain(oid, typmod, required) AS (
    SELECT a.atttypid, a.atttypmod, false
    UNION ALL
    SELECT t.typbasetype, t.typtypmod, chain.required OR t.typnotnull
    FROM chain JOIN pg_type t ON t.oid = chain.oid WHERE t.typtype = 'd')
  SELECT t.typname, chain.typmod, chain.required
  FROM chain JOIN pg_type t ON t.oid = chain.oid WHERE t.typtype <> 'd') base
ORDER BY a.attrelid, a.attnum)sql";

constexpr const char* k_keys = R"sql(
SELECT chosen.indrelid, format('%I', a.attname)
FROM (SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indkey::int2[] AS columns, i.indnkeyatts
      FROM pg_index i
      WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indimmediate AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_attribute n WHERE n.attrelid = i.indrelid
                        AND n.attnum = ANY (i.indkey::int2[]) AND NOT n.attnotnull)
      ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, i.indexrelid) chosen
CROSS JOIN LATERAL unnest(chosen.columns) WITH ORDINALITY k(number, place)
JOIN pg_attribute a ON a.attrelid = chosen.indrelid AND a.attnum = k.number
WHERE k.place <= chosen.indnkeyatts ORDER BY chosen.indrelid, k.place)sql";

constexpr const char* k_foreign_keys = R"sql(
SELECT con.oid, con.conname, COALESCE(pg_partition_root(con.conrelid), con.conrelid)::oid,
       COALESCE(pg_partition_root(con.confrelid), con.confrelid)::oid, ca.attname, pa.attname,
       format('p.%I OPERATOR(%I.%s) c.%I', pa.attname, n.nspname, o.oprname, ca.attname),
       format('CONSTRAINT %I ON %I', con.conname, c.relname)
FROM pg_constraint con JOIN pg_class c ON c.oid = con.conrelid
CROSS JOIN LATERAL unnest(con.conkey, con.confkey, con.conpfeqop) WITH ORDINALITY k(child, parent, operator, place)
JOIN pg_attribute ca ON ca.attrelid = con.conrelid AND ca.attnum = k.child
JOIN pg_attribute pa ON pa.attrelid = con.confrelid AND pa.attnum = k.parent
JOIN pg_operator o ON o.oid = k.operator JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE con.contype = 'f' AND con.conparentid = 0
ORDER BY con.conrelid, con.conname, con.oid, k.place)sql";

struct Relation {
  std::string oid;
  std::string schema;
  std::string name;
  std::string quoted;
  char kind = 'r';
  std::string top;  ///< of the partitioned table that it is a part of; its own where it is none
  std::int64_t estimate = -1;
  bool readable = false;
  bool populated = false;

  std::string written() const { return schema + "." + name; }
  bool is_table() const { return kind == 'r' || kind == 'p'; }
};

std::string at(const Connection::Row& row, std::size_t column) {
  return row[column].value_or("");
}

std::int64_t number_in(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<std::vector<Relation>> read_relations(Connection& session) {
  const auto rows = session.rows(k_relations);
  if (!rows) return failed(rows);
  std::vector<Relation> relations;
  for (const auto& row : *rows) {
    relations.push_back({at(row, 0), at(row, 1), at(row, 2), at(row, 3), at(row, 4).front(), at(row, 5),
                         number_in(at(row, 6)), at(row, 7) == "t", at(row, 8) == "t"});
  }
  return relations;
}

std::string oid_array(const std::vector<std::string>& oids) {
  return "{" + join(oids, ",") + "}";
}

bool matches_relation(const std::vector<std::string>& pattern, const Relation& relation) {
  return scenario::matches_pattern(pattern.back(), relation.name) &&
         (pattern.size() == 1 || scenario::matches_pattern(pattern.front(), relation.schema));
}

bool is_named_whole(const std::vector<std::string>& pattern) {
  return std::ranges::none_of(
      pattern, [](const std::string& part) { return part.find_first_of("*?") != std::string::npos; });
}

/// The tables that a pattern names.
Result<std::vector<std::string>> excluded_by(const std::string& pattern,
                                             const std::vector<Relation>& relations) {
  const auto parts = scenario::name_parts(pattern);
  std::vector<std::string> oids;
  std::vector<std::string> names;
  for (const Relation& relation : relations) {
    // A sequence of its own is named whole: a pattern of tables would take those of others along.
    if (!relation.is_table() && !(relation.kind == 'S' && is_named_whole(parts))) continue;
    if (relation.is_table()) names.push_back(parts.size() == 1 ? relation.name : relation.written());
    if ((parts.size() == 1 || parts.size() == 2) && matches_relation(parts, relation))
      oids.push_back(relation.oid);
  }
  if (!oids.empty()) return oids;
  return failed(
      FailureKind::usage,
      fmt::format("--exclude-table '{}': no table is named so{}", pattern, did_you_mean(pattern, names)),
      "write a name as the catalog has it, or schema.name; '*' and '?' stand for others");
}

/// Takes what is excluded, and what cannot be without it, out of the relations.
Result<void> exclude(Connection& session, const std::vector<std::string>& patterns,
                     std::vector<Relation>& relations, SampleSource& source) {
  if (patterns.empty()) return {};
  std::set<std::string> named;
  for (const std::string& pattern : patterns) {
    const auto oids = excluded_by(pattern, relations);
    if (!oids) return failed(oids);
    named.insert(oids->begin(), oids->end());
  }
  for (const Relation& relation : relations) {
    if (named.contains(relation.oid) && relation.top != relation.oid && !named.contains(relation.top)) {
      return failed(
          FailureKind::usage,
          fmt::format("--exclude-table: '{}' is a partition, and its table would stay", relation.written()),
          "exclude the partitioned table as a whole");
    }
  }
  const auto gone = session.rows(k_dependants, {oid_array({named.begin(), named.end()})});
  if (!gone) return failed(gone);
  std::set<std::string> all;
  for (const auto& row : *gone) all.insert(at(row, 0));
  std::erase_if(relations, [&](const Relation& relation) {
    if (!all.contains(relation.oid)) return false;
    source.excluded.push_back(relation.quoted);
    if (named.contains(relation.oid))
      source.remarks.push_back((relation.is_table() ? "table " : "sequence ") + relation.written());
    else if (relation.kind != 'S' && relation.top == relation.oid)
      source.remarks.push_back(fmt::format("{} {}, made from what is left out",
                                           relation.is_table() ? "table" : "view", relation.written()));
    return true;
  });
  return {};
}

Result<void> expect_readable(const std::vector<Relation>& relations) {
  std::vector<std::string> closed;
  for (const Relation& relation : relations) {
    if ((relation.is_table() || relation.kind == 'S') && !relation.readable)
      closed.push_back(relation.written());
  }
  if (closed.empty()) return {};
  constexpr std::size_t k_named = 10;
  const std::size_t more = closed.size() - std::min(closed.size(), k_named);
  closed.resize(closed.size() - more);
  return failed(FailureKind::usage,
                fmt::format("cannot read {}{}: permission denied", join(closed, ", "),
                            more > 0 ? fmt::format(" and {} more", more) : ""),
                fmt::format("GRANT SELECT on it, or leave it out: --exclude-table '{}'", closed.front()));
}

/// Until the transaction ends nobody changes what the tables are; readers and writers go on.
Result<void> lock_definitions(Connection& session, const std::vector<Relation>& relations) {
  for (const Relation& relation : relations) {
    if (!relation.is_table()) continue;
    const auto locked = session.ask(fmt::format("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", relation.quoted));
    if (!locked) return failed(locked);
    if (!locked->sqlstate.empty())
      return tl::unexpected<Failure>(source_failure(fmt::format("read '{}'", relation.written()), *locked));
  }
  return {};
}

void take_tables(const std::vector<Relation>& relations, SampleSource& source) {
  std::map<std::string, std::size_t> places;
  for (const Relation& relation : relations) {
    if (!relation.is_table() || relation.top != relation.oid) continue;
    places[relation.oid] = source.tables.size();
    source.tables.push_back(
        {relation.oid, relation.schema, relation.name, relation.quoted, relation.kind == 'p', {}, {}, {}});
  }
  for (const Relation& relation : relations) {
    const auto place = places.find(relation.top);
    if (relation.kind == 'r' && place != places.end())
      source.tables[place->second].leaves.push_back(
          {relation.oid, relation.quoted, relation.written(), relation.estimate});
    if (relation.kind == 'S') source.sequences.push_back({relation.quoted, relation.written()});
  }
  std::vector<const Relation*> views;
  for (const Relation& relation : relations) {
    if (relation.kind == 'm' && relation.populated) views.push_back(&relation);
  }
  // One that reads another can only have been made after it.
  std::ranges::sort(views, {}, [](const Relation* view) { return number_in(view->oid); });
  for (const Relation* view : views) source.materialized_views.push_back(view->quoted);
}

std::map<std::string, std::size_t> places_of(const SampleSource& source) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < source.tables.size(); ++i) places[source.tables[i].oid] = i;
  return places;
}

Result<void> read_columns_and_keys(Connection& session, SampleSource& source) {
  const auto places = places_of(source);
  std::vector<std::string> oids;
  for (const SourceTable& table : source.tables) oids.push_back(table.oid);
  const auto columns = session.rows(k_columns, {oid_array(oids)});
  if (!columns) return failed(columns);
  for (const auto& row : *columns) {
    const auto yes = [&row](std::size_t column) { return at(row, column) == "t"; };
    source.tables[places.at(at(row, 0))].columns.push_back({at(row, 1), at(row, 2), at(row, 3), at(row, 4),
                                                            static_cast<int>(number_in(at(row, 5))), yes(6),
                                                            yes(7), yes(8), yes(9), yes(10), yes(11)});
  }
  const auto keys = session.rows(k_keys, {oid_array(oids)});
  if (!keys) return failed(keys);
  for (const auto& row : *keys) source.tables[places.at(at(row, 0))].key.push_back(at(row, 1));
  return {};
}

Result<void> read_foreign_keys(Connection& session, SampleSource& source) {
  const auto places = places_of(source);
  const auto rows = session.rows(k_foreign_keys);
  if (!rows) return failed(rows);
  for (const auto& row : *rows) {
    const auto child = places.find(at(row, 2));
    const auto parent = places.find(at(row, 3));
    if (child == places.end()) continue;
    if (parent == places.end()) {
      if (!source.dropped_keys.empty() && source.dropped_keys.back().oid == at(row, 0)) continue;
      source.dropped_keys.push_back({at(row, 0), at(row, 7)});
      source.remarks.push_back(fmt::format("foreign key {} of {}, which leads to it", at(row, 1),
                                           source.tables[child->second].written()));
      continue;
    }
    if (source.foreign_keys.empty() || source.foreign_keys.back().oid != at(row, 0))
      source.foreign_keys.push_back({at(row, 0), at(row, 1), child->second, parent->second, {}, {}});
    SourceForeignKey& key = source.foreign_keys.back();
    key.join += (key.join.empty() ? "" : " AND ") + at(row, 6);
    key.columns.emplace_back(at(row, 4), at(row, 5));
  }
  return {};
}

/// What is in a dump and in none of the tables.
Result<void> read_rest(Connection& session, SampleSource& source) {
  const auto mappings = session.rows(
      "SELECT format('user mapping of server %I', srvname) FROM pg_user_mappings ORDER BY srvname COLLATE "
      "\"C\", umid");
  if (!mappings) return failed(mappings);
  for (const auto& row : *mappings) source.user_mappings.push_back(at(row, 0));
  const auto beside = session.rows(
      "SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_largeobject_metadata) UNION ALL (SELECT format("
      "'rows in tables of extension %I', extname) FROM pg_extension WHERE extconfig IS NOT NULL ORDER BY "
      "extname)");
  if (!beside) return failed(beside);
  for (const auto& row : *beside) source.beside_rows.push_back(at(row, 0));
  const auto subscriptions = session.rows(
      "SELECT format('subscription %I', s.subname) FROM pg_subscription s JOIN pg_database d ON d.oid = "
      "s.subdbid "
      "WHERE d.datname = current_database() ORDER BY s.subname COLLATE \"C\"");
  if (!subscriptions) return failed(subscriptions);
  for (const auto& row : *subscriptions) source.remarks.push_back(at(row, 0));
  return {};
}

}  // namespace

const SourceColumn* SourceTable::column(const std::string& column_name) const {
  const auto found = std::ranges::find(columns, column_name, &SourceColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

Result<SampleSource> read_source(Connection& session, const std::vector<std::string>& excluded) {
  SampleSource source;
  source.version =
      session.parameter("server_version").substr(0, session.parameter("server_version").find(' '));
  source.major = session.server_version() / 10000;
  const auto snapshot = session.rows("SELECT pg_export_snapshot()");
  if (!snapshot) return failed(snapshot);
  source.snapshot = at(snapshot->front(), 0);
  auto relations = read_relations(session);
  if (!relations) return failed(relations);
  if (const auto done = exclude(session, excluded, *relations, source); !done) return failed(done);
  if (const auto may = expect_readable(*relations); !may) return failed(may);
  if (const auto locked = lock_definitions(session, *relations); !locked) return failed(locked);
  take_tables(*relations, source);
  if (const auto read = read_columns_and_keys(session, source); !read) return failed(read);
  if (const auto read = read_foreign_keys(session, source); !read) return failed(read);
  if (const auto read = read_rest(session, source); !read) return failed(read);
  return source;
}

}  // namespace lockkeeper::engine::postgres
