#include "engine/postgres/observer.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

/// Columns of the query below, in order.
enum ResultColumn : std::size_t {
  k_wal,
  k_counting,
  k_relation_oid,
  k_name,
  k_relation_kind,
  k_file_node,
  k_bytes,
  k_modes,
  k_scans,
  k_rows_read,
  k_tuples
};

// One row for each relation of ours that the transaction has a lock on; one row with empty columns where
// there is none. 16384 is FirstNormalObjectId: below it stand the system's own relations. A relation dropped
// in this transaction has no row in pg_class any more, but its lock remains. A session's own locks on such
// relations are all in its own database; 99 is pg_toast (pg_namespace.dat). Planned anew each time, so joins
// are dear.
const std::string k_look = R"sql(
SELECT w.wal, w.counting, l.relation,
       c.relnamespace::pg_catalog.regnamespace::text || '.' || pg_catalog.quote_ident(c.relname),
       c.relkind, pg_catalog.pg_relation_filenode(c.oid),
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END, l.modes,
       pg_catalog.pg_stat_get_xact_numscans(c.oid), pg_catalog.pg_stat_get_xact_tuples_returned(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
         + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
FROM (SELECT pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn AS wal,
             pg_catalog.current_setting('track_counts') AS counting) w
LEFT JOIN (SELECT relation, pg_catalog.string_agg(DISTINCT mode, ',') AS modes
           FROM pg_catalog.pg_lock_status()
           WHERE locktype = 'relation' AND pid = pg_catalog.pg_backend_pid() AND granted AND relation >= 16384
           GROUP BY relation) l ON true
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE c.relkind IS DISTINCT FROM 't' AND c.relnamespace IS DISTINCT FROM 99)sql";

constexpr std::chrono::milliseconds k_look_timeout{60'000};
constexpr std::chrono::milliseconds k_sample_every{2};

bool holds_rows(char kind) {
  return kind == 'r' || kind == 'm' || kind == 'p' || kind == 'f';
}

/// pg_class.relkind
std::string kind_name(char kind) {
  switch (kind) {
    case 'r':
    case 'p':
      return "table";
    case 'i':
    case 'I':
      return "index";
    case 'v':
      return "view";
    case 'm':
      return "materialized view";
    case 'S':
      return "sequence";
    case 'f':
      return "foreign table";
    default:
      return "relation";
  }
}

std::int64_t number(const std::string& text) {
  return std::strtoll(text.c_str(), nullptr, 10);
}

}  // namespace

const std::string& Observer::warm_up() {
  return k_look;
}

Result<void> Observer::look(record::StatementRecord& statement) {
  const auto reply = m_session.send(k_look, k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  return take_all(*reply, &statement);
}

/// COMMIT would fire the deferred triggers right now anyway.
Result<std::optional<record::SqlError>> Observer::look_before_commit() {
  auto reply = m_session.send("SET CONSTRAINTS ALL IMMEDIATE", k_look_timeout, Rows::drop);
  if (!reply) return failed(reply);
  if (reply->error) return std::move(reply->error);
  reply = m_session.send(k_look, k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  if (const auto taken = take_all(*reply, nullptr); !taken) return failed(taken);
  return std::optional<record::SqlError>();
}

Result<void> Observer::take_all(const Reply& reply, record::StatementRecord* statement) {
  if (reply.error || reply.rows.empty()) {
    lost_sight();
    return {};
  }
  if (const auto known = recognise(reply.rows); !known) return failed(known);
  const auto wal = static_cast<std::uint64_t>(number(reply.rows.front()[k_wal]));
  if (statement != nullptr) {
    statement->locks_observed = true;
    statement->transaction = m_transaction;
    if (m_wal != 0 && wal > m_wal) statement->wal_bytes = wal - m_wal;
  }
  m_wal = wal;
  // With the counters switched off their silence is no evidence.
  if (reply.rows.front()[k_counting] != "on") lost_sight();
  for (const Row& row : reply.rows) {
    if (!row[k_relation_oid].empty()) take(row, statement);
  }
  return {};
}

/// Asks the second session, which does not see the open transaction, what the relations were before it.
Result<void> Observer::recognise(const std::vector<Row>& rows) {
  std::vector<std::string> unknown;
  for (const Row& row : rows) {
    if (row[k_relation_oid].empty()) continue;
    const auto found = m_relations.find(row[k_relation_oid]);
    if (found == m_relations.end() || !found->second.known) unknown.push_back(row[k_relation_oid]);
  }
  if (unknown.empty()) return {};
  const auto reply = m_committed.send(
      // What belongs to TOAST is told of by its table.
      fmt::format(
          "SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
          "c.relkind, pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class c "
          "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
          "WHERE c.oid IN ({}) AND n.nspname <> 'pg_toast'",
          join(unknown, ",")),
      k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  if (reply->error) lost_sight();
  for (const std::string& oid : unknown) m_relations[oid].known = true;
  for (const Row& row : reply->rows) {
    Relation& relation = m_relations[row[0]];
    relation.file_node = row[3];
    if (!relation.name.empty()) continue;
    relation.kind = row[2].empty() ? 'r' : row[2][0];
    const auto before = m_before != nullptr ? m_before->find(row[0]) : RelationNames::const_iterator();
    relation.existed = m_before == nullptr || before != m_before->end();
    relation.name = m_before != nullptr && relation.existed ? before->second : row[1];
  }
  return {};
}

void Observer::take(const Row& row, record::StatementRecord* statement) {
  Relation& relation = m_relations[row[k_relation_oid]];
  const bool dropped = row[k_relation_kind].empty();
  if (!relation.existed) {
    if (!dropped) relation.kind = row[k_relation_kind][0];
  } else {
    for (const std::string& mode : split(row[k_modes], ',')) {
      if (relation.modes.insert(mode).second && statement != nullptr) {
        statement->locks.push_back({relation.name, kind_name(relation.kind), mode});
      }
    }
  }
  if (dropped) return;
  // Counters of earlier transactions of the same session may still be in there: more is reported than was
  // done in this one, never less.
  if (holds_rows(relation.kind) && number(row[k_tuples]) > 0) {
    m_touched.tables.insert(row[k_name]);
    if (relation.existed) m_touched.tables.insert(relation.name);
  }
  take_storage(relation, row, statement);
}

void Observer::take_storage(Relation& relation, const Row& row, record::StatementRecord* statement) {
  const std::int64_t scans = number(row[k_scans]);
  const std::int64_t new_scans = scans >= relation.scans ? scans - relation.scans : scans;
  relation.scans = scans;
  const std::int64_t rows_read = number(row[k_rows_read]);
  const std::int64_t newly_read =
      rows_read >= relation.rows_read ? rows_read - relation.rows_read : rows_read;
  relation.rows_read = rows_read;
  const std::int64_t rows_changed = number(row[k_tuples]);
  const std::int64_t newly_changed =
      rows_changed >= relation.rows_changed ? rows_changed - relation.rows_changed : rows_changed;
  relation.rows_changed = rows_changed;
  if (!relation.existed) {
    relation.file_node = row[k_file_node];
    return;
  }
  if (new_scans > 0 && statement != nullptr && holds_rows(relation.kind)) {
    statement->scans.push_back(
        {relation.name, new_scans, std::nullopt, newly_read, newly_changed, number(row[k_bytes])});
  }
  if (relation.file_node == row[k_file_node]) return;
  relation.file_node = row[k_file_node];
  if (holds_rows(relation.kind)) m_touched.tables.insert({relation.name, row[k_name]});
  if (statement == nullptr) return;
  // The file node also changes on TRUNCATE (nothing is left in the new file), REINDEX and REFRESH.
  using record::StorageChange;
  const StorageChange how = relation.kind == 'i'                                ? StorageChange::reindexed
                            : relation.kind == 'm'                              ? StorageChange::refreshed
                            : relation.kind == 'r' && number(row[k_bytes]) == 0 ? StorageChange::truncated
                                                                                : StorageChange::rewritten;
  statement->rewrites.push_back({relation.name, how, std::nullopt, number(row[k_bytes])});
}

Result<RelationNames> Observer::relations(Session& committed) {
  const auto reply = committed.send(
      "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c "
      "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384",
      k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  if (reply->error) {
    return failed(FailureKind::environment, "cannot read the catalog: " + reply->error->message);
  }
  RelationNames names;
  for (const Row& row : reply->rows) names.emplace(row[0], row[1]);
  return names;
}

/// Whatever has a transaction id leaves a record when it commits, changes of unlogged tables too.
Result<void> Observer::look_from_outside(record::StatementRecord& statement, bool may_change_rows) {
  const auto wal = wal_position();
  if (!wal) return failed(wal);
  if (m_wal != 0 && *wal > m_wal) statement.wal_bytes = *wal - m_wal;
  if (may_change_rows && (m_wal == 0 || *wal != m_wal)) lost_sight();
  m_wal = *wal;
  return {};
}

Result<std::uint64_t> Observer::wal_position() {
  const auto reply =
      m_committed.send("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn", k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  const bool answered = !reply->error && !reply->rows.empty();
  return answered ? static_cast<std::uint64_t>(number(reply->rows.front()[0])) : 0;
}

Result<std::map<std::string, Observer::Stored>> Observer::stored_relations() {
  const auto reply = m_committed.send(
      "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind, "
      "pg_relation_filenode(c.oid), CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) END "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.oid >= 16384 AND n.nspname <> 'pg_toast'",
      k_look_timeout, Rows::keep);
  if (!reply) return failed(reply);
  std::map<std::string, Stored> relations;
  for (const Row& row : reply->rows)
    relations[row[0]] = {row[1], row[2].empty() ? 'r' : row[2][0], row[3], number(row[4])};
  return relations;
}

/// What was read behind the last such statement holds as long as nobody has written since.
Result<void> Observer::begin_sampling(int process) {
  if (!m_stored_at || *m_stored_at != m_wal) {
    auto stored = stored_relations();
    if (!stored) return failed(stored);
    m_stored = std::move(*stored);
    const auto wal = wal_position();
    if (!wal) return failed(wal);
    m_stored_at = m_wal = *wal;
  }
  m_seen.clear();
  const std::string query = fmt::format(
      "SELECT relation, mode FROM pg_lock_status() WHERE locktype = 'relation' AND granted AND pid = {} AND "
      "relation >= 16384",
      process);
  m_sampler = std::jthread([this, query](const std::stop_token& stop) {
    std::mutex alone;
    std::unique_lock lock(alone);
    std::condition_variable_any ended;
    // What is over at once costs no look.
    while (!ended.wait_for(lock, stop, k_sample_every, [&] { return stop.stop_requested(); })) sample(query);
  });
  return {};
}

void Observer::sample(const std::string& query) {
  const auto reply = m_committed.send(query, k_look_timeout, Rows::keep);
  if (!reply) return;
  for (const Row& row : reply->rows) m_seen[row[0]].insert(row[1]);
}

void Observer::drop_samples() {
  if (!samples()) return;
  m_sampler.request_stop();
  m_sampler.join();
}

/// A table's file is only ever replaced under AccessExclusiveLock, so that one is known even where no look
/// met it.
Result<void> Observer::end_sampling(record::StatementRecord& statement) {
  drop_samples();
  const auto wal = wal_position();
  if (!wal) return failed(wal);
  std::map<std::string, Stored> stored = m_stored;
  if (*wal != m_wal) {
    statement.wal_bytes = *wal - m_wal;
    auto read = stored_relations();
    if (!read) return failed(read);
    stored = std::move(*read);
  }
  m_stored_at = m_wal = *wal;
  statement.locks_sampled = true;
  statement.transaction = m_transaction++;
  for (const auto& [oid, before] : m_stored) {
    const auto known = m_relations.find(oid);
    if (known != m_relations.end() && !known->second.existed) continue;
    const auto then = m_before != nullptr ? m_before->find(oid) : RelationNames::const_iterator();
    if (m_before != nullptr && then == m_before->end()) continue;
    const std::string& name = m_before != nullptr ? then->second : before.name;
    const auto after = stored.find(oid);
    const bool replaced = (before.kind == 'r' || before.kind == 'm') && after != stored.end() &&
                          after->second.file_node != before.file_node;
    if (replaced) {
      m_seen[oid].insert("AccessExclusiveLock");
      const auto how = before.kind == 'm'                             ? record::StorageChange::refreshed
                       : after->second.bytes == 0 && before.bytes > 0 ? record::StorageChange::truncated
                                                                      : record::StorageChange::rewritten;
      statement.rewrites.push_back({name, how, std::nullopt, after->second.bytes});
    }
    const auto seen = m_seen.find(oid);
    if (seen == m_seen.end()) continue;
    for (const std::string& mode : seen->second)
      statement.locks.push_back({name, kind_name(before.kind), mode});
  }
  m_stored = std::move(stored);
  forget_storage();
  return {};
}

void Observer::forget_storage() {
  for (auto& [oid, relation] : m_relations) relation.known = false;
}

void Observer::transaction_ended() {
  ++m_transaction;
  for (auto& [oid, relation] : m_relations) relation.modes.clear();
}

}  // namespace lockkeeper::engine::postgres
