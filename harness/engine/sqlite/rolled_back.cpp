#include "engine/sqlite/rolled_back.h"

namespace lockkeeper::engine::sqlite {

std::optional<record::SqlError> broken_key(Database& database) {
  if (!database.in_transaction()) return std::nullopt;
  const auto on = database.value("PRAGMA foreign_keys");
  int pending = 0;
  int unused = 0;
  sqlite3_db_status(database.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &pending, &unused, 0);
  if (!on || *on != "1" || pending == 0) return std::nullopt;
  return record::SqlError{"SQLITE_CONSTRAINT_FOREIGNKEY", "FOREIGN KEY constraint failed", "", "", ""};
}

}  // namespace lockkeeper::engine::sqlite
