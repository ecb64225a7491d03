#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// A column whose values are copied, or would be if it were not generated.
struct SourceColumn {
  std::string name;
  std::string quoted;
  std::string type;       ///< as the server writes it, "character varying(40)"
  std::string base_type;  ///< "varchar"; of a domain the type that it is made of
  int length = 0;         ///< characters that fit into it; 0: any number
  bool required = false;  ///< NOT NULL, by itself or by its domain
  bool generated = false;
  bool primary = false;
  bool unique = false;        ///< part of a primary key, a unique or exclusion constraint or a unique index
  bool partitioning = false;  ///< decides in which partition a row lies
  bool deterministic = true;  ///< equal values are equal byte by byte, as its collation sees them
};

/// What rows lie in: a table, or one partition of a table.
struct SourceLeaf {
  std::string oid;
  std::string quoted;          ///< schema and name
  std::string written;         ///< "schema.name"
  std::int64_t estimate = -1;  ///< rows, as the last ANALYZE saw them; -1: never
};

/// A table as a whole: partitions are parts of the one at the top.
struct SourceTable {
  std::string oid;
  std::string schema;
  std::string name;
  std::string quoted;
  bool partitioned = false;
  std::vector<SourceColumn> columns;
  std::vector<std::string>
      key;  ///< quoted columns of the primary key, or of another that is unique and NOT NULL
  std::vector<SourceLeaf> leaves;

  std::string written() const { return schema + "." + name; }
  const SourceColumn* column(const std::string& column_name) const;
};

/// A foreign key between two of the tables; `join` is its condition over c (child) and p (parent).
struct SourceForeignKey {
  std::string oid;
  std::string name;
  std::size_t child = 0;  ///< in SampleSource::tables
  std::size_t parent = 0;
  std::string join;
  std::vector<std::pair<std::string, std::string>> columns;  ///< of the child, of the parent
};

struct DroppedKey {
  std::string oid;
  std::string label;  ///< as the table of contents of a dump names it where it has a comment
};

struct SourceSequence {
  std::string quoted;
  std::string written;
};

/// What a database holds that is to be copied.
struct SampleSource {
  std::string version;  ///< "15.20"
  int major = 0;
  std::string snapshot;  ///< exported for others to import, as long as the session's transaction is open
  std::vector<SourceTable> tables;  ///< by schema and name
  std::vector<SourceForeignKey> foreign_keys;
  std::vector<SourceSequence> sequences;
  std::vector<std::string> materialized_views;  ///< quoted, filled ones, in the order in which they were made
  std::vector<std::string> user_mappings;       ///< of foreign servers: they hold passwords
  std::vector<std::string> excluded;            ///< quoted names for pg_dump
  std::vector<DroppedKey> dropped_keys;         ///< foreign keys onto what is excluded
  std::vector<std::string> remarks;             ///< what is left out, for a person
  std::vector<std::string> beside_rows;         ///< what no SELECT of ours reads, and only a whole dump has
};

/// Reads the catalog and locks the tables against changes of their definition. `excluded` are patterns of
/// tables (name, or schema.name). Usage failures: a pattern that matches none, a table that may not be read.
Result<SampleSource> read_source(Connection& session, const std::vector<std::string>& excluded);

}  // namespace lockkeeper::engine::postgres
