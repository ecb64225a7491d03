#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::sql {

/// A SQL file as text: UTF-8, without its byte order mark, with every offset traceable to a line and column.
class Source {
 public:
  /// A usage failure, with the place, where the file cannot be read, is not UTF-8 or holds a NUL byte.
  static Result<Source> read(const std::string& path);
  /// For text that is no file of its own; `name` stands in for the path, `first_line` is where it begins in it.
  static Result<Source> from_text(std::string name, std::string text, int first_line = 1);

  const std::string& path() const { return m_path; }
  std::string_view text() const { return m_text; }
  /// Line and column (in characters, both from 1) of a byte offset; CR LF is one line end.
  Location locate(std::size_t offset) const;

 private:
  Source(std::string path, std::string text, int first_line);

  std::string m_path;
  std::string m_text;
  int m_first_line;
  std::vector<std::size_t> m_line_starts;
};

}  // namespace lockkeeper::sql
