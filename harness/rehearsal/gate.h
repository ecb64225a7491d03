#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rehearsal/ground.h"
#include "rehearsal/rehearse.h"
#include "rehearsal/timing.h"

namespace lockkeeper::rehearsal {

/// The critical queries on two databases of one server, both made from the base: one stays as it is, through
/// the other the trial goes up. Answers, then plans, then times, from the surest to the noisiest.
class Gate {
 public:
  Gate(const scenario::Scenario& scenario, const history::History& history, const history::Trial& trial,
       const Options& options, Ground& ground, record::Run& run);

  /// Everything; what was observed is in the run, also when a Failure ends it early.
  Result<void> drive();

 private:
  /// A query with one set of parameters.
  struct Case {
    const scenario::Query* query = nullptr;
    engine::Parameters parameters;
    std::size_t at = 0;  ///< its observation in the run
  };

  Result<void> set_up();
  Result<bool> go_up();
  Result<void> open_sessions();
  Result<std::vector<engine::Parameters>> parameters_of(const scenario::Query& query);
  Result<void> look_at(const scenario::Query& query);
  Result<void> look_at(const Case& one, record::QueryObservation& seen);
  Result<bool> prepare(const scenario::Query& query, record::QueryObservation& seen);
  Result<void> compare(const Case& one, const engine::QueryAnswer& base, const engine::QueryAnswer& head,
                       record::QueryObservation& seen);
  Result<void> resolve_doubts();
  Result<void> measure_sizes();
  Result<void> sweep(const record::QueryObservation& seen);
  Result<void> time_all();
  Result<record::QueryTiming> time_surely(const Case& one, TimingPlan plan, record::QueryObservation& seen);
  static Result<std::string> emptiness(engine::QuerySession& session, const std::vector<std::string>& tables,
                                       const record::QueryObservation& seen);
  bool is_timed(const record::QueryObservation& seen) const;
  Result<void> weigh_indexes();
  void say(const std::string& what) const;

  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  const history::Trial& m_trial;
  const Options& m_options;
  Ground& m_ground;
  record::Run& m_run;
  sql::Dialect m_dialect;
  std::unique_ptr<engine::Instance> m_head;
  std::unique_ptr<engine::Instance> m_base;  ///< on the head's server: goes before it
  std::unique_ptr<engine::QuerySession> m_head_session;
  std::unique_ptr<engine::QuerySession> m_base_session;
  int m_openings = 0;
  std::vector<Case> m_cases;
  std::vector<Case> m_doubts;  ///< another answer, of which it is not known yet whether it hangs on the plan
  std::vector<engine::Instance::IndexInfo> m_base_indexes;
  std::vector<engine::Instance::IndexInfo> m_head_indexes;
};

/// The gate alone, without a rehearsal before it; nothing is judged yet.
record::Run bench(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
                  const history::Trial& trial, const Options& options);

}  // namespace lockkeeper::rehearsal
