#pragma once

#include <string>
#include <vector>

#include "history/history.h"

namespace lockkeeper::history::formats::liquibase {

/// What Liquibase's own command is to be told of a project.
struct Project {
  std::string changelog;                  ///< the root, as a path
  std::string properties;                 ///< liquibase.properties; empty where there is none
  std::vector<std::string> search_paths;  ///< that the paths of includes are relative to
  sql::Dialect dialect = sql::Dialect::postgres;
};

/// Does Liquibase undo a change of this kind by itself, where the change set has no <rollback>?
/// https://docs.liquibase.com/workflows/liquibase-community/automatic-and-custom-rollbacks.html
bool undoes_itself(const std::string& change);

/// `liquibase update-count 1`, or `rollback-count 1`: one change set at a time. An environment failure where
/// it is not installed: in the project's node_modules or in PATH.
Result<ToolCommand> command_of_liquibase(const Project& project, record::Side side);

}  // namespace lockkeeper::history::formats::liquibase
