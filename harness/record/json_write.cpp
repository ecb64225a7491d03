#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "record/fields.h"
#include "record/json.h"
#include "record/names.h"

namespace lockkeeper::record {

namespace {

/// Printable ASCII that JSON writes as it is: nearly every string of a record.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

/// Writes text as it goes: a tree of values for a thousand migrations would cost more memory than the whole
/// rest of a run.
class Writer {
 public:
  static constexpr bool k_writes = true;

  template <typename T>
  void operator()(std::string_view key, const T& member) {
    begin_item();
    value(key);
    m_text += ": ";
    value(member);
  }

  void record(const Record& whole) {
    open('{');
    (*this)("schema_version", Record::k_schema_version);
    fields(*this, whole);
    close('}');
    m_text += '\n';
  }

  std::string take() { return std::move(m_text); }

 private:
  void value(std::string_view text) {
    if (is_plain(text)) {
      m_text.append(1, '"').append(text).append(1, '"');
      return;
    }
    // A server may answer in another encoding; bytes that are not UTF-8 become U+FFFD instead of an
    // exception.
    m_text += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(bool truth) { m_text += truth ? "true" : "false"; }
  void value(double number) { m_text += nlohmann::json(number).dump(); }
  void value(Microseconds duration) { value(duration.count()); }

  template <typename T>
  requires std::is_integral_v<T>
  void value(T number) { fmt::format_to(std::back_inserter(m_text), "{}", number); }

  template <typename T>
  requires std::is_enum_v<T>
  void value(T word) { value(name_of(word)); }

  template <typename T>
  void value(const std::optional<T>& maybe) {
    if (maybe) {
      value(*maybe);
    } else {
      m_text += "null";
    }
  }

  template <typename T>
  void value(const std::vector<T>& items) {
    open('[');
    for (const T& item : items) {
      begin_item();
      value(item);
    }
    close(']');
  }

  void value(const std::map<std::string, std::string>& pairs) {
    open('{');
    for (const auto& [key, text] : pairs) (*this)(key, text);
    close('}');
  }

  template <typename T>
  requires std::is_class_v<T>
  void value(const T& structure) {
    open('{');
    fields(*this, structure);
    close('}');
  }

  void open(char bracket) {
    m_text += bracket;
    ++m_depth;
    m_first = true;
  }

  void begin_item() {
    if (!m_first) m_text += ',';
    m_first = false;
    new_line();
  }

  void close(char bracket) {
    --m_depth;
    if (!m_first) new_line();
    m_first = false;
    m_text += bracket;
  }

  void new_line() {
    m_text += '\n';
    m_text.append(2 * m_depth, ' ');
  }

  std::string m_text;
  std::size_t m_depth = 0;
  bool m_first = true;
};

}  // namespace

std::string to_json(const Record& record) {
  Writer writer;
  writer.record(record);
  return writer.take();
}

}  // namespace lockkeeper::record
