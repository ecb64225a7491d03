#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/output_file.h"
#include "engine/postgres/closure.h"
#include "engine/postgres/dump.h"
#include "engine/postgres/masking.h"
#include "engine/postgres/sample_source.h"

namespace lockkeeper::engine::postgres {

struct SampleRequest {
  std::optional<SampleAmount> amount;  ///< none: all rows
  Masking masking;
  std::string salt;                 ///< of hashes
  std::string taken_at;             ///< for the header
  std::filesystem::path directory;  ///< a private one for what lies between
  std::function<void(const std::string&)> progress;
};

struct SampledTable {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t of = -1;  ///< rows of the table; -1: not known
  bool counted = false;  ///< `of` is no estimate
};

/// The comment at the beginning of a fixture: when it was taken, from what version and how; no host, no user.
std::string fixture_header(const SampleSource& source, const std::string& taken_at,
                           const std::vector<std::string>& how);

/// Writes rows with their schema as SQL: what comes before them, COPY blocks, sequences as they stand, and
/// what comes after, foreign keys among it. `session` read `source` and its transaction is still open. Rows
/// of a sample stand in the order of their key, 50,000 at a time.
Result<std::vector<SampledTable>> write_sample(Connection& session, const SampleSource& source,
                                               const Dump& dump, const SampleRequest& request,
                                               OutputFile& out);

}  // namespace lockkeeper::engine::postgres
