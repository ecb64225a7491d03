#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "record/record.h"

/// Messages of PostgreSQL's protocol 3
/// (https://www.postgresql.org/docs/current/protocol-message-formats.html).
namespace lockkeeper::engine::postgres::wire {

/// Larger messages are passed on piece by piece.
constexpr std::size_t k_whole_limit = 1024 * 1024;

// What a client's first packet asks for, in place of a version.
constexpr std::uint32_t k_cancel_request = 80877102;
constexpr std::uint32_t k_ssl_request = 80877103;
constexpr std::uint32_t k_gss_request = 80877104;

/// Type, length and body.
std::string message(char type, std::string_view body = {});
/// A string with the NUL that ends it.
std::string text(std::string_view text);
std::string int16(int number);
std::string int32(std::uint32_t number);
std::uint32_t int32_at(std::string_view bytes);

/// An ErrorResponse of ours that ends the session.
std::string fatal(std::string_view sqlstate, std::string_view message);

/// Reads a message's body; what is not there reads as nothing, so that a short one does no harm.
class Reader {
 public:
  explicit Reader(std::string_view body) : m_rest(body) {}
  std::string_view text();  ///< up to its NUL
  std::uint32_t int32();
  int int16();
  std::string_view bytes(std::size_t size);
  bool at_end() const { return m_rest.empty(); }

 private:
  std::string_view m_rest;
};

/// The fields of an ErrorResponse or a NoticeResponse.
struct Report {
  record::SqlError error;
  std::string severity;
  std::size_t position = 0;  ///< characters from 1 into the text; 0 where unknown
};
Report report(std::string_view body);

/// A message, or a piece of one that is larger than the limit.
struct Piece {
  char type = 0;
  bool first = true;
  bool last = true;
  std::string_view bytes;  ///< to be passed on: with the header in the first piece
  std::string_view body;   ///< without it

  bool whole() const { return first && last; }
};

/// Cuts a stream into messages as its bytes come in.
class Cutter {
 public:
  /// Where the next `size` bytes are to be put; arrived() says how many were.
  char* room(std::size_t size);
  void arrived(std::size_t size) { m_end += size; }
  /// The next message, none before all of it is there. What it points to lasts until the next call of room().
  std::optional<Piece> next();
  /// What came before messages begin: a packet without a type, none before all of it is there.
  std::optional<std::string_view> next_packet();
  /// The stream is no sequence of messages: nothing more comes.
  bool malformed() const { return m_malformed; }
  std::size_t waiting() const { return m_end - m_begin; }

 private:
  std::string_view take(std::size_t size);

  std::string m_bytes;
  std::size_t m_begin = 0;
  std::size_t m_end = 0;
  std::size_t m_remaining = 0;  ///< of a large message
  char m_type = 0;
  bool m_malformed = false;
};

}  // namespace lockkeeper::engine::postgres::wire
