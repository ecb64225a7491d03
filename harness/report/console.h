#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>

#include "record/record.h"

namespace lockkeeper::report {

enum class Colour { no, yes };
enum class Detail { quiet, normal, verbose };

/// What a person reads while a run goes on and when it is over. Several runs at once may call it: each call
/// writes whole lines under a lock.
class Console {
 public:
  Console(std::ostream& out, Colour colour, Detail detail);

  /// How many runs there will be (1 unless said): with several, each line names its scenario. Call it before
  /// the first.
  void runs_ahead(std::size_t count);
  /// A run begins: scenario, server, what is on trial, whether the snapshot was there.
  void run_started(const record::Run& run, std::size_t on_trial);
  /// One line when a migration has been through its stages: version, name, what each stage said, time.
  void migration_done(const record::Run& run, const record::MigrationRecord& migration);
  /// One line when a step of a release's runbook is done.
  void step_done(const record::Run& run, const record::ReleaseStep& step);
  /// A line of progress for long work ("restoring fixtures/data.sql"); shown on a terminal or when verbose.
  void progress(const std::string& scenario, const std::string& what);
  /// The findings with place, evidence and advice, then the run's own last line.
  void run_finished(const record::Run& run);
  /// The last line of all: the verdict over every run, and the command that reproduces the first failure.
  void finished(const record::Record& record);

 private:
  struct State;
  std::shared_ptr<State> m_state;
};

}  // namespace lockkeeper::report
