#include "engine/postgres/instance.h"

#include <cstdlib>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/client.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/fixture.h"
#include "engine/postgres/later_rollback.h"
#include "engine/postgres/lock_queue.h"
#include "engine/postgres/query_session.h"
#include "engine/postgres/row_maker.h"
#include "engine/postgres/tool_runner.h"
#include "engine/postgres/traffic.h"

namespace lockkeeper::engine::postgres {

DatabaseInstance::DatabaseInstance(record::ServerInfo server, std::string connection,
                                   std::shared_ptr<ToolBox> tools, std::optional<RunAs> run_as,
                                   std::filesystem::path run_directory)
    : m_server(std::move(server)),
      m_connection(std::move(connection)),
      m_tools(std::move(tools)),
      m_run_as(std::move(run_as)),
      m_run_directory(std::move(run_directory)),
      m_side_runner(m_connection),
      m_state_reader(m_connection),
      m_probe(m_connection) {}

void DatabaseInstance::open_ahead(std::unique_ptr<Client> first) {
  m_side_runner.open_ahead(std::move(first));
  m_state_reader.open_ahead();
}

void DatabaseInstance::close_sessions() {
  m_side_runner.close();
  m_state_reader.close();
  m_probe.close();
}

Result<void> DatabaseInstance::load_fixture(const std::string& path, const std::string& table) {
  return postgres::load_fixture(m_tools->tools(),
                                FixtureRequest{path, table, m_connection, m_scale, m_run_as});
}

Result<void> DatabaseInstance::execute(const std::string& sql, const Location& location) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto answered = session->ask(sql);
  if (!answered) return failed(answered);
  if (answered->sqlstate.empty()) return {};
  std::string cause = answered->message;
  if (!answered->detail.empty()) cause += " (" + answered->detail + ")";
  return failed(FailureKind::usage,
                fmt::format("cannot run '{}': {} (SQLSTATE {})", abridged(sql), cause, answered->sqlstate),
                {}, location.file.empty() ? std::nullopt : std::optional(location));
}

Result<void> DatabaseInstance::analyze() {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto done = session->rows("ANALYZE");
  if (!done) return failed(done);
  return {};
}

Result<SideOutcome> DatabaseInstance::run_side(const SideRequest& request) {
  return m_side_runner.run(request);
}

Result<SideOutcome> DatabaseInstance::run_tool(const ToolRequest& request) {
  return postgres::run_tool(request, m_connection, m_run_directory);
}

Result<State> DatabaseInstance::read_state(const State* previous, const Touched& touched,
                                           const Since& earlier) {
  return m_state_reader.read(previous, touched, earlier);
}

Result<void> DatabaseInstance::restore_sequences(const State& state) {
  return m_state_reader.restore_sequences(state);
}

Result<std::optional<record::DataDifference>> DatabaseInstance::compare_rows(Instance& base,
                                                                             const std::string& table) {
  const auto* before = dynamic_cast<DatabaseInstance*>(&base);
  if (before == nullptr) {
    return failed(FailureKind::environment,
                  fmt::format("cannot compare the rows of '{}': the base is no PostgreSQL", table));
  }
  return postgres::compare_rows(before->m_connection, m_connection, table);
}

Result<std::vector<record::SchemaFact>> DatabaseInstance::violated_constraints(const Touched& touched,
                                                                               const Step& step) {
  return m_state_reader.violated_constraints(touched, step);
}

Result<std::optional<record::QueueWait>> DatabaseInstance::queue_behind_reader(const std::string& table,
                                                                               std::chrono::milliseconds open,
                                                                               const Drive& drive) {
  auto waited = postgres::queue_behind_reader(m_connection, table, open, drive);
  if (!waited) return failed(waited);
  return std::optional(std::move(*waited));
}

Result<std::optional<record::Traffic>> DatabaseInstance::run_in_traffic(
    const std::vector<std::string>& tables, const std::vector<TrafficQuery>& queries, const Drive& drive) {
  auto traffic = postgres::run_in_traffic(m_connection, tables, queries, drive);
  if (!traffic) return failed(traffic);
  return std::optional(std::move(*traffic));
}

Result<std::optional<Filled>> DatabaseInstance::fill(const std::vector<std::string>& tables, int rows) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  // A trigger that takes for ever is no reason to wait for ever.
  if (const auto begun = session->rows("BEGIN; SET LOCAL statement_timeout = '30s'"); !begun)
    return failed(begun);
  RowMaker maker(*session);
  Filled filled;
  for (const std::string& table : tables) {
    // Some may have come with a row of another table that refers to it.
    const auto there =
        session->rows(fmt::format("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) r", table, rows));
    if (!there) return failed(there);
    const int first = std::atoi((*there)[0][0].value_or("0").c_str());
    for (int row = first; row < rows; ++row) {
      RowWish wish;
      wish.table = table;
      wish.full = true;
      wish.repeatable = true;
      const auto made = maker.make(wish);
      if (!made) return failed(made);
      if (made->refusal.empty()) continue;
      // One row is as good as ten where no second can be had.
      if (row == 0) filled.refusals.emplace_back(table, made->refusal);
      break;
    }
  }
  // Triggers and foreign keys may have brought rows to other tables too.
  filled.touched.everything = true;
  if (const auto ended = session->rows("COMMIT"); !ended) return failed(ended);
  return std::optional(std::move(filled));
}

Result<std::optional<std::vector<record::Write>>> DatabaseInstance::roll_back_later(
    const LaterRollback& request) {
  if (!request.drive && !can_be_rolled_back(*request.down))
    return std::optional<std::vector<record::Write>>();
  auto writes = postgres::roll_back_later(m_connection, request);
  if (!writes) return failed(writes);
  return std::optional(std::move(*writes));
}

Result<std::uint64_t> DatabaseInstance::size() {
  return database_size(m_connection);
}

Result<record::ToolRun> DatabaseInstance::back_up(const BackupRequest& request) {
  return postgres::back_up(backup_place(), request);
}

Result<BackupContents> DatabaseInstance::look_into(const BackupRequest& request,
                                                   const std::vector<std::string>& tables) {
  return postgres::look_into(backup_place(), request, tables);
}

Result<record::ToolRun> DatabaseInstance::bring_back(const RestoreRequest& request) {
  close_sessions();
  return postgres::bring_back(backup_place(), request);
}

Result<std::optional<std::vector<record::Write>>> DatabaseInstance::write(
    const std::vector<WriteWish>& wishes) {
  auto writes = write_to_stay(m_connection, wishes);
  if (!writes) return failed(writes);
  return std::optional(std::move(*writes));
}

Result<Answer> DatabaseInstance::try_query(const QueryRequest& request) {
  return m_probe.try_query(request);
}

Result<Instance::Held> DatabaseInstance::check_column(const std::string& column,
                                                      const std::optional<bool>& nullable,
                                                      const std::optional<std::string>& type,
                                                      const std::optional<std::string>& default_value,
                                                      bool exists) {
  return m_probe.check_column(column, nullable, type, default_value, exists);
}

Result<Instance::Held> DatabaseInstance::check_constraint(const std::string& constraint,
                                                          const std::optional<std::string>& on_delete,
                                                          const std::optional<std::string>& on_update,
                                                          const std::optional<bool>& validated, bool exists) {
  return m_probe.check_constraint(constraint, on_delete, on_update, validated, exists);
}

Result<Instance::Held> DatabaseInstance::check_index(const std::string& index,
                                                     const std::vector<std::string>& columns,
                                                     const std::optional<bool>& unique,
                                                     const std::optional<bool>& valid, bool exists) {
  return m_probe.check_index(index, columns, unique, valid, exists);
}

Result<Instance::Planned> DatabaseInstance::plan(const QueryRequest& request) {
  return m_probe.plan(request);
}

Result<std::unique_ptr<QuerySession>> DatabaseInstance::open_query_session(const QuerySettings& settings) {
  return postgres::open_query_session(m_connection, settings, is_on_this_machine());
}

namespace {

/// Tables of which a column or an indexed expression has no statistics although there are rows: what a change
/// of the schema brought or made void. pg_statistic is a superuser's.
constexpr const char* k_without_statistics = R"(
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND c.reltuples <> 0 AND c.relpersistence <> 't' AND (
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attstattarget IS DISTINCT FROM 0 AND a.attgenerated <> 'v'
          AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid AND s.staattnum = a.attnum)) OR
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = i.indexrelid))))";

}  // namespace

/// Statistics are drawn at random: a table that nothing touched keeps those that both sides have.
Result<void> DatabaseInstance::settle(const Touched& touched) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  // VACUUM takes no page for visible to all of which a commit is not in the log yet (synchronous_commit off),
  // and index-only scans would go to the table for it. On a server of somebody else's it may be refused.
  if (const auto written = session->ask("CHECKPOINT"); !written) return failed(written);
  if (const auto done = session->rows("VACUUM"); !done) return failed(done);
  std::set<std::string> tables = touched.tables;
  const auto bare = session->ask(k_without_statistics);
  if (!bare) return failed(bare);
  for (const auto& row : bare->rows) tables.insert(row[0].value_or(""));
  if (touched.everything || !bare->sqlstate.empty()) {
    if (const auto done = session->rows("ANALYZE"); !done) return failed(done);
  } else {
    for (const std::string& table : tables) {
      const auto there = session->rows("SELECT to_regclass($1) IS NOT NULL", {table});
      if (!there) return failed(there);
      if ((*there)[0][0] != "t") continue;
      if (const auto done = session->rows("ANALYZE " + table); !done) return failed(done);
    }
  }
  // Nobody shall write dirty pages out while queries are timed.
  if (const auto written = session->ask("CHECKPOINT"); !written) return failed(written);
  return {};
}

Result<void> DatabaseInstance::sweep() {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  if (const auto done = session->rows("VACUUM"); !done) return failed(done);
  if (const auto written = session->ask("CHECKPOINT"); !written) return failed(written);
  return {};
}

Result<std::optional<std::int64_t>> DatabaseInstance::ask_size(const std::string& sql,
                                                               const std::string& name) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto rows = session->rows(sql, {name});
  if (!rows) return failed(rows);
  if (rows->empty() || !(*rows)[0][0]) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(std::stoll(*(*rows)[0][0]));
}

namespace {

/// Relations that people call $1: as one finds it, or with its schema; partitions with their table.
std::string named_relations(const std::string& kinds) {
  return fmt::format(
      "WITH named AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
      "c.relkind IN "
      "({}) AND ((pg_table_is_visible(c.oid) AND $1::text IN (c.relname, quote_ident(c.relname))) OR "
      "$1::text IN (n.nspname || "
      "'.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname))) LIMIT 1), part AS (SELECT "
      "oid "
      "FROM named UNION SELECT t.relid FROM named, pg_partition_tree(named.oid) t) ",
      kinds);
}

}  // namespace

/// Without the maps of free space and visibility, which come and go with VACUUM.
Result<std::optional<std::int64_t>> DatabaseInstance::size_of_table(const std::string& table) {
  return ask_size(named_relations("'r', 'p', 'm'") +
                      "SELECT sum(pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE "
                      "pg_relation_size(c.reltoastrelid) END) FROM pg_class c JOIN part ON part.oid = c.oid",
                  table);
}

Result<std::optional<std::int64_t>> DatabaseInstance::size_of_index(const std::string& index) {
  return ask_size(named_relations("'i', 'I'") + "SELECT sum(pg_relation_size(part.oid)) FROM part", index);
}

Result<std::optional<std::int64_t>> DatabaseInstance::size_of_column(const std::string& column) {
  const bool quoted = column.size() > 1 && column.ends_with('"');
  const auto dot = quoted ? column.rfind(".\"") : column.rfind('.');
  if (dot == std::string::npos) return std::optional<std::int64_t>();
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto found = session->rows(named_relations("'r', 'p', 'm'") +
                                       "SELECT named.oid::regclass::text, quote_ident(a.attname) FROM named "
                                       "JOIN pg_attribute a ON a.attrelid = "
                                       "named.oid WHERE a.attnum > 0 AND NOT a.attisdropped AND $2::text IN "
                                       "(a.attname, quote_ident(a.attname))",
                                   {column.substr(0, dot), column.substr(dot + 1)});
  if (!found) return failed(found);
  if (found->empty()) return std::optional<std::int64_t>();
  const auto& row = found->front();
  const auto sum = session->rows(fmt::format("SELECT coalesce(sum(pg_column_size({})), 0)::bigint FROM {}",
                                             row[1].value_or(""), row[0].value_or("")));
  if (!sum) return failed(sum);
  return std::optional<std::int64_t>(std::stoll((*sum)[0][0].value_or("0")));
}

/// Two indexes begin alike only where order, collation and operators are the same too.
Result<std::vector<Instance::IndexInfo>> DatabaseInstance::indexes() {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto rows = session->rows(R"(
SELECT c.oid::regclass::text, i.indrelid::regclass::text,
       coalesce((SELECT string_agg(pg_get_indexdef(c.oid, k::int, false)
           || CASE WHEN coll.oid IS NULL OR coll.oid = coalesce(a.attcollation, '"default"'::regcollation) THEN ''
                   ELSE ' COLLATE ' || coll.oid::regcollation END
           || CASE WHEN o.opcdefault THEN '' ELSE ' ' || o.opcname END
           || CASE i.indoption[k - 1] WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC'
                   ELSE '' END, chr(10) ORDER BY k)
         FROM generate_series(1, i.indnkeyatts) k
         JOIN pg_opclass o ON o.oid = i.indclass[k - 1]
         LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]
         LEFT JOIN pg_collation coll ON coll.oid = i.indcollation[k - 1]), ''),
       i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisunique AND i.indisvalid AND m.amname = 'btree'
         AND i.indnatts = i.indnkeyatts AND NOT EXISTS (SELECT FROM pg_constraint x WHERE x.conindid = c.oid),
       coalesce((SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(c.oid) p), pg_relation_size(c.oid))::bigint
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE c.oid >= 16384 AND NOT c.relispartition AND c.relpersistence <> 't'
  AND c.relnamespace <> 'pg_toast'::regnamespace
ORDER BY 1)");
  if (!rows) return failed(rows);
  std::vector<IndexInfo> indexes;
  for (const auto& row : *rows) {
    indexes.push_back({row[0].value_or(""), row[1].value_or(""), split(row[2].value_or(""), '\n'),
                       row[3] == "t", std::stoll(row[4].value_or("0"))});
  }
  return indexes;
}

Result<record::Microseconds> DatabaseInstance::rebuild_index(const std::string& index) {
  auto session = Connection::open(m_connection);
  if (!session) return failed(session);
  const auto begun = std::chrono::steady_clock::now();
  const auto done = session->rows("REINDEX INDEX " + index);
  if (!done) return failed(done);
  return std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - begun);
}

}  // namespace lockkeeper::engine::postgres
