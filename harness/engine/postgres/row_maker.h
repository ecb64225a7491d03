#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// A row that is wanted in a table; names are as SQL writes them, quoted where they must be.
struct RowWish {
  std::string table;
  /// Columns that are to hold just this, an SQL expression; {m} stands for the row of the table that the new
  /// one is modelled on.
  std::map<std::string, std::string> values;
  std::vector<std::string> filled;    ///< columns that are to hold anything but NULL
  std::vector<std::string> repeated;  ///< columns that take the model's value although a key wants another
  bool full = false;                  ///< all columns are to be filled, if it can be had
  bool repeatable = false;            ///< no default that depends on time or chance is taken
};

/// What came of a wish.
struct RowMade {
  std::string refusal;    ///< why there is no row: the server's words, or ours; empty: it is there
  std::string sql;        ///< the INSERT
  std::string key;        ///< "id=17", by the primary or first unique key; empty where there is none
  std::string condition;  ///< that finds it again: "id = '17'"
};

/// Makes rows that obey a table's types, domains, checks, unique and foreign keys, from what the catalog says
/// and, where the table has rows, after the model of one of them; what serves is found by asking the server.
/// Its own values do not depend on time or chance; a column's default may.
class RowMaker {
 public:
  /// `session` has a transaction open; what fails is taken back to a savepoint.
  explicit RowMaker(Connection& session) : m_session(session) {}

  /// Holds rows of the table to a unique key that is no longer there, too.
  void keep_to(const std::string& table, const std::vector<std::string>& columns) {
    m_former_keys[table].push_back(columns);
  }

  Result<RowMade> make(const RowWish& wish) { return make(wish, 0); }
  /// Gives a row that is there already what the wish says, where no further one can be had.
  Result<RowMade> change(const RowWish& wish);
  /// Texts that the column's checks let pass, as far as they name any.
  Result<std::vector<std::string>> candidates(const std::string& table, const std::string& column);
  /// An expression for a value of the column that its foreign key, its checks and its type take.
  Result<std::string> value_for(const std::string& table, const std::string& column);

 private:
  struct Column {
    std::string name;
    std::string type;       ///< as format_type writes it
    std::string base;       ///< without domain and modifier: "int4", "varchar"
    char category = 'X';    ///< pg_type.typcategory of the base
    bool required = false;  ///< NOT NULL, its own or its domain's
    bool always = false;    ///< GENERATED ALWAYS: identity or stored
    bool has_default = false;
    bool wavers = false;  ///< its default depends on time or chance
    bool is_domain = false;
    int limit = 0;                        ///< characters that it takes; 0: any number
    std::string label;                    ///< the first of an enum's
    std::vector<std::string> candidates;  ///< texts that its checks name
  };
  struct ForeignKey {
    std::vector<std::string> columns;
    std::string table;
    std::vector<std::string> referenced;
  };
  struct Table {
    std::vector<Column> columns;
    std::vector<std::vector<std::string>> unique;  ///< the primary key first
    bool first_is_key = false;                     ///< the first of them has plain columns, none of them NULL
    std::vector<ForeignKey> foreign;
    bool has_rows = false;
  };

  Result<RowMade> make(const RowWish& wish, int depth);
  std::string returning(const Table& table) const;
  Result<const Table*> look_at(const std::string& table);
  Result<void> read_columns(const std::string& table, Table& result);
  Result<void> read_keys(const std::string& table, Table& result);
  Result<void> sift(const std::string& table, Table& result);
  Result<bool> fill_referenced(const Table& table, const RowWish& wish, int depth);
  std::map<std::string, std::string> expressions(const std::string& name, const Table& table,
                                                 const RowWish& wish, int attempt) const;
  void keep_unique(const std::string& name, const Table& table, const RowWish& wish, int attempt,
                   std::map<std::string, std::string>& values) const;
  void refer_to_itself(const std::string& name, const Table& table, int attempt,
                       std::map<std::string, std::string>& values) const;
  std::string insert(const std::string& name, const Table& table,
                     const std::map<std::string, std::string>& values, int attempt) const;
  std::string invented(const Column& column, int attempt) const;
  std::string fresh(const std::string& name, const Column& column, bool modelled, int attempt) const;
  static const Column* named(const Table& table, const std::string& column);
  static const ForeignKey* key_of(const Table& table, const std::string& column);

  Connection& m_session;
  std::map<std::string, Table> m_tables;
  std::map<std::string, std::vector<std::vector<std::string>>> m_former_keys;
  int m_made = 0;  ///< rows
};

}  // namespace lockkeeper::engine::postgres
