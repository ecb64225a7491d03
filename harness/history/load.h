#pragma once

#include <optional>
#include <string>

#include "history/history.h"
#include "scenario/scenario.h"

namespace lockkeeper::history {

/// Which history is to be read, and how.
struct Request {
  std::string directory;
  std::string format = {};  ///< empty: detected
  Transaction transaction = Transaction::of_tool;
  scenario::Tool tool = {};
  std::optional<sql::Dialect> dialect = {};  ///< none: the folder tells
};

/// Reads a folder of migrations. Usage failures: no such folder, an empty one, a format that is not known,
/// what its own tool would refuse.
Result<History> load(const Request& request);
/// The same as load(), but a history that its tool would refuse for what its files say (History::refused,
/// facts) is returned all the same.
Result<History> look(const Request& request);

/// "per-migration", "all", "statement", "file", or empty for the tool's own; a usage failure for others.
Result<Transaction> transaction_named(const std::string& name);

/// Every format: its name and how its files are laid out.
struct Layout {
  std::string format;
  std::string files;
};
std::vector<Layout> layouts();

/// What of the history is on trial. `since` takes a version, or any number where all versions are numbers;
/// `last` more than there are means all; with `only` and `since_ref` what stands between two judged ones is
/// only applied: a new migration may stand before older ones. A version that is not there is a usage failure
/// with "did you mean"; a selection that leaves nothing is a failure of kind `nothing`. `since_ref` asks git
/// for the folder as the ref has it; beside a base the order may become another (trial_beside).
Result<Trial> select(History& history, const scenario::Selection& selection);

/// The same where the fixture holds all up to version `fixture_at` already (empty: nothing): what comes after
/// it is on trial unless something else is selected, and none of what it holds can be.
Result<Trial> select(History& history, scenario::Selection selection, const std::string& fixture_at);

}  // namespace lockkeeper::history
