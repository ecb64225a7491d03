#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/secrets.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/inspection.h"

namespace lockkeeper::engine::postgres {

/// A session with one transaction that cannot write. What fails in it is noted and left behind; failures
/// never hold the password.
class InspectionSession {
 public:
  using Rows = std::vector<Connection::Row>;

  /// Connects, begins the transaction and reads its settings back; fails as Inspection::open() does.
  static Result<InspectionSession> open(const InspectionOptions& options);
  /// Ends the transaction.
  ~InspectionSession();
  InspectionSession(InspectionSession&&) noexcept = default;
  InspectionSession& operator=(InspectionSession&&) = delete;

  /// The rows, or none where they cannot be seen, which is noted with the reason.
  Result<std::optional<Rows>> rows(const std::string& what, const std::string& sql,
                                   std::vector<Unseen>& unseen);
  /// Hands rows over as they come; false where they cannot be seen.
  Result<bool> each_row(const std::string& what, const std::string& sql, std::vector<Unseen>& unseen,
                        const std::function<void(Connection::Values)>& take);
  /// A statement that has no reason to fail.
  Result<void> run(const std::string& sql);
  int major() const { return m_connection.server_version() / 10000; }

 private:
  InspectionSession(Connection connection, Secrets secrets)
      : m_connection(std::move(connection)), m_secrets(std::move(secrets)) {}
  Result<void> begin(const InspectionOptions& options);
  Result<void> check_role(const InspectionOptions& options);
  Result<bool> guarded(const std::string& what, std::vector<Unseen>& unseen,
                       const std::function<Result<Connection::Answered>()>& ask);
  Failure masked(Failure failure) const;

  Connection m_connection;
  Secrets m_secrets;
};

/// What a session runs before the first question, around each, and at the end.
std::vector<InspectionStatement> statements_before(const InspectionOptions& options);
std::vector<InspectionStatement> statements_around();
InspectionStatement statement_at_the_end();

std::string text_in(const Connection::Row& row, std::size_t column);
bool is_true_in(const Connection::Row& row, std::size_t column);
std::optional<std::int64_t> number_in(const Connection::Row& row, std::size_t column);

}  // namespace lockkeeper::engine::postgres
