#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/postgres/client.h"
#include "engine/postgres/link.h"

namespace lockkeeper::engine::postgres {

/// Asks a question of ours in a transaction that a tool has open, while the tool waits and has nothing under
/// way. The tool must not notice: all of it is in a savepoint, so that what fails does not end its
/// transaction, and goes through statements and portals of names of our own, since a Query would take away
/// the unnamed ones, which a tool may have prepared.
class ToolSession final : public Session {
 public:
  /// `tool` gets what the server says meanwhile that is not for us; `stop` ends a wait when it is readable.
  ToolSession(Link& server, Link& tool, const Descriptor& stop)
      : m_server(server), m_tool(tool), m_stop(stop) {}

  /// One statement. Notices of one that succeeds are the tool's, which would have had them too.
  Result<Reply> send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows) override;

  /// A ParameterStatus that came in.
  void learn(std::string_view body);

 private:
  Reply exchange(const std::string& messages, std::chrono::milliseconds timeout, Rows rows);
  void take(const wire::Piece& piece, Reply& reply, Rows rows);

  Link& m_server;
  Link& m_tool;
  const Descriptor& m_stop;
  std::map<std::string, std::string> m_prepared;  ///< text to name
  int m_last_name = 0;
  bool m_utf8 = false;
  bool m_foreign = false;  ///< what was answered has names that other sessions do not know as such
  std::string m_notices;   ///< as they came
};

}  // namespace lockkeeper::engine::postgres
