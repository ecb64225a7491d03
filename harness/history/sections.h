#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "history/faults.h"
#include "history/format.h"

namespace lockkeeper::history {

/// Version and name of a file <digits><anything>.sql as most tools read it: a separator behind the digits is
/// part of neither. Empty version: no digits.
struct NumberedFile {
  std::string version;
  std::string name;
};
NumberedFile numbered_file(std::string_view file);

/// Where the sides of a file begin, 0 for none (lines from 1).
struct Sections {
  int up_line = 0;
  int down_line = 0;
};

/// Reads a folder of files that hold both sides of a migration each.
class SectionedHistory {
 public:
  using Read = Result<sql::Script> (*)(const Migration&, record::Side);
  /// Where the sections of a file are; a usage failure where the tool would refuse the file.
  using Find = Result<Sections> (*)(const sql::Source&);

  SectionedHistory(const Folder& folder, Read read, Find find);

  void leave(const Entry& entry, std::string_view reason);
  void take(const Entry& entry, NumberedFile numbered);
  /// What the tool refuses by the name alone.
  Faults& faults() { return m_faults; }
  /// Two versions of one key are one and the same to the tool: 1 and 001.
  using Key = std::string (*)(const std::string& version);
  /// A usage failure with all faults: two files of one version, files that the tool refuses.
  Result<History> finish(const std::function<void(std::vector<Migration>&)>& order, Key key = nullptr) &&;

 private:
  std::string m_directory;
  sql::Dialect m_dialect;
  Read m_read;
  Find m_find;
  Faults m_faults;
  History m_history;
};

}  // namespace lockkeeper::history
