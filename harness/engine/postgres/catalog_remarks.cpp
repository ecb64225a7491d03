#include "engine/postgres/catalog.h"

/// Comments and security labels, wherever they hang.
namespace lockkeeper::engine::postgres {
namespace {

constexpr const char* k_shared_or_of_this_database =
    " WHERE d.classoid <> 'pg_database'::regclass OR d.objoid = (SELECT b.oid FROM pg_database b"
    " WHERE b.datname = current_database())";

CatalogPiece comments(std::string parent, std::string sub, std::string from) {
  return {.kind = "'comment'",
          .identity = "d.classoid::regclass",
          .parent = std::move(parent),
          .catalog = "",
          .oid = "d.objoid",
          .sub = std::move(sub),
          .attributes = {{"text", "d.description"}},
          .facts = {},
          .from = std::move(from),
          .is_remark = true};
}

/// What extensions say of their own objects stays out, as in a dump. Only a NOT NULL constraint (18) is no
/// object of ours to hang a comment on, and so needs a name.
CatalogPiece own_comments() {
  return comments(
      "CASE d.classoid WHEN 'pg_constraint'::regclass THEN"
      " (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity END",
      "d.objsubid",
      "FROM pg_description d WHERE d.objoid >= 16384 AND (d.classoid, d.objoid) NOT IN"
      " (SELECT m.classid, m.objid FROM member m)");
}

/// Of what is initdb's own, the schema public and the extensions are everybody's to comment on.
CatalogPiece system_comments() {
  return comments("", "d.objsubid",
                  "FROM pg_description d WHERE d.objoid = ANY (ARRAY(SELECT e.oid FROM pg_extension e"
                  " WHERE e.oid < 16384 UNION ALL SELECT 2200)) AND d.classoid = CASE d.objoid WHEN 2200"
                  " THEN 'pg_namespace'::regclass ELSE 'pg_extension'::regclass END");
}

CatalogPiece shared_comments() {
  return comments("", "0", std::string("FROM pg_shdescription d") + k_shared_or_of_this_database);
}

CatalogPiece labels(std::string parent, std::string sub, const std::string& catalog,
                    const std::string& where) {
  return {.kind = "'security label'",
          .identity = "d.classoid::regclass",
          .parent = std::move(parent),
          .catalog = "",
          .oid = "d.objoid",
          .sub = std::move(sub),
          .attributes = {{"text", "d.provider || ': ' || d.label"}},
          .facts = {},
          .from = "FROM " + catalog + " d" + where,
          .rare = "FROM " + catalog,
          .is_remark = true};
}

}  // namespace

std::vector<CatalogPiece> remark_pieces() {
  return {own_comments(), system_comments(), shared_comments(),
          labels("(pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity", "d.objsubid",
                 "pg_seclabel", ""),
          labels("", "0", "pg_shseclabel", k_shared_or_of_this_database)};
}

}  // namespace lockkeeper::engine::postgres
