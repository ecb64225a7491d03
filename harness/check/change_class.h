#pragma once

#include "record/record.h"

namespace lockkeeper::check {

/// Sets change_class and change_reasons by what up was seen to change, as runbooks class changes before they
/// plan a release: safe (new tables, nullable columns, indexes), risky (NOT NULL, types, renames, unique
/// keys, rows changed), high risk (dropped columns and tables, primary keys, relationships, rows gone).
void classify(record::MigrationRecord& migration);

}  // namespace lockkeeper::check
