#pragma once

#include <span>
#include <string>
#include <string_view>

/// What an inspection asks. Every query reads catalogs and statistics, counts no rows, and waits for no
/// table's lock: sizes are not asked of a table that somebody has, or wants, for himself.
namespace lockkeeper::engine::postgres::queries {

extern const std::string_view k_role;      ///< name, is a superuser
extern const std::string_view k_server;    ///< as InspectedServer has it, from version to counted_since
extern const std::string_view k_bytes;     ///< of the database
extern const std::string_view k_settings;  ///< name, value
extern const std::string_view k_tables;    ///< as TableSize has it
extern const std::string_view k_indexes;   ///< as IndexUse has it

/// A query for troubles of one kind: each row is whether it stands in the way, subject, detail.
struct TroubleQuery {
  std::string_view kind;
  std::string_view title;
  std::string_view advice;
  std::string_view sql;
};
std::span<const TroubleQuery> troubles();

/// Foreign keys that are NOT VALID: constraint, table, its columns that must not be NULL, the join's
/// condition (c: the referencing row, p: the referenced one), the referenced table, may both be read.
extern const std::string_view k_unvalidated_foreign_keys;
extern const std::string_view k_orphan_kind;
/// How many of the first rows of a table are orphans of such a key.
std::string orphans(std::string_view table, std::string_view columns, std::string_view not_null,
                    std::string_view condition, std::string_view referenced);

}  // namespace lockkeeper::engine::postgres::queries
