#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// What a scenario asks of a database: expectations, invariants and critical queries, each in a transaction
/// that is rolled back, over libpqxx.
class Probe {
 public:
  explicit Probe(std::string connection);
  ~Probe();

  Result<Answer> try_query(const QueryRequest& request);
  Result<Instance::Held> check_column(const std::string& column, const std::optional<bool>& nullable,
                                      const std::optional<std::string>& type,
                                      const std::optional<std::string>& default_value, bool exists);
  Result<Instance::Held> check_constraint(const std::string& constraint,
                                          const std::optional<std::string>& on_delete,
                                          const std::optional<std::string>& on_update,
                                          const std::optional<bool>& validated, bool exists);
  Result<Instance::Held> check_index(const std::string& index, const std::vector<std::string>& columns,
                                     const std::optional<bool>& unique, const std::optional<bool>& valid,
                                     bool exists);
  Result<Instance::Planned> plan(const QueryRequest& request);
  void close();

 private:
  struct Session;
  struct Work;  ///< around a pqxx::work, which is a typedef and cannot be named without its heavy header
  static std::string executable(Work& work, const QueryRequest& request);
  Result<void> in_transaction(const std::function<void(Work&)>& run);
  Result<std::optional<record::SqlError>> attempt(const std::function<void(Work&)>& run);

  std::string m_connection;
  std::unique_ptr<Session> m_session;
};

}  // namespace lockkeeper::engine::postgres
