#include "engine/sqlite/database.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine::sqlite {

namespace {

struct Code {
  int code;
  std::string_view name;
};

#define LOCKKEEPER_CODE(name) \
  Code {                      \
    name, #name               \
  }
// https://www.sqlite.org/rescode.html: those that a migration or its file can bring about.
constexpr std::array k_codes = {
    LOCKKEEPER_CODE(SQLITE_ERROR),
    LOCKKEEPER_CODE(SQLITE_INTERNAL),
    LOCKKEEPER_CODE(SQLITE_PERM),
    LOCKKEEPER_CODE(SQLITE_ABORT),
    LOCKKEEPER_CODE(SQLITE_BUSY),
    LOCKKEEPER_CODE(SQLITE_LOCKED),
    LOCKKEEPER_CODE(SQLITE_NOMEM),
    LOCKKEEPER_CODE(SQLITE_READONLY),
    LOCKKEEPER_CODE(SQLITE_INTERRUPT),
    LOCKKEEPER_CODE(SQLITE_IOERR),
    LOCKKEEPER_CODE(SQLITE_CORRUPT),
    LOCKKEEPER_CODE(SQLITE_NOTFOUND),
    LOCKKEEPER_CODE(SQLITE_FULL),
    LOCKKEEPER_CODE(SQLITE_CANTOPEN),
    LOCKKEEPER_CODE(SQLITE_PROTOCOL),
    LOCKKEEPER_CODE(SQLITE_SCHEMA),
    LOCKKEEPER_CODE(SQLITE_TOOBIG),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT),
    LOCKKEEPER_CODE(SQLITE_MISMATCH),
    LOCKKEEPER_CODE(SQLITE_MISUSE),
    LOCKKEEPER_CODE(SQLITE_NOLFS),
    LOCKKEEPER_CODE(SQLITE_AUTH),
    LOCKKEEPER_CODE(SQLITE_RANGE),
    LOCKKEEPER_CODE(SQLITE_NOTADB),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_CHECK),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_COMMITHOOK),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_DATATYPE),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_FOREIGNKEY),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_FUNCTION),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_NOTNULL),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_PINNED),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_PRIMARYKEY),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_ROWID),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_TRIGGER),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_UNIQUE),
    LOCKKEEPER_CODE(SQLITE_CONSTRAINT_VTAB),
    LOCKKEEPER_CODE(SQLITE_BUSY_SNAPSHOT),
    LOCKKEEPER_CODE(SQLITE_BUSY_TIMEOUT),
    LOCKKEEPER_CODE(SQLITE_LOCKED_SHAREDCACHE),
    LOCKKEEPER_CODE(SQLITE_CORRUPT_VTAB),
    LOCKKEEPER_CODE(SQLITE_CORRUPT_INDEX),
    LOCKKEEPER_CODE(SQLITE_ERROR_MISSING_COLLSEQ),
};
#undef LOCKKEEPER_CODE

/// So few since one of them can be hex() of many megabytes; a look takes some ten nanoseconds.
constexpr int k_operations_between_looks = 200;
constexpr int k_primary = 0xFF;

std::string quoted(std::string_view text, char quote) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

/// x'0aff'; some are tens of megabytes long.
std::string hexadecimal(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size() + 3);
  text += "x'";
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xFU];
  }
  return text += '\'';
}

}  // namespace

std::string name_of_code(int code) {
  auto found = std::ranges::find(k_codes, code, &Code::code);
  if (found == k_codes.end()) found = std::ranges::find(k_codes, code & k_primary, &Code::code);
  return found == k_codes.end() ? fmt::format("SQLITE_{}", code) : std::string(found->name);
}

std::string quoted_text(std::string_view text) {
  return quoted(text, '\'');
}

std::string quoted_name(std::string_view name) {
  return quoted(name, '"');
}

std::string Statement::text(int column) const {
  sqlite3_stmt* const statement = m_statement.get();
  if (sqlite3_column_type(statement, column) == SQLITE_BLOB) {
    const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(statement, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return hexadecimal(std::span(bytes, size));
  }
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return text == nullptr ? std::string() : std::string(text, size);
}

int Statement::bind(int at, const std::optional<std::string>& value) {
  sqlite3_stmt* const statement = m_statement.get();
  if (!value) return sqlite3_bind_null(statement, at);
  const char* const end = value->data() + value->size();
  std::int64_t whole = 0;
  double real = 0;
  if (const auto read = std::from_chars(value->data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    return sqlite3_bind_int64(statement, at, whole);
  }
  // "inf" and "nan" are words, though from_chars reads them: SQLite would take the latter for NULL.
  const auto more = std::from_chars(value->data(), end, real);
  if (more.ec == std::errc() && more.ptr == end && std::isfinite(real))
    return sqlite3_bind_double(statement, at, real);
  return sqlite3_bind_text64(statement, at, value->data(), value->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode, const Pragmas& pragmas) {
  const int flags = mode == Mode::read_only    ? SQLITE_OPEN_READONLY
                    : mode == Mode::read_write ? SQLITE_OPEN_READWRITE
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(opened, path.string());
  if (code != SQLITE_OK) return tl::unexpected<Failure>(database.failure(database.last_error()));
  sqlite3_progress_handler(opened, k_operations_between_looks, on_progress, database.m_clock.get());
  for (const auto& [name, value] : pragmas) {
    if (const auto error = database.execute(fmt::format("PRAGMA {} = {}", name, value)))
      return tl::unexpected<Failure>(database.failure(*error));
  }
  return database;
}

int Database::on_progress(void* context) {
  auto* clock = static_cast<Clock*>(context);
  if (interrupted()) return 1;
  if (!clock->deadline || std::chrono::steady_clock::now() < *clock->deadline) return 0;
  clock->out_of_time = true;
  return 1;
}

void Database::limit_time(std::chrono::milliseconds timeout) {
  m_clock->out_of_time = false;
  m_clock->deadline.reset();
  if (timeout.count() > 0) m_clock->deadline = std::chrono::steady_clock::now() + timeout;
}

record::SqlError Database::last_error() const {
  const int code = m_database ? sqlite3_extended_errcode(m_database.get()) : SQLITE_NOMEM;
  return {name_of_code(code), m_database ? sqlite3_errmsg(m_database.get()) : "out of memory", "", "", ""};
}

Failure Database::failure(const record::SqlError& error) const {
  if (interrupted()) return failed_by_interrupt().value();
  return failed(FailureKind::environment,
                fmt::format("cannot work on '{}': {} ({})", m_path, error.message, error.sqlstate))
      .value();
}

tl::expected<Statement, record::SqlError> Database::prepare(std::string_view sql, std::string_view* rest) {
  sqlite3_stmt* prepared = nullptr;
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v2(m_database.get(), sql.data(), static_cast<int>(sql.size()), &prepared, &tail);
  Statement statement(prepared);
  if (code != SQLITE_OK) return tl::unexpected(last_error());
  if (rest != nullptr) *rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  return statement;
}

std::optional<record::SqlError> Database::execute(std::string_view sql) {
  while (!trimmed(sql).empty()) {
    auto statement = prepare(sql, &sql);
    if (!statement) return statement.error();
    if (statement->is_empty()) continue;
    int code = statement->step();
    while (code == SQLITE_ROW) code = statement->step();
    if (code != SQLITE_DONE) return last_error();
  }
  return std::nullopt;
}

Result<void> Database::each(const std::string& sql, const std::function<void(Statement&)>& row) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected<Failure>(failure(statement.error()));
  int code = statement->step();
  for (; code == SQLITE_ROW; code = statement->step()) row(*statement);
  if (code != SQLITE_DONE) return tl::unexpected<Failure>(failure(last_error()));
  return {};
}

Result<std::vector<Database::Row>> Database::rows(const std::string& sql) {
  std::vector<Row> rows;
  const auto done = each(sql, [&](Statement& statement) {
    Row& row = rows.emplace_back();
    for (int i = 0; i < statement.columns(); ++i) {
      row.push_back(statement.is_null(i) ? std::nullopt : std::optional(statement.text(i)));
    }
  });
  if (!done) return failed(done);
  return rows;
}

Result<std::string> Database::value(const std::string& sql) {
  const auto found = rows(sql);
  if (!found) return failed(found);
  return found->empty() || found->front().empty() ? std::string() : found->front().front().value_or("");
}

}  // namespace lockkeeper::engine::sqlite
