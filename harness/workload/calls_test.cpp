#include "workload/calls.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workload/message.h"

namespace lockkeeper::workload {
namespace {

namespace fs = std::filesystem;
using LeftOut = std::map<std::string, std::int64_t>;

/// Lines of a csvlog of PostgreSQL 15.
std::string csv_line(const std::string& session, const std::string& message, const std::string& detail = {}) {
  const auto quoted = [](const std::string& text) {
    std::string field = "\"";
    for (const char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text.empty() ? text : field + '"';
  };
  return fmt::format(
      "2026-11-27 08:45:53.953 UTC,\"postgres\",\"shop\",30584,\"[local]\",{},3,\"SELECT\",2026-11-27 "
      "08:45:53 "
      "UTC,3/28,0,LOG,00000,{},{},,,,,,,,\"pgbench\",\"client backend\",,-459310241788729834\n",
      session, quoted(message), quoted(detail));
}

class CallsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-calls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_folder = pattern;
  }
  void TearDown() override { fs::remove_all(m_folder); }

  std::string file() const { return (m_folder / "f").string(); }

  Result<std::vector<Call>> read(const std::string& text) {
    std::ofstream(file(), std::ios::binary) << text;
    std::vector<Call> calls;
    auto records = Records::open(file());
    if (!records) return failed(records);
    const auto form = form_of(*records);
    if (!form) return failed(form);
    m_left_out.clear();
    const auto done = read_calls(
        *records, *form, [&](Call call) { calls.push_back(std::move(call)); }, m_left_out);
    if (!done) return failed(done);
    return calls;
  }

  /// "3x select 1 [a, NULL] 0.5 ms", one a line.
  std::string said(const std::string& text) {
    const auto calls = read(text);
    if (!calls) return failure(calls);
    std::string said;
    for (const Call& call : *calls) {
      said += fmt::format("{}x {}", call.calls, call.text);
      if (call.values) {
        said += " [";
        for (const auto& value : *call.values)
          said += (said.ends_with('[') ? "" : ", ") + value.value_or("NULL");
        said += "]";
      }
      if (call.total_ms) said += fmt::format(" {:.3f} ms", *call.total_ms);
      if (call.source == Call::Source::plan) said += " by plan";
      said += "\n";
    }
    return said;
  }
  template <typename T>
  std::string failure(const Result<T>& result) const {
    EXPECT_EQ(result.error().kind, FailureKind::usage);
    std::string text = to_string(result.error());
    for (std::size_t at = text.find(file()); at != std::string::npos; at = text.find(file()))
      text.replace(at, file().size(), "FILE");
    return text;
  }

  fs::path m_folder;
  LeftOut m_left_out;
};

TEST_F(CallsTest, pg_stat_statements_is_read_as_csv_of_any_version) {
  EXPECT_EQ(said("\xEF\xBB\xBFuserid,dbid,query,calls,total_exec_time,rows\r\n"
                 "10,16384,\"select \"\"a\"\",\n'b' from t where c = $1\",3,0.75,2\r\n"
                 "10,16384,<insufficient privilege>,1,9,1\n"
                 "10,16384,,1,9,1\n"),
            "3x select \"a\",\n'b' from t where c = $1 0.750 ms\n");
  EXPECT_EQ(m_left_out.begin()->first,
            "not shown to the role that exported them: it needs pg_read_all_stats");
  EXPECT_EQ(m_left_out.begin()->second, 2);
  EXPECT_EQ(said("query,calls,total_time\nselect 1,2,5\n"), "2x select 1 5.000 ms\n");
  EXPECT_EQ(said("query,calls,mean_exec_time\nselect 1,2,5"), "2x select 1 10.000 ms\n");
}

TEST_F(CallsTest, pg_stat_statements_is_read_as_json_by_lines_or_as_a_list) {
  const std::string a = R"({"query":"select 1 -- {","calls":2,"total_exec_time":1.5,"toplevel":true})";
  const std::string b = R"({"query" : "select \"x\\",
  "calls":1, "total_exec_time":0.25, "stats_since" : null})";
  const std::string both = "2x select 1 -- { 1.500 ms\n1x select \"x\\ 0.250 ms\n";
  EXPECT_EQ(said(a + "\n" + b + "\n"), both);
  EXPECT_EQ(said("[" + a + ", \n " + b + "]\n"), both);
}

TEST_F(CallsTest, a_csvlog_tells_statements_with_their_times_and_values) {
  EXPECT_EQ(
      said(csv_line("a", "duration: 0.546 ms  parse <unnamed>: select $1", "") +
           csv_line("a", "duration: 0.1 ms  bind <unnamed>: select $1", "parameters: $1 = '1'") +
           csv_line("a", "duration: 0.153 ms  execute P_0: select * from \"Order\"\nwhere a = $1 and b = $2",
                    "parameters: $1 = 'it''s, ', $2 = NULL") +
           csv_line("a", "duration: 2 ms  execute s/portal: select $1", "Parameters: $1 = ''") +
           csv_line("a", "duration: 2 ms  execute fetch from s/portal: select $1", "Parameters: $1 = ''") +
           csv_line("a", "duration: 12.5 ms  statement: select 1;") +
           csv_line("b", "connection authorized: user=postgres")),
      "1x select * from \"Order\"\nwhere a = $1 and b = $2 [it's, , NULL] 0.153 ms\n"
      "1x select $1 [] 2.000 ms\n"
      "1x select 1; 12.500 ms\n");
}

TEST_F(CallsTest, numbers_that_can_be_none_are_left_out_and_counted) {
  const std::string why = "with a number of calls or a time that can be none";
  EXPECT_EQ(said("query,calls,total_exec_time\n"
                 "select 1,1,nan\nselect 2,99999999999999999999,5\nselect 3,-5,5\nselect 4,1,1e400\n"
                 "select 5,,5\nselect 6,x,5\nselect 7,1,-inf\nselect 8,2,\nselect 9,3,1.5\n"),
            "2x select 8\n3x select 9 1.500 ms\n");
  EXPECT_EQ(m_left_out, (LeftOut{{why, 7}}));
  EXPECT_EQ(said("query,calls,mean_exec_time\nselect 1,1e14,1e14\nselect 2,2,nan\n"), "");
  EXPECT_EQ(m_left_out, (LeftOut{{why, 2}}));
  EXPECT_EQ(said(R"({"query":"select 1","calls":1e400,"total_exec_time":1}
{"query":"select 2","calls":1,"total_exec_time":"NaN"})"),
            "");
  EXPECT_EQ(m_left_out, (LeftOut{{why, 2}}));
}

TEST_F(CallsTest, a_time_that_is_none_is_left_to_no_other_statement) {
  EXPECT_EQ(said(csv_line("a", "statement: select 1") + csv_line("a", "duration: nan ms") +
                 csv_line("a", "duration: 7 ms")),
            "1x select 1\n");
  EXPECT_EQ(m_left_out["with a number of calls or a time that can be none"], 1);
}

TEST_F(CallsTest, times_that_are_none_are_no_times) {
  EXPECT_EQ(said(csv_line("a", "duration: nan ms  statement: select 1") +
                 csv_line("a", "duration: 1e400 ms  statement: select 2") +
                 csv_line("a", "duration: -1 ms  statement: select 3") +
                 csv_line("a", "duration: 2 ms  statement: select 4")),
            "1x select 4 2.000 ms\n");
  EXPECT_EQ(m_left_out["with a number of calls or a time that can be none"], 3);
}

TEST_F(CallsTest, a_time_in_a_message_of_its_own_belongs_to_its_session) {
  EXPECT_EQ(said(csv_line("a", "duration: 0.479 ms") +  // of a parse
                 csv_line("a", "execute P_0: select $1", "parameters: $1 = '13'") +
                 csv_line("b", "statement: select 2") + csv_line("a", "duration: 0.152 ms") +
                 csv_line("b", "statement: select 3") + csv_line("b", "duration: 7 ms")),
            "1x select $1 [13] 0.152 ms\n1x select 2\n1x select 3 7.000 ms\n");
}

TEST_F(CallsTest, auto_explain_is_read_as_text_and_as_json) {
  EXPECT_EQ(
      said(
          csv_line("a",
                   "duration: 0.114 ms  plan:\nQuery Text: select *\nfrom t where a = $1;\n"
                   "Query Parameters: $1 = '42'\n"
                   "Limit  (cost=31.89..31.89 rows=1 width=80)\n  ->  Sort  (cost=31.89..31.89 rows=1 "
                   "width=80)\n        Sort Key: created_at DESC") +
          csv_line("a",
                   "duration: 0.117 ms  plan:\n{\n  \"Query Text\": \"select \\\"b\\\" from t;\",\n"
                   "  \"Query Parameters\": \"$1 = 'x'\",\n  \"Plan\": {\"Node Type\": \"Limit\"}\n}") +
          csv_line(
              "a",
              "duration: 0.1 ms  plan:\nQuery Text: select 1\nResult  (cost=0.00..0.01 rows=1 width=4)") +
          csv_line("a", "duration: 1 ms  plan:\n<explain xmlns=\"http://www.postgresql.org/2009/explain\">")),
      "1x select *\nfrom t where a = $1; [42] 0.114 ms by plan\n"
      "1x select \"b\" from t; [x] 0.117 ms by plan\n"
      "1x select 1 0.100 ms by plan\n");
  EXPECT_EQ(m_left_out.begin()->first,
            "plans of auto_explain as XML or YAML: set auto_explain.log_format = json");
}

TEST_F(CallsTest, a_jsonlog_tells_the_same) {
  EXPECT_EQ(
      said(
          R"({"timestamp":"2026-11-27 08:45:54.009 UTC","pid":30596,"session_id":"6b094342.7784","error_severity":"LOG","message":"execute P_0: select * from \"Order\" where \"userId\" = $1","detail":"parameters: $1 = '13'","query_id":-4593}
{"timestamp":"2026-11-27 08:45:54.009 UTC","pid":30596,"session_id":"6b094342.7784","error_severity":"LOG","message":"duration: 0.152 ms","query_id":-4593}
)"),
      "1x select * from \"Order\" where \"userId\" = $1 [13] 0.152 ms\n");
}

TEST_F(CallsTest, logs_of_each_version_are_known_by_their_columns) {
  const std::string line =
      "2026-11-27 08:45:53.953 UTC,\"p\",\"shop\",30584,\"[local]\",a,3,\"SELECT\",2026-11-27 08:45:53 "
      "UTC,3/28,0,"
      "LOG,00000,\"duration: 1 ms  statement: select 1\",,,,,,,,,\"psql\"";
  for (const char* rest : {"", ",\"client backend\"", ",\"client backend\",,0"})
    EXPECT_EQ(said(line + rest + "\n"), "1x select 1 1.000 ms\n");
  EXPECT_EQ(said(line + ",\"client backend\",,0\n" + line + ",\"client\",1,2,3\n"),
            "FILE:2: error: cannot read 'FILE': 27 columns where csvlog has 24 (PostgreSQL 13) or 26\n"
            "hint: the file is cut off here, or something else was added to it");
}

struct Unreadable {
  std::string text;
  std::string said;
};

TEST_F(CallsTest, what_cannot_be_read_is_said_with_its_line) {
  const std::string how_to_export =
      "\nhint: export it like this: \\copy (SELECT * FROM pg_stat_statements) TO 'statements.csv' CSV HEADER";
  const std::string line = csv_line("a", "duration: 1 ms  statement: select\n1");
  const Unreadable cases[] = {
      {"", "FILE:1: error: cannot read 'FILE': it is empty" + how_to_export},
      {" \n\n", "FILE:1: error: cannot read 'FILE': it is empty" + how_to_export},
      {"some words\n",
       "FILE:1: error: cannot read 'FILE': neither an export of pg_stat_statements nor a csvlog or jsonlog" +
           how_to_export},
      {"queryid,calls\n1,2\n",
       "FILE:1: error: cannot read 'FILE': there is no column 'query'" + how_to_export},
      {"query,rows\nselect 1,2\n",
       "FILE:1: error: cannot read 'FILE': there is no column 'calls'" + how_to_export},
      {"query,calls\nselect 1,2\n",
       "FILE:1: error: cannot read 'FILE': there is no column 'total_exec_time'" + how_to_export},
      {"{\"a\": 1}", "FILE:1: error: cannot read 'FILE': there is no column 'query'" + how_to_export},
      {"query,calls,total_time\n\"select\n1\",2,3\nselect 2,1\n",
       "FILE:4: error: cannot read 'FILE': 2 columns where the header has 3\n"
       "hint: the file is cut off here, or something else was added to it"},
      {line + line.substr(0, line.size() / 2),
       "FILE:3: error: cannot read 'FILE': 11 columns where csvlog has 24 (PostgreSQL 13) or 26\n"
       "hint: the file is cut off here, or something else was added to it"},
      {line + line.substr(0, line.find("select")),
       "FILE:3: error: cannot read 'FILE': a quoted field that begins here is never closed\n"
       "hint: the file is cut off; take it as a whole, or leave out its last record"},
      {R"({"query":"select 1","calls":1,"total_time":1})"
       "\n\n{\"query\":\"sel",
       "FILE:3: error: cannot read 'FILE': an object that begins here is never closed\n"
       "hint: the file is cut off; take it as a whole, or leave out its last record"},
      {R"({"query":"select 1","calls":1,"total_time":1})"
       "\nnonsense\n",
       "FILE:2: error: cannot read 'FILE': not JSON\n"
       "hint: an object is wanted here, {…}; the file is cut off in front, or something else is in it"},
      {"{\"query\":}",
       "FILE:1: error: cannot read 'FILE': not JSON\n"
       "hint: the file is cut off here, or something else was added to it"},
      {line + csv_line("a", "duration: 1 ms  statement: select '\n\xE9'"),
       "FILE:4: error: cannot read 'FILE': not UTF-8 text\n"
       "hint: convert it first, for example: iconv -f latin1 -t utf-8 FILE"},
      {line + std::string("\0\0", 2) + "\n",
       "FILE:1: error: cannot read 'FILE': a NUL byte in it\n"
       "hint: it is no text; name the file as the server or psql wrote it"},
      {"\x1F\x8B\x08",
       "FILE:1: error: cannot read 'FILE': it is compressed\n"
       "hint: unpack it first, with gunzip or unzstd"},
      {"2026-11-27 08:45:34.729 UTC [29418] LOG:  duration: 0.381 ms  statement: select 1\n",
       "FILE:1: error: cannot read 'FILE': a plain log does not tell where a message ends\n"
       "hint: set logging_collector = on and log_destination = 'csvlog' (or 'jsonlog' from PostgreSQL 15 "
       "on), and "
       "log_min_duration_statement"},
  };
  for (const Unreadable& unreadable : cases)
    EXPECT_EQ(said(unreadable.text), unreadable.said) << unreadable.text;
  std::string late;
  for (int i = 0; i < 1000; ++i) late += line;
  EXPECT_EQ(said(late + std::string("\0", 1) + "x\n"),
            "FILE:2001: error: cannot read 'FILE': a NUL byte in it\n"
            "hint: it is no text; name the file as the server or psql wrote it");
}

TEST_F(CallsTest, a_record_that_is_too_long_is_read_past_and_counted) {
  const LeftOut one = {{"in a record of over 16 MB", 1}};
  const auto with_long = [](std::string text) {
    return text.replace(text.find("LONG"), 4, std::string(17UL * 1024 * 1024, 'x'));
  };
  const std::string next = csv_line("a", "duration: 2 ms  statement: select 2");
  EXPECT_EQ(said(next + with_long(csv_line("a", "duration: 1 ms  statement: select 'LONG\",\n\"'")) + next),
            "1x select 2 2.000 ms\n1x select 2 2.000 ms\n");
  EXPECT_EQ(m_left_out, one);
  // Its time comes after it, and is not that of the statement before it.
  EXPECT_EQ(said(csv_line("a", "statement: select 1") + with_long(csv_line("a", "statement: LONG")) +
                 csv_line("a", "duration: 9 ms")),
            "1x select 1\n");
  EXPECT_EQ(said(with_long("query,calls,total_time\n\"LONG\n\"\"\",1,1\nselect 2,2,3\n")),
            "2x select 2 3.000 ms\n");
  EXPECT_EQ(m_left_out, one);
  EXPECT_EQ(said(with_long(R"([{"query":"LONG\"}\\","calls":1,"total_time":1},
                               {"query":"select 2","calls":2,"total_time":3}])")),
            "2x select 2 3.000 ms\n");
  EXPECT_EQ(m_left_out, one);
  EXPECT_EQ(said(next + next.substr(0, next.find("select")) + with_long("LONG")),
            "FILE:2: error: cannot read 'FILE': a quoted field that begins here is never closed\n"
            "hint: the file is cut off; take it as a whole, or leave out its last record");
}

TEST_F(CallsTest, a_csvlog_is_known_when_all_its_fields_are_in_quotes) {
  std::string line;
  for (const char* field : {"2026-11-27 08:45:53.953 UTC",
                            "p",
                            "shop",
                            "1",
                            "[local]",
                            "a",
                            "3",
                            "SELECT",
                            "2026-11-27 08:45:53 UTC",
                            "3/28",
                            "0",
                            "LOG",
                            "00000",
                            "duration: 1 ms  statement: select 1",
                            "",
                            "",
                            "",
                            "",
                            "",
                            "",
                            "",
                            "",
                            "psql",
                            "client backend",
                            "",
                            "0"})
    line += fmt::format("{}\"{}\"", line.empty() ? "" : ",", field);
  EXPECT_EQ(said(line + "\n"), "1x select 1 1.000 ms\n");
}

TEST_F(CallsTest, what_is_no_jsonlog_is_told_as_one) {
  const std::string hint =
      "\nhint: set logging_collector = on and log_destination = 'csvlog' (or 'jsonlog' from PostgreSQL 15 "
      "on), and log_min_duration_statement";
  const std::string good = R"({"timestamp":"x","error_severity":"LOG","message":"checkpoint","detail":null})";
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  const Unreadable cases[] = {
      {R"({"message":)" + deep + "}",
       "FILE:1: error: cannot read 'FILE': 'message' is a list where a jsonlog has text" + hint},
      {good + "\n" + R"({"timestamp":5,"error_severity":["x"],"message":7})",
       "FILE:2: error: cannot read 'FILE': 'message' is 7 where a jsonlog has text" + hint},
      {good + "\n" + R"({"timestamp":"x","error_severity":"LOG","session_id":{}})",
       "FILE:2: error: cannot read 'FILE': 'session_id' is an object where a jsonlog has text" + hint},
      {R"({"message":"duration: 1 ms  statement: select 1"})",
       "FILE:1: error: cannot read 'FILE': there is no 'timestamp', which each line of a jsonlog has" + hint},
      {R"({"timestamp":"x","message":"duration: 1 ms  statement: select 1"})",
       "FILE:1: error: cannot read 'FILE': there is no 'error_severity', which each line of a jsonlog has" +
           hint},
      {good + "\n", ""},
      {R"({"query":"select \"message\"","calls":1,"total_time":1})", "1x select \"message\" 1.000 ms\n"},
      {R"({"timestamp":"x","error_severity":"LOG","more":)" + deep +
           R"(,"message":"duration: 1 ms  plan:\n{\"Query Text\":\"select 1\",\"Plan\":)" + deep + "}\"}",
       "1x select 1 1.000 ms by plan\n"},
  };
  for (const Unreadable& unreadable : cases)
    EXPECT_EQ(said(unreadable.text), unreadable.said) << unreadable.text.substr(0, 100);
}

TEST_F(CallsTest, files_that_are_none_are_refused) {
  EXPECT_EQ(Records::open(m_folder / "none").error().message,
            fmt::format("cannot read '{}': No such file or directory", (m_folder / "none").string()));
  EXPECT_EQ(Records::open(m_folder).error().message,
            fmt::format("cannot read '{}': Is a directory", m_folder.string()));
  ASSERT_EQ(::mkfifo((m_folder / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(Records::open(m_folder / "pipe").has_value());
}

TEST_F(CallsTest, any_half_of_a_file_is_read_or_refused) {
  const std::string whole = csv_line("a", "duration: 1 ms  statement: select \"ü\",\n1") +
                            csv_line("a", "duration: 1 ms  execute q: select $1", "parameters: $1 = 'ü'");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    (void)said(whole.substr(0, size));
    (void)said(whole.substr(size));
  }
}

TEST(Values, are_read_as_the_server_writes_them) {
  EXPECT_EQ(values_in("$1 = 'a', $2 = NULL, $3 = 'it''s', $4 = ''"), (Values{"a", std::nullopt, "it's", ""}));
  EXPECT_EQ(values_in("$1 = ', $2 = '"), (Values{", $2 = "}));
  for (const char* other : {"", "prepare: x", "$2 = 'a'", "$1 = 'a", "$1 = a", "$1 = 'a' $2 = 'b", "$1 = "})
    EXPECT_EQ(values_in(other), std::nullopt) << other;
}

}  // namespace
}  // namespace lockkeeper::workload
