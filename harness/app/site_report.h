#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/applied.h"
#include "app/drift.h"
#include "base/result.h"
#include "engine/postgres/inspection.h"

/// What preflight saw, as text and as the JSON that postflight reads.
namespace lockkeeper::app {

struct Preflight {
  engine::postgres::Inspected seen;
  std::vector<std::string> notes;    ///< where the site is otherwise than what is rehearsed on
  std::optional<Applied> applied;    ///< where a folder was named, and what is in is known
  std::vector<std::string> pending;  ///< versions
  std::optional<Drift> drift;
  std::optional<Failure> not_compared;  ///< why there is no drift although a folder was named
};

/// Does anything stand in the way?
bool stands_in_the_way(const Preflight& preflight);

std::string preflight_text(const Preflight& preflight);
std::string preflight_json(const Preflight& preflight);

/// Tables, indexes and troubles of a file that `preflight --save` wrote; a usage failure for any other.
Result<engine::postgres::Inspected> read_preflight(const std::string& path);

/// The `production:` block of a scenario with the rows of each table that the server has an estimate of.
std::string production_yaml(const engine::postgres::Inspected& seen);

/// Lines on troubles of those kinds that there are, each kind with what to do; for both commands.
std::vector<std::string> trouble_lines(const std::vector<engine::postgres::Trouble>& troubles);
std::vector<std::string> unseen_lines(const std::vector<engine::postgres::Unseen>& unseen);
/// "about 3,400,000 rows"; "rows unknown"
std::string rows_text(const std::optional<std::int64_t>& rows);
std::string bytes_text(const std::optional<std::int64_t>& bytes);
/// The lines as one text, whatever names hold.
std::string readable_text(const std::vector<std::string>& lines);

}  // namespace lockkeeper::app
