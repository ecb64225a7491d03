#include "engine/postgres/later_rollback.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/row_maker.h"
#include "engine/postgres/statement_text.h"
#include "sql/kind.h"

namespace lockkeeper::engine::postgres {

namespace {

using record::SqlError;
using record::Write;
using Kind = WriteWish::Kind;

/// Wishes beyond these are left out: each is driven back by itself where all of them together stop down.
constexpr std::size_t k_most_wishes = 24;

SqlError error_of(const Connection::Answered& answered) {
  return {answered.sqlstate, answered.message, answered.detail, "", answered.context};
}

/// A statement of down as it can be sent in a transaction; none where it is left out or cannot.
struct Sendable {
  std::string text;
  bool left_out = false;
  bool impossible = false;
};

Sendable sendable(const sql::Statement& statement) {
  using sql::StatementKind;
  if (statement.kind == StatementKind::begin || statement.kind == StatementKind::end ||
      statement.kind == StatementKind::set_transaction)
    return {"", true, false};
  std::string text(statement.text);
  if (statement.kind == StatementKind::copy_from_stdin) return {"", false, true};
  if (statement.kind != StatementKind::no_transaction) return {text, false, false};
  const std::string head = sql::headline(text);
  const auto at = lower(text).find("concurrently");
  if (head.find("INDEX") == std::string::npos || at == std::string::npos) return {"", false, true};
  text.erase(at, std::string_view("concurrently").size());
  return {text, false, false};
}

/// A row that was written, and how to see what became of it.
struct Written {
  Write record;
  std::string condition;  ///< that finds the row
  std::string column;     ///< whose value the wish is about; may be empty
  std::string value;      ///< of that column, as text
  bool value_is_null = false;
};

/// One session's attempts, each in a transaction that is rolled back.
class Attempts {
 public:
  Attempts(Connection& session, const LaterRollback& request) : m_session(session), m_request(request) {}

  Result<std::vector<Write>> run();
  /// All that is wished, to stay.
  Result<std::vector<Written>> commit();
  /// What a down that ran in other sessions has left of it.
  Result<std::vector<Write>> after(std::vector<Written> written);

 private:
  struct Stopped {
    SqlError error;
    std::string statement;
    std::optional<Location> location;
  };

  Result<void> begin();
  Result<void> end() { return ran(m_session.rows("ROLLBACK")); }
  template <typename T>
  static Result<void> ran(const Result<T>& result) {
    if (!result) return failed(result);
    return {};
  }
  Result<std::vector<Written>> write_all(std::vector<WriteWish>& wishes);
  Result<std::vector<Write>> look_after(std::vector<Written> written);
  Result<Written> write(const WriteWish& wish);
  Result<Written> write_deferred(const WriteWish& wish);
  Result<RowMade> make(const WriteWish& wish, Written& written);
  Result<std::string> type_of(const std::string& table, const std::string& column);
  Result<std::string> wrong_value(const WriteWish& wish);
  Result<void> note_value(Written& written);
  Result<std::optional<Stopped>> go_back();
  Result<std::optional<std::string>> answer(const std::string& sql, bool& known);
  Result<std::string> what_is_lost(const Written& written);
  Result<void> by_itself(const WriteWish& wish, Write& write);
  Result<void> rescue(const WriteWish& wish, const Written& written, Write& write);
  std::vector<std::pair<std::string, std::string>> ways_out(const WriteWish& wish, const Written& written);

  Connection& m_session;
  const LaterRollback& m_request;
  std::string m_value_instead;  ///< of NULL
};

Result<void> Attempts::begin() {
  return ran(m_session.rows(
      fmt::format("BEGIN; SET LOCAL statement_timeout = {}", m_request.statement_timeout.count())));
}

/// The tables that a new label can be written to: columns of that enumeration.
std::string tables_of_type(const std::string& type_literal) {
  return fmt::format(
      "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(a.attname) FROM "
      "pg_attribute "
      "a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
      "a.atttypid = "
      "to_regtype({}) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT a.attisdropped ORDER BY "
      "a.attrelid, a.attnum LIMIT 1",
      type_literal);
}

/// A value that a type does not take; empty where nobody knows one.
std::string longer_than(const std::string& before) {
  const auto open = before.find('(');
  const int length = open == std::string::npos ? 0 : std::atoi(before.c_str() + open + 1);
  if (before.starts_with("character") && length > 0) return fmt::format("repeat('x', {})", length + 1);
  if (before == "smallint") return "40000";
  if (before == "integer") return "3000000000";
  if (before.starts_with("numeric") && length > 0) {
    const auto comma = before.find(',', open);
    const int scale = comma == std::string::npos ? 0 : std::atoi(before.c_str() + comma + 1);
    return fmt::format("({}::numeric + 0.{}1)",
                       "1" + std::string(std::size_t(std::max(0, length - scale)), '0'),
                       std::string(std::size_t(std::max(0, scale)), '0'));
  }
  return "";
}

/// As format_type writes it; empty where there is no such column.
Result<std::string> Attempts::type_of(const std::string& table, const std::string& column) {
  const auto type = m_session.rows(fmt::format(
      "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass({}) AND "
      "quote_ident(attname) = {}",
      m_session.quoted_text(table), m_session.quoted_text(column)));
  if (!type) return failed(type);
  return type->empty() ? std::string() : (*type)[0][0].value_or("");
}

/// A value that the check would have refused, found by asking the server.
Result<std::string> Attempts::wrong_value(const WriteWish& wish) {
  const auto open = wish.detail.find('(');
  if (open == std::string::npos || wish.columns.size() != 1) return std::string();
  std::string expression = wish.detail.substr(open);
  for (const std::string_view tail : {" NOT VALID", " NO INHERIT"}) {
    if (expression.ends_with(tail)) expression.resize(expression.size() - tail.size());
  }
  const auto type = type_of(wish.table, wish.columns[0]);
  if (!type) return failed(type);
  if (type->empty()) return std::string();
  RowMaker maker(m_session);
  auto candidates = maker.candidates(wish.table, wish.columns[0]);
  if (!candidates) return failed(candidates);
  for (const char* further : {"-1", "0", "1000000", "", "lockkeeper", "x@y", "true", "false", "1970-01-01",
                              "2099-12-31", "{}", "[]"})
    candidates->emplace_back(further);
  for (const std::string& candidate : *candidates) {
    const std::string value = fmt::format("{}::{}", m_session.quoted_text(candidate), *type);
    if (const auto point = m_session.rows("SAVEPOINT lockkeeper_try"); !point) return failed(point);
    const auto refused = m_session.ask(
        fmt::format("SELECT 1 FROM (SELECT {} AS {}) v WHERE NOT ({})", value, wish.columns[0], expression));
    if (!refused) return failed(refused);
    if (const auto back = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_try"); !back) return failed(back);
    if (refused->sqlstate.empty() && !refused->rows.empty()) return value;
  }
  return std::string();
}

Result<RowMade> Attempts::make(const WriteWish& wish, Written& written) {
  RowMaker maker(m_session);
  for (const WriteWish& other : m_request.wishes) {
    if (other.kind == Kind::against_unique) maker.keep_to(other.table, other.columns);
  }
  RowWish row;
  row.table = wish.table;
  const std::string column = wish.columns.empty() ? "" : wish.columns.front();
  written.column = wish.columns.size() == 1 ? column : "";
  const auto refused = [](std::string why) { return Result<RowMade>(RowMade{std::move(why), "", "", ""}); };
  switch (wish.kind) {
    case Kind::row:
      row.full = true;
      break;
    case Kind::value:
      row.filled = wish.columns;
      break;
    case Kind::null: {
      row.values[column] = "NULL";
      auto value = maker.value_for(wish.table, column);
      if (!value) return failed(value);
      m_value_instead = std::move(*value);
      break;
    }
    case Kind::longer: {
      const std::string value = longer_than(wish.detail);
      if (value.empty()) return refused("nobody knows a value that only the new type takes");
      row.values[column] = value;
      break;
    }
    case Kind::label: {
      const auto tables = m_session.rows(tables_of_type(m_session.quoted_text(wish.table)));
      if (!tables) return failed(tables);
      if (tables->empty()) return refused("no column is of this type");
      row.table = written.record.table = (*tables)[0][0].value_or("");
      written.column = (*tables)[0][1].value_or("");
      row.values[written.column] = wish.detail;
      break;
    }
    case Kind::against_check: {
      const auto value = wrong_value(wish);
      if (!value) return failed(value);
      if (value->empty()) return refused("nobody knows a value that only this check kept out");
      row.values[column] = *value;
      break;
    }
    case Kind::against_unique:
      row.repeated = wish.columns;
      for (const std::string& one : wish.columns) row.values[one] = "{m}." + one;
      break;
    case Kind::against_foreign_key: {
      const auto type = type_of(wish.table, column);
      if (!type) return failed(type);
      const std::string& name = *type;
      if (wish.columns.size() != 1) return refused("its foreign key had several columns");
      row.values[column] = name == "uuid" ? "md5('lockkeeper nobody')::uuid"
                           : name == "bigint" || name == "integer" || name.starts_with("numeric")
                               ? "2000000007"
                               : "'lockkeeper: nobody'";
      break;
    }
  }
  auto made = maker.make(row);
  const bool of_one_column = !row.values.empty() || !row.filled.empty();
  if (!made || made->refusal.empty() || !of_one_column || wish.kind == Kind::against_unique) return made;
  // A table with one row for each row of another, all of them taken: the new release changes what is there.
  auto changed = maker.change(row);
  if (!changed || changed->refusal.empty()) return changed;
  return made;
}

/// That the new schema does not let it in either shows only when it is tried.
bool was_only_a_guess(const WriteWish& wish) {
  return wish.kind == Kind::longer || wish.kind == Kind::against_check || wish.kind == Kind::against_unique ||
         wish.kind == Kind::against_foreign_key;
}

std::string title_of(const WriteWish& wish, const Written& written) {
  const std::string columns = join(wish.columns, ", ");
  switch (wish.kind) {
    case Kind::row:
      return "a row";
    case Kind::value:
      return "a row with a value in " + columns;
    case Kind::null:
      return "a row with NULL in " + columns;
    case Kind::longer:
      return fmt::format("a row with a value in {} that {} does not take", columns, wish.detail);
    case Kind::label:
      return fmt::format("a row with {} in {}", wish.detail, written.column);
    case Kind::against_check:
      return fmt::format("a row that {} would refuse", abridged(wish.detail, 80));
    case Kind::against_unique:
      return "a second row with the same " + columns;
    case Kind::against_foreign_key:
      break;
  }
  return fmt::format("a row whose {} refers to none", columns);
}

/// What is deferred is due at the COMMIT of those who write, long before down.
Result<Written> Attempts::write(const WriteWish& wish) {
  if (const auto point = m_session.rows("SAVEPOINT lockkeeper_write"); !point) return failed(point);
  auto written = write_deferred(wish);
  if (!written || !written->record.skipped.empty()) return written;
  const auto fired = m_session.ask("SET CONSTRAINTS ALL IMMEDIATE");
  if (!fired) return failed(fired);
  if (fired->sqlstate.empty()) return written;
  written->record.skipped = fmt::format("{} (SQLSTATE {})", fired->message, fired->sqlstate);
  if (const auto back = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_write"); !back) return failed(back);
  return written;
}

/// Needs a transaction; what is written stays in it.
Result<Written> Attempts::write_deferred(const WriteWish& wish) {
  Written written;
  written.record.table = wish.table;
  auto made = make(wish, written);
  if (!made) return failed(made);
  written.record.what = title_of(wish, written);
  written.record.sql = made->sql;
  written.record.key = made->key;
  written.record.skipped = made->refusal;
  written.condition = made->condition;
  if (written.record.skipped.empty()) {
    if (const auto noted = note_value(written); !noted) return failed(noted);
  }
  return written;
}

/// The answer to a question of which it does not matter here why it cannot be asked.
Result<std::optional<std::string>> Attempts::answer(const std::string& sql, bool& known) {
  if (const auto point = m_session.rows("SAVEPOINT lockkeeper_ask"); !point) return failed(point);
  const auto answered = m_session.ask(sql);
  if (!answered) return failed(answered);
  known = answered->sqlstate.empty();
  std::optional<std::string> value;
  if (known && !answered->rows.empty()) value = answered->rows[0][0];
  known = known && !answered->rows.empty();
  if (const auto back = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_ask"); !back) return failed(back);
  return value;
}

Result<void> Attempts::note_value(Written& written) {
  if (written.column.empty() || written.condition.empty()) return {};
  bool known = false;
  const auto value = answer(fmt::format("SELECT ({})::text FROM {} WHERE {}", written.column,
                                        written.record.table, written.condition),
                            known);
  if (!value) return failed(value);
  if (!known) written.column.clear();
  written.value_is_null = !value->has_value();
  written.value = value->value_or("");
  return {};
}

/// Down, statement by statement; what stops it, or nothing.
Result<std::optional<Attempts::Stopped>> Attempts::go_back() {
  for (const sql::Part& part : m_request.down->parts) {
    for (const sql::Statement& statement : part.statements) {
      const Sendable sent = sendable(statement);
      if (sent.left_out || sent.impossible) continue;
      const auto answered = m_session.ask(sent.text);
      if (!answered) return failed(answered);
      if (answered->sqlstate.empty()) continue;
      return std::optional(Stopped{error_of(*answered), std::string(statement.text), statement.location});
    }
  }
  // What is deferred would stop its COMMIT.
  const auto fired = m_session.ask("SET CONSTRAINTS ALL IMMEDIATE");
  if (!fired) return failed(fired);
  if (!fired->sqlstate.empty()) return std::optional(Stopped{error_of(*fired), "COMMIT", std::nullopt});
  return std::optional<Stopped>();
}

/// After down: empty where all is as it was written, or where that cannot be told.
Result<std::string> Attempts::what_is_lost(const Written& written) {
  bool known = false;
  const auto table =
      answer(fmt::format("SELECT to_regclass({})", m_session.quoted_text(written.record.table)), known);
  if (!table) return failed(table);
  if (!table->has_value()) return fmt::format("the table {} is gone, and the row", written.record.table);
  if (written.condition.empty()) return std::string();
  const auto rows =
      answer(fmt::format("SELECT count(*) FROM {} WHERE {}", written.record.table, written.condition), known);
  if (!rows) return failed(rows);
  if (known && *rows == "0") return std::string("the row is gone");
  if (!known || written.column.empty()) return std::string();
  const auto value = answer(fmt::format("SELECT ({})::text FROM {} WHERE {}", written.column,
                                        written.record.table, written.condition),
                            known);
  if (!value) return failed(value);
  if (!known) {
    return written.value_is_null ? std::string()
                                 : fmt::format("the column is gone, and the value in {}", written.column);
  }
  if (value->has_value() != written.value_is_null && value->value_or("") == written.value)
    return std::string();
  // NULL is no value that could be lost, and a way back may have to put one there.
  if (written.value_is_null) return std::string();
  return fmt::format("{} in {} has become {}", m_session.quoted_text(abridged(written.value, 40)),
                     written.column,
                     value->has_value() ? m_session.quoted_text(abridged(**value, 40)) : "NULL");
}

std::vector<std::pair<std::string, std::string>> Attempts::ways_out(const WriteWish& wish,
                                                                    const Written& written) {
  std::vector<std::pair<std::string, std::string>> ways;
  if (wish.kind == Kind::null) {
    const std::string& column = wish.columns.front();
    ways.emplace_back("give such rows a value", fmt::format("UPDATE {0} SET {1} = {2} WHERE {1} IS NULL",
                                                            wish.table, column, m_value_instead));
    ways.emplace_back("delete such rows", fmt::format("DELETE FROM {} WHERE {} IS NULL", wish.table, column));
  } else if (!written.condition.empty()) {
    ways.emplace_back("delete the row",
                      fmt::format("DELETE FROM {} WHERE {}", written.record.table, written.condition));
  }
  return ways;
}

/// Each way out is tried: write, mend, down.
Result<void> Attempts::rescue(const WriteWish& wish, const Written& written, Write& record) {
  for (const auto& [what, sql] : ways_out(wish, written)) {
    record::Rescue rescue{what, sql, std::nullopt};
    if (const auto begun = begin(); !begun) return begun;
    const auto again = write(wish);
    if (!again) return failed(again);
    const auto mended = m_session.ask(sql);
    if (!mended) return failed(mended);
    if (!mended->sqlstate.empty()) {
      rescue.error = error_of(*mended);
    } else {
      const auto stopped = go_back();
      if (!stopped) return failed(stopped);
      if (*stopped) rescue.error = (*stopped)->error;
    }
    if (const auto ended = end(); !ended) return ended;
    record.rescues.push_back(std::move(rescue));
  }
  return {};
}

Result<void> Attempts::by_itself(const WriteWish& wish, Write& record) {
  if (const auto begun = begin(); !begun) return begun;
  auto written = write(wish);
  if (!written) return failed(written);
  record = written->record;
  std::optional<Stopped> stopped;
  if (record.skipped.empty()) {
    auto back = go_back();
    if (!back) return failed(back);
    stopped = std::move(*back);
    if (!stopped) {
      auto lost = what_is_lost(*written);
      if (!lost) return failed(lost);
      record.lost = std::move(*lost);
    }
  }
  if (const auto ended = end(); !ended) return ended;
  if (!stopped) return {};
  record.stops_down = std::move(stopped->error);
  record.statement = shortened(stopped->statement, k_text_limit);
  record.location = std::move(stopped->location);
  return rescue(wish, *written, record);
}

/// Needs a transaction. What only the old schema seemed to refuse is left out.
Result<std::vector<Written>> Attempts::write_all(std::vector<WriteWish>& wishes) {
  std::vector<Written> written;
  for (const WriteWish& wish : m_request.wishes) {
    if (wishes.size() == k_most_wishes) break;
    auto one = write(wish);
    if (!one) return failed(one);
    if (!one->record.skipped.empty() && was_only_a_guess(wish)) continue;
    wishes.push_back(wish);
    written.push_back(std::move(*one));
  }
  return written;
}

Result<std::vector<Write>> Attempts::look_after(std::vector<Written> written) {
  std::vector<Write> writes;
  for (Written& one : written) {
    if (one.record.skipped.empty()) {
      auto lost = what_is_lost(one);
      if (!lost) return failed(lost);
      one.record.lost = std::move(*lost);
    }
    writes.push_back(std::move(one.record));
  }
  return writes;
}

Result<std::vector<Write>> Attempts::run() {
  std::vector<WriteWish> wishes;
  if (const auto begun = begin(); !begun) return failed(begun);
  auto written = write_all(wishes);
  if (!written) return failed(written);
  const auto stopped = go_back();
  if (!stopped) return failed(stopped);
  std::vector<Write> writes;
  if (!*stopped) {
    auto looked = look_after(std::move(*written));
    if (!looked) return looked;
    writes = std::move(*looked);
  }
  if (const auto ended = end(); !ended) return failed(ended);
  if (!*stopped) return writes;
  for (const WriteWish& wish : wishes) {
    if (const auto done = by_itself(wish, writes.emplace_back()); !done) return failed(done);
  }
  return writes;
}

Result<std::vector<Written>> Attempts::commit() {
  std::vector<WriteWish> wishes;
  if (const auto begun = begin(); !begun) return failed(begun);
  auto written = write_all(wishes);
  if (!written) return written;
  if (const auto committed = m_session.rows("COMMIT"); !committed) return failed(committed);
  return written;
}

Result<std::vector<Write>> Attempts::after(std::vector<Written> written) {
  if (const auto begun = begin(); !begun) return failed(begun);
  auto writes = look_after(std::move(written));
  if (const auto ended = end(); !ended) return failed(ended);
  return writes;
}

}  // namespace

bool can_be_rolled_back(const sql::Script& down) {
  for (const sql::Part& part : down.parts) {
    for (const sql::Statement& statement : part.statements) {
      if (sendable(statement).impossible) return false;
    }
  }
  return true;
}

Result<std::vector<Write>> roll_back_later(const std::string& connection, const LaterRollback& request) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  if (!request.drive) return Attempts(*session, request).run();
  auto written = Attempts(*session, request).commit();
  if (!written) return failed(written);
  const auto outcome = request.drive();
  if (!outcome) return failed(outcome);
  if (!outcome->run.error) {
    // Down may have ended the session.
    auto other = Connection::open(connection);
    if (!other) return failed(other);
    return Attempts(*other, request).after(std::move(*written));
  }
  std::vector<Write> writes;
  for (Written& one : *written) {
    if (one.record.skipped.empty()) {
      one.record.stops_down = outcome->run.error;
      one.record.location = outcome->run.error_location;
      if (!outcome->run.statements.empty()) one.record.statement = outcome->run.statements.back().text;
    }
    writes.push_back(std::move(one.record));
  }
  return writes;
}

Result<std::vector<Write>> write_to_stay(const std::string& connection,
                                         const std::vector<WriteWish>& wishes) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  LaterRollback request;
  request.wishes = wishes;
  auto written = Attempts(*session, request).commit();
  if (!written) return failed(written);
  std::vector<Write> writes;
  for (Written& one : *written) writes.push_back(std::move(one.record));
  return writes;
}

}  // namespace lockkeeper::engine::postgres
