#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sqlite/database.h"

/// Questions of a scenario, as Instance answers them.
namespace lockkeeper::engine::sqlite {

Result<Answer> try_query(Database& database, const QueryRequest& request);
Result<Instance::Planned> plan(Database& database, const QueryRequest& request);

Result<Instance::Held> check_column(Database& database, const std::string& column,
                                    const std::optional<bool>& nullable,
                                    const std::optional<std::string>& type,
                                    const std::optional<std::string>& default_value, bool exists);
Result<Instance::Held> check_constraint(Database& database, const std::string& constraint,
                                        const std::optional<std::string>& on_delete,
                                        const std::optional<std::string>& on_update,
                                        const std::optional<bool>& validated, bool exists);
Result<Instance::Held> check_index(Database& database, const std::string& index,
                                   const std::vector<std::string>& columns, const std::optional<bool>& unique,
                                   const std::optional<bool>& valid, bool exists);

}  // namespace lockkeeper::engine::sqlite
