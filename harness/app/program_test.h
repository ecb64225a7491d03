#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

namespace lockkeeper::app::testing {

namespace fs = std::filesystem;

/// How a run of the program ended and what it said.
struct Outcome {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;
  std::string output;
  std::string errors;
  pid_t pid = 0;

  /// Both streams, for the message of a failed assertion.
  std::string said() const;
};

/// A folder of a test's own below /tmp, gone with the object; the account that servers run as can pass
/// through it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return m_path; }
  /// Writes a file below it, with the folders on the way; returns where.
  fs::path write(const std::string& file, const std::string& text) const;
  /// Every path below it, relative and sorted.
  std::set<std::string> listing() const;

 private:
  fs::path m_path;
};

/// A fixture of nothing but comments, of a size that is not loaded on the memory disk.
std::string text_too_long_for_memory();

/// The store that the tests of this program share, so that a server is initialised once.
const fs::path& shared_store();

fs::path program();

/// How the program is started: without a shell, in `directory`, with LOCKKEEPER_STORE naming `store`.
struct Start {
  fs::path directory;
  fs::path store = shared_store();
  std::map<std::string, std::string> environment = {};  ///< added to ours; "-" takes a variable out
  std::vector<std::string> wrapper = {};                ///< in front of the program, as setpriv
  fs::path executable = program();
  std::chrono::seconds deadline{60};
};

/// The program under way.
class Running {
 public:
  Running(const std::vector<std::string>& arguments, const Start& setup);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  pid_t pid() const { return m_pid; }
  void send(int signal) const;
  /// Waits until the program has a handler for the signal of its own; false where it ended before.
  bool handles(int signal);
  /// Has it ended within the time?
  bool wait_for(std::chrono::milliseconds time);
  /// Waits to the end; a run that passes its deadline is killed and fails the test.
  Outcome finish();
  std::string output_so_far() const;

 private:
  std::string read(const char* name) const;

  Folder m_folder;
  std::chrono::seconds m_deadline;
  pid_t m_pid = -1;
  std::optional<int> m_status;
};

Outcome run_program(const std::vector<std::string>& arguments, const Start& setup);

/// `lockkeeper check ARGUMENTS --report json=…` with what the report says; the record has been held against
/// its schema, and nothing may be left of the run.
struct Checked {
  Outcome outcome;
  nlohmann::json record;

  const nlohmann::json& run(std::size_t at = 0) const { return record.at("runs").at(at); }
  /// The first finding of the rule; null where there is none.
  nlohmann::json finding(const std::string& rule) const;
  std::vector<std::string> rules() const;
};
Checked check(std::vector<std::string> arguments, const Start& setup);
/// The same of `lockkeeper release` and `lockkeeper bench`.
Checked release(std::vector<std::string> arguments, const Start& setup);
Checked bench(std::vector<std::string> arguments, const Start& setup);

/// Empty where the document is as harness/report/record.schema.json says, else what is wrong.
std::string schema_error(const nlohmann::json& document);

/// What a run of the process `pid` left behind although it should not have: processes, run directories.
/// Empty: nothing.
std::string remains(const fs::path& store, pid_t pid);
/// Processes that work in the directory or below.
std::vector<pid_t> processes_below(const fs::path& directory);

/// Two small migrations that pass.
void write_good_history(const Folder& folder, const std::string& under = "migrations");

}  // namespace lockkeeper::app::testing
