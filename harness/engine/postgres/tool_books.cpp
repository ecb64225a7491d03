#include "engine/postgres/tool_books.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

// A state is "in", "to" (this version and all before it), "out", "failed" or "dirty" (it failed, and all
// before it are in); of several rows of one version the last one holds.
constexpr KnownBook k_books[] = {
    {"golang-migrate", "schema_migrations", "version,dirty",
     "SELECT version, CASE WHEN dirty THEN 'dirty' ELSE 'to' END FROM {}"},
    {"dbmate, rails or supabase", "schema_migrations", "version", "SELECT version, 'in' FROM {} ORDER BY 1"},
    {"goose", "goose_db_version", "id,version_id,is_applied",
     "SELECT version_id, CASE WHEN is_applied THEN 'in' ELSE 'out' END FROM {} WHERE version_id > 0"
     " ORDER BY id"},
    {"prisma", "_prisma_migrations", "migration_name,finished_at,rolled_back_at,started_at",
     "SELECT migration_name, CASE WHEN rolled_back_at IS NOT NULL THEN 'out'"
     " WHEN finished_at IS NULL THEN 'failed' ELSE 'in' END FROM {} ORDER BY started_at"},
    {"alembic", "alembic_version", "version_num", "SELECT version_num, 'to' FROM {} ORDER BY 1"},
    {"flyway", "flyway_schema_history", "installed_rank,version,script,type,success",
     "SELECT coalesce(version, regexp_replace(script, '^.*/|[.]sql$', '', 'g')),"
     " CASE WHEN NOT success THEN 'failed' WHEN type LIKE 'UNDO%' OR type = 'DELETE' THEN 'out'"
     " WHEN type LIKE '%BASELINE' THEN 'to' ELSE 'in' END"
     " FROM {} WHERE type <> 'SCHEMA' ORDER BY installed_rank"},
    {"liquibase", "databasechangelog", "id,author,filename,exectype,orderexecuted",
     "SELECT filename || '::' || id || '::' || author,"
     " CASE WHEN exectype = 'FAILED' THEN 'failed' ELSE 'in' END FROM {} ORDER BY orderexecuted"},
    {"sqlx", "_sqlx_migrations", "version,success",
     "SELECT version, CASE WHEN success THEN 'in' ELSE 'failed' END FROM {} ORDER BY version"},
    {"diesel", "__diesel_schema_migrations", "version", "SELECT version, 'in' FROM {} ORDER BY 1"},
    {"knex", "knex_migrations", "id,name", "SELECT name, 'in' FROM {} ORDER BY id"},
    {"sequelize", "SequelizeMeta", "name", "SELECT name, 'in' FROM {} ORDER BY 1"},
    {"django", "django_migrations", "id,app,name", "SELECT app || '.' || name, 'in' FROM {} ORDER BY id"},
    {"drizzle", "__drizzle_migrations", "id,hash", "SELECT hash, 'in' FROM {} ORDER BY id"},
    {"node-pg-migrate", "pgmigrations", "id,name", "SELECT name, 'in' FROM {} ORDER BY id"},
    {"sql-migrate", "gorp_migrations", "id", "SELECT id, 'in' FROM {} ORDER BY 1"},
    {"sqitch", "changes", "change_id,change,project,committed_at",
     "SELECT change, 'in' FROM {} ORDER BY committed_at"},
    {"atlas", "atlas_schema_revisions", "version,applied,total,error",
     "SELECT version, CASE WHEN coalesce(error, '') <> '' OR applied < total THEN 'failed' ELSE 'in' END"
     " FROM {} WHERE version !~ '^[.]' ORDER BY version"},
    {"tern", "schema_version", "version", "SELECT version, 'to' FROM {} WHERE version::text <> '0'"},
    {"popx", "schema_migration", "version", "SELECT version, 'in' FROM {} ORDER BY 1"},
    {"morph", "db_migrations", "version,name", "SELECT version, 'in' FROM {} ORDER BY 1"},
    {"maragudk-migrate", "migrations", "version", "SELECT version, 'to' FROM {} WHERE version <> ''"},
};

}  // namespace

std::span<const KnownBook> known_books() {
  return k_books;
}

std::string find_books() {
  std::set<std::string> names;
  for (const KnownBook& book : k_books) names.insert(fmt::format("'{}'", book.table));
  return fmt::format(
      "SELECT c.oid::regclass, c.relname, string_agg(a.attname, ',' ORDER BY a.attnum),"
      " has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE')\n"
      "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped\n"
      "WHERE c.relkind IN ('r', 'p') AND c.relname IN ({})\nGROUP BY c.oid, c.relname, c.relnamespace ORDER "
      "BY 1 LIMIT 20",
      join({names.begin(), names.end()}, ", "));
}

const KnownBook* book_of(std::string_view name, const std::vector<std::string>& columns) {
  const auto* const found = std::ranges::find_if(k_books, [&](const KnownBook& book) {
    return book.table == name &&
           std::ranges::all_of(split(book.columns, ','), [&](const std::string& wanted) {
             return std::ranges::find(columns, wanted) != columns.end();
           });
  });
  return found == std::end(k_books) ? nullptr : found;
}

}  // namespace lockkeeper::engine::postgres
