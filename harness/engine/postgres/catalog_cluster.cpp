#include "engine/postgres/catalog.h"

/// What is no relation, type or routine: schemas, extensions, replication, foreign data, and what outlives a
/// database.
namespace lockkeeper::engine::postgres {
namespace {

constexpr const char* k_this_database =
    "(SELECT b.oid FROM pg_database b WHERE b.datname = current_database())";

CatalogPiece schemas() {
  return {
      .kind = "'schema'",
      .identity = "n.name",
      .parent = "",
      .catalog = "pg_namespace",
      .oid = "n.oid",
      .sub = "",
      .attributes = {owner("n.nspowner"), {"privileges", privileges("n.nspacl", "n", "n.nspowner")}},
      .facts = {},
      // The schema public is initdb's, and yet everybody's to change.
      .from = "FROM schema n WHERE (n.oid >= 16384 OR n.oid = 2200)" + not_member("n.oid", "pg_namespace")};
}

CatalogPiece extensions() {
  return {.kind = "'extension'",
          .identity = "quote_ident(e.extname)",
          .parent = "",
          .catalog = "pg_extension",
          .oid = "e.oid",
          .sub = "",
          .attributes = {{"version", "e.extversion"},
                         {"schema", "e.extnamespace::regnamespace::text"},
                         {"conditions", "array_to_string(e.extcondition, ', ')"},
                         owner("e.extowner")},
          .facts = {},
          .from = "FROM pg_extension e"};
}

CatalogPiece event_triggers() {
  return {.kind = "'event trigger'",
          .identity = "quote_ident(v.evtname)",
          .parent = "",
          .catalog = "pg_event_trigger",
          .oid = "v.oid",
          .sub = "",
          .attributes = {{"event", "v.evtevent::text"},
                         {"function", "v.evtfoid::regprocedure::text"},
                         {"tags",
                          "(SELECT string_agg(g, ', ' ORDER BY g COLLATE \"C\") FROM unnest(v.evttags) g)"},
                         {"enabled",
                          "CASE v.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'"
                          " WHEN 'A' THEN 'always' END"},
                         owner("v.evtowner")},
          .facts = {},
          .from = "FROM pg_event_trigger v WHERE v.oid >= 16384" + not_member("v.oid", "pg_event_trigger"),
          .rare = any_in("pg_event_trigger")};
}

CatalogPiece default_privileges() {
  return {.kind = "'default privileges'",
          .identity =
              "concat_ws(' ', 'of', quote_ident(pg_get_userbyid(d.defaclrole)), 'on', CASE d.defaclobjtype"
              " WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'"
              " WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE d.defaclobjtype::text END,"
              " 'in ' || nullif(d.defaclnamespace, 0)::regnamespace)",
          .parent = "",
          .catalog = "pg_default_acl",
          .oid = "d.oid",
          .sub = "",
          // Global ones stand in the place of the server's own, those of a schema are added to them.
          .attributes = {{"privileges",
                          "coalesce((SELECT string_agg(i::text, ' ' ORDER BY i::text COLLATE \"C\")"
                          " FROM unnest(d.defaclacl) i), 'none')"}},
          .facts = {},
          .from = "FROM pg_default_acl d",
          .rare = "FROM pg_default_acl"};
}

CatalogPiece publications() {
  return {.kind = "'publication'",
          .identity = "quote_ident(p.pubname)",
          .parent = "",
          .catalog = "pg_publication",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"all tables", "p.puballtables::text"},
                         {"publish",
                          "concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN"
                          " p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,"
                          " CASE WHEN p.pubtruncate THEN 'truncate' END)"},
                         {"via root", "p.pubviaroot::text"},
                         {"generated columns", "p.pubgencols::text", 18},
                         owner("p.pubowner")},
          .facts = {},
          .from = "FROM pg_publication p WHERE p.oid >= 16384" + not_member("p.oid", "pg_publication"),
          .rare = any_in("pg_publication")};
}

CatalogPiece publication_tables() {
  return {
      .kind = "'publication table'",
      .identity = "quote_ident(p.pubname) || ': ' || t.prrelid::regclass",
      .parent = "t.prrelid::regclass::text",
      .catalog = "pg_publication_rel",
      .oid = "t.oid",
      .sub = "",
      .attributes = {{"publication", "quote_ident(p.pubname)"},
                     {"columns",
                      "CASE WHEN t.prattrs IS NOT NULL THEN (SELECT string_agg(quote_ident(a.attname), ', '"
                      " ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.prrelid"
                      " AND a.attnum = ANY (t.prattrs)) END",
                      15},
                     {"where", "pg_get_expr(t.prqual, t.prrelid)", 15}},
      .facts = {},
      .from = "FROM pg_publication_rel t JOIN pg_publication p ON p.oid = t.prpubid WHERE p.oid >= 16384",
      .rare = any_in("pg_publication")};
}

CatalogPiece publication_schemas() {
  return {.kind = "'publication schema'",
          .identity = "quote_ident(p.pubname) || ': ' || t.pnnspid::regnamespace",
          .parent = "",
          .catalog = "pg_publication_namespace",
          .oid = "t.oid",
          .sub = "",
          .attributes = {{"publication", "quote_ident(p.pubname)"}},
          .facts = {},
          .from =
              "FROM pg_publication_namespace t JOIN pg_publication p ON p.oid = t.pnpubid"
              " WHERE p.oid >= 16384",
          .since = 15,
          .rare = any_in("pg_publication")};
}

/// Without subconninfo, which holds passwords.
CatalogPiece subscriptions() {
  return {.kind = "'subscription'",
          .identity = "quote_ident(s.subname)",
          .parent = "",
          .catalog = "pg_subscription",
          .oid = "s.oid",
          .sub = "",
          .attributes = {{"enabled", "s.subenabled::text"},
                         {"slot", "s.subslotname::text"},
                         {"synchronous commit", "s.subsynccommit"},
                         {"publications", sorted_options("s.subpublications")},
                         {"binary", "s.subbinary::text", 14},
                         {"streaming", "s.substream::text", 14},
                         {"two phase", "s.subtwophasestate::text", 15},
                         {"disable on error", "s.subdisableonerr::text", 15},
                         {"password required", "s.subpasswordrequired::text", 16},
                         {"run as owner", "s.subrunasowner::text", 16},
                         {"origin", "s.suborigin", 16},
                         {"failover", "s.subfailover::text", 17},
                         owner("s.subowner")},
          .facts = {},
          .from = std::string("FROM pg_subscription s WHERE s.subdbid = ") + k_this_database,
          .rare = "FROM pg_subscription"};
}

CatalogPiece foreign_data_wrappers() {
  return {.kind = "'foreign data wrapper'",
          .identity = "quote_ident(w.fdwname)",
          .parent = "",
          .catalog = "pg_foreign_data_wrapper",
          .oid = "w.oid",
          .sub = "",
          .attributes = {{"handler", "nullif(w.fdwhandler, 0)::regprocedure::text"},
                         {"validator", "nullif(w.fdwvalidator, 0)::regprocedure::text"},
                         {"options", sorted_options("w.fdwoptions")},
                         owner("w.fdwowner"),
                         {"privileges", privileges("w.fdwacl", "F", "w.fdwowner")}},
          .facts = {},
          .from = "FROM pg_foreign_data_wrapper w WHERE w.oid >= 16384" +
                  not_member("w.oid", "pg_foreign_data_wrapper"),
          .rare = any_in("pg_foreign_data_wrapper")};
}

CatalogPiece foreign_servers() {
  return {.kind = "'foreign server'",
          .identity = "quote_ident(s.srvname)",
          .parent = "",
          .catalog = "pg_foreign_server",
          .oid = "s.oid",
          .sub = "",
          .attributes = {{"wrapper",
                          "(SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w"
                          " WHERE w.oid = s.srvfdw)"},
                         {"type", "s.srvtype"},
                         {"version", "s.srvversion"},
                         {"options", sorted_options("s.srvoptions")},
                         owner("s.srvowner"),
                         {"privileges", privileges("s.srvacl", "S", "s.srvowner")}},
          .facts = {},
          .from = "FROM pg_foreign_server s WHERE s.oid >= 16384" + not_member("s.oid", "pg_foreign_server"),
          .rare = any_in("pg_foreign_data_wrapper")};
}

/// A password is told from another by eight digits of its hash, and never shown.
/// From the view: nobody but a superuser may read the catalog itself, and whom options are no business of
/// sees none.
CatalogPiece user_mappings() {
  return {.kind = "'user mapping'",
          .identity =
              "format('for %s on %s', CASE u.umuser WHEN 0 THEN 'public' ELSE"
              " quote_ident(pg_get_userbyid(u.umuser)) END, quote_ident(u.srvname))",
          .parent = "",
          .catalog = "pg_user_mapping",
          .oid = "u.umid",
          .sub = "",
          .attributes = {{"options",
                          "(SELECT string_agg(CASE WHEN o ~* '^[^=]*(pass|secret|token|key)' THEN"
                          " split_part(o, '=', 1) || '=(hidden ' || left(md5(o), 8) || ')' ELSE o END,"
                          " ', ' ORDER BY o COLLATE \"C\") FROM unnest(u.umoptions) o)"}},
          .facts = {},
          .from = "FROM pg_user_mappings u WHERE u.umid >= 16384",
          .rare = any_in("pg_foreign_data_wrapper")};
}

CatalogPiece large_objects() {
  return {.kind = "'large object'",
          .identity = "l.oid::text",
          .parent = "",
          .catalog = "pg_largeobject",
          .oid = "l.oid",
          .sub = "",
          .attributes = {owner("l.lomowner"), {"privileges", privileges("l.lomacl", "L", "l.lomowner")}},
          .facts = {},
          .from = "FROM pg_largeobject_metadata l",
          .rare = "FROM pg_largeobject_metadata LIMIT 1"};
}

/// Without its name: the same state is compared in databases of several names.
CatalogPiece database() {
  return {.kind = "'database'",
          .identity = "'database'",
          .parent = "",
          .catalog = "pg_database",
          .oid = "d.oid",
          .sub = "",
          .attributes = {{"encoding", "pg_encoding_to_char(d.encoding)::text"},
                         {"lc_collate", "d.datcollate::text"},
                         {"lc_ctype", "d.datctype::text"},
                         {"connection limit", "nullif(d.datconnlimit, -1)::text"},
                         {"allows connections", "CASE WHEN NOT d.datallowconn THEN 'false' END"},
                         owner("d.datdba"),
                         {"privileges", privileges("d.datacl", "d", "d.datdba")}},
          .facts = {},
          .from = "FROM pg_database d WHERE d.datname = current_database()"};
}

CatalogPiece settings() {
  return {.kind = "'setting'",
          .identity =
              "concat_ws(' in ', CASE WHEN g.setrole <> 0 THEN 'role ' ||"
              " quote_ident(pg_get_userbyid(g.setrole)) END, CASE WHEN g.setdatabase <> 0 THEN"
              " 'database' END)",
          .parent = "",
          .catalog = "pg_db_role_setting",
          .oid = "0",
          .sub = "",
          .attributes = {{"settings", sorted_options("g.setconfig")}},
          .facts = {},
          .from = std::string("FROM pg_db_role_setting g WHERE g.setdatabase = 0 OR g.setdatabase = ") +
                  k_this_database,
          .rare = "FROM pg_db_role_setting"};
}

/// The view pg_roles rather than pg_authid: no password, not even its hash, is read.
CatalogPiece roles() {
  return {.kind = "'role'",
          .identity = "quote_ident(o.rolname)",
          .parent = "",
          .catalog = "pg_authid",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"superuser", "CASE WHEN o.rolsuper THEN 'true' END"},
                         {"inherit", "CASE WHEN NOT o.rolinherit THEN 'false' END"},
                         {"create role", "CASE WHEN o.rolcreaterole THEN 'true' END"},
                         {"create database", "CASE WHEN o.rolcreatedb THEN 'true' END"},
                         {"login", "o.rolcanlogin::text"},
                         {"replication", "CASE WHEN o.rolreplication THEN 'true' END"},
                         {"bypass row security", "CASE WHEN o.rolbypassrls THEN 'true' END"},
                         {"connection limit", "nullif(o.rolconnlimit, -1)::text"},
                         {"valid until", "o.rolvaliduntil::text"}},
          .facts = {},
          .from = "FROM pg_roles o WHERE o.rolname !~ '^pg_'"};
}

constexpr const char* k_memberships =
    "FROM pg_auth_members a WHERE a.member >= 16384 OR a.roleid >= 16384 OR a.member = 10";

CatalogPiece memberships() {
  return {.kind = "'membership'",
          .identity =
              "quote_ident(pg_get_userbyid(a.member)) || ' in ' || quote_ident(pg_get_userbyid(a.roleid)) ||"
              " ' by ' || quote_ident(pg_get_userbyid(a.grantor))",
          .parent = "",
          .catalog = "pg_auth_members",
          .oid = "0",
          .sub = "",
          .attributes = {{"admin option", "a.admin_option::text"},
                         {"inherit option", "a.inherit_option::text", 16},
                         {"set option", "a.set_option::text", 16}},
          .facts = {},
          // The three memberships of initdb's own roles (pg_monitor in pg_read_all_settings, …) stay out.
          .from = k_memberships,
          .rare = k_memberships};
}

CatalogPiece tablespaces() {
  return {.kind = "'tablespace'",
          .identity = "quote_ident(t.spcname)",
          .parent = "",
          .catalog = "pg_tablespace",
          .oid = "t.oid",
          .sub = "",
          .attributes = {{"location", "pg_tablespace_location(t.oid)"},
                         {"options", sorted_options("t.spcoptions")},
                         owner("t.spcowner"),
                         {"privileges", privileges("t.spcacl", "t", "t.spcowner")}},
          .facts = {},
          .from = "FROM pg_tablespace t WHERE t.oid >= 16384",
          .rare = any_in("pg_tablespace")};
}

CatalogPiece parameters() {
  return {.kind = "'parameter'",
          .identity = "p.parname",
          .parent = "",
          .catalog = "pg_parameter_acl",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"privileges", privileges("p.paracl", "p", "10")}},
          .facts = {},
          .from = "FROM pg_parameter_acl p",
          .since = 15,
          .rare = "FROM pg_parameter_acl"};
}

}  // namespace

std::vector<CatalogPiece> database_pieces() {
  return {schemas(),
          extensions(),
          event_triggers(),
          default_privileges(),
          publications(),
          publication_tables(),
          publication_schemas(),
          subscriptions(),
          foreign_data_wrappers(),
          foreign_servers(),
          user_mappings(),
          large_objects()};
}

std::vector<CatalogPiece> cluster_pieces() {
  return {database(), settings(), roles(), memberships(), tablespaces(), parameters()};
}

}  // namespace lockkeeper::engine::postgres
