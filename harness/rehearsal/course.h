#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rehearsal/chain.h"
#include "rehearsal/ground.h"
#include "rehearsal/rehearse.h"
#include "rehearsal/stages.h"

namespace lockkeeper::rehearsal {

/// One drive of a trial through its stages. Each stage is a file of its own: forward.cpp, back.cpp,
/// again.cpp, after_writes.cpp, interrupted.cpp, queue.cpp, traffic.cpp, dry_run.cpp, chain.cpp, queries.cpp,
/// old_release.cpp; what all of them share is in course.cpp.
class Course {
 public:
  Course(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
         const history::Trial& trial, const Options& options, record::Run& run);

  /// Everything; what was observed is in the run, also when a Failure ends it early.
  Result<void> drive();

 private:
  using MigrationRecord = record::MigrationRecord;

  /// A migration between its stages: where it stands in the history, and the states before and after its up.
  struct Passage {
    std::size_t index = 0;
    const history::Migration* migration = nullptr;
    MigrationRecord* record = nullptr;
    engine::State before;          ///< S0
    engine::State after;           ///< S1
    engine::State back;            ///< S2
    engine::Touched touched;       ///< by up
    engine::Touched touched_back;  ///< by down
    bool back_ran = false;
    std::optional<record::StateDifference> up_noise;  ///< what two runs of up do differently, once known
    record::StateDifference inherited;  ///< what a clean S0 has otherwise: what earlier runs did differently
    bool astray = false;                ///< the instance is not where a clean history would be
  };

  /// How a side ended, beyond what its record says.
  enum class Ending { done, stopped };

  Result<void> drive_stages();
  Result<void> begin();
  Result<void> check_scripts() const;
  Result<void> walk();
  Result<bool> pass(std::size_t index);
  Result<bool> pass_without_rows(std::size_t index);
  Result<void> apply_only(std::size_t index);
  void skip_rest(const std::string& failed_version);
  Result<void> return_to(std::size_t index);
  Result<engine::SideOutcome> run(engine::Instance& instance, const history::Migration& migration,
                                  record::Side side, engine::Observe observe) const;
  Result<std::optional<engine::State>> state_after(record::SideRun& run, const engine::State& previous,
                                                   const engine::Touched& touched,
                                                   const engine::Since& earlier = {});
  Result<void> note_leaks(record::SideRun& run);
  bool keeping(const MigrationRecord& record) const;
  Result<void> keep(engine::Instance& instance);

  Result<Ending> forward(Passage& passage);
  Result<void> note_schema_facts(Passage& passage, const engine::Touched& touched);

  Result<void> dry_run_before(Passage& passage);
  Result<void> dry_run_after(Passage& passage);
  Result<void> run_again_at_once(Passage& passage);
  Result<void> start_over(std::size_t index, engine::State& state);

  Result<Ending> back(Passage& passage);
  Result<void> examine_back(Passage& passage, record::StateDifference difference);
  Result<void> count_rows(engine::Instance& clean, const record::StateDifference& inherited,
                          record::StateDifference& difference);

  Result<void> again(Passage& passage);
  Result<void> learn_noise_of_up(Passage& passage);
  Result<void> examine_again(Passage& passage, record::StateDifference difference);

  Result<void> write_and_go_back(Passage& passage);
  Result<void> write_as_told(Passage& passage);
  Result<void> write_on_copies(Passage& passage, engine::LaterRollback request);
  Result<void> seed();
  Result<void> queue(Passage& passage);
  Result<bool> queue_on(Passage& passage, const std::string& table);
  Result<void> meet_traffic(Passage& passage);

  /// A side that is to be stopped on its way: the migrations that are in before and after it, the states
  /// then, and how it ran undisturbed.
  struct Attempt {
    record::Side side = record::Side::up;
    std::size_t from = 0;
    std::size_t to = 0;
    const engine::State* before = nullptr;
    const engine::State* after = nullptr;
    const record::SideRun* seen = nullptr;
  };
  Result<void> interrupt(Passage& passage);
  Result<void> interrupt_back(Passage& passage);
  Result<void> stop_everywhere(Passage& passage, const Attempt& attempt);
  Result<bool> stop_by(Passage& passage, const Attempt& attempt, const engine::Stop& stop,
                       const record::StatementRecord* before, bool last);
  Result<void> stop_program(Passage& passage, const Attempt& attempt);
  Result<bool> stop_program_by(Passage& passage, const Attempt& attempt, const engine::Stop& stop);
  static Attempt going_up(const Passage& passage);
  bool is_dear(std::size_t index) const;
  Result<void> retry(Passage& passage, const Attempt& attempt, record::Interruption& interruption);
  Result<void> learn_noise_of_down(Passage& passage);
  Result<bool> stand_beside(const Passage& passage, const Attempt& attempt);
  engine::Instance* standing_at_end(const Passage& passage) const;

  Result<void> go_up_together();
  Result<void> go_up_by_tool(engine::Instance& instance);
  Result<void> go_up_joined(engine::Instance& instance);

  void start_chain_beside();
  Result<void> chain();
  Result<ChainSeen> drive_chain(const std::vector<std::size_t>& steps);
  Result<std::optional<ChainSeen>> drive_chain_without_rows(const std::vector<std::size_t>& steps);
  std::optional<ChainSeen> take_chain_beside(const std::vector<std::size_t>& steps);

  Result<void> observe_invariants(record::Moment moment, const std::string& migration);
  Result<void> observe_head();

  using Broken = std::function<Result<bool>(engine::Instance&)>;
  /// The base, which is made when it is first asked for.
  using BaseInstance = std::function<Result<engine::Instance*>()>;
  Result<std::string> first_behind(const Broken& broken);
  Result<void> insert_as_before(Passage& passage);
  Result<void> observe_old_views(const BaseInstance& base);
  Result<void> observe_old_release(const BaseInstance& base);
  Result<void> observe_old_query(const BaseInstance& base, const scenario::Query& query);
  Result<void> observe_old_write(const BaseInstance& base, const scenario::OldRelease::Write& write);

  engine::Engine& m_engine;
  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  const history::Trial& m_trial;
  const Options& m_options;
  record::Run& m_run;
  Ground m_ground;
  std::unique_ptr<engine::Instance> m_instance;
  engine::State m_state;               ///< now
  std::size_t m_reached = 0;           ///< migrations [0, reached) are in
  std::vector<std::size_t> m_passed;   ///< judged, and up
  std::optional<std::size_t> m_floor;  ///< last judged migration without a down side
  engine::State m_floor_state;         ///< after it
  record::StateDifference m_noise;     ///< all that was seen to be non-deterministic
  bool m_kept = false;
  std::unique_ptr<engine::Instance> m_beside;  ///< where sides are stopped: at the index, with the state
  std::size_t m_beside_at = 0;
  engine::State m_beside_state;
  std::unique_ptr<ChainBeside> m_chain_beside;  ///< stands on the ground: goes first
};

/// Appends what `noise` holds.
void add(record::StateDifference& to, const record::StateDifference& noise);

engine::Touched united(engine::Touched touched, const engine::Touched& more);

}  // namespace lockkeeper::rehearsal
