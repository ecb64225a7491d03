#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace lockkeeper::sql {

/// What a `$n` of a statement is held against, as far as the statement alone tells.
struct ParameterUse {
  enum class Kind {
    unknown,
    equal,     ///< column = $1, IN ($1, $2)
    low,       ///< column > $1, the lower end of a BETWEEN
    high,      ///< column < $1
    pattern,   ///< column LIKE $1
    list,      ///< column = ANY ($1)
    assigned,  ///< SET column = $1
    inserted,  ///< INSERT INTO … (column) VALUES ($1)
    limit,
    offset
  };
  Kind kind = Kind::unknown;
  int relation = -1;   ///< the same for uses of the same table under the same alias
  std::string table;   ///< as SQL writes it
  std::string value;   ///< the column as SQL writes it, with the casts around it
  std::string column;  ///< its bare name
};

/// What is to be known of a statement from a log.
struct QueryFacts {
  enum class Verb { select, insert, update, remove, merge, utility };
  Verb verb = Verb::utility;
  std::string text;         ///< without comments in front and semicolon; `interval $1` made `$1::interval`
  std::string fingerprint;  ///< libpg_query's: the same for statements that differ in constants alone
  std::vector<std::string> tables;  ///< bare names, each once, those of catalogs left out
  bool on_catalogs_only = false;
  bool touches_nothing = false;          ///< neither a table nor a function that is not the server's own
  bool may_conflict = false;             ///< an INSERT without ON CONFLICT
  std::vector<ParameterUse> parameters;  ///< of $1, $2, …
};

/// Parses one statement (libpg_query); what it cannot be taken for is the error, in a few words: cut short,
/// several in one, too long or nested too deeply for the parser's stack.
tl::expected<QueryFacts, std::string> query_facts(std::string_view text);

/// As SQL writes a name: in double quotes where it needs them.
std::string quoted_name(std::string_view name);

}  // namespace lockkeeper::sql
