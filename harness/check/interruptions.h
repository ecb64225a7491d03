#pragma once

#include <string>

#include "check/describe.h"
#include "record/record.h"

/// How findings speak of a side that was stopped in its middle.
namespace lockkeeper::check {

/// "stopped before 3:1 'CREATE INDEX …'", "while another connection writes".
std::string stopped_where(const record::Interruption& interruption);

/// How what a side leaves, or ends with, is spoken of.
Later later_of(record::Side side);

/// "1 object new; other data in values of users.email".
std::string what_differs(const record::StateDifference& difference, Later later);

}  // namespace lockkeeper::check
