#pragma once

#include <string>

#include "check/rule.h"
#include "record/record.h"
#include "scenario/scenario.h"

/// How findings speak of what the release before this one does.
namespace lockkeeper::check {

/// A finding of the migration behind which it breaks, or else of the place where the use is written.
record::Finding finding_of(const Rule& rule, const record::Run& run, const record::OldUse& use,
                           std::string message);

/// Adds where it is known from that the old release does so.
void add_origin(const scenario::Scenario& scenario, const record::OldUse& use, record::Finding& finding);

}  // namespace lockkeeper::check
