#include <utility>

#include <fmt/format.h>

#include "engine/postgres/catalog.h"

/// Tables and what hangs on them. The query's own "relation" (catalog_query.cpp) gives names; joins go over
/// it, so that each catalog is read once and never row by row.
namespace lockkeeper::engine::postgres {
namespace {

constexpr const char* k_not_member = " AND NOT r.member";

/// A value that few objects have, and when they have it.
CatalogValue seldom(std::string_view name, std::string when, std::string sql) {
  return {.name = name, .sql = std::move(sql), .when = std::move(when)};
}

/// Since the minor releases of November 2026 (15.20) the server keeps a number of its own among a column's
/// options, new for each relation that is made; pg_dump leaves it out as well.
CatalogValue column_options() {
  return seldom("options",
                "a.attoptions IS NOT NULL AND (array_length(a.attoptions, 1) > 1 OR a.attoptions[1] NOT LIKE"
                " 'pg\\_attver=%')",
                "(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(a.attoptions) o"
                " WHERE o NOT LIKE 'pg\\_attver=%')");
}

CatalogValue foreign_table_value(std::string_view name, const std::string& sql) {
  return seldom(name, "c.relkind = 'f'",
                "(SELECT " + sql + " FROM pg_foreign_table f WHERE f.ftrelid = c.oid)");
}

CatalogValue tablespace() {
  return seldom("tablespace", "c.reltablespace <> 0",
                "(SELECT t.spcname::text FROM pg_tablespace t WHERE t.oid = c.reltablespace)");
}

CatalogValue toast_options() {
  return seldom("toast options",
                "c.reltoastrelid IN (SELECT t.oid FROM pg_class t WHERE t.relkind = 't' AND t.oid >= 16384"
                " AND t.reloptions IS NOT NULL)",
                "(SELECT array_to_string(t.reloptions, ', ') FROM pg_class t WHERE t.oid = c.reltoastrelid)");
}

std::vector<CatalogValue> table_attributes() {
  return {
      {"access method", "CASE c.relam WHEN 2 THEN 'heap' END"},
      owner("c.relowner"),
      seldom("form", "c.relkind <> 'r'",
             "CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' END"),
      seldom("persistence", "c.relpersistence = 'u'", "'unlogged'"),
      seldom("partition key", "c.relkind = 'p'", "pg_get_partkeydef(c.oid)"),
      seldom("partition bound", "c.relispartition", "pg_get_expr(c.relpartbound, c.oid)"),
      seldom("parents", "c.oid IN (SELECT i.inhrelid FROM pg_inherits i)",
             "(SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i"
             " WHERE i.inhrelid = c.oid)"),
      seldom("of type", "c.reloftype <> 0", "c.reloftype::regtype"),
      seldom("access method", "c.relam NOT IN (0, 2)",
             "(SELECT am.amname FROM pg_am am WHERE am.oid = c.relam)"),
      tablespace(),
      seldom("options", "c.reloptions IS NOT NULL", sorted_options("c.reloptions")),
      toast_options(),
      foreign_table_value("server",
                          "(SELECT quote_ident(s.srvname) FROM pg_foreign_server s"
                          " WHERE s.oid = f.ftserver)"),
      foreign_table_value("foreign options", sorted_options("f.ftoptions")),
      seldom("row security", "c.relrowsecurity", "'enabled'"),
      seldom("force row security", "c.relforcerowsecurity", "'true'"),
      seldom("replica identity", "c.relreplident <> 'd'",
             "CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END"),
      seldom("privileges", "c.relacl IS NOT NULL", privileges("c.relacl", "r", "c.relowner"))};
}

CatalogPiece tables() {
  return {
      .kind = "'table'",
      .identity = "r.identity",
      .parent = "",
      .catalog = "pg_class",
      .oid = "c.oid",
      .sub = "",
      .attributes = table_attributes(),
      .facts = {{"member", "CASE WHEN r.member THEN 't' END"},
                {"relkind", "c.relkind"},
                {"storage", "c.relfilenode"},
                // No block at all is evidence enough that a heap has no rows; other access methods may lie.
                {"empty",
                 "CASE WHEN c.oid > $1 AND c.relkind = 'r' AND c.relam = 2 AND pg_relation_size(c.oid) = 0"
                 " THEN 't' END"}},
      .from =
          "FROM relation r JOIN pg_class c ON c.oid = r.oid AND c.oid >= 16384"
          " WHERE r.relkind IN ('r', 'p', 'f')"};
}

/// A NOT NULL constraint's name: the one that the server gives by itself is table_column_not_null, which
/// pg_dump leaves out.
CatalogValue not_null_constraint(std::string_view name, std::string_view sql) {
  CatalogValue value =
      seldom(name, "a.attnotnull",
             fmt::format("(SELECT {} FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n'"
                         " AND n.conkey[1] = a.attnum)",
                         sql));
  value.since = 18;
  return value;
}

std::vector<CatalogValue> column_attributes() {
  CatalogValue compression = seldom("compression", "a.attcompression <> ''",
                                    "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END");
  compression.since = 14;
  return {
      {"type", "format_type(a.atttypid, a.atttypmod)"},
      {"nullable", "CASE WHEN a.attnotnull THEN 'false' ELSE 'true' END"},
      // A default names no column, so that the server need not look up how the table's are called.
      {"default",
       "CASE WHEN a.atthasdef AND a.attgenerated = '' THEN (SELECT pg_get_expr(d.adbin, 0)"
       " FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END"},
      seldom("collation", "a.attcollation <> t.typcollation", "a.attcollation::regcollation"),
      seldom("identity", "a.attidentity <> ''",
             "CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END"),
      seldom("generated", "a.attgenerated <> ''",
             "(SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid"
             " AND d.adnum = a.attnum) || CASE a.attgenerated WHEN 's' THEN ' stored' ELSE ' virtual' END"),
      seldom("inherited", "a.attinhcount > 0", "CASE WHEN a.attislocal THEN 'and local' ELSE 'only' END"),
      not_null_constraint("not null constraint",
                          "nullif(quote_ident(n.conname), quote_ident(r.name || '_' || a.attname ||"
                          " '_not_null'))"),
      not_null_constraint("not null rules",
                          "nullif(concat_ws(', ', CASE WHEN n.connoinherit THEN 'no inherit' END,"
                          " CASE WHEN NOT n.convalidated THEN 'not valid' END), '')"),
      seldom("storage", "a.attstorage <> t.typstorage",
             "CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'"
             " ELSE 'extended' END"),
      std::move(compression),
      seldom("statistics target", "a.attstattarget >= 0", "a.attstattarget"),
      column_options(),
      seldom("foreign options", "a.attfdwoptions IS NOT NULL", sorted_options("a.attfdwoptions")),
      seldom("privileges", "a.attacl IS NOT NULL", privileges("a.attacl", "c", "0"))};
}

CatalogPiece columns() {
  return {.kind = "'column'",
          .identity = "r.identity || '.' || quote_ident(a.attname)",
          .parent = "r.identity",
          .catalog = "pg_class",
          .oid = "a.attrelid",
          .sub = "a.attnum",
          .attributes = column_attributes(),
          .facts = {{"member", "CASE WHEN r.member THEN 't' END"},
                    {"relkind", "r.relkind"},
                    {"base type", "CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END"},
                    {"name", "a.attname"}},
          .from =
              "FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid JOIN pg_type t ON t.oid = a.atttypid"
              " WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped"
              " AND r.relkind IN ('r', 'p', 'f', 'v', 'm')"};
}

CatalogPiece constraints() {
  return {.kind = "'constraint'",
          .identity = "r.identity || '.' || quote_ident(k.conname)",
          .parent = "r.identity",
          .catalog = "pg_constraint",
          .oid = "k.oid",
          .sub = "",
          .attributes = {{"definition",
                          "CASE WHEN k.convalidated THEN pg_get_constraintdef(k.oid)"
                          " ELSE regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') END"},
                         {"validated", "k.convalidated", 0, 18},
                         {"validated",
                          "CASE WHEN k.conenforced THEN k.convalidated::text ELSE 'not enforced' END", 18},
                         seldom("inherited", "k.coninhcount > 0",
                                "CASE WHEN k.conislocal THEN 'and local' ELSE 'only' END"),
                         // ALTER TABLE … DISABLE TRIGGER ALL leaves a foreign key that holds nothing.
                         seldom("enforcement",
                                "k.contype = 'f' AND k.oid IN (SELECT g.tgconstraint FROM pg_trigger g"
                                " WHERE g.tgisinternal AND g.tgenabled <> 'O')",
                                "'triggers altered'")},
          .facts = {{"contype", "k.contype"},
                    {"relation", "k.conrelid"},
                    {"key", "array_to_string(k.conkey, ' ')"},
                    {"of partition", "CASE WHEN k.conparentid <> 0 THEN 't' END"}},
          // The rows that a foreign key to or of partitions makes for each of them are the key's own doing,
          // and their names are made up; 'n' is NOT NULL (18: on the column), 't' is a constraint trigger (on
          // the trigger).
          .from = std::string(
                      "FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.oid >= 16384"
                      " AND k.contype NOT IN ('n', 't') AND NOT (k.contype = 'f' AND k.conparentid <> 0)") +
                  k_not_member};
}

std::vector<CatalogValue> index_attributes() {
  return {{"definition", "pg_get_indexdef(i.indexrelid)"},
          {"valid", "i.indisvalid"},
          {"constraint", "CASE WHEN i.indisprimary THEN 'primary key' END"},
          seldom("ready", "NOT i.indisready", "'false'"),
          seldom("immediate", "NOT i.indimmediate", "'false'"),
          seldom("clustered", "i.indisclustered", "'true'"),
          seldom("replica identity", "i.indisreplident", "'true'"),
          tablespace(),
          seldom("options", "c.reloptions IS NOT NULL", sorted_options("c.reloptions")),
          seldom("statistics targets", "i.indexprs IS NOT NULL",
                 "(SELECT string_agg(a.attnum || ': ' || a.attstattarget, ', ' ORDER BY a.attnum)"
                 " FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)"),
          seldom("partition of", "c.relispartition",
                 "(SELECT h.inhparent::regclass FROM pg_inherits h WHERE h.inhrelid = c.oid)")};
}

CatalogPiece indexes() {
  return {
      .kind = "'index'",
      .identity = "x.identity",
      .parent = "r.identity",
      .catalog = "pg_class",
      .oid = "c.oid",
      .sub = "",
      .attributes = index_attributes(),
      .facts = {{"unique", "CASE WHEN i.indisunique THEN 't' END"},
                {"relation", "i.indrelid"},
                {"key", "i.indkey"},
                {"key length", "i.indnkeyatts"},
                {"partial", "CASE WHEN i.indpred IS NOT NULL THEN 't' END"}},
      .from = std::string(
                  "FROM relation x JOIN pg_index i ON i.indexrelid = x.oid JOIN pg_class c ON c.oid = x.oid"
                  " AND c.oid >= 16384 JOIN relation r ON r.oid = i.indrelid"
                  " WHERE x.relkind IN ('i', 'I')") +
              k_not_member};
}

CatalogPiece sequences() {
  return {
      .kind = "'sequence'",
      .identity = "r.identity",
      .parent =
          "(SELECT d.refobjid::regclass::text FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
          " AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass"
          " AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)",
      .catalog = "pg_class",
      .oid = "c.oid",
      .sub = "",
      .attributes = {{"type", "format_type(s.seqtypid, NULL)"},
                     {"start", "s.seqstart::text"},
                     {"increment", "s.seqincrement::text"},
                     {"minimum", "s.seqmin::text"},
                     {"maximum", "s.seqmax::text"},
                     {"cache", "s.seqcache::text"},
                     {"cycle", "CASE WHEN s.seqcycle THEN 'true' END"},
                     {"persistence", "CASE c.relpersistence WHEN 'u' THEN 'unlogged' END"},
                     {"owned by",
                      "(SELECT CASE d.deptype WHEN 'i' THEN 'identity of ' ELSE '' END || "
                      "d.refobjid::regclass::text || '.' ||"
                      " (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = d.refobjid"
                      " AND a.attnum = d.refobjsubid) FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
                      " AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass"
                      " AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)"},
                     owner("c.relowner"),
                     {"privileges", privileges("c.relacl", "s", "c.relowner")}},
      .facts = {{"member", "CASE WHEN r.member THEN 't' END"},
                {"last", "pg_sequence_last_value(c.oid)::text"}},
      .from =
          "FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid JOIN pg_class c ON c.oid = r.oid"
          " AND c.oid >= 16384 WHERE r.relkind = 'S'",
      .rare = "FROM relation e WHERE e.relkind = 'S' LIMIT 1"};
}

CatalogPiece views() {
  return {.kind = "CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END",
          .identity = "r.identity",
          .parent = "",
          .catalog = "pg_class",
          .oid = "c.oid",
          .sub = "",
          .attributes = {{"definition", "pg_get_viewdef(c.oid)"},
                         {"options", sorted_options("c.reloptions")},
                         {"populated", "CASE WHEN NOT c.relispopulated THEN 'false' END"},
                         {"access method",
                          "CASE WHEN c.relam <> 0 THEN (SELECT am.amname::text FROM pg_am am"
                          " WHERE am.oid = c.relam) END"},
                         {"tablespace",
                          "CASE WHEN c.reltablespace <> 0 THEN (SELECT t.spcname::text FROM pg_tablespace t"
                          " WHERE t.oid = c.reltablespace) END"},
                         {"toast options",
                          "CASE WHEN c.reltoastrelid <> 0 THEN (SELECT array_to_string(t.reloptions, ', ')"
                          " FROM pg_class t WHERE t.oid = c.reltoastrelid) END"},
                         owner("c.relowner"),
                         {"privileges", privileges("c.relacl", "r", "c.relowner")}},
          .facts = {{"member", "CASE WHEN r.member THEN 't' END"},
                    {"relkind", "c.relkind::text"},
                    {"storage", "c.relfilenode::text"},
                    {"unpopulated", "CASE WHEN NOT c.relispopulated THEN 't' END"}},
          .from =
              "FROM relation r JOIN pg_class c ON c.oid = r.oid AND c.oid >= 16384"
              " WHERE r.relkind IN ('v', 'm')",
          .rare = "FROM relation e WHERE e.relkind IN ('v', 'm') LIMIT 1"};
}

CatalogPiece rules() {
  return {.kind = "'rule'",
          .identity = "r.identity || '.' || quote_ident(w.rulename)",
          .parent = "r.identity",
          .catalog = "pg_rewrite",
          .oid = "w.oid",
          .sub = "",
          .attributes = {{"definition", "pg_get_ruledef(w.oid)"},
                         {"enabled",
                          "CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'"
                          " WHEN 'A' THEN 'always' END"}},
          .facts = {},
          // The rule _RETURN is the view itself.
          .from = std::string("FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.oid >= 16384"
                              " AND w.rulename <> '_RETURN'") +
                  k_not_member,
          .rare = "FROM pg_rewrite e WHERE e.oid >= 16384 AND e.rulename <> '_RETURN'"};
}

/// Before 15 the copies that partitions get of a trigger count as internal too.
constexpr const char* k_visible_trigger =
    " AND (NOT g.tgisinternal OR (g.tgparentid <> 0 AND g.tgconstraint = 0))";

CatalogPiece triggers() {
  return {.kind = "'trigger'",
          .identity = "r.identity || '.' || quote_ident(g.tgname)",
          .parent = "r.identity",
          .catalog = "pg_trigger",
          .oid = "g.oid",
          .sub = "",
          .attributes = {{"definition", "pg_get_triggerdef(g.oid)"},
                         {"enabled",
                          "CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'"
                          " WHEN 'A' THEN 'always' END"},
                         {"inherited", "CASE WHEN g.tgparentid <> 0 THEN 'true' END"}},
          .facts = {},
          .from = std::string("FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE g.oid >= 16384") +
                  k_visible_trigger + k_not_member,
          .rare = std::string("FROM pg_trigger g WHERE g.oid >= 16384") + k_visible_trigger + " LIMIT 1"};
}

CatalogPiece policies() {
  return {.kind = "'policy'",
          .identity = "r.identity || '.' || quote_ident(p.polname)",
          .parent = "r.identity",
          .catalog = "pg_policy",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"command",
                          "CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert'"
                          " WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all' END"},
                         {"permissive", "p.polpermissive::text"},
                         {"roles",
                          "(SELECT string_agg(CASE u WHEN 0 THEN 'public' ELSE"
                          " quote_ident(pg_get_userbyid(u)) END, ', ' ORDER BY pg_get_userbyid(u)"
                          " COLLATE \"C\") FROM unnest(p.polroles) u)"},
                         {"using", "pg_get_expr(p.polqual, p.polrelid)"},
                         {"with check", "pg_get_expr(p.polwithcheck, p.polrelid)"}},
          .facts = {},
          .from = "FROM relation r JOIN pg_policy p ON p.polrelid = r.oid WHERE p.oid >= 16384",
          .rare = "FROM pg_policy"};
}

CatalogPiece statistics() {
  return {
      .kind = "'statistics'",
      .identity = "n.name || '.' || quote_ident(s.stxname)",
      .parent = "r.identity",
      .catalog = "pg_statistic_ext",
      .oid = "s.oid",
      .sub = "",
      .attributes = {{"definition", "pg_get_statisticsobjdef(s.oid)"},
                     {"statistics target", "CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget::text END"},
                     owner("s.stxowner")},
      .facts = {},
      .from = std::string("FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid JOIN schema n"
                          " ON n.oid = s.stxnamespace WHERE s.oid >= 16384") +
              k_not_member,
      .rare = "FROM pg_statistic_ext"};
}

}  // namespace

std::vector<CatalogPiece> relation_pieces() {
  return {tables(), columns(), constraints(), indexes(),  sequences(),
          views(),  rules(),   triggers(),    policies(), statistics()};
}

}  // namespace lockkeeper::engine::postgres
