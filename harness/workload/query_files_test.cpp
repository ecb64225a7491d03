#include "workload/query_files.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "scenario/load.h"

namespace lockkeeper::workload {
namespace {

namespace fs = std::filesystem;
using LeftOut = std::map<std::string, std::int64_t>;

Call call(const std::string& text, double ms, std::optional<Values> values = {}) {
  return {Call::Source::log, text, std::move(values), 1, ms};
}
Call counted_calls(const std::string& text, std::int64_t calls, double total_ms) {
  return {Call::Source::statistics, text, {}, calls, total_ms};
}

class WorkloadTest : public testing::Test {
 protected:
  std::vector<Statement> chosen(const std::vector<Call>& calls, const Choice& choice = {}) {
    Statements statements;
    for (const Call& call : calls) statements.add(call);
    m_left_out.clear();
    return statements.chosen(choice, m_left_out);
  }
  std::vector<WrittenQuery> written(const std::vector<Call>& calls) {
    return query_files(chosen(calls), "shop.csv");
  }

  LeftOut m_left_out;
};

TEST_F(WorkloadTest, calls_that_differ_in_constants_alone_are_one_statement) {
  const auto statements =
      chosen({call("select * from t where a = 1", 1), call("select * from t where a = 2", 5),
              call("select * from u", 2), call("SELECT * FROM t WHERE a = 3", 3)});
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].facts.text, "select * from t where a = 2");  // the slowest of them
  EXPECT_EQ(statements[0].calls, 3);
  EXPECT_DOUBLE_EQ(*statements[0].total_ms, 9);
  EXPECT_EQ(statements[1].facts.text, "select * from u");
}

TEST_F(WorkloadTest, values_are_those_of_the_slowest_call_the_fastest_and_the_most_frequent) {
  std::vector<Call> calls;
  calls.reserve(16);
  const std::string text = "select * from t where a = $1";
  for (int i = 0; i < 9; ++i) calls.push_back(call(text, 5 + i * 0.1, Values{std::to_string(i)}));
  for (int i = 0; i < 3; ++i) calls.push_back(call(text, 6, Values{"often"}));
  calls.push_back(call(text, 99, Values{"slow"}));
  calls.push_back(call(text, 1, Values{std::nullopt}));
  calls.push_back(call(text, 500));                             // without values
  calls.push_back(call(text, 500, Values{"one", "too many"}));  // of another list
  const auto statements = chosen(calls);
  ASSERT_EQ(statements.size(), 1U);
  EXPECT_EQ(statements[0].calls, 16);
  EXPECT_EQ(statements[0].values, (std::vector<Values>{{"slow"}, {std::nullopt}, {"often"}, {"0"}, {"1"}}));
}

TEST_F(WorkloadTest, calls_are_counted_up_to_the_end_of_numbers) {
  Statements statements;
  for (int i = 0; i < 10'000; ++i)
    statements.add(counted_calls("select * from t where a = $1", 999'999'999'999'999, 1e14));
  const auto all = statements.chosen({}, m_left_out);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].calls, 1'000'000'000'000'000'000);
}

TEST_F(WorkloadTest, a_call_that_two_settings_log_counts_once) {
  const std::string text = "select * from t where a = $1";
  Call plan = call(text, 2);
  plan.source = Call::Source::plan;
  auto statements = chosen({plan, call(text, 3, Values{"1"}), plan, call(text, 3, Values{"2"})});
  EXPECT_EQ(statements.at(0).calls, 2);
  EXPECT_DOUBLE_EQ(*statements.at(0).total_ms, 6);
  statements = chosen({plan, plan, call(text, 3, Values{"1"})});
  EXPECT_EQ(statements.at(0).calls, 2);
  EXPECT_EQ(statements.at(0).values, (std::vector<Values>{{"1"}}));
}

TEST_F(WorkloadTest, what_is_left_out_is_counted_by_why) {
  const auto statements =
      chosen({call("begin", 1), call("BEGIN", 1), call("commit", 1), call("select 1", 1),
              call("select * from pg_class", 1), call("select * from t where a = 'x", 1),
              call("select * from t; select 2", 1), call("select * from rare", 9),
              counted_calls("select * from a", 5, 3), counted_calls("select * from b", 5, 2),
              counted_calls("select * from c", 5, 1)},
             {2, 2});
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].facts.text, "select * from a");
  EXPECT_EQ(statements[1].facts.text, "select * from b");
  EXPECT_EQ(m_left_out, (LeftOut{{"beyond --top 2", 1},
                                 {"called less often than --min-calls 2", 1},
                                 {"cut short, or no SQL that PostgreSQL 15 knows", 1},
                                 {"on the server's catalogs alone", 1},
                                 {"several in one message", 1},
                                 {"utility statements and transaction control", 2},
                                 {"without a table", 1}}));
}

TEST_F(WorkloadTest, secrets_and_control_characters_come_into_no_file) {
  const auto statements = chosen(
      {call("SELECT * FROM dblink('host=x password=sekret', 'q') AS t(a int), u", 1),
       call("SELECT * FROM users WHERE token = 'abc'", 1), call("INSERT INTO log VALUES ('\x1b[31m')", 1),
       call("INSERT INTO feed VALUES ('https://me:pw@example.org/x')", 1),
       call("SELECT * FROM t WHERE token = $1", 1, Values{"password=sekret"}),
       call("SELECT * FROM t JOIN u ON t.token = u.token WHERE t.url = 'https://example.org/@me'", 1)});
  ASSERT_EQ(statements.size(), 2U);
  for (const auto& statement : statements) EXPECT_EQ(statement.facts.text.find("sekret"), std::string::npos);
  EXPECT_EQ(m_left_out["with what looks like a secret in them"], 3);
  EXPECT_EQ(m_left_out["with control characters in them"], 1);
}

TEST_F(WorkloadTest, values_that_are_secrets_are_kept_back_and_counted) {
  const auto files =
      written({call("select * from users where password = $1", 9, Values{"sekret"}),
               call("insert into users(email, password_hash) values ($1, $2)", 8, Values{"a@b", "sekret"}),
               call("select * from t where a = $1", 2, Values{"postgres://me:sekret@h/x"}),
               call("select * from t where a = $1", 2, Values{"plain"}),
               call("select * from u where crypt($1, hash) = hash", 1, Values{"sekret"})});
  ASSERT_EQ(files.size(), 4U);
  for (const WrittenQuery& file : files) EXPECT_EQ(file.text.find("sekret"), std::string::npos) << file.text;
  EXPECT_NE(files[2].text.find("-- params: [\"plain\"]"), std::string::npos) << files[2].text;
  EXPECT_EQ(m_left_out, (LeftOut{{"values of calls with what looks like a secret", 4}}));
}

TEST_F(WorkloadTest, control_characters_of_values_and_of_a_file_s_name_are_escaped) {
  const auto statements = chosen({call("select * from t where a = $1", 1, Values{"\x1b[2J\x7f\xc2\x9b°ü"})});
  const auto files = query_files(statements, "a\x1b[31m.csv");
  EXPECT_EQ(files.at(0).text,
            "-- name: select t by a\n"
            "-- 1 call, mean 1.0 ms, total 1.0 ms; from \"a\\u001b[31m.csv\"\n"
            "-- params: [\"\\u001b[2J\\u007f\\u009b°ü\"]\n"
            "select * from t where a = $1;\n");
}

TEST_F(WorkloadTest, a_name_of_several_lines_stays_in_its_comment) {
  const auto files = written(
      {counted_calls("select * from \"t\n; drop table x\" where a = $1 and b > now() - interval $2", 1, 1)});
  EXPECT_NE(files.at(0).text.find("-- $1 is a value of \"t\n--   ; drop table x\".a\n"), std::string::npos)
      << files.at(0).text;
}

TEST_F(WorkloadTest, a_file_says_where_a_query_comes_from) {
  const auto files =
      written({call("-- name: Old :many\nselect * from \"Order\" where \"userId\" = $1;", 1234.5,
                    Values{"it's \"a\"\n: # ü"}),
               call("select * from \"Order\" where \"userId\" = $1", 0.5, Values{std::nullopt})});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].file, "select-order-by-userid.sql");
  EXPECT_EQ(files[0].text,
            "-- name: select Order by userId\n"
            "-- 2 calls, mean 617 ms, total 1.2 s; from shop.csv\n"
            "-- params: [[\"it's \\\"a\\\"\\n: # ü\"],\n"
            "--   [null]]\n"
            "select * from \"Order\" where \"userId\" = $1;\n");
}

TEST_F(WorkloadTest, values_that_no_log_has_come_from_the_rows) {
  const auto files = written({counted_calls("select * from t where a = $1", 20, 10)});
  EXPECT_EQ(files.at(0).text,
            "-- name: select t by a\n"
            "-- 20 calls, mean 500 µs, total 10 ms; from shop.csv\n"
            "-- params: SELECT t1.p1\n"
            "--   FROM (SELECT a::text AS p1 FROM t WHERE a IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 "
            "LIMIT 1) "
            "AS t1\n"
            "--   UNION ALL\n"
            "--   SELECT t1.p1\n"
            "--   FROM (SELECT a::text AS p1 FROM t WHERE a IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 DESC "
            "LIMIT 1) "
            "AS t1\n"
            "select * from t where a = $1;\n");
}

TEST_F(WorkloadTest, a_query_with_an_unknown_value_is_left_to_a_person) {
  const auto files =
      written({counted_calls("select * from t where a = $1 and b > now() - interval $2", 1, 1)});
  EXPECT_EQ(files.at(0).missing, 2);
  EXPECT_EQ(files.at(0).file, "select-t-by-a.sql.todo");
  EXPECT_EQ(files.at(0).text,
            "-- name: select t by a\n"
            "-- 1 call, mean 1.0 ms, total 1.0 ms; from shop.csv\n"
            "-- no value known for $2: give params by hand, and take the .todo off the file's name\n"
            "-- $1 is a value of t.a\n"
            "select * from t where a = $1 and b > now() - $2::interval;\n");
}

TEST_F(WorkloadTest, names_are_short_and_no_two_alike) {
  const auto files = written({call("select 1 from a, b, c, d", 9), call("select x from a, b, c, d", 8),
                              call("delete from \"Ü/../x\" where id = 1", 7),
                              call("insert into a(x) values (1)", 6), call("insert into a(y) values (1)", 5),
                              call("select f(1)", 4), call("update a set x = 1", 3)});
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const WrittenQuery& file : files) names.push_back(file.file);
  EXPECT_EQ(names, (std::vector<std::string>{"select-a-b-c-and-more.sql", "select-a-b-c-and-more-2.sql",
                                             "delete-x.sql", "insert-a.sql", "insert-a-2.sql", "select.sql",
                                             "update-a.sql"}));
  EXPECT_EQ(files[1].text.substr(0, files[1].text.find('\n')), "-- name: select a, b, c and more 2");
  EXPECT_EQ(files[2].text.substr(0, files[2].text.find('\n')), "-- name: \"delete Ü/../x\"");
}

TEST_F(WorkloadTest, a_scenario_reads_what_was_written) {
  std::string pattern = (fs::temp_directory_path() / "lockkeeper-written-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path root = pattern;
  fs::create_directories(root / "queries");
  fs::create_directories(root / "migrations");
  const Values odd = {"'", "\"", "\\", ": #", "\n\r\t\x01\x7F", "ü€😀", "", "null", std::nullopt, "{1,2}"};
  std::string text = "select * from t where a in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
  const auto files = written({call(text, 9, odd),
                              call("insert into \"X: #\"(a, \"B\") values ($1, $2)", 8, Values{"1", "2"}),
                              counted_calls("update t set a = $1 where b between $2 and $3", 1, 1),
                              call("select '-- name: x' from t -- params: no", 1)});
  for (const WrittenQuery& file : files)
    std::ofstream(root / "queries" / file.file, std::ios::binary) << file.text;
  std::ofstream(root / "s.yaml") << "scenario: s\nmigrations: migrations\nqueries: [{folder: queries}]\n";
  const auto scenario = scenario::load((root / "s.yaml").string(), {});
  fs::remove_all(root);
  ASSERT_TRUE(scenario.has_value()) << to_string(scenario.error());
  ASSERT_EQ(scenario->queries.size(), 4U);
  EXPECT_EQ(scenario->queries[0].name, "insert X: #");
  EXPECT_EQ(scenario->queries[1].name, "select t by a");
  EXPECT_EQ(scenario->queries[1].parameter_sets, (std::vector<scenario::Parameters>{odd}));
  EXPECT_TRUE(scenario->queries[1].sql.ends_with(text));
  EXPECT_EQ(scenario->queries[2].name, "select t");
  EXPECT_TRUE(scenario->queries[3].parameters_from.starts_with("SELECT t1.p1, t1.p2, t1.p3\n"));
}

}  // namespace
}  // namespace lockkeeper::workload
