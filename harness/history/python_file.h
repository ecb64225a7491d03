#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::history {

/// A value that is assigned to a name at the top of a Python file: None, a text, or a list or tuple of texts.
struct PythonValue {
  std::vector<std::string> texts;
  std::vector<std::vector<std::string>>
      tuples;                      ///< of those texts, the ones in tuples inside of it: [('a', 'b')]
  std::vector<std::string> names;  ///< that stand in it beside None
  bool is_plain = true;            ///< false where it is anything else: it would have to be run to be known
  int line = 0;
};

/// What can be read of a Python file without running it.
struct PythonFile {
  std::string summary;  ///< first line of its documentation
  std::map<std::string, PythonValue> values;
  std::map<std::string, std::map<std::string, PythonValue>>
      classes;  ///< values assigned in the bodies of classes
};

/// A usage failure, with the place, for a string or a bracket that is never closed.
Result<PythonFile> read_python(const std::string& path, std::string_view text);

}  // namespace lockkeeper::history
