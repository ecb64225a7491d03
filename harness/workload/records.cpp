#include "workload/records.h"

#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::workload {

namespace {

constexpr std::size_t k_chunk = 64UL * 1024;
/// Of statements, 100 kB are parsed at most; auto_explain writes the plan into the same record.
constexpr std::size_t k_longest_record = 16UL * 1024 * 1024;

}  // namespace

Result<Records> Records::open(const std::filesystem::path& path) {
  if (const auto readable = expect_no_pipe(path); !readable) return failed(readable);
  Records records(path.string());
  records.m_file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (records.m_file.get() < 0) return cannot("read", path, errno, FailureKind::usage);
  records.fill();
  if (records.m_failure) return tl::unexpected<Failure>(*records.m_failure);
  if (records.m_buffer.starts_with("\xEF\xBB\xBF")) records.m_at = 3;
  records.m_beginning = records.m_buffer.substr(records.m_at);
  return records;
}

bool Records::fill() {
  m_buffer.resize(k_chunk);
  m_at = 0;
  while (true) {
    const ssize_t got = ::read(m_file.get(), m_buffer.data(), m_buffer.size());
    if (interrupted()) m_failure = failed_by_interrupt().value();
    if (got < 0 && errno == EINTR && !m_failure) continue;
    if (got < 0 && !m_failure) m_failure = cannot("read", m_name, errno, FailureKind::usage).value();
    m_buffer.resize(m_failure ? 0 : static_cast<std::size_t>(got));
    return !m_buffer.empty();
  }
}

int Records::peek() {
  if (m_at == m_buffer.size() && (m_buffer.empty() || !fill())) return -1;
  return static_cast<unsigned char>(m_buffer[m_at]);
}

int Records::take() {
  const int byte = peek();
  if (byte < 0) return byte;
  ++m_at;
  if (byte == '\n') ++m_line;
  return byte;
}

Result<void> Records::check(const std::string& text, int line) const {
  const auto refused = [&](std::size_t at, std::string cause, std::string hint) {
    const auto before = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return failed(FailureKind::usage, fmt::format("cannot read '{}': {}", m_name, cause), std::move(hint),
                  this->at(line + static_cast<int>(before)));
  };
  if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
    return refused(nul, "a NUL byte in it", "it is no text; name the file as the server or psql wrote it");
  if (const auto bad = first_invalid_utf8(text))
    return refused(*bad, "not UTF-8 text", "convert it first, for example: iconv -f latin1 -t utf-8 FILE");
  return {};
}

tl::unexpected<Failure> Records::endless(int line, std::string_view what) const {
  return failed(FailureKind::usage,
                fmt::format("cannot read '{}': {} that begins here is never closed", m_name, what),
                "the file is cut off; take it as a whole, or leave out its last record", at(line));
}

Result<std::optional<CsvRecord>> Records::next_csv() {
  while (peek() == '\n' || peek() == '\r') take();
  if (m_failure) return tl::unexpected<Failure>(*m_failure);
  if (peek() < 0) return std::optional<CsvRecord>();
  CsvRecord record;
  record.line = m_line;
  std::string all;  // checked once for the whole record
  std::string text;
  bool quoted = false;
  const auto keep = [&](int byte) {
    if (record.extent == Extent::too_long) return false;
    all += static_cast<char>(byte);
    if (all.size() <= k_longest_record) return true;
    record.extent = Extent::too_long;
    record.fields = {};
    all = std::string();  // gives its memory back
    text = std::string();
    return false;
  };
  const auto end_field = [&] {
    record.fields.push_back(text.empty() && !quoted ? Field() : Field(std::move(text)));
    text.clear();
    quoted = false;
  };
  while (true) {
    const int byte = take();
    if (byte < 0 || byte == '\n' || (byte == '\r' && peek() == '\n')) break;
    const bool kept = keep(byte);
    if (byte == ',') {
      if (kept) end_field();
    } else if (byte == '"') {
      quoted = true;
      const int begun = m_line;
      for (int inner = take();; inner = take()) {
        if (inner < 0 && m_failure) return tl::unexpected<Failure>(*m_failure);
        if (inner < 0) return endless(begun, "a quoted field");
        const bool inner_kept = keep(inner);
        if (inner == '"' && peek() != '"') break;
        if (inner == '"') take();
        if (inner_kept) text += static_cast<char>(inner);
      }
    } else if (kept) {
      text += static_cast<char>(byte);
    }
  }
  if (m_failure) return tl::unexpected<Failure>(*m_failure);
  if (record.extent == Extent::too_long) return record;
  end_field();
  if (const auto good = check(all, record.line); !good) return failed(good);
  return record;
}

Result<std::optional<JsonRecord>> Records::next_json() {
  // Between objects: white space, and the brackets and commas of a list.
  while (peek() >= 0 &&
         std::string_view(" \t\r\n,[]").find(static_cast<char>(peek())) != std::string_view::npos)
    take();
  if (m_failure) return tl::unexpected<Failure>(*m_failure);
  if (peek() < 0) return std::optional<JsonRecord>();
  JsonRecord record;
  record.line = m_line;
  int depth = 0;
  bool in_text = false;
  const auto keep = [&](int byte) {
    if (record.extent == Extent::too_long) return;
    record.text += static_cast<char>(byte);
    if (record.text.size() <= k_longest_record) return;
    record.extent = Extent::too_long;
    record.text = std::string();  // gives its memory back
  };
  do {
    const int byte = take();
    if (m_failure) return tl::unexpected<Failure>(*m_failure);
    if (byte < 0) return endless(record.line, "an object");
    keep(byte);
    if (in_text) {
      if (byte == '\\' && peek() >= 0) keep(take());
      if (byte == '"') in_text = false;
    } else if (byte == '"') {
      in_text = true;
    } else if (byte == '{' || byte == '[') {
      ++depth;
    } else if (byte == '}' || byte == ']') {
      --depth;
    } else if (depth == 0 && byte != '\n') {
      return failed(FailureKind::usage, fmt::format("cannot read '{}': not JSON", m_name),
                    "an object is wanted here, {…}; the file is cut off in front, or something else is in it",
                    at(record.line));
    }
  } while (depth > 0 || in_text);
  if (record.extent == Extent::too_long) return record;
  if (const auto good = check(record.text, record.line); !good) return failed(good);
  return record;
}

}  // namespace lockkeeper::workload
