#include "engine/postgres/catalog.h"

/// Functions, aggregates, operators and the languages that they are written in.
namespace lockkeeper::engine::postgres {
namespace {

/// Types alone, without names: a renamed parameter is a change of the function, not another function.
constexpr const char* k_routine_identity =
    "n.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')'";

constexpr const char* k_any_routine = "FROM pg_proc e WHERE e.oid >= 16384 LIMIT 1";

CatalogPiece functions() {
  return {.kind = "CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END",
          .identity = k_routine_identity,
          .parent = "",
          .catalog = "pg_proc",
          .oid = "p.oid",
          .sub = "",
          .attributes = {{"definition", "pg_get_functiondef(p.oid)"},
                         owner("p.proowner"),
                         {"privileges", privileges("p.proacl", "f", "p.proowner")}},
          .facts = {},
          .from =
              "FROM pg_proc p JOIN schema n ON n.oid = p.pronamespace WHERE p.oid >= 16384"
              " AND p.prokind <> 'a'" +
              not_member("p.oid", "pg_proc"),
          .rare = k_any_routine};
}

CatalogPiece aggregates() {
  return {
      .kind = "'aggregate'",
      .identity = k_routine_identity,
      .parent = "",
      .catalog = "pg_proc",
      .oid = "p.oid",
      .sub = "",
      .attributes =
          {{"arguments", "pg_get_function_arguments(p.oid)"},
           {"result", "pg_get_function_result(p.oid)"},
           {"definition",
            "(SELECT concat_ws(', ', 'kind ' || a.aggkind::text || ' ' || a.aggnumdirectargs, 'sfunc ' ||"
            " a.aggtransfn, 'stype ' || format_type(a.aggtranstype, NULL), 'sspace ' ||"
            " nullif(a.aggtransspace, 0), 'finalfunc ' || nullif(a.aggfinalfn::oid, 0)::regproc,"
            " 'finalfunc extra ' || nullif(a.aggfinalextra, false), 'finalfunc modify ' || "
            "a.aggfinalmodify::text,"
            " 'combinefunc ' || nullif(a.aggcombinefn::oid, 0)::regproc, 'serialfunc ' ||"
            " nullif(a.aggserialfn::oid, 0)::regproc, 'deserialfunc ' || nullif(a.aggdeserialfn::oid, 0)"
            "::regproc, 'initcond ' || quote_literal(a.agginitval), 'msfunc ' ||"
            " nullif(a.aggmtransfn::oid, 0)::regproc, 'minvfunc ' || nullif(a.aggminvtransfn::oid, "
            "0)::regproc,"
            " 'mstype ' || nullif(a.aggmtranstype, 0)::regtype, 'msspace ' || nullif(a.aggmtransspace, 0),"
            " 'mfinalfunc ' || nullif(a.aggmfinalfn::oid, 0)::regproc, 'mfinalfunc extra ' ||"
            " nullif(a.aggmfinalextra, false), 'mfinalfunc modify ' || a.aggmfinalmodify::text, 'minitcond ' "
            "||"
            " quote_literal(a.aggminitval), 'sortop ' || nullif(a.aggsortop, 0)::regoperator)"
            " FROM pg_aggregate a WHERE a.aggfnoid = p.oid)"},
           {"parallel", "p.proparallel::text"},
           owner("p.proowner"),
           {"privileges", privileges("p.proacl", "f", "p.proowner")}},
      .facts = {},
      .from =
          "FROM pg_proc p JOIN schema n ON n.oid = p.pronamespace WHERE p.oid >= 16384"
          " AND p.prokind = 'a'" +
          not_member("p.oid", "pg_proc"),
      .rare = k_any_routine};
}

CatalogPiece operators() {
  return {.kind = "'operator'",
          .identity =
              "n.name || '.' || o.oprname || ' (' || coalesce(format_type(nullif(o.oprleft, 0), NULL),"
              " 'none') || ', ' || coalesce(format_type(nullif(o.oprright, 0), NULL), 'none') || ')'",
          .parent = "",
          .catalog = "pg_operator",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"function", "nullif(o.oprcode::oid, 0)::regprocedure::text"},
                         {"commutator", "nullif(o.oprcom, 0)::regoperator::text"},
                         {"negator", "nullif(o.oprnegate, 0)::regoperator::text"},
                         {"restrict", "nullif(o.oprrest::oid, 0)::regproc::text"},
                         {"join", "nullif(o.oprjoin::oid, 0)::regproc::text"},
                         {"merges", "CASE WHEN o.oprcanmerge THEN 'true' END"},
                         {"hashes", "CASE WHEN o.oprcanhash THEN 'true' END"},
                         owner("o.oprowner")},
          .facts = {},
          .from = "FROM pg_operator o JOIN schema n ON n.oid = o.oprnamespace WHERE o.oid >= 16384" +
                  not_member("o.oid", "pg_operator"),
          .rare = any_in("pg_operator")};
}

CatalogPiece operator_classes() {
  return {.kind = "'operator class'",
          .identity =
              "n.name || '.' || quote_ident(o.opcname) || ' using ' || (SELECT quote_ident(m.amname)"
              " FROM pg_am m WHERE m.oid = o.opcmethod)",
          .parent = "",
          .catalog = "pg_opclass",
          .oid = "o.oid",
          .sub = "",
          .attributes = {{"type", "format_type(o.opcintype, NULL)"},
                         {"family",
                          "(SELECT f.opfnamespace::regnamespace || '.' || quote_ident(f.opfname)"
                          " FROM pg_opfamily f WHERE f.oid = o.opcfamily)"},
                         {"default", "o.opcdefault::text"},
                         {"storage", "nullif(o.opckeytype, 0)::regtype::text"},
                         owner("o.opcowner")},
          .facts = {},
          .from = "FROM pg_opclass o JOIN schema n ON n.oid = o.opcnamespace WHERE o.oid >= 16384" +
                  not_member("o.oid", "pg_opclass"),
          .rare = any_in("pg_opclass")};
}

CatalogPiece operator_families() {
  return {
      .kind = "'operator family'",
      .identity =
          "n.name || '.' || quote_ident(f.opfname) || ' using ' || (SELECT quote_ident(m.amname)"
          " FROM pg_am m WHERE m.oid = f.opfmethod)",
      .parent = "",
      .catalog = "pg_opfamily",
      .oid = "f.oid",
      .sub = "",
      .attributes = {{"operators",
                      "(SELECT string_agg(o.amopstrategy || ' ' || o.amopopr::regoperator || CASE"
                      " o.amoppurpose WHEN 'o' THEN ' order by ' || o.amopsortfamily ELSE '' END, ', '"
                      " ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE \"C\")"
                      " FROM pg_amop o WHERE o.amopfamily = f.oid)"},
                     {"functions",
                      "(SELECT string_agg(o.amprocnum || ' (' || format_type(o.amproclefttype, NULL) || ', '"
                      " || format_type(o.amprocrighttype, NULL) || ') ' || o.amproc::regprocedure, ', '"
                      " ORDER BY o.amprocnum, o.amproc::regprocedure::text COLLATE \"C\")"
                      " FROM pg_amproc o WHERE o.amprocfamily = f.oid)"},
                     owner("f.opfowner")},
      .facts = {},
      .from = "FROM pg_opfamily f JOIN schema n ON n.oid = f.opfnamespace WHERE f.oid >= 16384" +
              not_member("f.oid", "pg_opfamily"),
      .rare = any_in("pg_opfamily")};
}

CatalogPiece languages() {
  return {.kind = "'language'",
          .identity = "quote_ident(l.lanname)",
          .parent = "",
          .catalog = "pg_language",
          .oid = "l.oid",
          .sub = "",
          .attributes = {{"trusted", "l.lanpltrusted::text"},
                         {"handler", "nullif(l.lanplcallfoid, 0)::regprocedure::text"},
                         {"inline", "nullif(l.laninline, 0)::regprocedure::text"},
                         {"validator", "nullif(l.lanvalidator, 0)::regprocedure::text"},
                         owner("l.lanowner"),
                         {"privileges", privileges("l.lanacl", "l", "l.lanowner")}},
          .facts = {},
          .from = "FROM pg_language l WHERE l.oid >= 16384" + not_member("l.oid", "pg_language"),
          .rare = any_in("pg_language")};
}

CatalogPiece access_methods() {
  return {.kind = "'access method'",
          .identity = "quote_ident(m.amname)",
          .parent = "",
          .catalog = "pg_am",
          .oid = "m.oid",
          .sub = "",
          .attributes = {{"handler", "m.amhandler::regproc::text"}, {"type", "m.amtype::text"}},
          .facts = {},
          .from = "FROM pg_am m WHERE m.oid >= 16384" + not_member("m.oid", "pg_am"),
          .rare = any_in("pg_am")};
}

}  // namespace

std::vector<CatalogPiece> routine_pieces() {
  return {functions(),         aggregates(), operators(),     operator_classes(),
          operator_families(), languages(),  access_methods()};
}

}  // namespace lockkeeper::engine::postgres
