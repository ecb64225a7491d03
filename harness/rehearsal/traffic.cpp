#include <algorithm>
#include <set>

#include "rehearsal/course.h"

/// Stage 6, traffic: up on a clean instance, while others go on using the tables that were there before.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;

namespace {

constexpr std::size_t k_most_tables = 8;

/// Tables with rows that were there before: those that up was seen to lock, or any where not all was seen.
std::vector<std::string> tables_in_use(const record::SideRun& run, const engine::State& before) {
  std::set<std::string> there;
  for (const auto& object : before.objects) {
    if (object.kind == "table") there.insert(object.identity);
  }
  std::set<std::string> locked;
  bool all_seen = !run.statements.empty();
  for (const record::StatementRecord& statement : run.statements) {
    all_seen = all_seen && statement.locks_observed;
    for (const record::LockTaken& lock : statement.locks) {
      if (lock.mode != "AccessShareLock") locked.insert(lock.relation);
    }
  }
  std::vector<std::string> tables;
  for (const auto& table : before.tables) {
    if (table.rows == 0 || !there.contains(table.table)) continue;
    if (locked.contains(table.table) || !all_seen) tables.push_back(table.table);
  }
  if (tables.size() > k_most_tables) tables.resize(k_most_tables);
  return tables;
}

}  // namespace

/// The statements are not looked at on their way, so that the sessions show them and nothing of ours.
Result<void> Course::meet_traffic(Passage& passage) {
  auto& record = *passage.record;
  if (m_options.depth != record::Depth::full) return {};
  const auto tables = tables_in_use(*record.forward, passage.before);
  if (tables.empty()) return {};
  const auto instance = m_ground.at(passage.index);
  if (!instance) return failed(instance);
  std::optional<record::SqlError> error;
  std::vector<engine::Instance::TrafficQuery> queries;
  for (const scenario::Query& query : m_scenario.queries) {
    if (auto parameters = query.first_parameters())
      queries.push_back({query.name, {query.sql, std::move(*parameters)}});
  }
  auto met = (*instance)->run_in_traffic(tables, queries, [&] {
    auto outcome = run(**instance, *passage.migration, Side::up, Observe::no);
    if (outcome) error = outcome->run.error;
    return outcome;
  });
  if (!met && met.error().kind == FailureKind::interrupted) return failed(met);
  if (!met) error = record::SqlError{"", met.error().message, "", "", ""};
  if (error || !*met) {
    record.skipped.push_back({record::Stage::traffic, error ? "up fails in it: " + error->message
                                                            : std::string("not done on this engine")});
    return {};
  }
  auto& traffic = record.traffic.emplace(std::move(**met));
  // A server cuts long statements: the record's own says where it stands.
  for (record::ProbeWait& wait : traffic.waits) {
    if (wait.statement.empty()) continue;
    for (const record::StatementRecord& statement : record.forward->statements) {
      if (!statement.text.starts_with(wait.statement.substr(0, 500))) continue;
      wait.location = statement.location;
      break;
    }
  }
  return {};
}

}  // namespace lockkeeper::rehearsal
