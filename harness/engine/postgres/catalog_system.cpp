#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/catalog.h"

/// What a migration may change of objects that are not its own: initdb's (OID below 16384) and an
/// extension's.
namespace lockkeeper::engine::postgres {
namespace {

/// A catalog whose objects have privileges, x in its expressions.
struct Owned {
  std::string_view catalog;
  std::string_view name;
  std::string_view acl;
  std::string_view type;  ///< the letter that acldefault() takes
  std::string_view owner;
  /// What initdb gives beyond: it fills pg_init_privs before it makes information_schema, and grants reading
  /// it to everybody afterwards.
  std::string_view given = "NULL::aclitem[]";
  std::string_view where = "";
};

constexpr Owned k_owned[] = {
    {"pg_class", "x.relname", "x.relacl", "CASE x.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END",
     "x.relowner",
     "CASE x.relnamespace WHEN (SELECT to_regnamespace('information_schema')) THEN"
     " ARRAY[makeaclitem(0, x.relowner, 'SELECT', false)] END"},
    {"pg_proc", "x.proname", "x.proacl", "'f'", "x.proowner"},
    {"pg_namespace", "x.nspname", "x.nspacl", "'n'", "x.nspowner",
     "CASE x.nspname WHEN 'information_schema' THEN ARRAY[makeaclitem(0, x.nspowner, 'USAGE', false)] END",
     " AND x.oid <> 2200"},
    {"pg_type", "x.typname", "x.typacl", "'T'", "x.typowner"},
    {"pg_language", "x.lanname", "x.lanacl", "'l'", "x.lanowner"},
    {"pg_foreign_data_wrapper", "x.fdwname", "x.fdwacl", "'F'", "x.fdwowner"},
};

// A row as initdb left it has initdb's privileges. It froze all rows before it made template0, which nobody
// vacuums (initdb.c: vacuum_db, make_template0), and every change makes a new row. Looked at first: what the
// system's own transactions are is known without taking the row apart.
constexpr const char* k_since_initdb =
    "age(x.xmin) <= coalesce((SELECT age(b.datfrozenxid) FROM pg_database b WHERE b.datname = 'template0'),"
    " 2147483647)";

std::string all_owned() {
  std::vector<std::string> selects;
  for (const Owned& owned : k_owned) {
    selects.push_back(fmt::format(
        "SELECT '{}'::regclass, x.oid, {}, {}, {}::\"char\", {}, {} FROM (SELECT * FROM {} x WHERE {}"
        " OFFSET 0) x WHERE {} IS NOT NULL{}",
        owned.catalog, owned.name, owned.acl, owned.type, owned.owner, owned.given, owned.catalog,
        k_since_initdb, owned.acl, owned.where));
  }
  return join(selects, " UNION ALL ");
}

/// Privileges that differ from those that initdb or the extension's script gave, which pg_init_privs keeps.
CatalogPiece changed_privileges() {
  constexpr const char* k_standard = "coalesce(i.initprivs, acldefault(x.type, x.owner) || x.given)";
  return {.kind = "'privileges'",
          .identity =
              "CASE x.class WHEN 'pg_class'::regclass THEN x.oid::regclass::text WHEN 'pg_proc'::regclass"
              " THEN x.oid::regprocedure::text WHEN 'pg_type'::regclass THEN x.oid::regtype::text"
              " ELSE quote_ident(x.name) END",
          .parent = "",
          .catalog = "",
          .oid = "x.oid",
          .sub = "",
          .attributes = {{"privileges", privileges_against("x.acl", k_standard)}},
          .facts = {},
          .from = fmt::format(
              "FROM ({}) AS x(class, oid, name, acl, type, owner, given) LEFT JOIN pg_init_privs i"
              " ON i.objoid = x.oid AND i.classoid = x.class AND i.objsubid = 0 WHERE x.acl IS DISTINCT FROM"
              " {} AND (x.oid < 16384 OR (x.class, x.oid) IN (SELECT m.classid, m.objid FROM member m))",
              all_owned(), k_standard)};
}

/// The catalog of columns is long: only those are looked at that a role depends on or that initdb granted.
CatalogPiece changed_column_privileges() {
  return {.kind = "'privileges'",
          .identity =
              "x.relation::regclass || '.' || (SELECT quote_ident(a.attname) FROM pg_attribute a"
              " WHERE a.attrelid = x.relation AND a.attnum = x.number)",
          .parent = "",
          .catalog = "",
          .oid = "x.relation",
          .sub = "",
          .attributes = {{"privileges", privileges_against("x.acl", "x.standard")}},
          .facts = {},
          .from =
              "FROM (SELECT k.relation, k.number, (SELECT a.attacl FROM pg_attribute a WHERE a.attrelid ="
              " k.relation AND a.attnum = k.number) AS acl, (SELECT v.initprivs FROM pg_init_privs v WHERE"
              " v.objoid = k.relation AND v.classoid = 'pg_class'::regclass AND v.objsubid = k.number)"
              " AS standard FROM (SELECT h.objid AS relation, h.objsubid AS number FROM pg_shdepend h WHERE"
              " h.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())"
              " AND h.classid = 'pg_class'::regclass AND h.objsubid > 0 UNION SELECT v.objoid, v.objsubid"
              " FROM pg_init_privs v WHERE v.objsubid > 0) k WHERE k.relation < 16384 OR k.relation IN"
              " (SELECT m.objid FROM member m WHERE m.classid = 'pg_class'::regclass) OFFSET 0) x"
              " WHERE x.acl IS DISTINCT FROM x.standard"};
}

}  // namespace

std::vector<CatalogPiece> system_pieces() {
  return {changed_privileges(), changed_column_privileges()};
}

}  // namespace lockkeeper::engine::postgres
