#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "record/record.h"

namespace lockkeeper::engine {

/// One object of a schema. Equality is that of `attributes`, but for "position" (column order is its own difference).
struct Object {
  std::string kind;
  std::string identity;
  std::string parent;      ///< identity of the relation that it hangs on, else empty
  std::string attributes;  ///< a JSON object of strings, keys in a fixed order: all that a dump would distinguish
  std::uint64_t oid = 0;   ///< tells a recreated object from one that stayed; not compared
};

/// The content of a column, whatever the order of rows: a sum of hashes over all of them.
struct ColumnContent {
  std::string name;
  std::string type;  ///< as format_type writes it
  std::string hash;
};

struct TableContent {
  std::string table;  ///< identity
  std::int64_t rows = 0;
  std::string row_hash;  ///< over whole rows: which values stand together
  std::vector<ColumnContent> columns;  ///< by name
};

struct SequencePosition {
  std::string sequence;
  std::string position;  ///< "unused" or the last value
};

/// Schema, row counts and content of a database at a moment; all lists sorted by identity.
struct State {
  std::vector<Object> objects;  ///< by kind, then identity
  std::vector<TableContent> tables;
  std::vector<SequencePosition> sequences;
};

/// Which tables a side may have changed rows or values of, by evidence of the server.
struct Touched {
  bool everything = false;  ///< no evidence: any table may have changed
  std::set<std::string> tables;
};

/// All by which `after` differs from `before`, sorted by kind and identity.
record::StateDifference compare(const State& before, const State& after);

/// The sequences that stand elsewhere.
std::vector<record::SequenceMove> compare_sequences(const State& before, const State& after);

/// `difference` without what `noise` holds too (same object and attribute, same table and column): what two
/// identical runs of a side already do differently is no residue.
record::StateDifference without(record::StateDifference difference, const record::StateDifference& noise);

/// What a reviewer should know of the constraints and indexes that `after` has and `before` had not or had otherwise.
std::vector<record::SchemaFact> schema_facts(const State& before, const State& after);

}  // namespace lockkeeper::engine
