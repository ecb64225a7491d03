#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// Runs sides over libpq, which (unlike libpqxx 6) tells the position of an error, the state of the transaction and
/// the notices. Each side gets a session of its own; the next session is opened while the present one works.
class SideRunner {
 public:
  /// `connection` is a libpq connection string to the database of the instance.
  explicit SideRunner(std::string connection);
  ~SideRunner();

  /// A Failure where no session can be had or a signal came in; everything the server says is part of the outcome.
  Result<SideOutcome> run(const SideRequest& request);
  /// Closes the spare session, so that the server can be stopped or its database copied.
  void close();

 private:
  class Session;
  std::string m_connection;
  std::unique_ptr<Session> m_spare;
};

}  // namespace lockkeeper::engine::postgres
