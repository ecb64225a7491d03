#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/dialect.h"

namespace lockkeeper::sql {

/// `text` in the place of bytes [begin, end) of a source.
struct Edit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
};

/// A SQL file as text: UTF-8, without its byte order mark, with every offset traceable to a line and column.
class Source {
 public:
  /// A usage failure, with the place, where the file cannot be read, is not UTF-8 or holds a NUL byte. Bytes
  /// in the message are counted from 1, the byte order mark with them.
  static Result<Source> read(const std::string& path, Dialect dialect = Dialect::postgres);
  /// For text that is no file of its own; `name` stands in for the path, `first_line` is where it begins in
  /// it.
  static Result<Source> from_text(std::string name, std::string text, int first_line = 1,
                                  Dialect dialect = Dialect::postgres);

  /// Bytes [begin, end) of another source with edits made (ascending, none over another): its places are
  /// those of the original.
  static Source edited(std::shared_ptr<const Source> original, std::size_t begin, std::size_t end,
                       const std::vector<Edit>& edits);

  const std::string& path() const { return m_path; }
  std::string_view text() const { return m_text; }
  Dialect dialect() const { return m_dialect; }
  /// Line and column (in characters, both from 1) of a byte offset; CR LF is one line end.
  Location locate(std::size_t offset) const;
  bool is_edited() const { return m_original != nullptr; }

 private:
  /// From byte `at` on the text is that of the original from `original` on, or was put in its place.
  struct Stretch {
    std::size_t at = 0;
    std::size_t original = 0;
    bool put_in = false;
  };

  Source(std::string path, std::string text, int first_line, Dialect dialect);

  std::string m_path;
  std::string m_text;
  int m_first_line;
  Dialect m_dialect;
  /// How many line ends stand before each block of the text: an index of every line would outweigh a file of
  /// short lines many times over.
  std::vector<std::uint32_t> m_lines_before_block;
  std::shared_ptr<const Source> m_original;  ///< of an edited one
  std::vector<Stretch> m_stretches;
};

}  // namespace lockkeeper::sql
