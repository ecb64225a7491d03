#pragma once

#include <string>

#include "record/record.h"

namespace lockkeeper::check {

/// What to do about a side that stopped with this error: by SQLSTATE, and by the statement where that says
/// more.
std::string advice_for(const record::SqlError& error, record::Side side, const std::string& statement);

}  // namespace lockkeeper::check
