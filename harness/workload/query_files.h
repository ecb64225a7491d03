#pragma once

#include <string>
#include <vector>

#include "workload/statements.h"

namespace lockkeeper::workload {

/// A statement as a scenario reads it from a folder (scenario/query_file.h).
struct WrittenQuery {
  std::string file;  ///< "select-orders-by-user-id.sql", with .todo where parameters are missing
  std::string text;
  std::string said;  ///< "1,200 calls, mean 3.2 ms, total 3.8 s"
  int missing = 0;   ///< the number of the first parameter for which no value is known; 0: none
};

/// One for each statement, in their order, no two of one name. Values come from the calls themselves, or by a
/// SELECT from the rows of the database that they will run on. `from` says where the statements come from.
std::vector<WrittenQuery> query_files(const std::vector<Statement>& statements, const std::string& from);

}  // namespace lockkeeper::workload
