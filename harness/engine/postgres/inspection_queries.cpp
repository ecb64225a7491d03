#include "engine/postgres/inspection_queries.h"

#include <fmt/format.h>

namespace lockkeeper::engine::postgres::queries {

const std::string_view k_role =
    "SELECT current_user, bool_or(rolsuper) FROM pg_roles WHERE rolname IN (current_user, session_user)";

const std::string_view k_server = R"(SELECT current_setting('server_version_num')::int / 10000
       || '.' || current_setting('server_version_num')::int % 10000,
       d.datname, current_user, pg_encoding_to_char(d.encoding), d.datcollate, pg_is_in_recovery(),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), pg_stat_get_db_stat_reset_time(d.oid)
FROM pg_database d WHERE d.datname = current_database())";

const std::string_view k_bytes = "SELECT pg_database_size(current_database())";

// reset_val is what a session of this role begins with; ours has time limits of its own.
const std::string_view k_settings = R"(SELECT name, CASE WHEN reset_val IN ('0', '-1') THEN reset_val
    WHEN unit = '8kB' THEN pg_size_pretty(reset_val::bigint * 8192)
    WHEN unit = 'kB' THEN pg_size_pretty(reset_val::bigint * 1024)
    WHEN unit = 'MB' THEN pg_size_pretty(reset_val::bigint * 1048576) ELSE concat_ws(' ', reset_val, unit) END
FROM pg_settings WHERE name IN ('autovacuum', 'autovacuum_freeze_max_age', 'deadlock_timeout',
  'default_transaction_isolation', 'hot_standby_feedback', 'idle_in_transaction_session_timeout',
  'lock_timeout', 'maintenance_work_mem', 'max_connections', 'max_locks_per_transaction',
  'max_parallel_maintenance_workers', 'max_prepared_transactions', 'max_slot_wal_keep_size', 'max_wal_size',
  'session_replication_role', 'shared_buffers', 'standard_conforming_strings', 'statement_timeout',
  'synchronous_commit', 'synchronous_standby_names', 'TimeZone', 'transaction_timeout', 'wal_level',
  'work_mem')
ORDER BY name)";

// The size of a relation is asked under AccessShareLock, which waits behind whoever has it, or wants it, for
// himself. A table that was never analyzed has -1 rows (0 before version 14).
const std::string_view k_tables = R"(WITH RECURSIVE held AS MATERIALIZED (
  SELECT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'),
part AS (
  SELECT i.inhparent AS root, i.inhrelid AS child FROM pg_inherits i
  JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
  UNION ALL SELECT part.root, i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.child),
relation AS MATERIALIZED (
  SELECT c.oid, c.relkind, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
    CASE WHEN c.relkind <> 'p' AND c.oid NOT IN (SELECT relation FROM held WHERE relation IS NOT NULL)
      THEN pg_total_relation_size(c.oid) END AS bytes,
    CASE WHEN c.relkind <> 'p' AND c.oid NOT IN (SELECT relation FROM held WHERE relation IS NOT NULL)
      THEN pg_relation_size(c.oid) = 0 ELSE false END AS empty,
    CASE WHEN c.relkind <> 'p' THEN greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid)) END AS rows,
    c.reltuples > 0 OR c.relpages > 0 AS analyzed
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
counted AS (
  SELECT oid, bytes, analyzed, CASE WHEN analyzed OR empty OR rows > 0 THEN greatest(rows, 0) END AS rows
  FROM relation WHERE relkind <> 'p')
SELECT r.name, coalesce(c.rows, p.rows), coalesce(c.bytes, p.bytes), r.relkind = 'p',
  coalesce(c.analyzed, p.analyzed, false)
FROM relation r LEFT JOIN counted c ON c.oid = r.oid
LEFT JOIN (SELECT part.root, sum(l.rows)::bigint AS rows, sum(l.bytes)::bigint AS bytes,
    bool_and(l.analyzed) AS analyzed
  FROM part JOIN counted l ON l.oid = part.child GROUP BY part.root) p ON p.root = r.oid
ORDER BY 3 DESC NULLS LAST, 1 LIMIT 20000)";

const std::string_view k_indexes = R"(WITH held AS MATERIALIZED (
  SELECT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
    AND relation IS NOT NULL)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), i.indrelid::regclass,
  pg_stat_get_numscans(c.oid),
  CASE WHEN c.oid NOT IN (SELECT relation FROM held) THEN pg_relation_size(c.oid) END,
  i.indisunique OR i.indisexclusion
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1 LIMIT 20000)";

namespace {

// Of a statement no more is taken than what stands before its first quote: quoted literals are people's data,
// or a password.
constexpr TroubleQuery k_troubles[] = {
    {"invalid-index", "invalid indexes",
     "drop each (DROP INDEX CONCURRENTLY) and build it again, or REINDEX INDEX CONCURRENTLY",
     R"(SELECT true, i.indexrelid::regclass, 'on ' || i.indrelid::regclass || CASE
    WHEN NOT i.indislive THEN ': its DROP INDEX CONCURRENTLY was interrupted'
    WHEN NOT i.indisready THEN ': not kept up by writes, used by no query'
    ELSE ': kept up by every write, used by no query' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND i.indexrelid >= 16384
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 2 LIMIT 100)"},
    {"running-create-index", "indexes that are being built",
     "wait for the end: what changes the table waits for it, and others behind that",
     R"(SELECT true, coalesce(p.index_relid::regclass::text, 'pid ' || p.pid), concat('on ',
    coalesce(p.relid::regclass::text, 'a table that this role may not see'), ': ', p.command, ', ', p.phase)
FROM pg_stat_progress_create_index p WHERE p.datname = current_database() ORDER BY p.pid LIMIT 100)"},
    {"unvalidated-constraint", "constraints that are NOT VALID",
     "ALTER TABLE … VALIDATE CONSTRAINT: rows from before it was added were never checked",
     R"(SELECT false, k.conrelid::regclass || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
FROM pg_constraint k WHERE NOT k.convalidated AND k.conrelid >= 16384 ORDER BY 2 LIMIT 100)"},
    {"long-transaction", "transactions open for more than a minute",
     "wait, or ask their owners: what locks a table waits for them, and everybody else behind that; CREATE "
     "INDEX CONCURRENTLY waits too",
     R"(SELECT true, 'pid ' || a.pid, concat(a.usename, ' (', nullif(a.application_name, ''), '), ', a.state,
    ', open for ', date_trunc('second', clock_timestamp() - a.xact_start), ': ',
    left(regexp_replace(a.query, '[''$].*', '…'), 80))
FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.backend_type = 'client backend' AND a.xact_start < clock_timestamp() - interval '1 minute'
ORDER BY a.xact_start LIMIT 100)"},
    {"wraparound-vacuum", "vacuums against wraparound that run",
     "wait for their end: unlike another autovacuum they do not give way to who wants the table",
     R"(SELECT true, 'pid ' || a.pid, concat(left(a.query, 120), ', for ',
    date_trunc('second', clock_timestamp() - a.xact_start))
FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'autovacuum worker'
  AND a.query LIKE '%(to prevent wraparound)%' ORDER BY a.pid LIMIT 100)"},
    {"blocked-session", "sessions that wait for a lock",
     "see to the sessions in front first: a migration would stand in the same queue",
     R"(SELECT true, 'pid ' || w.pid, concat(a.usename, ' (', nullif(a.application_name, ''), ')',
    ' waits for ', w.mode, ' on ', w.wanted, ', behind ',
    (SELECT string_agg(concat('pid ', b.pid, ' ', s.usename, ' (', nullif(s.application_name, ''), ')',
       ', ' || s.state), '; ' ORDER BY b.pid)
     FROM unnest(w.blockers) b(pid) LEFT JOIN pg_stat_activity s ON s.pid = b.pid))
FROM (SELECT l.pid, l.mode, coalesce(l.relation::regclass::text, l.locktype) AS wanted,
    pg_blocking_pids(l.pid) AS blockers
  FROM pg_locks l WHERE NOT l.granted AND l.pid IS NOT NULL LIMIT 50) w
JOIN pg_stat_activity a ON a.pid = w.pid AND a.datname = current_database()
ORDER BY w.pid)"},
    {"long-statement", "statements that run for more than 5 seconds", "",
     R"(SELECT false, 'pid ' || a.pid, concat(a.usename, ' (', nullif(a.application_name, ''), '), for ',
    date_trunc('second', clock_timestamp() - a.query_start), ': ',
    left(regexp_replace(a.query, '[''$].*', '…'), 80))
FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.backend_type = 'client backend' AND a.state = 'active'
  AND a.query_start < clock_timestamp() - interval '5 seconds'
ORDER BY a.query_start LIMIT 100)"},
    {"prepared-transaction", "prepared transactions",
     "COMMIT PREPARED or ROLLBACK PREPARED each: it keeps its locks without any session",
     R"(SELECT p.prepared < clock_timestamp() - interval '1 minute', quote_literal(p.gid),
    concat(p.owner, ', prepared ', date_trunc('second', clock_timestamp() - p.prepared), ' ago')
FROM pg_prepared_xacts p WHERE p.database = current_database() ORDER BY p.prepared LIMIT 100)"},
    {"replication-slot", "replication slots that nobody reads",
     "start what reads it, or drop the slot: the WAL of a migration is kept for it until the disk is full",
     R"(SELECT s.retained > 1073741824 OR s.wal_status IN ('unreserved', 'lost'), quote_ident(s.slot_name),
    concat(s.slot_type, ', not active, keeps ', pg_size_pretty(s.retained), ' of WAL', ', ' || s.wal_status)
FROM (SELECT *, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
      ELSE pg_current_wal_lsn() END, restart_lsn)::bigint AS retained FROM pg_replication_slots) s
WHERE NOT s.active ORDER BY 2 LIMIT 100)"},
    {"replication-lag", "standbys that lag behind", "wait: the WAL of a migration makes it longer",
     R"(SELECT coalesce(r.replay_lag > interval '1 minute', false), coalesce(nullif(r.application_name, ''),
    'pid ' || r.pid), concat(r.state, ', ', pg_size_pretty(r.bytes), ' behind', ', ' || r.replay_lag)
FROM (SELECT *, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
      ELSE pg_current_wal_lsn() END, replay_lsn)::bigint AS bytes FROM pg_stat_replication) r
WHERE r.bytes > 67108864 OR r.replay_lag > interval '10 seconds' ORDER BY 2 LIMIT 100)"},
    {"wraparound", "tables near to wraparound",
     "VACUUM (FREEZE) them: a vacuum against wraparound may begin at any moment, and gives way to nobody",
     R"(SELECT age(c.relfrozenxid) > 1000000000 OR mxid_age(c.relminmxid) > 1000000000, c.oid::regclass,
    format('oldest transaction %s back, oldest multixact %s back', age(c.relfrozenxid),
    mxid_age(c.relminmxid))
FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND (
  age(c.relfrozenxid) > current_setting('autovacuum_freeze_max_age')::bigint
  OR mxid_age(c.relminmxid) > current_setting('autovacuum_multixact_freeze_max_age')::bigint)
ORDER BY age(c.relfrozenxid) DESC LIMIT 20)"},
};

}  // namespace

std::span<const TroubleQuery> troubles() {
  return k_troubles;
}

const std::string_view k_orphan_kind = "orphaned-rows";

const std::string_view k_unvalidated_foreign_keys = R"(SELECT
  k.conrelid::regclass || '.' || quote_ident(k.conname), k.conrelid::regclass,
  string_agg(quote_ident(a.attname), ', ' ORDER BY x.place),
  string_agg(format('%I IS NOT NULL', a.attname), ' AND ' ORDER BY x.place),
  string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ' ORDER BY x.place), k.confrelid::regclass,
  bool_and(has_table_privilege(k.conrelid, 'SELECT') AND has_table_privilege(k.confrelid, 'SELECT'))
FROM pg_constraint k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY x(mine, theirs, place)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.mine
JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = x.theirs
WHERE k.contype = 'f' AND NOT k.convalidated AND k.conrelid >= 16384
GROUP BY k.oid, k.conrelid, k.conname, k.confrelid ORDER BY 1 LIMIT 20)";

std::string orphans(std::string_view table, std::string_view columns, std::string_view not_null,
                    std::string_view condition, std::string_view referenced) {
  return fmt::format(
      "SELECT count(*) FROM (SELECT {1} FROM {0} WHERE {2} LIMIT 10000) c"
      " WHERE NOT EXISTS (SELECT FROM {4} p WHERE {3})",
      table, columns, not_null, condition, referenced);
}

}  // namespace lockkeeper::engine::postgres::queries
