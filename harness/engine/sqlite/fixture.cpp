#include "engine/sqlite/fixture.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/decompress.h"
#include "engine/sqlite/schema_text.h"
#include "sql/lexer.h"
#include "sql/statement.h"

namespace lockkeeper::engine::sqlite {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_database_mark{"SQLite format 3\0", 16};
constexpr std::size_t k_buffer = 1 << 16;

tl::unexpected<Failure> cannot_load(const std::string& path, const std::string& cause,
                                    const std::string& hint = {}, const Location& place = {}) {
  return failed(FailureKind::usage, fmt::format("cannot load fixture '{}': {}", path, cause), hint,
                place.line > 0 ? place : Location{path, 0, 0});
}

void scale_function(sqlite3_context* context, int, sqlite3_value**) {
  sqlite3_result_int(context, *static_cast<const int*>(sqlite3_user_data(context)));
}

/// lockkeeper_scale() as long as it lives.
class ScaleFunction {
 public:
  ScaleFunction(Database& database, int scale) : m_database(database), m_scale(scale) { set(scale_function); }
  ~ScaleFunction() { set(nullptr); }
  ScaleFunction(const ScaleFunction&) = delete;
  ScaleFunction& operator=(const ScaleFunction&) = delete;

 private:
  void set(void (*function)(sqlite3_context*, int, sqlite3_value**)) {
    sqlite3_create_function_v2(m_database.get(), "lockkeeper_scale", 0, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                               function == nullptr ? nullptr : &m_scale, function, nullptr, nullptr, nullptr);
  }
  Database& m_database;
  int m_scale;
};

Result<std::string> read_all(const std::string& path) {
  auto stream = FileStream::open(path);
  if (!stream) return failed(stream);
  std::string text;
  std::vector<char> buffer(k_buffer);
  while (true) {
    const auto got = (*stream)->read(buffer.data(), buffer.size());
    if (!got) return failed(got);
    if (*got == 0) return text;
    text.append(buffer.data(), *got);
  }
}

/// Many rows in one transaction: a file without one of its own would wait for each.
class Loading {
 public:
  Loading(Database& database, std::string path) : m_database(database), m_path(std::move(path)) {}

  Result<void> run(const sql::Statement& statement) {
    const bool free = statement.kind == sql::StatementKind::ordinary && !is_pragma(statement.text);
    if (free && !m_database.in_transaction()) {
      m_database.execute("BEGIN");
      m_own = true;
    } else if (!free && m_own) {
      if (const auto ended = end(statement.location); !ended) return ended;
    }
    const auto error = m_database.execute(statement.text);
    return error ? failure(*error, statement.location) : Result<void>();
  }

  Result<void> end(const Location& place) {
    if (m_own && m_database.in_transaction()) {
      m_own = false;
      if (const auto error = m_database.execute("COMMIT")) return failure(*error, place);
    }
    m_own = false;
    if (!m_database.in_transaction()) return {};
    m_database.execute("ROLLBACK");
    return cannot_load(m_path, "it leaves a transaction open", "write COMMIT at its end");
  }

 private:
  static bool is_pragma(std::string_view text) {
    sql::Lexer lexer(text, 0, sql::Dialect::sqlite);
    const std::string_view word = lexer.next_code().in(text);
    return sql::is_keyword(word, "pragma") || sql::is_keyword(word, "attach") ||
           sql::is_keyword(word, "detach");
  }
  Result<void> failure(const record::SqlError& error, const Location& place) const {
    if (interrupted()) return failed_by_interrupt();
    return cannot_load(m_path, fmt::format("{} ({})", error.message, error.sqlstate), {}, place);
  }

  Database& m_database;
  std::string m_path;
  bool m_own = false;
};

int deny_other_files(void*, int action, const char* name, const char*, const char*, const char*) {
  const std::string_view file = name == nullptr ? "" : name;
  return action == SQLITE_ATTACH && !file.empty() && file != ":memory:" ? SQLITE_DENY : SQLITE_OK;
}

Result<void> load_sql(Database& database, const std::string& path) {
  auto text = read_all(path);
  if (!text) return failed(text);
  const auto source = sql::Source::from_text(path, std::move(*text), 1, sql::Dialect::sqlite);
  if (!source) return failed(source);
  const auto statements = sql::split_statements(*source);
  if (!statements) return failed(statements);
  Loading loading(database, path);
  sqlite3_set_authorizer(database.get(), deny_other_files, nullptr);
  Result<void> done;
  for (const sql::Statement& statement : *statements) {
    done = loading.run(statement);
    if (!done) break;
  }
  if (done) done = loading.end({});
  if (!done && database.in_transaction()) database.execute("ROLLBACK");
  sqlite3_set_authorizer(database.get(), nullptr, nullptr);
  // What a dump turns off for itself (PRAGMA foreign_keys=OFF) is its own.
  database.execute("PRAGMA foreign_keys = OFF; PRAGMA writable_schema = OFF");
  return done;
}

/// Records of RFC 4180 with the line that each begins at; a field that is empty and not quoted is NULL.
class CsvReader {
 public:
  using Record = std::vector<std::optional<std::string>>;
  explicit CsvReader(std::string_view text) : m_text(text) {}

  int line() const { return m_begun; }
  bool is_open() const { return m_open; }  ///< the text ended within quotes

  bool next(Record& record) {
    record.clear();
    if (m_at >= m_text.size()) return false;
    m_begun = m_line;
    std::string field;
    bool quoted = false;
    const auto finish = [&] {
      record.push_back(field.empty() && !quoted ? std::nullopt : std::optional(field));
      field.clear();
      quoted = false;
    };
    while (m_at < m_text.size()) {
      const char c = m_text[m_at++];
      if (c == '"' && field.empty() && !quoted) {
        quoted = true;
        read_quoted(field);
      } else if (c == ',') {
        finish();
      } else if (c == '\n') {
        ++m_line;
        break;
      } else if (c != '\r' || m_at >= m_text.size() || m_text[m_at] != '\n') {
        field += c;
      }
    }
    finish();
    return true;
  }

 private:
  void read_quoted(std::string& field) {
    m_open = true;
    while (m_at < m_text.size()) {
      const char c = m_text[m_at++];
      if (c == '\n') ++m_line;
      if (c != '"') {
        field += c;
      } else if (m_at < m_text.size() && m_text[m_at] == '"') {
        field += m_text[m_at++];
      } else {
        m_open = false;
        return;
      }
    }
  }

  std::string_view m_text;
  std::size_t m_at = 0;
  int m_line = 1;
  int m_begun = 1;
  bool m_open = false;
};

std::string stem_of(const std::string& path) {
  fs::path name = fs::path(path).filename();
  while (name.has_extension()) name = name.stem();
  return name.string();
}

Result<void> insert_records(Database& database, const std::string& path, CsvReader& reader,
                            std::size_t fields, Statement& insert) {
  CsvReader::Record record;
  while (reader.next(record)) {
    const Location place{path, reader.line(), 1};
    if (record.size() == 1 && !record[0] && fields > 1) continue;  // an empty line
    if (record.size() != fields) {
      return cannot_load(path,
                         fmt::format("{} where the header names {}",
                                     counted(static_cast<std::int64_t>(record.size()), "field"), fields),
                         {}, place);
    }
    sqlite3_reset(insert.get());
    for (std::size_t i = 0; i < fields; ++i) {
      const int at = static_cast<int>(i) + 1;
      if (record[i]) {
        sqlite3_bind_text(insert.get(), at, record[i]->data(), static_cast<int>(record[i]->size()),
                          SQLITE_STATIC);
      } else {
        sqlite3_bind_null(insert.get(), at);
      }
    }
    if (insert.step() != SQLITE_DONE) {
      if (interrupted()) return failed_by_interrupt();
      return cannot_load(path, database.last_error().message, {}, place);
    }
  }
  if (reader.is_open()) return cannot_load(path, "a quote is never closed", {}, {path, reader.line(), 1});
  return {};
}

Result<void> load_csv(Database& database, const std::string& path, const std::string& named) {
  const auto content = read_all(path);
  if (!content) return failed(content);
  std::string_view text = *content;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  CsvReader reader(text);
  CsvReader::Record header;
  if (!reader.next(header) || (header.size() == 1 && !header[0]))
    return cannot_load(path, "the first line names no columns", {}, {path, 1, 1});
  const std::string table = named.empty() ? stem_of(path) : named;
  const auto known = database.value(
      fmt::format("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower({})",
                  quoted_text(table)));
  if (!known) return failed(known);
  if (*known == "0") {
    return cannot_load(path, fmt::format("there is no table '{}'", table),
                       "load the schema first, or name the table: {path: …, table: …}");
  }
  std::vector<std::string> columns;
  std::vector<std::string> marks;
  for (const auto& field : header) {
    columns.push_back(quoted_name(field.value_or("")));
    marks.emplace_back("?");
  }
  auto insert = database.prepare(fmt::format("INSERT INTO main.{} ({}) VALUES ({})", quoted_name(table),
                                             join(columns, ", "), join(marks, ", ")));
  if (!insert) return cannot_load(path, insert.error().message, {}, {path, 1, 1});
  database.execute("BEGIN");
  const auto done = insert_records(database, path, reader, columns.size(), *insert);
  sqlite3_reset(insert->get());
  const auto error = database.execute(done ? "COMMIT" : "ROLLBACK");
  if (done && error) return cannot_load(path, error->message);
  return done;
}

Result<void> write_content(const std::string& path, const fs::path& to) {
  auto stream = FileStream::open(path);
  if (!stream) return failed(stream);
  std::ofstream out(to, std::ios::binary);
  std::vector<char> buffer(k_buffer);
  while (true) {
    const auto got = (*stream)->read(buffer.data(), buffer.size());
    if (!got) return failed(got);
    if (*got == 0) break;
    out.write(buffer.data(), static_cast<std::streamsize>(*got));
  }
  out.close();
  return out ? Result<void>() : cannot("write", to);
}

/// A database, and what a writer left beside it: read as a copy, so that nothing happens to the original.
Result<void> load_database(Database& database, const std::string& path, const fs::path& scratch) {
  const auto filled = database.value("SELECT count(*) FROM main.sqlite_schema");
  if (!filled) return failed(filled);
  if (*filled != "0") {
    return cannot_load(path, "a database takes the place of all that was loaded before it",
                       "name it first among the fixtures");
  }
  const fs::path copy = scratch / "fixture.db";
  const auto clean = [&] {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      std::error_code ignored;
      fs::remove(copy.string() + suffix, ignored);
    }
  };
  clean();
  Result<void> done = write_content(path, copy);
  for (const char* suffix : {"-wal", "-journal"}) {
    std::error_code error;
    if (done && fs::is_regular_file(path + suffix, error))
      done = write_content(path + suffix, copy.string() + suffix);
  }
  if (!done) {
    clean();
    return done;
  }
  auto source = Database::open(copy, Database::Mode::read_write);
  if (source) {
    sqlite3_backup* backup = sqlite3_backup_init(database.get(), "main", source->get(), "main");
    if (backup != nullptr) sqlite3_backup_step(backup, -1);
    const int code = backup == nullptr ? SQLITE_ERROR : sqlite3_backup_finish(backup);
    if (code != SQLITE_OK) {
      done = cannot_load(path, fmt::format("{} ({})", sqlite3_errstr(code), name_of_code(code)),
                         "see what sqlite3 says of it: PRAGMA integrity_check");
    }
  }
  clean();
  if (!source) return failed(source);
  if (!done) return done;
  const auto sound = database.value("PRAGMA quick_check(1)");
  if (!sound || *sound != "ok")
    return cannot_load(path, fmt::format("it is damaged: {}", sound ? *sound : sound.error().message));
  return {};
}

}  // namespace

Result<void> load_fixture(Database& database, const std::string& path, const std::string& table, int scale,
                          const fs::path& scratch) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return cannot_load(path, "it is a directory",
                       "a fixture for SQLite is .sql, .csv (each also .gz or .zst) or a "
                       "database file");
  }
  const auto head = head_of(path, k_database_mark.size());
  if (!head) return failed(head);
  const ScaleFunction function(database, scale);
  if (*head == k_database_mark) return load_database(database, path, scratch);
  std::string name = lower(fs::path(path).filename().string());
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  }
  if (name.ends_with(".csv")) return load_csv(database, path, table);
  if (name.ends_with(".db") || name.ends_with(".sqlite") || name.ends_with(".sqlite3"))
    return cannot_load(path, "it is no database of SQLite", "its first bytes are not 'SQLite format 3'");
  if (head->starts_with("PGDMP"))
    return cannot_load(path, "it is a dump of PostgreSQL", "name the engine postgres");
  return load_sql(database, path);
}

}  // namespace lockkeeper::engine::sqlite
