#include "engine/postgres/copy_database.h"

#include <fmt/format.h>

namespace lockkeeper::engine::postgres {

Result<void> copy_database(Connection& session, const std::string& from, const std::string& to) {
  const auto made = session.rows(
      fmt::format("CREATE DATABASE {} TEMPLATE {}", session.quoted_name(to), session.quoted_name(from)));
  return made ? copy_settings(session, from, to) : Result<void>(failed(made));
}

/// What is a list of names is stored as SQL writes it (GUC_LIST_QUOTE: variable_is_guc_list_quote() in
/// pg_dump's dumputils.c), everything else as a text.
Result<void> copy_settings(Connection& session, const std::string& from, const std::string& to) {
  const auto statements = session.rows(
      "SELECT format('ALTER %s SET %s TO %s', CASE WHEN s.setrole = 0 THEN format('DATABASE %I', $2::text) "
      "ELSE "
      "format('ROLE %I IN DATABASE %I', r.rolname, $2::text) END, part.name, CASE WHEN part.name IN "
      "('search_path', "
      "'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries') THEN part.value ELSE "
      "quote_literal(part.value) END) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
      "LEFT JOIN "
      "pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) entry, LATERAL (SELECT split_part(entry, '=', 1) "
      "AS name, "
      "substr(entry, strpos(entry, '=') + 1) AS value) part WHERE d.datname = $1 AND (s.setrole = 0 OR r.oid "
      "IS NOT "
      "NULL)",
      {from, to});
  if (!statements) return failed(statements);
  for (const auto& row : *statements) {
    if (const auto set = session.rows(row[0].value_or("")); !set) return failed(set);
  }
  return {};
}

}  // namespace lockkeeper::engine::postgres
