#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "check/rule.h"

namespace lockkeeper::check {

/// One finding for each fact of that kind, on the statement of up that names the object or, failing that, its
/// table. What a later migration of the trial puts right is none, since only the end of the trial counts;
/// what was so before under another name is told once, where it began.
void report_facts(const record::Run& run, const Rule& rule, record::SchemaFactKind kind,
                  std::string (*message)(const record::SchemaFact&), std::vector<record::Finding>& findings);

/// One finding for each fact of these kinds about the history's files, at its place, with what the tool does
/// then as evidence.
void report_history(const record::Run& run, const Rule& rule,
                    std::initializer_list<record::HistoryFactKind> kinds,
                    std::string (*message)(const record::HistoryFact&),
                    std::vector<record::Finding>& findings);

}  // namespace lockkeeper::check
