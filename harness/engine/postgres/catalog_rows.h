#pragma once

#include <cstddef>

namespace lockkeeper::engine::postgres {

/// Columns of the catalog statements' rows that stand before the values.
enum CatalogColumn : std::size_t { k_piece, k_kind, k_identity, k_parent, k_oid, k_sub, k_values };

/// What stands in the first column where it is not the number of the piece that the row is an object of.
constexpr int k_needed = -1;          ///< the row says which pieces need statements of their own
constexpr std::size_t k_more = 1000;  ///< and a piece's number: rare values of one of its objects

}  // namespace lockkeeper::engine::postgres
