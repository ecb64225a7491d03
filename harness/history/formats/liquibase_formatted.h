#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "history/formats/liquibase_sql.h"

namespace lockkeeper::history::formats::liquibase {

/// Values for ${name}; the first that is given stays.
using Parameters = std::map<std::string, std::string>;

/// The text with what is known put in; the rest stays as it is, as Liquibase leaves it.
std::string expanded(std::string_view text, const Parameters& parameters);

/// `dbms:` of a change set or property: does it run on PostgreSQL?
bool is_for_postgres(std::string_view dbms);

/// A change set of a formatted SQL changelog.
struct FormattedChangeSet {
  enum class Down { none, nothing, sql, other_change_set };

  std::string author;
  std::string id;
  std::string path;  ///< that its line or its file's first line says it has; else empty
  int line = 0;
  std::size_t begin = 0;  ///< of its line in the text
  std::size_t end = 0;    ///< where the next one begins

  std::string up;  ///< line for line what stands below its line; lines that are directives are empty
  Sending sending;
  bool in_transaction = true;
  bool runs_when_changed = false;  ///< runOnChange or runAlways
  bool stops_on_error = true;
  bool ignored = false;
  std::string dbms;
  std::string runs_with;
  std::vector<std::string> preconditions;  ///< "sql-check expectedResult:0 SELECT …"
  std::string on_fail = "HALT";

  Down down = Down::none;
  std::string down_text;
  int down_line = 0;  ///< of the first line of down_text
  Sending down_sending;
  std::string other_id;  ///< of the change set that `--rollback changeSetId:… ` names
  std::string other_author;
};

/// Does the first line that is not empty say that the text is a formatted changelog?
bool is_formatted(std::string_view text);

/// Reads a formatted changelog as liquibase/parser/AbstractFormattedChangeLogParser.java does. `first_line`
/// is the number of the text's first line; properties go into `parameters`. A usage failure for what
/// Liquibase refuses.
Result<std::vector<FormattedChangeSet>> read_formatted(std::string_view text, const std::string& path,
                                                       int first_line, Parameters& parameters);

}  // namespace lockkeeper::history::formats::liquibase
