#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::sql {

/// A SQL file as text: UTF-8, without its byte order mark, with every offset traceable to a line and column.
class Source {
 public:
  /// A usage failure, with the place, where the file cannot be read, is not UTF-8 or holds a NUL byte. Bytes
  /// in the message are counted from 1, the byte order mark with them.
  static Result<Source> read(const std::string& path);
  /// For text that is no file of its own; `name` stands in for the path, `first_line` is where it begins in
  /// it.
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
  /// How many line ends stand before each block of the text: an index of every line would outweigh a file of
  /// short lines many times over.
  std::vector<std::uint32_t> m_lines_before_block;
};

}  // namespace lockkeeper::sql
