#include "engine/postgres/tool_session.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace lockkeeper::engine::postgres {

namespace {

constexpr std::string_view k_own_portal = "lockkeeper";
constexpr std::string_view k_passing_statement = "lockkeeper_passing";

std::string parse(std::string_view name, std::string_view sql) {
  return wire::message('P', wire::text(name) + wire::text(sql) + wire::int16(0));
}

std::string closed_portal() {
  return wire::message('C', "P" + wire::text(k_own_portal));
}

/// Every portal but the unnamed one has to be closed before its name serves again.
std::string execute(std::string_view statement) {
  return wire::message('B', wire::text(k_own_portal) + wire::text(statement) + wire::int16(0) +
                                wire::int16(0) + wire::int16(0)) +
         wire::message('E', wire::text(k_own_portal) + wire::int32(0)) + closed_portal();
}

/// A statement that is not kept: DEALLOCATE ALL cannot take it away between two looks.
std::string once(std::string_view sql) {
  return parse(k_passing_statement, sql) + execute(k_passing_statement) +
         wire::message('C', "S" + wire::text(k_passing_statement));
}

std::string synchronised(std::string messages) {
  return std::move(messages) + wire::message('S');
}

bool is_ascii(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

void ToolSession::learn(std::string_view body) {
  wire::Reader reader(body);
  if (reader.text() == "client_encoding") m_utf8 = reader.text() == "UTF8";
}

Result<Reply> ToolSession::send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows) {
  while (true) {
    const auto known = m_prepared.find(sql);
    const bool fresh = known == m_prepared.end();
    const std::string name = fresh ? fmt::format("lockkeeper_{}", ++m_last_name) : known->second;
    Reply reply =
        exchange(synchronised(once("SAVEPOINT lockkeeper") + (fresh ? parse(name, sql) : std::string()) +
                              execute(name) + once("RELEASE SAVEPOINT lockkeeper")),
                 timeout, rows);
    if (!reply.error) {
      m_prepared.emplace(sql, name);
      m_tool.send(m_notices);
      if (m_foreign) reply.error = record::SqlError{"", "names are not in UTF-8", "", "", ""};
      return reply;
    }
    // The portal that failed is there until its savepoint is gone, and would be in the way.
    const Reply undone = exchange(synchronised(closed_portal() + once("ROLLBACK TO SAVEPOINT lockkeeper") +
                                               once("RELEASE SAVEPOINT lockkeeper")),
                                  timeout, Rows::drop);
    if (fresh || undone.error) return reply;
    // The tool may have used DEALLOCATE ALL or DISCARD ALL.
    m_prepared.erase(sql);
  }
}

void ToolSession::take(const wire::Piece& piece, Reply& reply, Rows rows) {
  wire::Reader reader(piece.body);
  switch (piece.type) {
    case 'D': {
      if (rows == Rows::drop || !piece.whole()) return;
      auto& row = reply.rows.emplace_back();
      for (int columns = reader.int16(); columns > 0; --columns) {
        const std::uint32_t size = reader.int32();
        row.emplace_back(size == 0xffffffff ? std::string_view() : reader.bytes(size));
        // Names in another encoding would not be those that other sessions know.
        if (!m_utf8 && !is_ascii(row.back())) m_foreign = true;
      }
      return;
    }
    case 'E':
      if (!reply.error) reply.error = wire::report(piece.body).error;
      return;
    case 'N':
      m_notices += piece.bytes;
      return;
    case 'S':
      learn(piece.body);
      m_tool.send(piece.bytes);
      return;
    case 'A':
      m_tool.send(piece.bytes);
      return;
    default:
      return;
  }
}

Reply ToolSession::exchange(const std::string& messages, std::chrono::milliseconds timeout, Rows rows) {
  Reply reply;
  m_notices.clear();
  m_foreign = false;
  m_server.send(messages);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    while (const auto piece = m_server.in().next()) {
      if (piece->type == 'Z') return reply;
      if (piece->first) take(*piece, reply, rows);
    }
    if (!m_server.ended() && !m_server.in().malformed() &&
        m_server.wait(deadline, m_stop) == Link::Woken::ready)
      continue;
    // Whatever is still to come would be taken for an answer to the tool.
    m_server.abandon();
    reply.error = record::SqlError{"08006", "the session has ended", "", "", ""};
    return reply;
  }
}

}  // namespace lockkeeper::engine::postgres
