#include "history/formats/supabase.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::supabase {

namespace {

namespace fs = std::filesystem;

std::optional<SideFile> parse(const Entry& entry) {
  const std::size_t digits = entry.name.find_first_not_of("0123456789");
  if (entry.is_directory || digits == 0 || digits == std::string::npos || entry.name[digits] != '_' ||
      !entry.name.ends_with(".sql"))
    return std::nullopt;
  return side_file(std::string_view(entry.name).substr(0, entry.name.size() - 4), entry.name);
}

/// <14 digits>_init.sql of a command line that dumped the schema into it.
bool is_old_init(const SideFile& side) {
  return side.version.size() >= 14 && side.name == "init" &&
         side.version.substr(side.version.size() - 14) < "20211209000000";
}

constexpr const char* k_pipeline =
    "supabase sends it as one pipeline, of which the server makes one transaction";

/// What refuses a transaction may be the first of a pipeline, which the server then begins anew behind it
/// (src/backend/access/transam/xact.c: PreventInTransactionBlock); further on it is refused.
Result<sql::Script> read_supabase(const Migration& migration, record::Side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  auto part =
      sql::statement_by_statement(*source, sql::all_of(**source), record::TransactionShape::one_transaction);
  if (!part) return failed(part);
  sql::Script script;
  part->shape_reason = k_pipeline;
  if (!part->statements.empty() && part->statements[0].kind == sql::StatementKind::no_transaction) {
    sql::Part first = *part;
    first.statements.resize(1);
    first.shape = record::TransactionShape::autocommit;
    first.shape_reason = "the first of a pipeline may do without a transaction";
    script.parts.push_back(std::move(first));
    part->statements.erase(part->statements.begin());
  }
  if (!part->statements.empty() || script.parts.empty()) script.parts.push_back(std::move(*part));
  return script;
}

std::shared_ptr<const Bookkeeping> bookkeeping() {
  return books("supabase_migrations.schema_migrations",
               "CREATE SCHEMA IF NOT EXISTS supabase_migrations; CREATE TABLE IF NOT EXISTS "
               "supabase_migrations.schema_migrations (version text NOT NULL PRIMARY KEY, statements text[], "
               "name text)",
               [](const Migration& migration, record::Side side) {
                 const std::string version = literal(migration.version);
                 return side == record::Side::up
                            ? fmt::format(
                                  "INSERT INTO supabase_migrations.schema_migrations (version, name, "
                                  "statements) VALUES ({}, {}, '{{}}')",
                                  version, literal(migration.name))
                            : fmt::format(
                                  "DELETE FROM supabase_migrations.schema_migrations WHERE version = {}",
                                  version);
               });
}

bool is_its_folder(const Folder& folder) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(fs::absolute(folder.path(), error), error);
  return !error && path.filename() == "migrations" && path.parent_path().filename() == "supabase";
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  if (std::none_of(entries.begin(), entries.end(), [](const Entry& entry) { return parse(entry); }))
    return {};
  if (is_its_folder(folder)) return {Fit::How::sure, "supabase/migrations"};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_supabase, [](std::vector<Migration>& migrations) {
    std::ranges::sort(migrations, {}, &Migration::up_path);
  });
  for (std::size_t i = 0; i < folder.entries().size(); ++i) {
    const Entry& entry = folder.entries()[i];
    auto side = parse(entry);
    if (!side) {
      pairing.leave(entry, entry.is_directory ? "a folder" : "not named <number>_<name>.sql");
    } else if (i == 0 && is_old_init(*side)) {
      pairing.leave(entry, "a first init.sql from before 2021-12-09, which supabase skips");
    } else {
      pairing.take(record::Side::up, std::move(*side));
    }
  }
  auto history = std::move(pairing).finish();
  if (!history) return history;
  history->has_down = false;
  history->keeps_session = false;  // RESET ALL before each (pkg/migration/apply.go)
  history->bookkeeping = bookkeeping();
  history->habits.late = Habits::Late::refused;
  return history;
}

}  // namespace

Format format() {
  return {"supabase", "supabase/migrations/<number>_<name>.sql", fits, load};
}

}  // namespace lockkeeper::history::formats::supabase
