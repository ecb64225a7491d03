#pragma once

#include <string>

#include "record/record.h"

/// One function a form, each in the file of its name; report.cpp lists them.
namespace lockkeeper::report {

std::string render_json(const record::Record& record);
std::string render_markdown(const record::Record& record);
std::string render_junit(const record::Record& record);
std::string render_log(const record::Record& record);
std::string render_benchmark(const record::Record& record);

}  // namespace lockkeeper::report
