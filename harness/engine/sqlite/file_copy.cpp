#include "engine/sqlite/file_copy.h"

#include <memory>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

namespace {

constexpr int k_pages_between_looks = 1000;
const Pragmas k_patience = {{"busy_timeout", "10000"}};

struct FinishBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

Failure copy_failure(Database& to, int code) {
  Failure failure = to.failure(to.last_error());
  if ((code & 0xFF) == SQLITE_FULL || (code & 0xFF) == SQLITE_IOERR)
    failure.hint = "free some space there, or write to another disk; nothing was left there";
  return failure;
}

}  // namespace

Result<std::vector<std::string>> column_names(const std::filesystem::path& file) {
  auto database = Database::open(file, Database::Mode::read_only, k_patience);
  if (!database) return failed(database);
  const auto rows = database->rows(
      "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c "
      "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1");
  if (!rows) return failed(rows);
  std::vector<std::string> names;
  for (const auto& row : *rows) names.push_back(row.at(0).value_or(""));
  return names;
}

namespace {

/// Pages are copied as they are: damage comes along.
Result<void> expect_sound(Database& copy) {
  const auto found = copy.value("PRAGMA quick_check(1)");
  if (!found) return failed(found);
  if (*found == "ok") return {};
  return failed(FailureKind::environment, fmt::format("the database is damaged: {}", *found),
                "look at it with sqlite3 and PRAGMA integrity_check; nothing was written");
}

/// The connection that wrote the copy.
Result<Database> copied(const std::filesystem::path& from, const std::filesystem::path& to) {
  auto source = Database::open(from, Database::Mode::read_only, k_patience);
  if (!source) return failed(source);
  // Held until the end: a backup begins anew whenever somebody writes between two of its steps.
  if (const auto error = source->execute("BEGIN; SELECT count(*) FROM sqlite_master"))
    return tl::unexpected<Failure>(source->failure(*error));
  auto copy =
      Database::open(to, Database::Mode::read_write, {{"journal_mode", "off"}, {"synchronous", "off"}});
  if (!copy) return failed(copy);
  std::unique_ptr<sqlite3_backup, FinishBackup> backup(
      sqlite3_backup_init(copy->get(), "main", source->get(), "main"));
  if (!backup) return tl::unexpected<Failure>(copy->failure(copy->last_error()));
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    if (interrupted()) return failed_by_interrupt();
    code = sqlite3_backup_step(backup.get(), k_pages_between_looks);
  }
  // Finishing leaves the error with the copy's connection.
  const int finished = sqlite3_backup_finish(backup.release());
  if (code == SQLITE_DONE && finished == SQLITE_OK) return copy;
  return tl::unexpected<Failure>(copy_failure(*copy, code));
}

}  // namespace

Result<void> copy_pages(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto copy = copied(from, to);
  return copy ? Result<void>() : Result<void>(failed(copy));
}

Result<void> copy_database(const std::filesystem::path& from, const std::filesystem::path& to) {
  auto copy = copied(from, to);
  return copy ? expect_sound(*copy) : Result<void>(failed(copy));
}

}  // namespace lockkeeper::engine::sqlite
