#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace lockkeeper::workload {

/// A field of CSV as COPY writes it: none where nothing stands between the commas, which is NULL.
using Field = std::optional<std::string>;

/// What is over 16 MB is read past, and nothing of it kept.
enum class Extent { whole, too_long };

struct CsvRecord {
  std::vector<Field> fields;
  int line = 0;  ///< that it begins in
  Extent extent = Extent::whole;
};

struct JsonRecord {
  std::string text;  ///< an object, from brace to brace
  int line = 0;
  Extent extent = Extent::whole;
};

/// Reads a file record by record, in as much memory as its longest kept record needs. Usage failures with the
/// line of the record: a quote or a brace that is never closed, bytes that are not UTF-8, a NUL.
class Records {
 public:
  static Result<Records> open(const std::filesystem::path& path);

  /// The first bytes of the file, a byte order mark left out; 64 KB of them, or all.
  const std::string& beginning() const { return m_beginning; }
  const std::string& name() const { return m_name; }
  Location at(int line) const { return {m_name, line, 0}; }

  /// The next record; none at the end.
  Result<std::optional<CsvRecord>> next_csv();
  /// The next object, whether they stand one a line or in a list.
  Result<std::optional<JsonRecord>> next_json();

 private:
  explicit Records(std::string name) : m_name(std::move(name)) {}

  /// The next byte; -1 at the end. A failure to read is kept in m_failure and ends the file.
  int take();
  int peek();
  bool fill();
  Result<void> check(const std::string& text, int line) const;
  tl::unexpected<Failure> endless(int line, std::string_view what) const;

  std::string m_name;
  Descriptor m_file;
  std::string m_beginning;
  std::string m_buffer;
  std::size_t m_at = 0;
  int m_line = 1;
  std::optional<Failure> m_failure;
};

}  // namespace lockkeeper::workload
