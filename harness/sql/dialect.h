#pragma once

#include <string_view>

namespace lockkeeper::sql {

/// Whose SQL a text is: what is quoted how, and where a statement ends.
enum class Dialect { postgres, sqlite };

/// As people call it.
constexpr std::string_view to_string(Dialect dialect) {
  return dialect == Dialect::sqlite ? "SQLite" : "PostgreSQL";
}

}  // namespace lockkeeper::sql
