#pragma once

#include <optional>

#include "base/interrupt.h"
#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

/// What COMMIT would say of deferred foreign keys: a transaction that is rolled back never gets so far.
std::optional<record::SqlError> broken_key(Database& database);

/// Does the work in a transaction that is rolled back: what it says, or else what COMMIT would. A signal is a
/// failure.
template <typename Work>
Result<std::optional<record::SqlError>> rolled_back(Database& database, Work work) {
  if (auto error = database.execute("BEGIN")) return tl::unexpected<Failure>(database.failure(*error));
  auto error = work();
  if (!error) error = broken_key(database);
  if (database.in_transaction()) database.execute("ROLLBACK");
  if (interrupted()) return failed_by_interrupt();
  return error;
}

}  // namespace lockkeeper::engine::sqlite
