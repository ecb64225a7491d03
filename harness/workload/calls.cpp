#include "workload/calls.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "workload/message.h"

namespace lockkeeper::workload {

namespace {

using nlohmann::json;
using Counts = std::map<std::string, std::int64_t>;
using Take = std::function<void(Call)>;

// Columns of csvlog (src/backend/utils/error/csvlog.c).
constexpr std::size_t k_session_column = 5;
constexpr std::size_t k_message_column = 13;
constexpr std::size_t k_detail_column = 14;

constexpr const char* k_how_to_export =
    "export it like this: \\copy (SELECT * FROM pg_stat_statements) TO 'statements.csv' CSV HEADER";
constexpr const char* k_how_to_log =
    "set logging_collector = on and log_destination = 'csvlog' (or 'jsonlog' from PostgreSQL 15 on), and "
    "log_min_duration_statement";

constexpr const char* k_too_long = "in a record of over 16 MB";
constexpr const char* k_no_amount = "with a number of calls or a time that can be none";

/// PostgreSQL 12 wrote 23 columns, 13 added backend_type, 14 leader_pid and query_id.
bool is_log_width(std::size_t columns) {
  return columns == 23 || columns == 24 || columns == 26;
}

std::optional<double> number_in(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return is_amount(number) ? std::optional(number) : std::nullopt;
}

bool is_column_name(const Field& field) {
  return field && !field->empty() &&
         field->find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos &&
         !(field->front() >= '0' && field->front() <= '9');
}

/// Puts together what the messages of each session say of one call.
class Sessions {
 public:
  Sessions(const Take& take, Counts& left_out) : m_take(take), m_left_out(left_out) {}

  void see(const std::string& session, std::string_view text, std::string_view detail) {
    auto message = message_in(text);
    if (!message) return;
    using Kind = Message::Kind;
    if (message->kind == Kind::unread) {
      ++m_left_out["plans of auto_explain as XML or YAML: set auto_explain.log_format = json"];
      return;
    }
    const auto begun = m_begun.find(session);
    if (message->kind == Kind::untimed) {
      ++m_left_out[k_no_amount];
      if (begun == m_begun.end()) return;
      // The next time of this session is another statement's.
      m_take(std::move(begun->second));
      m_begun.erase(begun);
      return;
    }
    if (message->kind == Kind::duration) {
      if (begun == m_begun.end()) return;  // of a parse or a bind
      begun->second.total_ms = message->ms;
    }
    if (message->kind != Kind::plan && begun != m_begun.end()) {
      m_take(std::move(begun->second));
      m_begun.erase(begun);
    }
    if (message->kind == Kind::duration) return;
    Call call;
    call.source = message->kind == Kind::plan ? Call::Source::plan : Call::Source::log;
    call.text = std::move(message->text);
    call.total_ms = message->ms;
    call.values = values_in(message->parameters.empty() ? parameters_in(detail) : message->parameters);
    if (message->kind == Kind::begun)
      m_begun.emplace(session, std::move(call));
    else
      m_take(std::move(call));
  }

  /// Of a record that could not be kept: it may have been any session's, so that no time that comes now is
  /// of what began before it.
  void see_left_out(const char* why) {
    ++m_left_out[why];
    finish();
  }

  void finish() {
    for (auto& [session, call] : m_begun) m_take(std::move(call));
    m_begun.clear();
  }

 private:
  const Take& m_take;
  Counts& m_left_out;
  std::map<std::string, Call> m_begun;
};

Result<void> read_csvlog(Records& records, const Take& take, Counts& left_out) {
  Sessions sessions(take, left_out);
  while (true) {
    const auto record = records.next_csv();
    if (!record) return failed(record);
    if (!*record) break;
    if ((*record)->extent == Extent::too_long) {
      sessions.see_left_out(k_too_long);
      continue;
    }
    const auto& fields = (*record)->fields;
    if (!is_log_width(fields.size())) {
      return failed(FailureKind::usage,
                    fmt::format("cannot read '{}': {} where csvlog has 24 (PostgreSQL 13) or 26",
                                records.name(), counted(static_cast<std::int64_t>(fields.size()), "column")),
                    "the file is cut off here, or something else was added to it",
                    records.at((*record)->line));
    }
    if (!fields[k_message_column]) continue;
    sessions.see(fields[k_session_column].value_or(""), *fields[k_message_column],
                 fields[k_detail_column].value_or(""));
  }
  sessions.finish();
  return {};
}

struct JsonLine {
  std::optional<json> object;  ///< none where `left_out` says why
  const char* left_out = nullptr;
  int line = 0;
};

/// Values of the object alone: what is nested deeper is of no use here, and a line of brackets would take
/// many times its size.
bool at_top(int depth, json::parse_event_t /*event*/, json& /*value*/) {
  return depth <= 1;
}

/// The next object; none at the end.
Result<std::optional<JsonLine>> next_object(Records& records) {
  const auto record = records.next_json();
  if (!record) return failed(record);
  if (!*record) return std::optional<JsonLine>();
  JsonLine line;
  line.line = (*record)->line;
  if ((*record)->extent == Extent::too_long) {
    line.left_out = k_too_long;
    return line;
  }
  try {
    line.object = json::parse((*record)->text, at_top);
    if (line.object->is_object()) return line;
  } catch (const json::out_of_range&) {
    line.left_out = k_no_amount;  // 1e400 is JSON, but no double
    line.object.reset();
    return line;
  } catch (const json::parse_error&) {
  }
  return failed(FailureKind::usage, fmt::format("cannot read '{}': not JSON", records.name()),
                "the file is cut off here, or something else was added to it", records.at(line.line));
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Is it a line of a jsonlog (src/backend/utils/error/jsonlog.c), which leaves out what it has not?
Result<void> expect_log_line(const Records& records, const JsonLine& line) {
  const auto refused = [&](const std::string& cause) {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': {}", records.name(), cause),
                  k_how_to_log, records.at(line.line));
  };
  for (const char* key : {"message", "detail", "session_id"}) {
    const auto found = line.object->find(key);
    if (found != line.object->end() && !found->is_string() && !found->is_null())
      return refused(fmt::format("'{}' is {} where a jsonlog has text", key,
                                 found->is_array()    ? "a list"
                                 : found->is_object() ? "an object"
                                                      : found->dump()));
  }
  for (const char* key : {"timestamp", "error_severity"}) {
    if (!line.object->contains(key))
      return refused(fmt::format("there is no '{}', which each line of a jsonlog has", key));
  }
  return {};
}

Result<void> read_jsonlog(Records& records, const Take& take, Counts& left_out) {
  Sessions sessions(take, left_out);
  while (true) {
    const auto line = next_object(records);
    if (!line) return failed(line);
    if (!*line) break;
    if (!(*line)->object) {
      sessions.see_left_out((*line)->left_out);
      continue;
    }
    if (const auto fits = expect_log_line(records, **line); !fits) return failed(fits);
    const json& object = *(*line)->object;
    sessions.see(text_in(object, "session_id"), text_in(object, "message"), text_in(object, "detail"));
  }
  sessions.finish();
  return {};
}

/// A line of pg_stat_statements; times by the names of 13 and later, else by those of 12 and before.
void take_statistics(const std::function<std::string(const char*)>& column, const Take& take,
                     Counts& left_out) {
  Call call;
  call.source = Call::Source::statistics;
  call.text = column("query");
  if (call.text.empty() || call.text == "<insufficient privilege>") {
    ++left_out["not shown to the role that exported them: it needs pg_read_all_stats"];
    return;
  }
  const auto calls = number_in(column("calls"));
  bool sound = calls.has_value();
  // A column that is not there, or NULL, is no fault: one of the three is enough.
  const auto time_in = [&](const char* name) {
    const std::string text = column(name);
    const auto time = number_in(text);
    sound = sound && (time || text.empty());
    return time;
  };
  call.total_ms = time_in("total_exec_time");
  if (!call.total_ms) call.total_ms = time_in("total_time");
  const auto mean = time_in("mean_exec_time");
  if (sound && !call.total_ms && mean) {
    call.total_ms = *mean * *calls;
    sound = is_amount(*call.total_ms);
  }
  if (!sound) {
    ++left_out[k_no_amount];
    return;
  }
  call.calls = static_cast<std::int64_t>(*calls);
  take(std::move(call));
}

tl::unexpected<Failure> column_missing(const Records& records, int line, const std::string& name) {
  return failed(FailureKind::usage,
                fmt::format("cannot read '{}': there is no column '{}'", records.name(), name),
                k_how_to_export, records.at(line));
}

/// The column of pg_stat_statements that is wanted and not among `names`; empty: all are there.
std::string missing_column(const std::set<std::string>& names) {
  for (const char* name : {"query", "calls"}) {
    if (!names.contains(name)) return name;
  }
  const bool timed =
      names.contains("total_exec_time") || names.contains("total_time") || names.contains("mean_exec_time");
  return timed ? "" : "total_exec_time";
}

Result<void> read_statistics_csv(Records& records, const Take& take, Counts& left_out) {
  const auto header = records.next_csv();
  if (!header) return failed(header);
  std::map<std::string, std::size_t> places;
  std::set<std::string> names;
  for (std::size_t i = 0; i < (*header)->fields.size(); ++i) {
    names.insert((*header)->fields[i].value_or(""));
    places.emplace((*header)->fields[i].value_or(""), i);
  }
  if (const std::string missing = missing_column(names); !missing.empty())
    return column_missing(records, (*header)->line, missing);
  while (true) {
    const auto record = records.next_csv();
    if (!record) return failed(record);
    if (!*record) return {};
    if ((*record)->extent == Extent::too_long) {
      ++left_out[k_too_long];
      continue;
    }
    const auto& fields = (*record)->fields;
    if (fields.size() != (*header)->fields.size()) {
      return failed(
          FailureKind::usage,
          fmt::format("cannot read '{}': {} where the header has {}", records.name(),
                      counted(static_cast<std::int64_t>(fields.size()), "column"), (*header)->fields.size()),
          "the file is cut off here, or something else was added to it", records.at((*record)->line));
    }
    take_statistics(
        [&](const char* name) {
          const auto place = places.find(name);
          return place == places.end() ? std::string() : fields[place->second].value_or("");
        },
        take, left_out);
  }
}

Result<void> read_statistics_json(Records& records, const Take& take, Counts& left_out) {
  bool first = true;
  while (true) {
    const auto line = next_object(records);
    if (!line) return failed(line);
    if (!*line) return {};
    if (!(*line)->object) {
      ++left_out[(*line)->left_out];
      continue;
    }
    const json& object = *(*line)->object;
    if (first) {
      std::set<std::string> names;
      for (const auto& [name, value] : object.items()) names.insert(name);
      if (const std::string missing = missing_column(names); !missing.empty())
        return column_missing(records, (*line)->line, missing);
      first = false;
    }
    take_statistics(
        [&](const char* name) {
          const auto found = object.find(name);
          if (found == object.end() || found->is_null()) return std::string();
          return found->is_string() ? found->get<std::string>() : found->dump();
        },
        take, left_out);
  }
}

/// The fields of the first line of CSV, however badly it ends.
std::vector<Field> first_fields(const std::string& text) {
  std::vector<Field> fields(1, std::string());
  bool quoted = false;
  for (const char c : text) {
    if (c == '\n' && !quoted) break;
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted)
      fields.emplace_back(std::string());
    else if (c != '\r' && c != '"')
      *fields.back() += c;
  }
  return fields;
}

tl::unexpected<Failure> no_source(const Records& records, const std::string& cause, const std::string& hint) {
  return failed(FailureKind::usage, fmt::format("cannot read '{}': {}", records.name(), cause), hint,
                Location{records.name(), 1, 0});
}

}  // namespace

Result<Form> form_of(const Records& records) {
  const std::string& text = records.beginning();
  if (trimmed(text).empty()) return no_source(records, "it is empty", k_how_to_export);
  if (text.starts_with("\x1F\x8B") || text.starts_with("\x28\xB5\x2F\xFD"))
    return no_source(records, "it is compressed", "unpack it first, with gunzip or unzstd");
  if (text.find('\0') != std::string::npos)
    return no_source(records, "a NUL byte in it",
                     "it is no text; name the file as the server or psql wrote it");
  const std::string start = trimmed(text.substr(0, 4096));
  if (start.front() == '{' || start.front() == '[') {
    const std::string head = text.substr(0, std::min<std::size_t>(text.size(), 65536));
    const bool log = head.find("\"error_severity\"") != std::string::npos &&
                     head.find("\"timestamp\"") != std::string::npos;
    // What has part of it is told what it lacks: read_jsonlog().
    const bool partly = head.find("\"query\"") == std::string::npos &&
                        (head.find("\"message\"") != std::string::npos ||
                         head.find("\"error_severity\"") != std::string::npos ||
                         head.find("\"session_id\"") != std::string::npos);
    return log || partly ? Form::jsonlog : Form::statistics_json;
  }
  const std::vector<Field> fields = first_fields(text);
  if (fields.size() > 1 && std::all_of(fields.begin(), fields.end(), is_column_name))
    return Form::statistics_csv;
  // Written anew by another program, its fields may all be in quotes.
  const char first = start.front() == '"' && start.size() > 1 ? start[1] : start.front();
  const bool dated = first >= '0' && first <= '9';
  if (dated && fields.size() >= 12 && fields[0]->find(':') != std::string::npos) return Form::csvlog;
  const std::string head = text.substr(0, 4096);
  if (head.find("LOG:  ") != std::string::npos || head.find("ERROR:  ") != std::string::npos ||
      head.find("duration: ") != std::string::npos || head.find("STATEMENT:  ") != std::string::npos)
    return no_source(records, "a plain log does not tell where a message ends", k_how_to_log);
  return no_source(records, "neither an export of pg_stat_statements nor a csvlog or jsonlog",
                   k_how_to_export);
}

Result<void> read_calls(Records& records, Form form, const Take& take, Counts& left_out) {
  switch (form) {
    case Form::statistics_csv:
      return read_statistics_csv(records, take, left_out);
    case Form::statistics_json:
      return read_statistics_json(records, take, left_out);
    case Form::csvlog:
      return read_csvlog(records, take, left_out);
    case Form::jsonlog:
      break;
  }
  return read_jsonlog(records, take, left_out);
}

std::optional<Values> values_in(std::string_view text) {
  Values values;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string front = fmt::format("${} = ", values.size() + 1);
    if (!text.substr(at).starts_with(front)) return std::nullopt;
    at += front.size();
    if (text.substr(at).starts_with("NULL")) {
      values.emplace_back(std::nullopt);
      at += 4;
    } else {
      if (at >= text.size() || text[at] != '\'') return std::nullopt;
      std::string value;
      for (++at;; ++at) {
        if (at >= text.size()) return std::nullopt;  // cut short
        if (text[at] == '\'') {
          if (at + 1 >= text.size() || text[at + 1] != '\'') break;
          ++at;
        }
        value += text[at];
      }
      ++at;
      values.emplace_back(std::move(value));
    }
    if (text.substr(at).starts_with(", ")) at += 2;
  }
  if (values.empty()) return std::nullopt;
  return values;
}

}  // namespace lockkeeper::workload
