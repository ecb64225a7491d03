#pragma once

#include <string>

#include "history/history.h"
#include "scenario/scenario.h"

namespace lockkeeper::history {

/// Reads a folder of migrations, detecting the format (or taking the one named). Usage failures: no such
/// folder, an empty one, a format that is not known, two migrations of one version, a down without its up.
/// `transaction` puts another shape in the place of the tool's own.
Result<History> load(const std::string& directory, const std::string& format,
                     Transaction transaction = Transaction::of_tool);

/// The same as load(), but a history that its tool would refuse for what its files say (History::refused,
/// facts) is returned all the same.
Result<History> look(const std::string& directory, const std::string& format,
                     Transaction transaction = Transaction::of_tool);

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
/// for the files that the ref has, below the folder.
Result<Trial> select(const History& history, const scenario::Selection& selection);

}  // namespace lockkeeper::history
