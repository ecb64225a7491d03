#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "record/fields.h"
#include "record/json.h"
#include "record/names.h"

namespace lockkeeper::record {

namespace {

using nlohmann::json;

constexpr std::string_view k_hint = "only a JSON report that lockkeeper itself has written can be read back";

/// Where in the document the reading is, and the first thing that was wrong with it.
class Position {
 public:
  bool failed() const { return m_failure.has_value(); }
  Failure failure() const { return *m_failure; }

  void fail(std::string_view cause, std::string hint = std::string(k_hint)) {
    if (m_failure) return;
    std::string pointer;
    for (const std::string& step : m_steps) pointer += "/" + step;
    m_failure = Failure{FailureKind::usage,
                        fmt::format("record value '{}': {}", pointer.empty() ? "/" : pointer, cause),
                        std::move(hint), std::nullopt};
  }

  void enter(std::string_view step) {
    // RFC 6901: "~" and "/" inside a step are written "~0" and "~1".
    std::string escaped;
    for (const char c : abridged(step, 60)) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    m_steps.push_back(std::move(escaped));
  }
  void leave() { m_steps.pop_back(); }

 private:
  std::vector<std::string> m_steps;
  std::optional<Failure> m_failure;
};

class Reader {
 public:
  static constexpr bool k_writes = false;

  Reader(const json& object, Position& position) : m_object(object), m_position(position) {}

  template <typename T>
  void operator()(std::string_view key, T& member) {
    m_known.emplace_back(key);
    if (m_position.failed()) return;
    const auto found = m_object.find(key);
    m_position.enter(key);
    if (found == m_object.end()) {
      m_position.fail("is missing");
    } else {
      value(*found, member);
    }
    m_position.leave();
  }

  /// Whatever the fields did not ask for would be dropped in silence.
  void refuse_unknown_keys() {
    for (const auto& item : m_object.items()) {
      if (m_position.failed()) return;
      if (std::find(m_known.begin(), m_known.end(), item.key()) != m_known.end()) continue;
      m_position.enter(item.key());
      m_position.fail("unknown key" + did_you_mean(item.key(), m_known));
      m_position.leave();
    }
  }

 private:
  bool is(bool right, std::string_view wanted, const json& found) {
    if (!right) m_position.fail(fmt::format("{} is needed, not {}", wanted, found.type_name()));
    return right;
  }

  void value(const json& found, std::string& text) {
    if (is(found.is_string(), "a string", found)) text = found.get<std::string>();
  }
  void value(const json& found, bool& truth) {
    if (is(found.is_boolean(), "true or false", found)) truth = found.get<bool>();
  }
  void value(const json& found, double& number) {
    if (is(found.is_number(), "a number", found)) number = found.get<double>();
  }
  void value(const json& found, Microseconds& duration) {
    Microseconds::rep count = 0;
    value(found, count);
    duration = Microseconds(count);
  }

  template <typename T>
  requires std::is_integral_v<T>
  void value(const json& found, T& number) {
    if (!is(found.is_number_integer(), "a whole number", found)) return;
    const bool fits = found.is_number_unsigned() ? std::in_range<T>(found.get<std::uint64_t>())
                                                 : std::in_range<T>(found.get<std::int64_t>());
    if (!fits) return m_position.fail("the number is out of range");
    number = found.get<T>();
  }

  template <typename T>
  requires std::is_enum_v<T>
  void value(const json& found, T& word) {
    if (!is(found.is_string(), "a string", found)) return;
    const auto name = found.get<std::string>();
    if (const auto known = value_named<T>(name)) {
      word = *known;
      return;
    }
    const auto names = names_of<T>();
    m_position.fail(fmt::format("unknown word '{}'{}", abridged(name, 60), did_you_mean(name, names)),
                    "expected " + join(names, ", "));
  }

  template <typename T>
  void value(const json& found, std::optional<T>& maybe) {
    maybe.reset();
    if (!found.is_null()) value(found, maybe.emplace());
  }

  template <typename T>
  void value(const json& found, std::vector<T>& items) {
    if (!is(found.is_array(), "an array", found)) return;
    items.clear();
    items.reserve(found.size());
    for (const json& item : found) {
      m_position.enter(std::to_string(items.size()));
      value(item, items.emplace_back());
      m_position.leave();
      if (m_position.failed()) return;
    }
  }

  void value(const json& found, std::map<std::string, std::string>& pairs) {
    if (!is(found.is_object(), "an object", found)) return;
    for (const auto& item : found.items()) {
      m_position.enter(item.key());
      value(item.value(), pairs[item.key()]);
      m_position.leave();
    }
  }

  template <typename T>
  requires std::is_class_v<T>
  void value(const json& found, T& structure) {
    if (!is(found.is_object(), "an object", found)) return;
    Reader reader(found, m_position);
    fields(reader, structure);
    reader.refuse_unknown_keys();
  }

  const json& m_object;
  Position& m_position;
  std::vector<std::string> m_known;
};

tl::unexpected<Failure> not_json(std::string_view text, const json::parse_error& error) {
  // nlohmann counts from 1, and points behind the text where it ends too early.
  const std::string_view before = text.substr(0, error.byte > 0 ? std::min(error.byte - 1, text.size()) : 0);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto column =
      before.size() - (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1) + 1;
  return failed(FailureKind::usage, fmt::format("record: not valid JSON at line {}, column {}", line, column),
                std::string(k_hint));
}

Result<json> parsed(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    return not_json(text, error);
  }
}

std::string writer_of(const json& document) {
  const auto version = document.find("lockkeeper_version");
  return version != document.end() && version->is_string()
             ? fmt::format("lockkeeper {}", abridged(version->get<std::string>(), 40))
             : "the lockkeeper";
}

/// Before anything else is read, since another version may mean other things by the same keys.
Result<void> check_schema_version(const json& document) {
  int version = 0;
  Position position;
  Reader reader(document, position);
  reader("schema_version", version);
  if (position.failed()) return tl::unexpected<Failure>(position.failure());
  if (version == Record::k_schema_version) return {};
  return failed(
      FailureKind::usage,
      fmt::format("record value '/schema_version': version {} is not known, this lockkeeper reads version {}",
                  version, Record::k_schema_version),
      fmt::format("read it with {} that wrote it", writer_of(document)));
}

}  // namespace

Result<Record> from_json(std::string_view text) {
  const auto document = parsed(text);
  if (!document) return failed(document);
  Position position;
  if (!document->is_object()) {
    position.fail(fmt::format("an object is needed, not {}", document->type_name()));
    return tl::unexpected<Failure>(position.failure());
  }
  if (const auto version = check_schema_version(*document); !version) return failed(version);

  Record record;
  int schema_version = 0;
  Reader reader(*document, position);
  reader("schema_version", schema_version);
  fields(reader, record);
  reader.refuse_unknown_keys();
  if (position.failed()) return tl::unexpected<Failure>(position.failure());
  return record;
}

}  // namespace lockkeeper::record
