#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/record.h"
#include "sql/source.h"
#include "sql/statement.h"

namespace lockkeeper::history {

/// One side of a migration, ready to be sent.
struct Script {
  std::shared_ptr<const sql::Source> source;
  std::vector<sql::Statement> statements;
  record::TransactionShape shape = record::TransactionShape::one_transaction;
  std::string shape_reason;  ///< why not one transaction
};

struct Migration {
  std::string version;  ///< as the format writes it
  std::string name;
  std::string up_path;
  std::optional<std::string> down_path;

  /// Reads and splits a side when it is needed, so that a history of a thousand files costs no memory.
  Result<Script> up() const;
  Result<Script> down() const;  ///< requires down_path
};

struct History {
  std::string directory;
  std::string format;
  bool has_down = true;                ///< the format has a down side at all
  std::vector<Migration> migrations;   ///< in the order in which the tool applies them
  std::vector<std::string> not_taken;  ///< "file: reason" for every file of the folder that is no part of it
};

/// What a run judges: history.migrations[0, first) are applied, `trial` (ascending indexes) are judged;
/// whatever stands between two judged ones is applied on the way.
struct Trial {
  std::size_t first = 0;
  std::vector<std::size_t> judged;
};

}  // namespace lockkeeper::history
