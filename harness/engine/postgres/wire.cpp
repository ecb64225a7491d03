#include "engine/postgres/wire.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lockkeeper::engine::postgres::wire {

namespace {

constexpr std::size_t k_header = 5;
// The server itself refuses longer first packets (MAX_STARTUP_PACKET_LENGTH).
constexpr std::size_t k_longest_packet = 10000;

}  // namespace

std::string int16(int number) {
  return {static_cast<char>((number >> 8) & 0xff), static_cast<char>(number & 0xff)};
}

std::string int32(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>((number >> 16) & 0xff),
          static_cast<char>((number >> 8) & 0xff), static_cast<char>(number & 0xff)};
}

std::uint32_t int32_at(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i)
    number = number << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
  return number;
}

std::string message(char type, std::string_view body) {
  std::string made(1, type);
  made += int32(static_cast<std::uint32_t>(body.size() + 4));
  made += body;
  return made;
}

std::string text(std::string_view text) {
  std::string made(text);
  made += '\0';
  return made;
}

std::string fatal(std::string_view sqlstate, std::string_view what) {
  std::string body;
  for (const char* severity : {"SFATAL", "VFATAL"}) body += text(severity);
  body += text("C" + std::string(sqlstate)) + text("M" + std::string(what)) + '\0';
  return message('E', body);
}

std::string_view Reader::bytes(std::size_t size) {
  const std::string_view taken = m_rest.substr(0, size);
  m_rest.remove_prefix(taken.size());
  return taken;
}

std::string_view Reader::text() {
  const std::string_view taken = m_rest.substr(0, m_rest.find('\0'));
  m_rest.remove_prefix(std::min(m_rest.size(), taken.size() + 1));
  return taken;
}

std::uint32_t Reader::int32() {
  return int32_at(bytes(4));
}

int Reader::int16() {
  return static_cast<int>(int32_at(bytes(2)) >> 16);
}

Report report(std::string_view body) {
  Report said;
  Reader reader(body);
  while (!reader.at_end()) {
    const std::string_view field = reader.text();
    if (field.empty()) break;
    const std::string value(field.substr(1));
    switch (field[0]) {
      case 'S':
        if (said.severity.empty()) said.severity = value;
        break;
      case 'V':  // never translated; follows S
        said.severity = value;
        break;
      case 'C':
        said.error.sqlstate = value;
        break;
      case 'M':
        said.error.message = value;
        break;
      case 'D':
        said.error.detail = value;
        break;
      case 'H':
        said.error.hint = value;
        break;
      case 'W':
        said.error.context = value;
        break;
      case 'P':
        said.position = std::strtoull(value.c_str(), nullptr, 10);
        break;
      default:
        break;
    }
  }
  return said;
}

char* Cutter::room(std::size_t size) {
  if (m_begin > 0 && m_bytes.size() - m_end < size) {
    std::memmove(m_bytes.data(), m_bytes.data() + m_begin, m_end - m_begin);
    m_end -= m_begin;
    m_begin = 0;
  }
  if (m_bytes.size() - m_end < size) m_bytes.resize(m_end + size);
  return m_bytes.data() + m_end;
}

std::string_view Cutter::take(std::size_t size) {
  const std::string_view taken(m_bytes.data() + m_begin, size);
  m_begin += size;
  return taken;
}

std::optional<Piece> Cutter::next() {
  if (m_malformed || waiting() == 0) return std::nullopt;
  if (m_remaining > 0) {
    const std::string_view bytes = take(std::min(m_remaining, waiting()));
    m_remaining -= bytes.size();
    return Piece{m_type, false, m_remaining == 0, bytes, bytes};
  }
  if (waiting() < k_header) return std::nullopt;
  const std::string_view ahead(m_bytes.data() + m_begin, waiting());
  const std::size_t length = int32_at(ahead.substr(1));
  if (length < 4 || length > 0x7fffffff) {
    m_malformed = true;
    return std::nullopt;
  }
  const std::size_t size = length + 1;
  if (size <= k_whole_limit && waiting() < size) return std::nullopt;
  m_type = ahead[0];
  const std::string_view bytes = take(std::min(size, waiting()));
  m_remaining = size - bytes.size();
  return Piece{m_type, true, m_remaining == 0, bytes, bytes.substr(k_header)};
}

std::optional<std::string_view> Cutter::next_packet() {
  if (m_malformed || waiting() < 4) return std::nullopt;
  const std::size_t length = int32_at({m_bytes.data() + m_begin, waiting()});
  if (length < 8 || length > k_longest_packet) {
    m_malformed = true;
    return std::nullopt;
  }
  if (waiting() < length) return std::nullopt;
  return take(length);
}

}  // namespace lockkeeper::engine::postgres::wire
