#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/rule.h"

/// What the query rules share.
namespace lockkeeper::check {

/// The scenario's query of that name, null where the record has one that the scenario does not.
const scenario::Query* query_named(const scenario::Scenario& scenario, std::string_view name);

/// "query 'open orders'", with its parameters where the run tried several sets of them.
std::string title_of(const record::Run& run, const record::QueryObservation& observation);

/// A finding placed at the query in the scenario file, with its SQL as the statement.
record::Finding finding_of(const Rule& rule, const scenario::Query& query, std::string message);

/// The limit of head / base that a query has to keep; none where it only claims to be faster, or is given
/// milliseconds.
std::optional<double> ratio_limit_of(const scenario::Query& query, const scenario::Scenario& scenario);

/// "240 pairs: base 1.20 ms, head 2.40 ms, head/base 2.00 (1.95 to 2.05)"
std::string describe(const record::QueryTiming& timing);
/// "1.95 to 2.05", "1.95 to ?"
std::string interval_text(double low, const std::optional<double>& high);

/// Tables that head reads whole and base read by an index: base's plan speaks of them, but not as a
/// sequential scan.
std::vector<std::string> newly_read_whole(const record::Run& run,
                                          const record::QueryObservation& observation);

}  // namespace lockkeeper::check
