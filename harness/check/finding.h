#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/rule.h"

/// What rules share in making findings of what a record holds.
namespace lockkeeper::check {

/// A finding of the whole run: the rule's id, level and advice, no place.
record::Finding finding_of(const Rule& rule, std::string message);

/// A finding of one side of a migration, placed at the side's file (line 1), or at up's where there is no
/// down.
record::Finding finding_of(const Rule& rule, const record::MigrationRecord& migration, record::Side side,
                           std::string message);

/// Names the statement and moves the finding to where it stands.
void blame(record::Finding& finding, const record::StatementRecord& statement);

/// Blames the statement of `run` that failed and adds what the server said beyond the message as evidence.
void blame_error(record::Finding& finding, const record::SideRun& run);

/// An object to look for in statements; `within` must be named beside it, empty where the name alone will do.
struct Named {
  std::string identity;
  std::string within;
};

/// The last statement of `run` that names the object, null where none does.
const record::StatementRecord* statement_naming(const record::SideRun& run, const Named& object);

/// blame(), if a statement of `run` names one of the objects; the first that is named wins.
void blame_naming(record::Finding& finding, const std::optional<record::SideRun>& run,
                  const std::vector<Named>& objects);

/// The changed ones among the objects: a statement that names such a one is where to look.
std::vector<Named> altered_objects(const std::vector<record::ObjectDifference>& objects);

/// The runs of a side that took place: forward and again are both up.
struct NamedRun {
  std::string_view name;  ///< "up", "down", "up again"
  record::Side side;
  const record::SideRun* run;
};
std::vector<NamedRun> runs_of(const record::MigrationRecord& migration);

/// The migration of that version, null where it is not on trial.
const record::MigrationRecord* migration_of(const record::Run& run, std::string_view version);

/// "SQLSTATE 23505"; the name of a result code of SQLite's is said alone.
std::string code_text(std::string_view sqlstate);
/// "(SQLSTATE 23505)" behind the server's message; the message alone where the failure has none.
std::string error_text(const record::SqlError& error);

}  // namespace lockkeeper::check
