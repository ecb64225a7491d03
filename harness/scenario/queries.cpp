#include "scenario/queries.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "scenario/query_file.h"

namespace lockkeeper::scenario {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_sets = 20;
/// A plan's parallel workers beyond this say nothing about a machine that anyone rehearses on.
constexpr int k_most_workers = 64;
constexpr std::int64_t k_longest_us = 3'600'000'000;

/// "1.10x", "50 ms": a number and what follows it.
struct Amount {
  double number = 0;
  std::string unit;
};

std::optional<Amount> amount_in(const std::string& written) {
  const std::string text = trimmed(written);
  Amount amount;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, amount.number, std::chars_format::fixed);
  if (error != std::errc{} || !(amount.number > 0) || amount.number > 1e9) return std::nullopt;
  amount.unit = trimmed(std::string_view(stopped, static_cast<std::size_t>(end - stopped)));
  return amount;
}

/// None where the unit is none of time's, or the time is beyond an hour.
std::optional<std::chrono::microseconds> span_of(const Amount& amount) {
  const double factor = amount.unit == "us" || amount.unit == "µs" ? 1
                        : amount.unit == "ms"                      ? 1e3
                        : amount.unit == "s"                       ? 1e6
                        : amount.unit == "min"                     ? 6e7
                                                                   : 0;
  const double span = amount.number * factor;
  if (span < 1 || span > static_cast<double>(k_longest_us)) return std::nullopt;
  return std::chrono::microseconds(static_cast<std::int64_t>(span + 0.5));
}

bool is_ratio(const Amount& amount) {
  return amount.unit.empty() || amount.unit == "x";
}

/// The text of a key, with what it says where it is an amount.
std::optional<Amount> read_amount(const Fields& fields, const std::string& key) {
  return amount_in(fields.optional_text(key).value_or(""));
}

class QueryReader {
 public:
  QueryReader(Problems& problems, const std::string& scenario_file,
              const std::function<Result<std::string>(const std::string&)>& folder_at)
      : m_problems(problems), m_scenario_file(scenario_file), m_folder_at(folder_at) {}

  std::vector<Query> read(const Value& list) {
    for (const Value& item : items_of(m_problems, list, key_named("queries"))) {
      const bool folder = std::any_of(item.keys.begin(), item.keys.end(),
                                      [](const Value::Key& key) { return key.text == "folder"; });
      if (folder)
        read_folder(item);
      else
        read_map(item);
    }
    return std::move(m_queries);
  }

 private:
  void read_map(const Value& value) {
    const Fields fields(
        m_problems, value, "a query",
        {"name", "sql", "params", "uses_index", "at_most", "at_least", "same_result", "writes", "folder"});
    Query query;
    query.location = value.location;
    query.name = fields.required_text("name");
    query.sql = fields.required_text("sql");
    add(fields, std::move(query));
  }

  void add(const Fields& fields, Query query) {
    read_parameters(fields, query);
    query.uses_index = fields.text("uses_index");
    read_at_most(fields, query);
    query.at_least_faster = factor(fields, "at_least", "10x faster");
    if (query.at_least_faster && *query.at_least_faster <= 1) {
      m_problems.report(fields.find("at_least")->location, "key 'at_least': what is no faster is no claim",
                        "write it like this: 10x faster; or give a limit: at_most: 1.10x");
    }
    query.same_result = fields.flag("same_result").value_or(true);
    query.writes = fields.flag("writes").value_or(false);
    const auto [seen, is_new] = m_places.emplace(query.name, query.location);
    if (!is_new) {
      m_problems.report(
          query.location,
          fmt::format("name '{}': {} has it too", abridged(query.name), to_string(seen->second)),
          "reports tell queries apart by name");
    }
    m_queries.push_back(std::move(query));
  }

  void read_folder(const Value& item) {
    const Fields fields(m_problems, item, "a folder of queries", {"folder"});
    const Value& value = *fields.find("folder");
    const std::string path = read_text(m_problems, value, key_named("folder"));
    if (path.empty()) return;
    std::string read_at;
    std::string called;
    if (m_folder_at) {
      const Result<std::string> found = m_folder_at(path);
      if (!found) return m_problems.report(value.location, found.error().message, found.error().hint);
      read_at = *found;
      called = path;
    } else {
      read_at = called = existing_path(m_problems, value, m_scenario_file, path, "folder");
    }
    std::error_code error;
    if (!fs::is_directory(read_at, error)) {
      m_problems.report(value.location, fmt::format("folder '{}': not a directory", path),
                        "name the folder that holds the .sql files");
      return;
    }
    read_files(value, path, read_at, called);
  }

  void read_files(const Value& value, const std::string& path, const std::string& read_at,
                  const std::string& called) {
    std::vector<std::string> names;
    std::error_code error;
    bool unfinished = false;
    for (fs::directory_iterator entry(read_at, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      unfinished = unfinished || entry->path().filename().string().ends_with(".sql.todo");
      if (entry->path().extension() == ".sql" && !entry->is_directory(ignored))
        names.push_back(entry->path().filename().string());
    }
    if (error) {
      m_problems.report(value.location, fmt::format("folder '{}': {}", path, error.message()));
    } else if (names.empty()) {
      m_problems.report(value.location, fmt::format("folder '{}': no .sql file in it", path),
                        unfinished ? "what ends in .sql.todo still lacks parameters: write them in and take "
                                     "the .todo off"
                                   : "each query is a file that ends in .sql");
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      read_file(value, (fs::path(read_at) / name).string(), (fs::path(called) / name).string());
  }

  void read_file(const Value& folder, const std::string& path, const std::string& called) {
    const Result<QueryFile> file = read_query_file(path, called);
    if (!file) {
      m_problems.report(file.error().location.value_or(folder.location), file.error().message,
                        file.error().hint);
      return;
    }
    const Fields fields(m_problems, file->fields, "the comment before a query", k_query_comment_keys);
    Query query;
    query.location = file->location;
    query.name = fields.find("name") ? fields.text("name") : fs::path(path).stem().string();
    query.sql = file->sql;
    add(fields, std::move(query));
  }

  void read_at_most(const Fields& fields, Query& query) {
    const Value* const value = fields.find("at_most");
    if (value == nullptr) return;
    const auto amount = read_amount(fields, "at_most");
    if (amount && is_ratio(*amount)) {
      query.at_most = amount->number;
      return;
    }
    if (amount) query.at_most_time = span_of(*amount);
    if (query.at_most_time) return;
    m_problems.report(
        value->location,
        fmt::format("key 'at_most': '{}' is neither a factor nor a time", abridged(value->text, 40)),
        "write it like this: 1.10x, or 50 ms");
  }

  std::optional<double> factor(const Fields& fields, const std::string& key, std::string_view example) {
    const Value* const value = fields.find(key);
    if (value == nullptr) return std::nullopt;
    const auto amount = read_amount(fields, key);
    if (amount && (is_ratio(*amount) || amount->unit == "x faster" || amount->unit == "faster"))
      return amount->number;
    m_problems.report(value->location,
                      fmt::format("key '{}': '{}' is no factor", key, abridged(value->text, 40)),
                      fmt::format("write it like this: {}", example));
    return std::nullopt;
  }

  void read_parameters(const Fields& fields, Query& query) {
    const Value* const value = fields.find("params");
    if (value == nullptr) return;
    if (value->kind == Value::Kind::map) {
      const Fields said(m_problems, *value, "params", {"sql"});
      query.parameters_from = said.required_text("sql");
      take_row_query(*value, query);
    } else if (value->kind == Value::Kind::scalar && is_row_query(value->text)) {
      query.parameters_from = value->text;
      take_row_query(*value, query);
    } else if (value->kind == Value::Kind::list) {
      read_sets(*value, query.parameter_sets);
    } else {
      m_problems.report(
          value->location, "key 'params': a list or a SELECT is wanted",
          "write [42, x], or [[42, x], [7, y]] for two sets, or a SELECT that yields a set a row");
    }
  }

  void take_row_query(const Value& value, Query& query) {
    std::string& sql = query.parameters_from;
    sql = trimmed(sql);
    while (sql.ends_with(';')) sql = trimmed(sql.substr(0, sql.size() - 1));
    if (!sql.empty() && !is_row_query(sql)) {
      m_problems.report(value.location, fmt::format("key 'params': '{}' yields no rows", abridged(sql, 40)),
                        "write a SELECT, WITH or VALUES that yields a set of parameters a row");
    }
  }

  void read_sets(const Value& list, std::vector<Parameters>& sets) {
    if (list.items.empty()) return;
    const bool several = list.items[0].kind == Value::Kind::list;
    if (!several) {
      sets.push_back(read_set(list));
      return;
    }
    if (list.items.size() > k_most_sets) {
      m_problems.report(
          list.location,
          fmt::format("key 'params': {} sets, and {} are the most", list.items.size(), k_most_sets),
          "keep those that differ most: each is measured");
    }
    for (const Value& item : list.items) {
      if (item.kind != Value::Kind::list) {
        m_problems.report(item.location, "key 'params': a list is wanted beside the other lists",
                          "[42, x] is one set of parameters, [[42, x], [7, y]] are two");
      } else if (item.items.size() != list.items[0].items.size()) {
        m_problems.report(item.location,
                          fmt::format("key 'params': a set of {} beside one of {}", item.items.size(),
                                      list.items[0].items.size()),
                          "each set gives every parameter a value; null is one");
      }
      sets.push_back(read_set(item));
    }
  }

  Parameters read_set(const Value& list) {
    Parameters parameters;
    for (const Value& item : list.items) {
      if (item.kind == Value::Kind::list || item.kind == Value::Kind::map) {
        m_problems.report(
            item.location,
            fmt::format("key 'params': text is wanted, not a {}",
                        item.kind == Value::Kind::list ? "list" : "map"),
            "[42, x] is one set of parameters, [[42, x], [7, y]] are two; an array is a text: '{1,2}'");
      }
      const bool given = item.kind != Value::Kind::null;
      parameters.push_back(given ? std::optional(item.text) : std::nullopt);
    }
    return parameters;
  }

  Problems& m_problems;
  const std::string& m_scenario_file;
  const std::function<Result<std::string>(const std::string&)>& m_folder_at;
  std::map<std::string, Location> m_places;  ///< by the names of queries
  std::vector<Query> m_queries;
};

/// Of `benchmark` and `sizes`: the ratio that a key gives, not below `least`.
void read_ratio(Problems& problems, const Fields& fields, const std::string& key, double least,
                const std::string& example, double& ratio) {
  const Value* const value = fields.find(key);
  if (value == nullptr) return;
  const auto amount = read_amount(fields, key);
  if (!amount || !is_ratio(*amount)) {
    problems.report(value->location,
                    fmt::format("key '{}': '{}' is no factor", key, abridged(value->text, 40)),
                    fmt::format("write it like this: {}", example));
  } else if (amount->number < least) {
    problems.report(value->location,
                    fmt::format("key '{}': '{}' is less than {}x", key, abridged(value->text, 40), least),
                    "what must become faster is said of a query itself: at_most: 0.5x");
  } else {
    ratio = amount->number;
  }
}

void read_time(Problems& problems, const Fields& fields, const std::string& key,
               std::chrono::milliseconds& time) {
  const Value* const value = fields.find(key);
  if (value == nullptr) return;
  const auto amount = read_amount(fields, key);
  const auto span = amount ? span_of(*amount) : std::nullopt;
  if (span && *span >= std::chrono::milliseconds(1)) {
    time = std::chrono::duration_cast<std::chrono::milliseconds>(*span);
    return;
  }
  problems.report(
      value->location,
      fmt::format("key '{}': '{}' is no time from 1 ms to 60 min", key, abridged(value->text, 40)),
      "write it like this: 5 s");
}

template <typename Number>
std::optional<Number> whole_number(const std::string& text) {
  Number number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || stopped != text.data() + text.size()) return std::nullopt;
  return number;
}

SizeClaim read_size(Problems& problems, const Value& value) {
  const Fields fields(problems, value, "a line of sizes", {"table", "index", "columns", "size_at_most"});
  SizeClaim claim;
  claim.location = value.location;
  std::vector<std::string> subjects;
  for (const char* subject : {"table", "index", "columns"}) {
    if (fields.find(subject)) subjects.emplace_back(subject);
  }
  if (subjects.size() != 1) {
    problems.report(value.location,
                    fmt::format("a line of sizes: exactly one of table, index and columns is wanted, not {}",
                                subjects.empty() ? "none" : join(subjects, " and ")));
  }
  claim.table = fields.text("table");
  claim.index = fields.text("index");
  claim.columns = fields.texts("columns");
  for (const std::string& column : claim.columns) {
    if (column.find('.') != std::string::npos) continue;
    problems.report(fields.find("columns")->location,
                    fmt::format("column '{}': the table is missing", abridged(column)),
                    "write table.column or schema.table.column");
  }
  fields.required("size_at_most");
  read_ratio(problems, fields, "size_at_most", 0, "0.3x", claim.at_most);
  return claim;
}

}  // namespace

std::vector<Query> read_queries(Problems& problems, const Value& list, const std::string& scenario_file,
                                const std::function<Result<std::string>(const std::string&)>& folder_at) {
  return QueryReader(problems, scenario_file, folder_at).read(list);
}

Benchmark read_benchmark(Problems& problems, const Value& value) {
  const Fields fields(problems, value, "benchmark",
                      {"false_alarms", "at_most", "buffers_at_most", "budget", "longest_query", "seed", "jit",
                       "parallel_workers"});
  Benchmark benchmark;
  if (const Value* alarms = fields.find("false_alarms")) {
    const auto amount = read_amount(fields, "false_alarms");
    if (amount && amount->unit.empty() && amount->number < 0.5)
      benchmark.false_alarms = amount->number;
    else
      problems.report(
          alarms->location,
          fmt::format("key 'false_alarms': '{}' is not between 0 and 0.5", abridged(alarms->text, 40)),
          "0.01 is one false alarm in a hundred runs");
  }
  read_ratio(problems, fields, "at_most", 1, "1.05x", benchmark.at_most);
  read_ratio(problems, fields, "buffers_at_most", 1, "1.10x", benchmark.buffers_at_most);
  read_time(problems, fields, "budget", benchmark.budget);
  read_time(problems, fields, "longest_query", benchmark.longest_query);
  benchmark.jit = fields.flag("jit").value_or(false);
  if (const Value* seed = fields.find("seed")) {
    benchmark.seed = whole_number<std::uint64_t>(seed->text);
    if (!benchmark.seed)
      problems.report(seed->location,
                      fmt::format("key 'seed': '{}' is no whole number", abridged(seed->text, 40)),
                      "write the seed that a report names, for example: 7");
  }
  if (const Value* workers = fields.find("parallel_workers")) {
    const int number = whole_number<int>(workers->text).value_or(-1);
    if (number < 0 || number > k_most_workers)
      problems.report(workers->location, fmt::format("key 'parallel_workers': '{}' is not between 0 and {}",
                                                     abridged(workers->text, 40), k_most_workers));
    else
      benchmark.parallel_workers = number;
  }
  return benchmark;
}

std::vector<SizeClaim> read_sizes(Problems& problems, const Value& value) {
  std::vector<SizeClaim> claims;
  for (const Value& item : items_of(problems, value, key_named("sizes")))
    claims.push_back(read_size(problems, item));
  return claims;
}

}  // namespace lockkeeper::scenario
