#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/process.h"
#include "base/result.h"
#include "engine/engine.h"
#include "history/history.h"

namespace lockkeeper::engine::postgres {
class DisposableServer;
}

/// What we send is what the real tools send: both run one history on two databases of one server, and pg_dump
/// says whether these are the same then. Tools are installed by `./dev fidelity`; the tests of one that is
/// not there are skipped. The tools are in fidelity_tools_test.cpp.
namespace lockkeeper::app::testing {

/// What one migration does, in SQL alone; each tool has files of its own for it.
struct Step {
  std::string name;
  std::string up;
  std::string down;
  bool in_transaction = true;
  bool rows_behind_copy = false;  ///< for tools that run psql
  bool crlf = false;
};

std::string with_crlf(const std::string& text);

/// Where a tool finds its database.
struct Address {
  std::string host;  ///< directory of the socket
  std::string database;

  std::map<std::string, std::string> environment() const;
  std::string connection() const;  ///< for libpq
};

/// One run of a tool: its program, the folder above m/, its database.
struct ToolRun {
  std::filesystem::path program;
  std::filesystem::path folder;
  Address address;
};

/// One tool: how it is found, how its files are written, how it is run. A further one is one more row in
/// all_tools().
struct Tool {
  std::string name;  ///< as the format is named
  /// The program; none where it is not installed.
  std::function<std::optional<std::filesystem::path>()> find;
  bool runs_psql = false;
  bool leaves_transactions = true;  ///< a file can say that it is to run in none
  std::function<void(const Folder&, const std::vector<Step>&)> write;  ///< below m/
  /// As many transactions as there are sides, where the tool has one around each.
  std::function<Finished(const ToolRun&)> up;
  std::function<Finished(const ToolRun&, std::size_t steps)> down;  ///< none: it knows no way back
  std::function<Finished(const ToolRun&)> up_at_once;  ///< all that is pending in one transaction
  std::vector<std::string> not_dumped;                 ///< options of pg_dump that leave its bookkeeping out
};
void PrintTo(const Tool& tool, std::ostream* out);

/// Every tool whose format there is.
std::vector<Tool> all_tools();
/// Those that put all that is pending into one transaction, set up so that they do.
std::vector<Tool> tools_that_run_all_at_once();
Tool tool_named(const std::string& name);
/// Of a tool as a test's name may have it.
std::string name_for_test(const ::testing::TestParamInfo<Tool>& tool);

Finished must_run(const lockkeeper::Command& command);

class Fidelity : public ::testing::TestWithParam<Tool> {
 public:
  Fidelity();
  ~Fidelity() override;

 protected:
  void SetUp() override;

  void write(std::vector<Step> steps);
  Finished tool_up() const { return GetParam().up(tools_own()); }
  Finished tool_up_at_once() const { return GetParam().up_at_once(tools_own()); }
  Finished tool_down() const { return GetParam().down(tools_own(), m_steps); }

  /// Runs all ups as a rehearsal does, each on its own; the first error ends it.
  void our_ups();
  /// The same back again, after our_ups().
  void our_downs();
  /// Runs all ups as a rehearsal does where the tool puts all that is pending into one transaction.
  void our_ups_at_once();

  std::string dump(const std::string& database, const std::vector<std::string>& options) const;
  void expect_same() const;
  std::vector<std::string> ask(const std::string& database, const std::string& sql) const;

  Folder m_folder;
  std::string m_tools;  ///< the tool's database
  std::string m_ours;   ///< our own
  std::string m_error;  ///< the first that we met
  std::size_t m_steps = 0;

 private:
  ToolRun tools_own() const { return {m_program, m_folder.path(), {m_host, m_tools}}; }
  void begin();
  void side(const history::Migration& migration, record::Side side);
  void take(const std::string& version, const engine::SideOutcome& outcome);

  std::filesystem::path m_program;
  std::string m_host;
  history::History m_history;
  std::unique_ptr<engine::Instance> m_instance;
};

}  // namespace lockkeeper::app::testing
