#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/postgres/client.h"

namespace lockkeeper::engine::postgres {

/// Names of all relations before a side began, by oid.
using RelationNames = std::map<std::string, std::string>;

/// Watches one side from inside its own transactions: pg_locks of its backend, the session's own table
/// counters and file nodes. Both are exact until COMMIT: a lock on a table is kept to the end of the
/// transaction that took it (or of the savepoint that is rolled back together with the change), and
/// pg_stat_get_xact_* counts every tuple that the session inserted, updated or deleted, also by triggers,
/// functions and cascades.
class Observer {
 public:
  /// `committed` is a second session, which sees relations as they were before the open transaction.
  /// Where a side has several sessions, what another of them has committed is no relation that existed before
  /// the side: `before`, which outlives the observer, says which did.
  Observer(Session& session, Session& committed, const RelationNames* before = nullptr)
      : m_session(session), m_committed(committed), m_before(before) {}

  /// All relations that are there now, for observers of several sessions.
  static Result<RelationNames> relations(Session& committed);

  /// What to send to a session that will be watched, so that its caches are warm.
  static const std::string& warm_up();
  /// Where the server's log stands before the side.
  void begin_at(std::uint64_t wal) { m_wal = wal; }
  /// Were rows changed, as far as was seen? Only then can deferred triggers be due at COMMIT.
  bool saw_row_changes() const { return m_touched.everything || !m_touched.tables.empty(); }

  /// After a statement, inside its transaction: what it did.
  Result<void> look(record::StatementRecord& statement);
  /// Fires what is deferred to COMMIT while it can still be watched, and looks; the server's error if one is
  /// due.
  Result<std::optional<record::SqlError>> look_before_commit();
  /// After what ran where no look reaches: how much the server has written since the last look, which it does
  /// for every change that is committed; rows of any table may have changed if it has.
  Result<void> look_from_outside(record::StatementRecord& statement, bool may_change_rows);
  /// Around a statement outside a transaction, whose locks are gone when it ends: the second session looks at
  /// those of the process every two milliseconds, and at the files of relations before and after. Between the
  /// two calls nobody else may use that session, unless it can be shared.
  Result<void> begin_sampling(int process);
  bool samples() const { return m_sampler.joinable(); }
  Result<void> end_sampling(record::StatementRecord& statement);
  /// Where the statement began a transaction, so that looks reach it.
  void drop_samples();
  /// Other sessions, or a rollback, may have replaced files of relations: what is there is asked for anew.
  void forget_storage();
  /// The transaction is over: the next one begins without locks.
  void transaction_ended();
  /// Something ran that could not be watched: any table may have changed.
  void lost_sight() { m_touched.everything = true; }

  const Touched& touched() const { return m_touched; }

 private:
  struct Relation {
    std::string name;
    char kind = 'r';
    bool existed = false;
    bool known = true;  ///< the file node is what is committed, or what this transaction made of it
    std::string file_node;
    std::int64_t scans = 0;
    std::int64_t rows_read = 0;
    std::int64_t rows_changed = 0;
    std::set<std::string> modes;
  };
  using Row = std::vector<std::string>;

  Result<void> take_all(const Reply& reply, record::StatementRecord* statement);
  Result<void> recognise(const std::vector<Row>& rows);
  void take(const Row& row, record::StatementRecord* statement);
  void take_storage(Relation& relation, const Row& row, record::StatementRecord* statement);

  /// A relation as it is committed.
  struct Stored {
    std::string name;
    char kind = 'r';
    std::string file_node;
    std::int64_t bytes = 0;
  };
  Result<std::map<std::string, Stored>> stored_relations();
  Result<std::uint64_t> wal_position();  ///< 0 where nobody says
  void sample(const std::string& query);

  Session& m_session;
  Session& m_committed;
  const RelationNames* m_before;
  std::map<std::string, Relation> m_relations;  ///< by oid
  std::uint64_t m_wal = 0;
  std::int64_t m_transaction = 0;
  Touched m_touched;
  std::optional<std::uint64_t> m_stored_at;             ///< where the server's log stood when it was read
  std::map<std::string, Stored> m_stored;               ///< before the statement that is sampled, by oid
  std::map<std::string, std::set<std::string>> m_seen;  ///< modes of its locks, by oid
  std::jthread m_sampler;                               ///< last: it goes first
};

}  // namespace lockkeeper::engine::postgres
