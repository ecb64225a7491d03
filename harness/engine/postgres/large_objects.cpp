#include "engine/postgres/large_objects.h"

#include <algorithm>

namespace lockkeeper::engine::postgres {

namespace {

// Of pg_largeobject.h and pg_type.dat: these OIDs never change.
constexpr std::uint64_t k_relation = 2613;
constexpr std::uint64_t k_oid = 26;
constexpr std::uint64_t k_int4 = 23;
constexpr std::uint64_t k_bytea = 17;

}  // namespace

Result<void> count_large_objects_as_rows(Connection& connection, Catalog& catalog) {
  const auto found = std::ranges::lower_bound(catalog.objects, "large object", {}, &Object::kind);
  if (found == catalog.objects.end() || found->kind != "large object") return {};
  const auto may = connection.rows("SELECT has_table_privilege('pg_largeobject', 'SELECT')");
  if (!may) return failed(may);
  if (may->at(0)[0] != "t") return {};
  // No file is named: the server's evidence of what a side touched leaves its own relations out, so that the
  // pages are read every time.
  catalog.heaps.push_back({"pg_catalog.pg_largeobject", k_relation, "", false});
  // Columns are sorted by their relation, and no relation of a user's has so small a number.
  catalog.columns.insert(catalog.columns.begin(), {{k_relation, 1, "loid", "oid", k_oid, ""},
                                                   {k_relation, 2, "pageno", "integer", k_int4, ""},
                                                   {k_relation, 3, "data", "bytea", k_bytea, ""}});
  return {};
}

}  // namespace lockkeeper::engine::postgres
