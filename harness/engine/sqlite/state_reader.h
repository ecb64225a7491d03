#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sqlite/database.h"
#include "engine/sqlite/schema.h"

namespace lockkeeper::engine::sqlite {

/// The whole state; as Instance::read_state().
Result<State> read_state(Database& database, const Lineage& lineage, const std::set<std::string>& apart,
                         const State* previous, const Touched& touched);

/// Puts AUTOINCREMENT's memory back where `state` has it.
Result<void> restore_sequences(Database& database, const State& state);

/// What foreign_key_check and integrity_check find, as broken constraints.
Result<std::vector<record::SchemaFact>> find_violations(Database& database,
                                                        const std::set<std::string>& apart);

/// As Instance::compare_rows(); `base` is another file.
Result<std::optional<record::DataDifference>> compare_rows(const std::filesystem::path& base,
                                                           const std::filesystem::path& head,
                                                           const std::string& table);

}  // namespace lockkeeper::engine::sqlite
