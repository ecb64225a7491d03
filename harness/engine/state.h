#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/shared_list.h"
#include "record/record.h"

namespace lockkeeper::engine {

/// One object of a schema. What every engine calls the same: of columns "type", "nullable" (true, false),
/// "default", "position" (1-based rank); of constraints "definition", "validated"; of indexes "definition",
/// "valid" (true, false); of views, functions and triggers "definition"; of anything "owner", "privileges",
/// "comment". Equality is that of `attributes`, but for "position" (column order is its own difference).
struct Object {
  std::string kind;
  std::string identity;
  std::string parent;  ///< identity of the relation that it hangs on, else empty
  std::string
      attributes;  ///< a JSON object of strings, keys in a fixed order: all that a dump would distinguish
  std::uint64_t oid = 0;  ///< tells a recreated object from one that stayed; not compared
  /// A JSON object of strings, not compared, or empty: what schema_facts() needs. Of an index: "columns" (its
  /// key in order, names as SQL writes them, one a line, "" for an expression), "unique", "partial"; of a
  /// constraint: "contype" (f, p, u, c, x), "columns"; both: "of partition" where they come with the
  /// parent's.
  std::string facts;
};

/// The content of a column, whatever the order of rows: a sum of hashes over all of them.
struct ColumnContent {
  std::string name;
  std::string type;  ///< as format_type writes it
  std::string hash;

  // Not compared: what the next read needs to know that nothing changed.
  std::string hashed_as = {};  ///< which hash was taken
  std::string seed = {};       ///< the name that seeds it: the column's own, or the one that it had before
  std::string slot = {};       ///< where the value is stored, or how it is computed

  bool operator==(const ColumnContent&) const = default;
};

/// Which values stand together: a sum over rows of a hash of all values of some columns. A column that holds
/// the same value in every row adds nothing to it.
struct Composition {
  std::vector<std::string> columns;  ///< name, type and seed of each, sorted
  std::string hash;

  bool operator==(const Composition&) const = default;
};

/// What of the schema the text of a table's values may hang on.
enum class Dependence { none, types, names };

struct TableContent {
  std::string table;  ///< identity
  std::int64_t rows = 0;
  std::vector<ColumnContent> columns;  ///< by name
  /// Over the columns that the table had when it was read, and over those that states before it know of: two
  /// states are compared by what both have.
  std::vector<Composition> compositions = {};

  /// Where columns changed their type: the same rows read as the table was before, values cast back to their
  /// former type. What is equal then was not lost by the change. Columns that cannot be cast back are
  /// missing.
  std::vector<ColumnContent> former = {};

  // Not compared: what the next read needs to know that nothing changed.
  /// The file that the rows lie in. Empty for rows that hang on no table of the schema: always read anew, and
  /// none where they are missing.
  std::string storage = {};
  Dependence depends_on = Dependence::none;

  bool operator==(const TableContent&) const = default;
};

struct SequencePosition {
  std::string sequence;
  std::string position;  ///< the last value, "unused", or "before 5" where 5 comes next and is not the start
};

/// Schema, row counts and content of a database at a moment; all lists sorted by identity.
struct State {
  SharedList<Object> objects;  ///< by kind, then identity
  SharedList<TableContent> tables;
  std::vector<SequencePosition> sequences;
};

/// Which tables a side may have changed rows or values of, by evidence of the server.
struct Touched {
  bool everything = false;  ///< no evidence: any table may have changed
  std::set<std::string> tables;
};

/// A state that was read before, and what may have changed since.
struct Since {
  const State* state = nullptr;
  Touched touched;
};

/// Two states between which something ran.
struct Step {
  const State* before = nullptr;
  const State* after = nullptr;
};

/// All by which `after` differs from `before`, sorted by kind and identity.
record::StateDifference compare(const State& before, const State& after);

/// The same of two databases that were not made from one another, where every object is another one and none
/// was made anew.
record::StateDifference compare_apart(const State& before, const State& after);

/// The sequences that stand elsewhere.
std::vector<record::SequenceMove> compare_sequences(const State& before, const State& after);

/// `difference` without what `noise` holds too (same object and attribute, same table and column): what two
/// identical runs of a side already do differently is no residue.
record::StateDifference without(record::StateDifference difference, const record::StateDifference& noise);

/// What a reviewer should know of the constraints and indexes that `after` has and `before` had not or had
/// otherwise.
std::vector<record::SchemaFact> schema_facts(const State& before, const State& after);

}  // namespace lockkeeper::engine
