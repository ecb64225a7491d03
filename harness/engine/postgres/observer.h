#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/postgres/client.h"

namespace lockkeeper::engine::postgres {

/// Watches one side from inside its own transactions: pg_locks of its backend, the session's own table
/// counters and file nodes. Both are exact until COMMIT: a lock on a table is kept to the end of the
/// transaction that took it (or of the savepoint that is rolled back together with the change), and
/// pg_stat_get_xact_* counts every tuple that the session inserted, updated or deleted, also by triggers,
/// functions and cascades.
class Observer {
 public:
  /// `committed` is a second session, which sees relations as they were before the open transaction.
  Observer(Client& session, Client& committed) : m_session(session), m_committed(committed) {}

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
    std::string file_node;
    std::int64_t scans = 0;
    std::set<std::string> modes;
  };
  using Row = std::vector<std::string>;

  Result<void> take_all(const Reply& reply, record::StatementRecord* statement);
  Result<void> recognise(const std::vector<Row>& rows);
  void take(const Row& row, record::StatementRecord* statement);
  void take_storage(Relation& relation, const Row& row, record::StatementRecord* statement);

  Client& m_session;
  Client& m_committed;
  std::map<std::string, Relation> m_relations;  ///< by oid
  std::uint64_t m_wal = 0;
  Touched m_touched;
};

}  // namespace lockkeeper::engine::postgres
