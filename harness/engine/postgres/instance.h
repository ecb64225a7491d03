#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/process.h"
#include "engine/engine.h"
#include "engine/postgres/backup.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/probe.h"
#include "engine/postgres/side_runner.h"
#include "engine/postgres/state_reader.h"

namespace lockkeeper::engine::postgres {

/// What every instance does that is one database behind a connection string; where it comes from and goes to
/// is left to private and existing servers.
class DatabaseInstance : public Instance {
 public:
  const record::ServerInfo& server() const override { return m_server; }
  void set_scale(int scale) override { m_scale = scale; }
  void set_apart(const std::vector<std::string>& tables) override { m_state_reader.set_apart(tables); }
  Result<void> load_fixture(const std::string& path, const std::string& table) override;
  Result<void> execute(const std::string& sql, const Location& location) override;
  Result<void> analyze() override;
  Result<SideOutcome> run_side(const SideRequest& request) override;
  Result<SideOutcome> run_tool(const ToolRequest& request) override;
  Result<std::vector<record::SettingChange>> leaked_settings() override {
    return m_side_runner.leaked_settings();
  }
  using Instance::read_state;
  Result<State> read_state(const State* previous, const Touched& touched, const Since& earlier) override;
  Result<void> restore_sequences(const State& state) override;
  Result<std::optional<record::DataDifference>> compare_rows(Instance& base,
                                                             const std::string& table) override;
  using Instance::violated_constraints;
  Result<std::vector<record::SchemaFact>> violated_constraints(const Touched& touched,
                                                               const Step& step) override;
  Result<std::optional<record::QueueWait>> queue_behind_reader(const std::string& table,
                                                               std::chrono::milliseconds open,
                                                               const Drive& drive) override;
  Result<std::optional<record::Traffic>> run_in_traffic(const std::vector<std::string>& tables,
                                                        const std::vector<TrafficQuery>& queries,
                                                        const Drive& drive) override;
  Result<std::optional<Filled>> fill(const std::vector<std::string>& tables, int rows) override;
  Result<std::optional<std::vector<record::Write>>> roll_back_later(const LaterRollback& request) override;
  std::vector<record::BackupForm> backup_forms() const override {
    return {record::BackupForm::custom, record::BackupForm::directory, record::BackupForm::plain};
  }
  Result<std::uint64_t> size() override;
  Result<record::ToolRun> back_up(const BackupRequest& request) override;
  Result<BackupContents> look_into(const BackupRequest& request,
                                   const std::vector<std::string>& tables) override;
  Result<record::ToolRun> bring_back(const RestoreRequest& request) override;
  Result<std::optional<std::vector<record::Write>>> write(const std::vector<WriteWish>& wishes) override;
  Result<Answer> try_query(const QueryRequest& request) override;
  Result<Held> check_column(const std::string& column, const std::optional<bool>& nullable,
                            const std::optional<std::string>& type,
                            const std::optional<std::string>& default_value, bool exists) override;
  Result<Held> check_constraint(const std::string& constraint, const std::optional<std::string>& on_delete,
                                const std::optional<std::string>& on_update,
                                const std::optional<bool>& validated, bool exists) override;
  Result<Held> check_index(const std::string& index, const std::vector<std::string>& columns,
                           const std::optional<bool>& unique, const std::optional<bool>& valid,
                           bool exists) override;
  Result<Planned> plan(const QueryRequest& request) override;
  Result<std::unique_ptr<QuerySession>> open_query_session(const QuerySettings& settings) override;
  Result<void> settle(const Touched& touched) override;
  Result<void> sweep() override;
  Result<std::optional<std::int64_t>> size_of_table(const std::string& table) override;
  Result<std::optional<std::int64_t>> size_of_index(const std::string& index) override;
  Result<std::optional<std::int64_t>> size_of_column(const std::string& column) override;
  Result<std::vector<IndexInfo>> indexes() override;
  Result<record::Microseconds> rebuild_index(const std::string& index) override;

  /// Opens sessions that a rehearsal is about to need, without waiting for them. `first` may be one that is
  /// there already.
  void open_ahead(std::unique_ptr<Client> first);
  void watch_log(const std::filesystem::path& log) { m_side_runner.watch_log(log); }

 protected:
  /// `run_directory` (base/run_directory.h) takes what a tool needs to connect; empty: below /tmp.
  DatabaseInstance(record::ServerInfo server, std::string connection, std::shared_ptr<ToolBox> tools,
                   std::optional<RunAs> run_as, std::filesystem::path run_directory);

  const std::string& connection() const { return m_connection; }
  /// Do the server's processes run here, as an account whose processes we may pin to a core?
  virtual bool is_on_this_machine() const { return false; }
  /// Ends our own sessions: before the server is stopped or the database copied.
  void close_sessions();

 private:
  Result<std::optional<std::int64_t>> ask_size(const std::string& sql, const std::string& name);
  BackupPlace backup_place() { return {m_connection, &m_tools->tools(), m_run_as}; }

  record::ServerInfo m_server;
  std::string m_connection;
  std::shared_ptr<ToolBox> m_tools;
  std::optional<RunAs> m_run_as;
  std::filesystem::path m_run_directory;
  int m_scale = 1;
  SideRunner m_side_runner;
  StateReader m_state_reader;
  Probe m_probe;
};

}  // namespace lockkeeper::engine::postgres
