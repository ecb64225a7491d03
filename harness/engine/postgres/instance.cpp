#include "engine/postgres/instance.h"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/client.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/fixture.h"
#include "engine/postgres/later_rollback.h"
#include "engine/postgres/lock_queue.h"
#include "engine/postgres/row_maker.h"
#include "engine/postgres/tool_runner.h"
#include "engine/postgres/traffic.h"

namespace lockkeeper::engine::postgres {

DatabaseInstance::DatabaseInstance(record::ServerInfo server, std::string connection,
                                   std::shared_ptr<ToolBox> tools, std::optional<RunAs> run_as,
                                   std::filesystem::path run_directory)
    : m_server(std::move(server)),
      m_connection(std::move(connection)),
      m_tools(std::move(tools)),
      m_run_as(std::move(run_as)),
      m_run_directory(std::move(run_directory)),
      m_side_runner(m_connection),
      m_state_reader(m_connection),
      m_probe(m_connection) {}

void DatabaseInstance::open_ahead(std::unique_ptr<Client> first) {
  m_side_runner.open_ahead(std::move(first));
  m_state_reader.open_ahead();
}

void DatabaseInstance::close_sessions() {
  m_side_runner.close();
  m_state_reader.close();
  m_probe.close();
}

Result<void> DatabaseInstance::load_fixture(const std::string& path, const std::string& table) {
  return postgres::load_fixture(m_tools->tools(),
                                FixtureRequest{path, table, m_connection, m_scale, m_run_as});
}

Result<void> DatabaseInstance::execute(const std::string& sql, const Location& location) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto answered = session->ask(sql);
  if (!answered) return failed(answered);
  if (answered->sqlstate.empty()) return {};
  std::string cause = answered->message;
  if (!answered->detail.empty()) cause += " (" + answered->detail + ")";
  return failed(FailureKind::usage,
                fmt::format("cannot run '{}': {} (SQLSTATE {})", abridged(sql), cause, answered->sqlstate),
                {}, location.file.empty() ? std::nullopt : std::optional(location));
}

Result<void> DatabaseInstance::analyze() {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto done = session->rows("ANALYZE");
  if (!done) return failed(done);
  return {};
}

Result<SideOutcome> DatabaseInstance::run_side(const SideRequest& request) {
  return m_side_runner.run(request);
}

Result<SideOutcome> DatabaseInstance::run_tool(const ToolRequest& request) {
  return postgres::run_tool(request, m_connection, m_run_directory);
}

Result<State> DatabaseInstance::read_state(const State* previous, const Touched& touched,
                                           const Since& earlier) {
  return m_state_reader.read(previous, touched, earlier);
}

Result<void> DatabaseInstance::restore_sequences(const State& state) {
  return m_state_reader.restore_sequences(state);
}

Result<std::optional<record::DataDifference>> DatabaseInstance::compare_rows(Instance& base,
                                                                             const std::string& table) {
  const auto* before = dynamic_cast<DatabaseInstance*>(&base);
  if (before == nullptr) {
    return failed(FailureKind::environment,
                  fmt::format("cannot compare the rows of '{}': the base is no PostgreSQL", table));
  }
  return postgres::compare_rows(before->m_connection, m_connection, table);
}

Result<std::vector<record::SchemaFact>> DatabaseInstance::violated_constraints(const Touched& touched,
                                                                               const Step& step) {
  return m_state_reader.violated_constraints(touched, step);
}

Result<std::optional<record::QueueWait>> DatabaseInstance::queue_behind_reader(const std::string& table,
                                                                               std::chrono::milliseconds open,
                                                                               const Drive& drive) {
  auto waited = postgres::queue_behind_reader(m_connection, table, open, drive);
  if (!waited) return failed(waited);
  return std::optional(std::move(*waited));
}

Result<std::optional<record::Traffic>> DatabaseInstance::run_in_traffic(
    const std::vector<std::string>& tables, const std::vector<TrafficQuery>& queries, const Drive& drive) {
  auto traffic = postgres::run_in_traffic(m_connection, tables, queries, drive);
  if (!traffic) return failed(traffic);
  return std::optional(std::move(*traffic));
}

Result<std::optional<Filled>> DatabaseInstance::fill(const std::vector<std::string>& tables, int rows) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  // A trigger that takes for ever is no reason to wait for ever.
  if (const auto begun = session->rows("BEGIN; SET LOCAL statement_timeout = '30s'"); !begun)
    return failed(begun);
  RowMaker maker(*session);
  Filled filled;
  for (const std::string& table : tables) {
    // Some may have come with a row of another table that refers to it.
    const auto there =
        session->rows(fmt::format("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) r", table, rows));
    if (!there) return failed(there);
    const int first = std::atoi((*there)[0][0].value_or("0").c_str());
    for (int row = first; row < rows; ++row) {
      RowWish wish;
      wish.table = table;
      wish.full = true;
      wish.repeatable = true;
      const auto made = maker.make(wish);
      if (!made) return failed(made);
      if (made->refusal.empty()) continue;
      // One row is as good as ten where no second can be had.
      if (row == 0) filled.refusals.emplace_back(table, made->refusal);
      break;
    }
  }
  // Triggers and foreign keys may have brought rows to other tables too.
  filled.touched.everything = true;
  if (const auto ended = session->rows("COMMIT"); !ended) return failed(ended);
  return std::optional(std::move(filled));
}

Result<std::optional<std::vector<record::Write>>> DatabaseInstance::roll_back_later(
    const LaterRollback& request) {
  if (!request.drive && !can_be_rolled_back(*request.down))
    return std::optional<std::vector<record::Write>>();
  auto writes = postgres::roll_back_later(m_connection, request);
  if (!writes) return failed(writes);
  return std::optional(std::move(*writes));
}

Result<std::uint64_t> DatabaseInstance::size() {
  return database_size(m_connection);
}

Result<record::ToolRun> DatabaseInstance::back_up(const BackupRequest& request) {
  return postgres::back_up(backup_place(), request);
}

Result<BackupContents> DatabaseInstance::look_into(const BackupRequest& request,
                                                   const std::vector<std::string>& tables) {
  return postgres::look_into(backup_place(), request, tables);
}

Result<record::ToolRun> DatabaseInstance::bring_back(const RestoreRequest& request) {
  close_sessions();
  return postgres::bring_back(backup_place(), request);
}

Result<std::optional<std::vector<record::Write>>> DatabaseInstance::write(
    const std::vector<WriteWish>& wishes) {
  auto writes = write_to_stay(m_connection, wishes);
  if (!writes) return failed(writes);
  return std::optional(std::move(*writes));
}

Result<Answer> DatabaseInstance::try_query(const QueryRequest& request) {
  return m_probe.try_query(request);
}

Result<Instance::Held> DatabaseInstance::check_column(const std::string& column,
                                                      const std::optional<bool>& nullable,
                                                      const std::optional<std::string>& type,
                                                      const std::optional<std::string>& default_value,
                                                      bool exists) {
  return m_probe.check_column(column, nullable, type, default_value, exists);
}

Result<Instance::Held> DatabaseInstance::check_constraint(const std::string& constraint,
                                                          const std::optional<std::string>& on_delete,
                                                          const std::optional<std::string>& on_update,
                                                          const std::optional<bool>& validated, bool exists) {
  return m_probe.check_constraint(constraint, on_delete, on_update, validated, exists);
}

Result<Instance::Held> DatabaseInstance::check_index(const std::string& index,
                                                     const std::vector<std::string>& columns,
                                                     const std::optional<bool>& unique,
                                                     const std::optional<bool>& valid, bool exists) {
  return m_probe.check_index(index, columns, unique, valid, exists);
}

Result<Instance::Planned> DatabaseInstance::plan(const QueryRequest& request) {
  return m_probe.plan(request);
}

Result<double> DatabaseInstance::time_query(const QueryRequest& request) {
  return m_probe.time_query(request);
}

Result<bool> DatabaseInstance::is_ambiguous(const QueryRequest& request) {
  return m_probe.is_ambiguous(request);
}

}  // namespace lockkeeper::engine::postgres
