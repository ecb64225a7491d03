#pragma once

#include <string>
#include <vector>

#include "app/applied.h"
#include "app/ground_options.h"
#include "engine/state.h"
#include "record/record.h"

namespace lockkeeper::app {

/// By which a schema differs from the one that its migrations make. Lost: they make it, and it is not there.
struct Drift {
  std::vector<record::ObjectDifference> objects;
  /// What hinders no migration: the order of columns, extensions that are there beside or in another version.
  std::vector<record::ObjectDifference> asides;
  std::string built_on;  ///< "postgres 15.20"
};

/// The differences as lines, relation by relation: what describes them looks for each among all that it is
/// given.
std::vector<std::string> difference_lines(const std::vector<record::ObjectDifference>& objects);

/// Applies what is in to a disposable database and compares schemas. Owners, privileges, roles, settings and
/// replication are left out: they are the site's own.
Result<Drift> find_drift(const engine::State& there, const scenario::Scenario& scenario,
                         const history::History& history, const Applied& applied, int major,
                         const Parsed& parsed, const ServerOptions& servers);

}  // namespace lockkeeper::app
