#include "engine/postgres/catalog.h"

/// Types and what converts and searches them.
namespace lockkeeper::engine::postgres {
namespace {

/// A function's name with its arguments, none for 0.
std::string routine(std::string_view oid) {
  return "nullif(" + std::string(oid) + ", 0)::regprocedure::text";
}

CatalogPiece types() {
  return {
      .kind = "'type'",
      .identity = "n.name || '.' || quote_ident(t.typname)",
      .parent = "",
      .catalog = "pg_type",
      .oid = "t.oid",
      .sub = "",
      .attributes =
          {{"form",
            "CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'"
            " WHEN 'c' THEN 'composite' WHEN 'p' THEN 'pseudo' ELSE 'base' END"},
           {"labels",
            "CASE t.typtype WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ', '"
            " ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) END"},
           {"attributes",
            "CASE t.typtype WHEN 'c' THEN (SELECT string_agg(quote_ident(a.attname) || ' ' ||"
            " format_type(a.atttypid, a.atttypmod) || coalesce(' collate ' || nullif(a.attcollation, 0)"
            "::regcollation, ''), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid"
            " AND a.attnum > 0 AND NOT a.attisdropped) END"},
           {"base type", "CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END"},
           {"nullable", "CASE WHEN t.typnotnull THEN 'false' END"},
           {"not null constraint",
            "CASE WHEN t.typnotnull THEN (SELECT nullif(quote_ident(k.conname), quote_ident(t.typname ||"
            " '_not_null')) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'n') END",
            17},
           {"default",
            "CASE t.typtype WHEN 'd' THEN coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault)"
            " ELSE t.typdefault END"},
           {"collation",
            "CASE WHEN t.typtype = 'd' AND t.typcollation NOT IN (0, 100) THEN"
            " t.typcollation::regcollation::text END"},
           {"range",
            "CASE t.typtype WHEN 'r' THEN (SELECT concat_ws(', ', 'subtype ' || format_type(g.rngsubtype, "
            "NULL),"
            " 'operator class ' || (SELECT o.opcname FROM pg_opclass o WHERE o.oid = g.rngsubopc), "
            "'collation ' ||"
            " nullif(g.rngcollation, 0)::regcollation, 'canonical ' || nullif(g.rngcanonical, 0)::regproc,"
            " 'difference ' || nullif(g.rngsubdiff, 0)::regproc) FROM pg_range g WHERE g.rngtypid = t.oid) "
            "END"},
           {"multirange",
            "CASE t.typtype WHEN 'r' THEN (SELECT g.rngmultitypid::regtype::text FROM pg_range g"
            " WHERE g.rngtypid = t.oid) END",
            14},
           {"base definition",
            "CASE t.typtype WHEN 'b' THEN concat_ws(', ', t.typlen, t.typbyval, t.typcategory, "
            "t.typispreferred,"
            " t.typdelim, t.typalign, t.typstorage, t.typcollation, 'element ' || nullif(t.typelem, "
            "0)::regtype,"
            " t.typinput::regproc, t.typoutput::regproc, t.typreceive::regproc, t.typsend::regproc,"
            " t.typmodin::regproc, t.typmodout::regproc, t.typanalyze::regproc) END"},
           {"subscript", "CASE t.typtype WHEN 'b' THEN nullif(t.typsubscript, 0)::regproc::text END", 14},
           {"defined", "CASE WHEN NOT t.typisdefined THEN 'false' END"},
           owner("t.typowner"),
           {"privileges", privileges("t.typacl", "T", "t.typowner")}},
      .facts = {},
      // A table's row type, an array type and a multirange type come and go with what they are made for.
      .from =
          "FROM pg_type t JOIN schema n ON n.oid = t.typnamespace WHERE t.oid >= 16384 AND t.typtype <> 'm'"
          " AND (t.typtype <> 'c' OR t.typrelid IN (SELECT c.oid FROM pg_class c WHERE c.oid >= 16384"
          " AND c.relkind = 'c')) AND t.oid NOT IN (SELECT y.typarray FROM pg_type y"
          " WHERE y.oid >= 16384)" +
          not_member("t.oid", "pg_type"),
      .rare =
          "FROM pg_type e WHERE e.oid >= 16384 AND e.typtype <> 'm' AND (e.typtype <> 'c' OR e.typrelid IN"
          " (SELECT c.oid FROM pg_class c WHERE c.oid >= 16384 AND c.relkind = 'c')) AND e.oid NOT IN"
          " (SELECT y.typarray FROM pg_type y WHERE y.oid >= 16384) LIMIT 1"};
}

CatalogPiece domain_constraints() {
  return {.kind = "'constraint'",
          .identity = "n.name || '.' || quote_ident(t.typname) || '.' || quote_ident(k.conname)",
          .parent = "n.name || '.' || quote_ident(t.typname)",
          .catalog = "pg_constraint",
          .oid = "k.oid",
          .sub = "",
          .attributes = {{"definition",
                          "CASE WHEN k.convalidated THEN pg_get_constraintdef(k.oid) ELSE"
                          " regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') END"},
                         {"validated", "k.convalidated::text"}},
          .facts = {{"contype", "'domain'"}},
          .from =
              "FROM pg_type t JOIN schema n ON n.oid = t.typnamespace JOIN pg_constraint k ON"
              " k.contypid = t.oid WHERE t.oid >= 16384 AND t.typtype = 'd' AND k.oid >= 16384"
              " AND k.contype <> 'n'" +
              not_member("t.oid", "pg_type"),
          .rare = "FROM pg_type e WHERE e.oid >= 16384 AND e.typtype = 'd' LIMIT 1"};
}

CatalogPiece casts() {
  return {
      .kind = "'cast'",
      .identity = "format('(%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL))",
      .parent = "",
      .catalog = "pg_cast",
      .oid = "k.oid",
      .sub = "",
      .attributes = {{"function", routine("k.castfunc")},
                     {"context",
                      "CASE k.castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'assignment'"
                      " ELSE 'implicit' END"},
                     {"method",
                      "CASE k.castmethod WHEN 'f' THEN 'function' WHEN 'i' THEN 'inout'"
                      " ELSE 'binary' END"}},
      .facts = {},
      .from = "FROM pg_cast k WHERE k.oid >= 16384" + not_member("k.oid", "pg_cast"),
      .rare = any_in("pg_cast")};
}

CatalogPiece collations() {
  return {.kind = "'collation'",
          .identity = "n.name || '.' || quote_ident(o.collname)",
          .parent = "",
          .catalog = "pg_collation",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"provider", "o.collprovider::text"},
                         {"deterministic", "o.collisdeterministic::text"},
                         {"encoding", "o.collencoding::text"},
                         {"lc_collate", "o.collcollate::text"},
                         {"lc_ctype", "o.collctype::text"},
                         {"locale", "o.colliculocale::text", 15, 17},
                         {"locale", "o.colllocale::text", 17},
                         {"rules", "o.collicurules::text", 16},
                         owner("o.collowner")},
          .facts = {},
          .from = "FROM pg_collation o JOIN schema n ON n.oid = o.collnamespace WHERE o.oid >= 16384" +
                  not_member("o.oid", "pg_collation"),
          .rare = any_in("pg_collation")};
}

CatalogPiece conversions() {
  return {.kind = "'conversion'",
          .identity = "n.name || '.' || quote_ident(o.conname)",
          .parent = "",
          .catalog = "pg_conversion",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"from", "pg_encoding_to_char(o.conforencoding)::text"},
                         {"to", "pg_encoding_to_char(o.contoencoding)::text"},
                         {"function", routine("o.conproc")},
                         {"default", "o.condefault::text"},
                         owner("o.conowner")},
          .facts = {},
          .from = "FROM pg_conversion o JOIN schema n ON n.oid = o.connamespace WHERE o.oid >= 16384" +
                  not_member("o.oid", "pg_conversion"),
          .rare = any_in("pg_conversion")};
}

CatalogPiece search_parsers() {
  return {.kind = "'text search parser'",
          .identity = "n.name || '.' || quote_ident(p.prsname)",
          .parent = "",
          .catalog = "pg_ts_parser",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"functions",
                          "concat_ws(', ', p.prsstart, p.prstoken, p.prsend, p.prsheadline,"
                          " p.prslextype)"}},
          .facts = {},
          .from = "FROM pg_ts_parser p JOIN schema n ON n.oid = p.prsnamespace WHERE p.oid >= 16384" +
                  not_member("p.oid", "pg_ts_parser"),
          .rare = any_in("pg_ts_parser")};
}

CatalogPiece search_templates() {
  return {.kind = "'text search template'",
          .identity = "n.name || '.' || quote_ident(p.tmplname)",
          .parent = "",
          .catalog = "pg_ts_template",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"functions", "concat_ws(', ', p.tmplinit, p.tmpllexize)"}},
          .facts = {},
          .from = "FROM pg_ts_template p JOIN schema n ON n.oid = p.tmplnamespace WHERE p.oid >= 16384" +
                  not_member("p.oid", "pg_ts_template"),
          .rare = any_in("pg_ts_template")};
}

CatalogPiece search_dictionaries() {
  return {.kind = "'text search dictionary'",
          .identity = "n.name || '.' || quote_ident(d.dictname)",
          .parent = "",
          .catalog = "pg_ts_dict",
          .oid = "d.oid",
          .sub = "",
          .attributes = {{"template",
                          "(SELECT p.tmplnamespace::regnamespace || '.' || quote_ident(p.tmplname)"
                          " FROM pg_ts_template p WHERE p.oid = d.dicttemplate)"},
                         {"options", "d.dictinitoption"},
                         owner("d.dictowner")},
          .facts = {},
          .from = "FROM pg_ts_dict d JOIN schema n ON n.oid = d.dictnamespace WHERE d.oid >= 16384" +
                  not_member("d.oid", "pg_ts_dict"),
          .rare = any_in("pg_ts_dict")};
}

CatalogPiece search_configurations() {
  return {.kind = "'text search configuration'",
          .identity = "n.name || '.' || quote_ident(o.cfgname)",
          .parent = "",
          .catalog = "pg_ts_config",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"parser",
                          "(SELECT p.prsnamespace::regnamespace || '.' || quote_ident(p.prsname)"
                          " FROM pg_ts_parser p WHERE p.oid = o.cfgparser)"},
                         {"mappings",
                          "(SELECT string_agg(m.maptokentype || ': ' || m.mapdict::regdictionary,"
                          " ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m"
                          " WHERE m.mapcfg = o.oid)"},
                         owner("o.cfgowner")},
          .facts = {},
          .from = "FROM pg_ts_config o JOIN schema n ON n.oid = o.cfgnamespace WHERE o.oid >= 16384" +
                  not_member("o.oid", "pg_ts_config"),
          .rare = any_in("pg_ts_config")};
}

CatalogPiece transforms() {
  return {.kind = "'transform'",
          .identity =
              "format('for %s language %s', format_type(f.trftype, NULL), (SELECT quote_ident(l.lanname)"
              " FROM pg_language l WHERE l.oid = f.trflang))",
          .parent = "",
          .catalog = "pg_transform",
          .oid = "f.oid",
          .sub = "",
          .attributes = {{"from sql", routine("f.trffromsql")}, {"to sql", routine("f.trftosql")}},
          .facts = {},
          .from = "FROM pg_transform f WHERE f.oid >= 16384" + not_member("f.oid", "pg_transform"),
          .rare = any_in("pg_transform")};
}

}  // namespace

std::vector<CatalogPiece> type_pieces() {
  return {types(),
          domain_constraints(),
          casts(),
          collations(),
          conversions(),
          search_parsers(),
          search_templates(),
          search_dictionaries(),
          search_configurations(),
          transforms()};
}

}  // namespace lockkeeper::engine::postgres
