#pragma once

#include <string>
#include <vector>

#include "check/rule.h"

namespace lockkeeper::check {

/// False where the run shows that the fact of this migration (one of run.migrations) does not last.
using Lasting = bool (*)(const record::Run&, const record::MigrationRecord&, const record::SchemaFact&);

/// One finding for each fact of that kind, on the statement of up that names the object or, failing that, its
/// table.
void report_facts(const record::Run& run, const Rule& rule, record::SchemaFactKind kind,
                  std::string (*message)(const record::SchemaFact&), std::vector<record::Finding>& findings,
                  Lasting lasting = nullptr);

}  // namespace lockkeeper::check
