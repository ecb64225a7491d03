#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sqlite3.h>

#include "base/result.h"
#include "record/record.h"

namespace lockkeeper::engine::sqlite {

/// What each session begins with, by the names of PRAGMAs, in the order given.
using Pragmas = std::vector<std::pair<std::string, std::string>>;

/// "SQLITE_CONSTRAINT_FOREIGNKEY" of an extended result code; of an unknown one the primary code's name.
std::string name_of_code(int code);

/// 'text' and "name" as SQL has them.
std::string quoted_text(std::string_view text);
std::string quoted_name(std::string_view name);

/// One prepared statement.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : m_statement(statement) {}

  sqlite3_stmt* get() const { return m_statement.get(); }
  bool is_empty() const { return m_statement == nullptr; }  ///< white space and comments alone
  int step() { return sqlite3_step(m_statement.get()); }
  int columns() const { return sqlite3_column_count(m_statement.get()); }
  bool is_null(int column) const { return sqlite3_column_type(m_statement.get(), column) == SQLITE_NULL; }
  std::int64_t number(int column) const { return sqlite3_column_int64(m_statement.get(), column); }
  std::string text(int column) const;  ///< "" for NULL; blobs as x'…'
  /// A number is bound as one: compared with a column without affinity '1' would not be 1. A code of
  /// SQLite's: a value that is too long is not bound.
  int bind(int at, const std::optional<std::string>& value);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

/// A connection to a file.
class Database {
 public:
  enum class Mode { read_only, read_write, create };
  using Row = std::vector<std::optional<std::string>>;

  /// An environment failure where the file cannot be opened or is no database.
  static Result<Database> open(const std::filesystem::path& path, Mode mode, const Pragmas& pragmas = {});

  sqlite3* get() const { return m_database.get(); }
  const std::string& path() const { return m_path; }
  bool in_transaction() const { return sqlite3_get_autocommit(m_database.get()) == 0; }

  /// The statement at the beginning of the text; `rest` is what stands behind it.
  tl::expected<Statement, record::SqlError> prepare(std::string_view sql, std::string_view* rest = nullptr);
  /// All statements of the text, their rows dropped.
  std::optional<record::SqlError> execute(std::string_view sql);
  /// Rows of one statement of ours: an error is a failure.
  Result<std::vector<Row>> rows(const std::string& sql);
  /// Calls `row` for each row of one statement of ours.
  Result<void> each(const std::string& sql, const std::function<void(Statement&)>& row);
  /// The first value of the first row, "" where there is none.
  Result<std::string> value(const std::string& sql);

  record::SqlError last_error() const;
  Failure failure(const record::SqlError& error) const;

  /// Ends whatever runs when the time is over or a signal came in; none: no limit.
  void limit_time(std::chrono::milliseconds timeout);
  bool ran_out_of_time() const { return m_clock->out_of_time; }
  /// The same look at clock and signal, for what is done between rows.
  bool is_time_over() { return on_progress(m_clock.get()) != 0; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  struct Clock {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    bool out_of_time = false;
  };
  static int on_progress(void* clock);

  Database(sqlite3* database, std::string path) : m_database(database), m_path(std::move(path)) {}

  std::unique_ptr<Clock> m_clock = std::make_unique<Clock>();
  std::unique_ptr<sqlite3, Close> m_database;
  std::string m_path;
};

}  // namespace lockkeeper::engine::sqlite
