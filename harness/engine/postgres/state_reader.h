#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/state.h"

namespace lockkeeper::engine::postgres {

/// Reads states over one session of its own, reconnecting where a migration ended it.
class StateReader {
 public:
  /// `connection` is a libpq connection string to the database of the instance.
  explicit StateReader(std::string connection);
  ~StateReader();

  /// Opens the session and has the server plan the catalog's query, in a thread of its own: the first read
  /// then finds both done.
  void open_ahead();
  /// Tables, by identity, that no state is to hold, nor what hangs on them.
  void set_apart(const std::vector<std::string>& tables) { m_set_apart.insert(tables.begin(), tables.end()); }
  /// The catalog in one query, each table that `touched` names (or that `previous` does not have, or whose
  /// columns or types differ from it) in one pass; the others' content is taken over from `previous`.
  Result<State> read(const State* previous, const Touched& touched, const Since& earlier = {});
  /// Puts sequences back where `state` has them.
  Result<void> restore_sequences(const State& state);
  /// Foreign keys and checks that claim to hold (validated) on the touched tables, and the rows that break
  /// them; without those that the step left as they were.
  Result<std::vector<record::SchemaFact>> violated_constraints(const Touched& touched, const Step& step = {});
  /// Closes the session, so that the server can be stopped or its database copied; the next read opens
  /// another.
  void close();

 private:
  struct Session;
  static Result<std::unique_ptr<Session>> open(const std::string& connection);
  Result<void> ensure_session();
  Result<State> read_once(const State* previous, const Touched& touched, const Since& earlier);

  std::string m_connection;
  std::set<std::string> m_set_apart;
  std::unique_ptr<Session> m_session;
  std::future<Result<std::unique_ptr<Session>>> m_ahead;
};

/// Row by row by key, streaming both sides in key order; none where the table has no primary or unique NOT
/// NULL key that both sides share. `before` and `after` are connection strings.
Result<std::optional<record::DataDifference>> compare_rows(const std::string& before,
                                                           const std::string& after,
                                                           const std::string& table);

}  // namespace lockkeeper::engine::postgres
