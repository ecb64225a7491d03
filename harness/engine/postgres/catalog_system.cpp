#include <fmt/format.h>

#include "engine/postgres/catalog.h"

/// What a migration may change of objects that are not its own: initdb's (OID below 16384) and an
/// extension's.
namespace lockkeeper::engine::postgres {
namespace {

/// initdb fills pg_init_privs before it makes information_schema, and grants reading it to everybody
/// afterwards.
constexpr const char* k_information_schema =
    " || CASE x.relnamespace WHEN to_regnamespace('information_schema') THEN"
    " ARRAY[makeaclitem(0, x.relowner, 'SELECT', false)] END";
constexpr const char* k_information_schema_usage =
    " || CASE x.nspname WHEN 'information_schema' THEN ARRAY[makeaclitem(0, x.nspowner, 'USAGE', false)] END";

/// Privileges that differ from those that initdb or the extension's script gave, which pg_init_privs keeps.
CatalogPiece changed_privileges(std::string_view catalog, std::string_view identity, std::string_view acl,
                                std::string_view type, std::string_view role, std::string_view from,
                                std::string_view given = "") {
  const std::string standard = fmt::format("coalesce(i.initprivs, acldefault({}, {}){})", type, role, given);
  return {.kind = "'privileges'",
          .identity = std::string(identity),
          .parent = "",
          .catalog = "",
          .oid = "x.oid",
          .sub = "",
          .attributes = {{"privileges", privileges_against(acl, standard)}},
          .facts = {},
          .from = fmt::format(
              "FROM {} x LEFT JOIN pg_init_privs i ON i.objoid = x.oid AND i.classoid = '{}'::regclass"
              " AND i.objsubid = 0 WHERE {} IS NOT NULL AND {} IS DISTINCT FROM {} AND (x.oid < 16384 OR"
              " x.oid IN (SELECT m.objid FROM member m WHERE m.classid = '{}'::regclass)){}",
              catalog, catalog, acl, acl, standard, catalog, from)};
}

CatalogPiece relation_privileges() {
  return changed_privileges("pg_class", "x.oid::regclass::text", "x.relacl",
                            "CASE x.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END", "x.relowner", "",
                            k_information_schema);
}

CatalogPiece routine_privileges() {
  return changed_privileges("pg_proc", "x.oid::regprocedure::text", "x.proacl", "'f'", "x.proowner", "");
}

CatalogPiece schema_privileges() {
  return changed_privileges("pg_namespace", "quote_ident(x.nspname)", "x.nspacl", "'n'", "x.nspowner",
                            " AND x.oid <> 2200", k_information_schema_usage);
}

CatalogPiece type_privileges() {
  return changed_privileges("pg_type", "x.oid::regtype::text", "x.typacl", "'T'", "x.typowner", "");
}

CatalogPiece language_privileges() {
  return changed_privileges("pg_language", "quote_ident(x.lanname)", "x.lanacl", "'l'", "x.lanowner", "");
}

CatalogPiece wrapper_privileges() {
  return changed_privileges("pg_foreign_data_wrapper", "quote_ident(x.fdwname)", "x.fdwacl", "'F'",
                            "x.fdwowner", "");
}

/// The catalog of columns is long: only those are looked at that a role depends on or that initdb granted.
CatalogPiece column_privileges() {
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
  return {relation_privileges(), routine_privileges(), schema_privileges(), type_privileges(),
          language_privileges(), wrapper_privileges(), column_privileges()};
}

}  // namespace lockkeeper::engine::postgres
