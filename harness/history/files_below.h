#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::history {

/// A file below a folder; a symbolic link counts as what it leads to.
struct FileBelow {
  std::string path;  ///< relative to the folder: sub/V2__x.sql
  std::string name;  ///< V2__x.sql
};

struct FilesBelow {
  std::vector<FileBelow> files;      ///< sorted by path
  std::vector<std::string> skipped;  ///< "sub/: reason" for folders that were not entered
};

/// Every file below a folder, however deep; hidden folders and those that a link leads back to are not
/// entered. A usage failure where one cannot be read.
Result<FilesBelow> files_below(const std::string& directory);

}  // namespace lockkeeper::history
