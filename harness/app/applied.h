#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/postgres/inspection.h"
#include "history/history.h"

namespace lockkeeper::app {

/// Which migrations of a folder a database has, by the table of the tool that runs them there.
struct Applied {
  std::string tool;                  ///< empty: nobody notes it
  std::string table;                 ///< empty: the tool has none there yet
  std::vector<std::size_t> in;       ///< indexes into the history, ascending
  std::vector<std::size_t> pending;  ///< the same
  std::vector<std::string> unknown;  ///< versions that are in, and no file of the folder is
};

/// The book that belongs to the history; null where none does.
const engine::postgres::ToolBook* book_of(const history::History& history,
                                          const std::vector<engine::postgres::ToolBook>& books);

Applied applied_of(const history::History& history, const engine::postgres::ToolBook& book);

/// Versions that failed in the middle, or are marked as dirty.
std::vector<std::string> failed_versions(const engine::postgres::ToolBook& book);

/// Versions that are in: for people, where there is no folder to hold them against.
std::vector<std::string> versions_in(const engine::postgres::ToolBook& book);

}  // namespace lockkeeper::app
