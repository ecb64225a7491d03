#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rehearsal/ground.h"
#include "rehearsal/rehearse.h"
#include "rehearsal/stages.h"

namespace lockkeeper::rehearsal {

/// The runbook of a release, step by step on a database as production has it: checks, backups and their
/// proof, the migrations, verification, first writes of the new release, and every road back from there.
/// release.cpp goes forward, release_backups.cpp proves backups, release_roads.cpp goes back.
class ReleaseCourse {
 public:
  ReleaseCourse(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
                const history::Trial& trial, const Options& options, record::Run& run);

  /// Everything; what was observed is in the run, also when a Failure ends it early.
  Result<void> drive();

 private:
  using Clock = std::chrono::steady_clock;
  using Way = scenario::ReleasePlan::Way;
  /// What a step has to say; `ok` until something is not.
  using Step = record::ReleaseStep;

  Result<void> step(const std::string& name, const std::function<Result<void>(Step&)>& act);

  void note(Step done);

  Result<void> prepare();
  Result<void> check_plan() const;
  Result<void> pre_checks();
  Result<void> try_on_copy(Step& step);
  Result<void> ask(const std::vector<scenario::Invariant>& checks, engine::Instance& instance, bool before,
                   Step& step);

  Result<void> back_up_all();
  Result<void> fill_disk(record::Backup& backup, engine::BackupRequest request, Step& step);
  Result<void> prove_all();
  Result<void> stand_elsewhere();
  engine::RestoreRequest into_new_database(engine::BackupRequest backup) const;
  Result<void> prove(record::Backup& backup, const scenario::ReleasePlan::Backup& plan, Step& step);
  Result<void> damage(record::Backup& backup, const scenario::ReleasePlan::Backup& plan, Step& step);
  Result<void> prove_on_new_server();
  Result<void> check_space();

  Result<bool> apply_all();
  Result<bool> apply(std::size_t index);
  Result<void> try_dry(const history::Migration& migration, record::MigrationRecord& record);
  Result<void> verify(Step& step);
  Result<void> operate();
  Result<void> write();

  Result<void> go_back();
  Result<void> try_surgery();
  Result<void> drive_downs();
  Result<void> drive_restore(const scenario::ReleasePlan::Backup& plan, const Way& way);
  Result<void> break_off(record::Road& road, const engine::RestoreRequest& request);
  Result<void> look_at_end(record::Road& road, engine::Instance& instance);
  Result<void> look_for_lost_rows(record::Road& road, engine::Instance& instance);
  record::StateDifference away_from_backup(const engine::State& now,
                                           std::vector<std::string>* left_out = nullptr) const;
  std::vector<record::LostRows> lost_rows(const engine::State& now) const;

  Result<void> fail_everywhere();
  Result<void> fail_at(std::size_t index, const engine::Stop& stop, const record::StatementRecord* before);
  Result<void> answer(record::FailedRelease& failure, engine::Instance& instance, std::size_t applied);

  std::vector<scenario::ReleasePlan::Backup> planned_backups() const;
  const scenario::ReleasePlan::Backup* planned(const std::string& name) const;
  engine::BackupRequest request_of(const scenario::ReleasePlan::Backup& plan) const;
  bool is_named(const Way& way) const;
  Result<engine::SideOutcome> run(engine::Instance& instance, std::size_t index, record::Side side,
                                  engine::Observe observe) const;
  Result<engine::State> read(engine::Instance& instance) const;
  /// A message without the directories of this run.
  std::string told(std::string message) const;
  record::ToolRun told(record::ToolRun run) const;
  void say(const std::string& what) const;

  engine::Engine& m_engine;
  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  const history::Trial& m_trial;
  const Options& m_options;
  record::Run& m_run;
  record::Release& m_release;
  scenario::ReleasePlan m_plan;
  Ground m_ground;
  Clock::time_point m_start = Clock::now();
  std::filesystem::path m_backups;    ///< the directory in which they lie
  std::uint64_t m_rewritten = 0;      ///< bytes of the largest relation that the trial writes anew
  std::vector<std::string> m_tables;  ///< with rows of their own at the backup
  std::unique_ptr<engine::Instance> m_production;
  std::unique_ptr<engine::Instance> m_elsewhere;  ///< where backups are proved
  engine::State m_before;                         ///< what was backed up
  engine::State m_after;                          ///< behind all ups
  engine::State m_used;                           ///< behind the first writes
  std::optional<engine::Image> m_used_image;
  std::vector<engine::State> m_states;  ///< before each judged migration, and behind the last
};

/// "restore of nightly over the migrated database"
std::string title_of(const scenario::ReleasePlan::Way& way);

/// Drives a release check and returns what was observed; nothing is judged yet.
record::Run rehearse_release(engine::Engine& engine, const scenario::Scenario& scenario,
                             const history::History& history, const history::Trial& trial,
                             const Options& options);

}  // namespace lockkeeper::rehearsal
