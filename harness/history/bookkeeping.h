#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "history/history.h"

namespace lockkeeper::history {

/// 'text' as a literal of SQL, with standard_conforming_strings on.
inline std::string literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

/// A table of the tool's as the server names it: PostgreSQL's in the schema that it comes to, SQLite's alone.
inline std::string own_table(std::string_view table, sql::Dialect dialect) {
  return (dialect == sql::Dialect::sqlite ? "" : "public.") + std::string(table);
}

/// The books of a tool that keeps them in one table.
inline std::shared_ptr<const Bookkeeping> books(
    std::string table, std::string create, std::function<std::string(const Migration&, record::Side)> note) {
  auto result = std::make_shared<Bookkeeping>();
  result->tables = {std::move(table)};
  result->create = std::move(create);
  result->note = std::move(note);
  return result;
}

/// The books that a program outside keeps itself.
inline std::shared_ptr<const Bookkeeping> books_of_program(std::vector<std::string> tables) {
  auto result = std::make_shared<Bookkeeping>();
  result->tables = std::move(tables);
  return result;
}

/// For tools that note where they are and not what they have run: the version before each, empty for the
/// first.
inline std::map<std::string, std::string> versions_before(const std::vector<Migration>& migrations) {
  std::map<std::string, std::string> before;
  for (std::size_t i = 0; i < migrations.size(); ++i)
    before[migrations[i].version] = i == 0 ? "" : migrations[i - 1].version;
  return before;
}

}  // namespace lockkeeper::history
