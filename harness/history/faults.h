#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "history/history.h"

namespace lockkeeper::history {

/// What is wrong with the files of a history: gathered, then said in one failure, so that nobody has to mend
/// one fault to hear of the next.
class Faults {
 public:
  explicit Faults(std::string directory) : m_directory(std::move(directory)) {}

  /// `message` is "<what> '<name>': <cause>", `file` the path of the file to open.
  void add(std::string file, std::string message, std::string hint);
  /// Two migrations of one version, in files `one` and `other`, the one at `path`: a fact of its own.
  void add_duplicate(std::string path, const std::string& version, const std::string& one,
                     const std::string& other);
  bool empty() const { return m_faults.empty(); }
  /// Puts a failure and its facts into the history where nothing is wrong but duplicate versions; a failure
  /// where there is more.
  Result<void> refuse(History& history) &&;
  /// A usage failure: a single fault as it is, of several one line each in the order of their files, the
  /// rest of many as a count. Not empty.
  tl::unexpected<Failure> failure() &&;

 private:
  struct Fault {
    std::string file;
    std::string message;
    std::string hint;
  };

  std::string m_directory;
  std::vector<Fault> m_faults;
  std::vector<record::HistoryFact> m_duplicates;
};

}  // namespace lockkeeper::history
