#pragma once

#include <string>
#include <string_view>

#include "record/record.h"

namespace lockkeeper::record {

/// The record as JSON (harness/report/record.schema.json), keys in a fixed order, two spaces of indent.
std::string to_json(const Record& record);

/// The inverse; a usage failure that says where and why for anything that to_json would not have written.
Result<Record> from_json(std::string_view text);

}  // namespace lockkeeper::record
