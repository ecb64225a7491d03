#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What only the text of a CREATE statement tells: sqlite_schema keeps it as it was written.
namespace lockkeeper::engine::sqlite {

/// The text with its tokens in one form: white space and comments aside, keywords in capitals, quotes only
/// where a name needs them. Two ways to write the same thing come out alike.
std::string normalised(std::string_view sql);

/// The same of a CREATE INDEX from the parenthesis of its columns on, and of a CREATE VIEW or TRIGGER whole.
std::string index_shape(std::string_view sql);

/// A constraint of a table.
struct TableConstraint {
  enum class Kind { primary_key, unique, check, foreign_key };
  Kind kind = Kind::check;
  std::string name;                  ///< as it is given; mostly none
  std::vector<std::string> columns;  ///< of a check none
  std::string expression;            ///< of a check
  std::string target;                ///< of a foreign key
  std::vector<std::string> target_columns;
  std::string on_delete = "no action";
  std::string on_update = "no action";
  std::string deferrable;  ///< "DEFERRABLE INITIALLY DEFERRED" or empty
  std::string on_conflict;

  /// "FOREIGN KEY (userId) REFERENCES User (id) ON DELETE CASCADE"
  std::string definition() const;
  /// The same without what may change and leave it the same constraint.
  std::string bare() const;
};

/// What a column says beside its type, nullability and default.
struct ColumnText {
  std::string collation;
  std::string generated;    ///< "(a + b) STORED"
  std::string on_conflict;  ///< of its NOT NULL
};

struct TableText {
  std::map<std::string, ColumnText> columns;  ///< by name
  std::vector<TableConstraint> constraints;
  bool autoincrement = false;
  bool strict = false;
  bool without_rowid = false;
};

/// Reads CREATE TABLE as sqlite_schema keeps it. What is not understood is left out: the text was taken by
/// SQLite itself.
TableText read_table(std::string_view sql);

/// A name as people write it: quoted only where SQL could not read it otherwise, keywords aside.
std::string shown_name(std::string_view name);

}  // namespace lockkeeper::engine::sqlite
