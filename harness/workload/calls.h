#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workload/records.h"

namespace lockkeeper::workload {

using Values = std::vector<std::optional<std::string>>;

/// One or more executions of a statement, as a source tells of them.
struct Call {
  enum class Source {
    statistics,  ///< a line of pg_stat_statements: many calls
    log,         ///< log_min_duration_statement, log_statement
    plan,        ///< auto_explain, which may tell of the same call once more
  };
  Source source = Source::log;
  std::string text;
  std::optional<Values> values;
  std::int64_t calls = 1;
  std::optional<double> total_ms;
};

/// What a file turned out to be.
enum class Form { statistics_csv, statistics_json, csvlog, jsonlog };

/// Told by content. A usage failure for what is none of them, with how to get one that is.
Result<Form> form_of(const Records& records);

/// Hands every call of a file on, in its order. `left_out` counts records that hold none, by why.
Result<void> read_calls(Records& records, Form form, const std::function<void(Call)>& take,
                        std::map<std::string, std::int64_t>& left_out);

/// "$1 = '42', $2 = NULL" in order of the numbers; none where it is another text.
std::optional<Values> values_in(std::string_view text);

}  // namespace lockkeeper::workload
