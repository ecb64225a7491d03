#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::history {

/// What is wrong with the files of a history: gathered, then said in one failure, so that nobody has to mend
/// one fault to hear of the next.
class Faults {
 public:
  explicit Faults(std::string directory) : m_directory(std::move(directory)) {}

  /// `message` is "<what> '<name>': <cause>", `file` the path of the file to open.
  void add(std::string file, std::string message, std::string hint);
  bool empty() const { return m_faults.empty(); }
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
};

}  // namespace lockkeeper::history
