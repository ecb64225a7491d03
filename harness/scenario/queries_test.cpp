#include "scenario/queries.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario/load.h"
#include "scenario/query_file.h"

namespace lockkeeper::scenario {
namespace {

namespace fs = std::filesystem;

/// A repository with scenarios/s.yaml, db/migrations/ and queries/.
class QueriesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-queries-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
    fs::create_directories(m_root / "db/migrations");
    fs::create_directories(m_root / "queries");
  }
  void TearDown() override { fs::remove_all(m_root); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((m_root / name).parent_path());
    std::ofstream(m_root / name, std::ios::binary) << text;
  }
  Result<Scenario> load_text(const std::string& text) const {
    write("scenarios/s.yaml", "scenario: s\nmigrations: db/migrations\n" + text);
    return load((m_root / "scenarios/s.yaml").string(), {});
  }
  Scenario loaded(const std::string& text) const {
    const auto scenario = load_text(text);
    if (!scenario) throw std::runtime_error(to_string(scenario.error()));
    return *scenario;
  }
  /// Message and hint, the repository's path left out.
  std::string failure(const std::string& text) const {
    const Result<Scenario> scenario = load_text(text);
    EXPECT_FALSE(scenario.has_value()) << text;
    return scenario ? "" : scrubbed(to_string(scenario.error()));
  }
  std::string scrubbed(std::string said) const {
    const std::string root = m_root.string() + "/";
    for (std::size_t at = said.find(root); at != std::string::npos; at = said.find(root))
      said.erase(at, root.size());
    return said;
  }
  /// Of the one file in the folder.
  Query query_of(const std::string& text) const {
    write("queries/q.sql", text);
    return loaded("queries: [{folder: queries}]").queries.at(0);
  }
  std::string failure_of(const std::string& text) const {
    write("queries/q.sql", text);
    return failure("queries: [{folder: queries}]");
  }
  std::vector<Parameters> sets_of(const std::string& params) const {
    return loaded("queries: [{name: q, sql: x, params: " + params + "}]").queries.at(0).parameter_sets;
  }

  fs::path m_root;
};

TEST_F(QueriesTest, one_list_is_one_set_and_lists_in_it_are_several) {
  EXPECT_EQ(sets_of("[42, 'a', null]"), (std::vector<Parameters>{{"42", "a", std::nullopt}}));
  EXPECT_EQ(sets_of("[[42, a], [7, null]]"), (std::vector<Parameters>{{"42", "a"}, {"7", std::nullopt}}));
  EXPECT_EQ(sets_of("[]"), std::vector<Parameters>{});
}

TEST_F(QueriesTest, parameters_may_come_from_a_query) {
  const auto queries = loaded(R"yaml(queries:
  - {name: a, sql: x, params: {sql: "SELECT id FROM t;"}}
  - {name: b, sql: x, params: "values (1), (2)"}
  - name: c
    sql: x
    params: |
      WITH a AS (SELECT 1)
      SELECT * FROM a
)yaml")
                           .queries;
  EXPECT_EQ(queries.at(0).parameters_from, "SELECT id FROM t");
  EXPECT_EQ(queries.at(1).parameters_from, "values (1), (2)");
  EXPECT_EQ(queries.at(2).parameters_from, "WITH a AS (SELECT 1)\nSELECT * FROM a");
  EXPECT_EQ(queries.at(0).first_parameters(), std::nullopt);
}

TEST_F(QueriesTest, a_limit_is_a_factor_or_a_time) {
  const auto queries = loaded(R"(queries:
  - {name: a, sql: x, at_most: 1.10x}
  - {name: b, sql: x, at_most: 50 ms}
  - {name: c, sql: x, at_most: 1.5s, writes: true}
  - {name: d, sql: x, at_most: 0.5, at_least: 10x faster}
)")
                           .queries;
  EXPECT_DOUBLE_EQ(*queries.at(0).at_most, 1.1);
  EXPECT_EQ(queries.at(0).at_most_time, std::nullopt);
  EXPECT_EQ(queries.at(1).at_most_time, std::chrono::milliseconds(50));
  EXPECT_EQ(queries.at(1).at_most, std::nullopt);
  EXPECT_FALSE(queries.at(1).writes);
  EXPECT_EQ(queries.at(2).at_most_time, std::chrono::milliseconds(1500));
  EXPECT_TRUE(queries.at(2).writes);
  EXPECT_DOUBLE_EQ(*queries.at(3).at_most, 0.5);
  EXPECT_DOUBLE_EQ(*queries.at(3).at_least_faster, 10);
}

struct RefusedKey {
  const char* text;
  const char* said;
};

TEST_F(QueriesTest, what_is_wrong_is_said_at_its_place) {
  std::string many = "queries: [{name: q, sql: x, params: [";
  for (int i = 0; i < 21; ++i) many += "[1], ";
  many += "]}]";
  const RefusedKey cases[] = {
      {"queries: {name: q}", "3:10: error: key 'queries': a list is wanted, not a map"},
      {"queries: [{name: q, sql: x, at_most: fast}]",
       "3:38: error: key 'at_most': 'fast' is neither a factor nor a time\n"
       "hint: write it like this: 1.10x, or 50 ms"},
      {"queries: [{name: q, sql: x, at_most: -1x}]",
       "3:38: error: key 'at_most': '-1x' is neither a factor nor a time\n"
       "hint: write it like this: 1.10x, or 50 ms"},
      {"queries: [{name: q, sql: x, at_most: 2 h}]",
       "3:38: error: key 'at_most': '2 h' is neither a factor nor a time\n"
       "hint: write it like this: 1.10x, or 50 ms"},
      {"queries: [{name: q, sql: x, at_least: 10x slower}]",
       "3:39: error: key 'at_least': '10x slower' is no factor\nhint: write it like this: 10x faster"},
      {"queries: [{name: q, sql: x, params: 42}]",
       "3:37: error: key 'params': a list or a SELECT is wanted\n"
       "hint: write [42, x], or [[42, x], [7, y]] for two sets, or a SELECT that yields a set a row"},
      {"queries: [{name: q, sql: x, params: {sql: DELETE FROM t}}]",
       "3:37: error: key 'params': 'DELETE FROM t' yields no rows\n"
       "hint: write a SELECT, WITH or VALUES that yields a set of parameters a row"},
      {"queries: [{name: q, sql: x, params: [[1], 2]}]",
       "3:43: error: key 'params': a list is wanted beside the other lists\n"
       "hint: [42, x] is one set of parameters, [[42, x], [7, y]] are two"},
      {"queries: [{name: q, sql: x, params: [1, [2]]}]",
       "3:41: error: key 'params': text is wanted, not a list\n"
       "hint: [42, x] is one set of parameters, [[42, x], [7, y]] are two; an array is a text: '{1,2}'"},
      {"queries: [{name: q, sql: x, params: [[1], [2, 3]]}]",
       "3:43: error: key 'params': a set of 2 beside one of 1\n"
       "hint: each set gives every parameter a value; null is one"},
      {many.c_str(),
       "3:37: error: key 'params': 21 sets, and 20 are the most\n"
       "hint: keep those that differ most: each is measured"},
      {"queries: [{name: q, sql: x}, {name: q, sql: y}]",
       "3:30: error: name 'q': scenarios/s.yaml:3:11 has it too\nhint: reports tell queries apart by name"},
      {"queries: [{folder: q, name: x}]",
       "3:23: error: unknown key 'name'\nhint: a folder of queries knows: folder"},
      {"benchmark: {false_alarms: 0}",
       "3:27: error: key 'false_alarms': '0' is not between 0 and 0.5\n"
       "hint: 0.01 is one false alarm in a hundred runs"},
      {"benchmark: {false_alarms: 0.5}",
       "3:27: error: key 'false_alarms': '0.5' is not between 0 and 0.5\n"
       "hint: 0.01 is one false alarm in a hundred runs"},
      {"benchmark: {at_most: 0.9x}",
       "3:22: error: key 'at_most': '0.9x' is less than 1x\n"
       "hint: what must become faster is said of a query itself: at_most: 0.5x"},
      {"benchmark: {buffers_at_most: much}",
       "3:30: error: key 'buffers_at_most': 'much' is no factor\nhint: write it like this: 1.10x"},
      {"benchmark: {budget: 0 s}",
       "3:21: error: key 'budget': '0 s' is no time from 1 ms to 60 min\nhint: write it like this: 5 s"},
      {"benchmark: {longest_query: 10}",
       "3:28: error: key 'longest_query': '10' is no time from 1 ms to 60 min\n"
       "hint: write it like this: 5 s"},
      {"benchmark: {seed: -7}",
       "3:19: error: key 'seed': '-7' is no whole number\n"
       "hint: write the seed that a report names, for example: 7"},
      {"benchmark: {parallel_workers: 65}",
       "3:31: error: key 'parallel_workers': '65' is not between 0 and 64"},
      {"benchmark: {budgets: 5 s}",
       "3:13: error: unknown key 'budgets' (did you mean 'budget'?)\n"
       "hint: benchmark knows: false_alarms, at_most, buffers_at_most, budget, longest_query, seed, jit, "
       "parallel_workers"},
      {"sizes: [{size_at_most: 0.3x}]",
       "3:9: error: a line of sizes: exactly one of table, index and columns is wanted, not none"},
      {"sizes: [{table: t, index: i, size_at_most: 0.3x}]",
       "3:9: error: a line of sizes: exactly one of table, index and columns is wanted, not table and index"},
      {"sizes: [{table: t}]", "3:9: error: a line of sizes: key 'size_at_most' is missing"},
      {"sizes: [{table: t, size_at_most: 30%}]",
       "3:34: error: key 'size_at_most': '30%' is no factor\nhint: write it like this: 0.3x"},
      {"sizes: [{columns: [tax], size_at_most: 0.3x}]",
       "3:19: error: column 'tax': the table is missing\n"
       "hint: write table.column or schema.table.column"},
  };
  for (const RefusedKey& refused : cases)
    EXPECT_EQ(failure(refused.text), std::string("scenarios/s.yaml:") + refused.said) << refused.text;
}

TEST_F(QueriesTest, how_queries_are_compared_is_read) {
  const Benchmark written =
      loaded(
          "benchmark: {false_alarms: 0.001, at_most: 1.2x, buffers_at_most: 1.5, budget: "
          "500 ms, longest_query: 1 min, seed: 18446744073709551615, jit: true, "
          "parallel_workers: 2}")
          .benchmark;
  EXPECT_DOUBLE_EQ(written.false_alarms, 0.001);
  EXPECT_DOUBLE_EQ(written.at_most, 1.2);
  EXPECT_DOUBLE_EQ(written.buffers_at_most, 1.5);
  EXPECT_EQ(written.budget, std::chrono::milliseconds(500));
  EXPECT_EQ(written.longest_query, std::chrono::minutes(1));
  EXPECT_EQ(written.seed, 18446744073709551615U);
  EXPECT_TRUE(written.jit);
  EXPECT_EQ(written.parallel_workers, 2);
  const Benchmark usual = loaded("benchmark: {parallel_workers: 0}").benchmark;
  EXPECT_EQ(usual.budget, std::chrono::seconds(5));
  EXPECT_EQ(usual.seed, std::nullopt);
}

TEST_F(QueriesTest, claims_about_sizes_are_read) {
  const auto sizes = loaded(R"(sizes:
  - {table: Sale, size_at_most: 0.3x}
  - {index: x_idx, size_at_most: 2}
  - {columns: [Sale.tax, Sale.total], size_at_most: 0.25x}
  - {columns: Sale.tax, size_at_most: 0.25x}
)")
                         .sizes;
  ASSERT_EQ(sizes.size(), 4U);
  EXPECT_EQ(sizes[0].describe(), "table Sale");
  EXPECT_DOUBLE_EQ(sizes[0].at_most, 0.3);
  EXPECT_EQ(sizes[1].describe(), "index x_idx");
  EXPECT_DOUBLE_EQ(sizes[1].at_most, 2);
  EXPECT_EQ(sizes[2].describe(), "columns Sale.tax, Sale.total");
  EXPECT_EQ(sizes[2].location.line, 6);
  EXPECT_EQ(sizes[3].describe(), "column Sale.tax");
}

TEST_F(QueriesTest, a_folder_holds_one_query_a_file_in_order_of_their_names) {
  write("queries/b.sql", "SELECT 2;\n");
  write("queries/a.sql",
        "\xEF\xBB\xBF-- name: first\r\n-- params: [[42, a], [7, null]]\r\n\r\nSELECT 1\r\n;\r\n");
  write("queries/c.sql.todo", "SELECT 3");
  write("queries/README.md", "nothing");
  write("queries/deeper/d.sql", "SELECT 4");
  const auto queries = loaded("queries:\n  - {name: last, sql: SELECT 9}\n  - {folder: queries}\n").queries;
  ASSERT_EQ(queries.size(), 3U);
  EXPECT_EQ(queries[0].name, "last");
  EXPECT_EQ(queries[1].name, "first");
  EXPECT_EQ(queries[1].sql, "SELECT 1");
  EXPECT_EQ(queries[1].parameter_sets, (std::vector<Parameters>{{"42", "a"}, {"7", std::nullopt}}));
  EXPECT_EQ(scrubbed(to_string(queries[1].location)), "queries/a.sql:4:1");
  EXPECT_EQ(queries[2].name, "b");
  EXPECT_EQ(queries[2].sql, "SELECT 2");
}

TEST_F(QueriesTest, the_comment_before_a_query_says_what_a_map_says) {
  const Query query = query_of(
      "-- 20 calls, mean 3 ms, from x.csv\n"
      "-- name: orders of a user\n"
      "--uses_index: \"Order_userId_idx\"\n"
      "-- at_most: 50 ms\n"
      "-- at_least: 10x faster   # claimed in the pull request\n"
      "-- same_result: false\n"
      "-- writes: true\n"
      "-- note: https://wiki/orders\n"
      "\n"
      "/* app: shop /* nested */ */ SELECT *\n"
      "-- name: not of the front\n"
      "FROM orders WHERE user_id = 1 ;\n");
  EXPECT_EQ(query.name, "orders of a user");
  EXPECT_EQ(query.uses_index, "Order_userId_idx");
  EXPECT_EQ(query.at_most_time, std::chrono::milliseconds(50));
  EXPECT_DOUBLE_EQ(*query.at_least_faster, 10);
  EXPECT_FALSE(query.same_result);
  EXPECT_TRUE(query.writes);
  EXPECT_EQ(query.sql,
            "-- 20 calls, mean 3 ms, from x.csv\n\n\n\n\n\n\n-- note: https://wiki/orders\n\n"
            "/* app: shop /* nested */ */ SELECT *\n-- name: not of the front\n"
            "FROM orders WHERE user_id = 1");
  EXPECT_EQ(query.location.line, 10);
  EXPECT_EQ(query.location.column, 30);
}

TEST_F(QueriesTest, parameters_in_a_comment_may_be_a_query_of_several_lines) {
  EXPECT_EQ(
      query_of(
          "-- params: SELECT a, 'x: y' FROM t -- all\n--   WHERE b\n--     AND c;\n-- Other: words\nSELECT 1")
          .parameters_from,
      "SELECT a, 'x: y' FROM t -- all\n     WHERE b\n       AND c");
  EXPECT_EQ(query_of("-- params:\n--   VALUES (1),\n--   (2)\nSELECT 1").parameters_from,
            "VALUES (1),\n     (2)");
  EXPECT_EQ(query_of("-- params: [[1, a],\n--           [2, b]]\nSELECT 1").parameter_sets,
            (std::vector<Parameters>{{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(query_of("-- params: {sql: SELECT 1}\nSELECT $1").parameters_from, "SELECT 1");
}

TEST_F(QueriesTest, other_words_with_a_colon_are_plain_comments) {
  for (const char* comment :
       {"note: x", "date: x", "mean: 3 ms", "from: logs", "user: x", "file: x", "TODO: x", "http://x",
        "index: x", "time: 5", "a name: x", "name", "queries: 3"}) {
    const Query query = query_of("-- " + std::string(comment) + "\nSELECT 1");
    EXPECT_EQ(query.sql, "-- " + std::string(comment) + "\nSELECT 1");
    EXPECT_EQ(query.name, "q");
  }
}

TEST_F(QueriesTest, what_is_wrong_in_a_file_is_said_there) {
  const RefusedKey cases[] = {
      {"-- ü\n--  parms: [1]\nSELECT 1",
       ":2:5: error: unknown key 'parms' (did you mean 'params'?)\n"
       "hint: the comment before a query knows: name, params, uses_index, at_most, at_least, same_result, "
       "writes"},
      {"-- Uses-Index: x\nSELECT 1",
       ":1:4: error: unknown key 'Uses-Index' (did you mean 'uses_index'?)\n"
       "hint: the comment before a query knows: name, params, uses_index, at_most, at_least, same_result, "
       "writes"},
      {"-- parameters: [1]\nSELECT 1",
       ":1:4: error: unknown key 'parameters' (did you mean 'params'?)\n"
       "hint: the comment before a query knows: name, params, uses_index, at_most, at_least, same_result, "
       "writes"},
      {"-- name: a\n-- name: b\nSELECT 1",
       ":2:4: error: key 'name': stands here twice\nhint: keep one of the two"},
      {"-- name:\nSELECT 1", ":1:9: error: key 'name': text is wanted, not nothing"},
      {"-- name: [a]\nSELECT 1", ":1:10: error: key 'name': text is wanted, not a list"},
      {"-- at_most: fast\nSELECT 1",
       ":1:13: error: key 'at_most': 'fast' is neither a factor nor a time\n"
       "hint: write it like this: 1.10x, or 50 ms"},
      {"-- params: [[1],\n--   [2, 3]]\nSELECT 1",
       ":2:6: error: key 'params': a set of 2 beside one of 1\n"
       "hint: each set gives every parameter a value; null is one"},
      {"-- params: [1\nSELECT 1",
       ":1:12: error: value '[1': not YAML: end of sequence flow not found\n"
       "hint: quote values that hold ': ', '#', '{' or '['"},
      {"-- name: a\n/* nothing */ ;\n",
       ": error: query 'queries/q.sql': no SQL in it\n"
       "hint: write the query below its comment, or take the file out of the folder"},
      {"",
       ": error: query 'queries/q.sql': no SQL in it\n"
       "hint: write the query below its comment, or take the file out of the folder"},
      {"SELECT 1,\n'\xFF'", ":2: error: query 'queries/q.sql': not UTF-8 text\nhint: save the file as UTF-8"},
  };
  for (const RefusedKey& refused : cases)
    EXPECT_EQ(failure_of(refused.text), std::string("queries/q.sql") + refused.said) << refused.text;
  EXPECT_EQ(failure_of(std::string("SELECT 1\0", 9)),
            "queries/q.sql:1: error: query 'queries/q.sql': not UTF-8 text\nhint: save the file as UTF-8");
  EXPECT_EQ(failure_of(std::string(1024 * 1024, 'x') + "y"),
            "queries/q.sql: error: query 'queries/q.sql': 1.0 MB is too large for a query\n"
            "hint: rows belong into a fixture, a query into a file of its own");
}

TEST_F(QueriesTest, folders_without_queries_are_named) {
  EXPECT_EQ(failure("queries: [{folder: querys}]"),
            "scenarios/s.yaml:3:20: error: folder 'querys': no such file or directory (did you mean "
            "'queries'?)\n"
            "hint: paths are looked up from the scenario's folder, from each one above it, and from the "
            "working directory");
  EXPECT_EQ(failure("queries: [{folder: queries}]"),
            "scenarios/s.yaml:3:20: error: folder 'queries': no .sql file in it\n"
            "hint: each query is a file that ends in .sql");
  write("queries/a.sql.todo", "SELECT $1");
  EXPECT_EQ(failure("queries: [{folder: queries}]"),
            "scenarios/s.yaml:3:20: error: folder 'queries': no .sql file in it\n"
            "hint: what ends in .sql.todo still lacks parameters: write them in and take the .todo off");
  EXPECT_EQ(failure("queries: [{folder: scenarios/s.yaml}]"),
            "scenarios/s.yaml:3:20: error: folder 'scenarios/s.yaml': not a directory\n"
            "hint: name the folder that holds the .sql files");
  EXPECT_EQ(failure("queries: [{folder: }]"),
            "scenarios/s.yaml:3:20: error: key 'folder': text is wanted, not nothing");
}

TEST_F(QueriesTest, names_are_told_apart_across_files_and_maps) {
  write("queries/a.sql", "SELECT 1");
  write("queries/b.sql", "-- name: a\n\nSELECT 2");
  EXPECT_EQ(failure("queries: [{folder: queries}]"),
            "queries/b.sql:3:1: error: name 'a': queries/a.sql:1:1 has it too\n"
            "hint: reports tell queries apart by name");
  fs::remove(m_root / "queries/b.sql");
  EXPECT_EQ(failure("queries: [{folder: queries}, {name: a, sql: x}]"),
            "scenarios/s.yaml:3:30: error: name 'a': queries/a.sql:1:1 has it too\n"
            "hint: reports tell queries apart by name");
}

TEST_F(QueriesTest, a_file_that_is_none_does_not_keep_the_reader_waiting) {
  ASSERT_EQ(::mkfifo((m_root / "queries/q.sql").c_str(), 0600), 0);
  EXPECT_NE(failure("queries: [{folder: queries}]").find("it is no regular file"), std::string::npos);
  fs::remove(m_root / "queries/q.sql");
  fs::create_symlink("nowhere", m_root / "queries/q.sql");
  EXPECT_NE(failure("queries: [{folder: queries}]").find("No such file or directory"), std::string::npos);
}

TEST_F(QueriesTest, an_earlier_release_has_its_folder_from_where_it_lies_then) {
  write("then/old.sql", "SELECT 1");
  const auto then = [&](const std::string& folder) -> Result<std::string> {
    if (folder == "queries") return (m_root / "then").string();
    return failed(FailureKind::usage, "folder '" + folder + "': not in it");
  };
  const auto release = load_release("s.yaml", "scenario: s\nqueries: [{folder: queries}]", then);
  ASSERT_TRUE(release.has_value()) << to_string(release.error());
  EXPECT_EQ(release->queries.at(0).name, "old");
  EXPECT_EQ(release->queries.at(0).location, (Location{"queries/old.sql", 1, 1}));
  EXPECT_EQ(to_string(load_release("s.yaml", "scenario: s\nqueries: [{folder: q}]", then).error()),
            "s.yaml:2:20: error: folder 'q': not in it");
}

}  // namespace
}  // namespace lockkeeper::scenario
