#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "engine/postgres/wire.h"

namespace lockkeeper::engine::postgres {

/// One end of what is passed on: a socket, what it said and what it has yet to be told.
class Link {
 public:
  Link() = default;
  /// Makes the socket one that never waits.
  explicit Link(Descriptor socket);

  int socket() const { return m_socket.get(); }
  wire::Cutter& in() { return m_in; }

  void send(std::string_view bytes) { m_out += bytes; }
  std::size_t unsent() const { return m_out.size() - m_sent; }
  /// Hands over as much as the socket takes.
  void flush();
  /// Reads what is there, at most one piece.
  void receive();
  /// It says nothing more.
  bool ended() const { return m_ended; }
  /// It takes nothing more.
  bool broken() const { return m_broken; }
  /// Has the other side closed, though there may still be something to read?
  bool closed_by_peer() const;
  /// Says that nothing more comes.
  void close_writing();
  /// Ends it in both directions.
  void abandon();
  void close() { m_socket.close(); }

  enum class Woken { ready, deadline, stopped };
  /// Flushes, waits until something came in or the other side has ended, and reads it; `stop` ends it when
  /// readable.
  Woken wait(std::chrono::steady_clock::time_point deadline, const Descriptor& stop);
  /// Waits until all is handed over.
  void flush_all(std::chrono::steady_clock::time_point deadline, const Descriptor& stop);

 private:
  Woken wait_for(short events, std::chrono::steady_clock::time_point deadline, const Descriptor& stop) const;

  Descriptor m_socket;
  wire::Cutter m_in;
  std::string m_out;
  std::size_t m_sent = 0;
  bool m_ended = false;
  bool m_broken = false;
};

}  // namespace lockkeeper::engine::postgres
