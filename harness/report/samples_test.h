#pragma once

#include <string>
#include <vector>

#include "record/record.h"

/// Records made by hand, one for each kind of end that a run can have; the golden files show what becomes of
/// them.
namespace lockkeeper::report {

record::Record passing_record();
record::Record failing_record();  ///< findings of each level, allowed ones, a broken chain, slow queries
record::Record error_record();    ///< the environment failed half-way
record::Record interrupted_record();
record::Record expected_record();  ///< findings that the scenario expects
record::Record several_record();   ///< three runs: passed, failed, ended early
record::Record hostile_record();   ///< names and messages that try to be more than text

record::Record release_record();  ///< of a release check, which found a way back that does not work

struct Sample {
  std::string name;
  record::Record record;
};
std::vector<Sample> all_samples();

}  // namespace lockkeeper::report
