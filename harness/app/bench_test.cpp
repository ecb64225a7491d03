#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/postgres/disposable_server.h"

/// `lockkeeper bench`: critical queries compared on real databases. Nothing here hangs on how long anything
/// takes: what is compared by time may take a thousand times as long, or a millionth.
namespace lockkeeper::app::testing {

namespace {

using engine::postgres::DisposableServer;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Bench : public ::testing::Test {
 protected:
  Bench() {
    m_folder.write(
        "db/0001_shop.up.sql",
        "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, age int);\n"
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, total float8, note text);\n"
        "CREATE INDEX orders_user_id_idx ON orders (user_id);\n"
        "CREATE TABLE nobody (id int);\n"
        "INSERT INTO users SELECT i, 'user' || i, i % 90 FROM generate_series(1, 1000) i;\n"
        "INSERT INTO orders SELECT i, i % 1000 + 1, i * 1.5 FROM generate_series(1, 20000) i;\n");
    m_folder.write("db/0001_shop.down.sql", "DROP TABLE nobody, orders, users;\n");
  }

  Start here() const { return {.directory = m_folder.path(), .deadline = std::chrono::minutes(3)}; }
  void migrate(const std::string& up) const {
    m_folder.write("db/0002_change.up.sql", up + "\n");
    m_folder.write("db/0002_change.down.sql", "SELECT 1;\n");
  }
  /// s.yaml with what comes behind its head.
  void write_scenario(const std::string& rest) const {
    m_folder.write(
        "s.yaml",
        "scenario: shop\nengine: postgres\nmigrations: {path: db, since: 2}\nseed_rows: 0\n" + rest);
  }
  /// What is compared by answers, plans and sizes alone.
  Checked compare(const std::string& queries) const {
    write_scenario(queries);
    return bench({"s.yaml", "--without-time"}, here());
  }
  /// The messages of all findings, with their rule and level in front.
  static std::vector<std::string> told(const Checked& checked) {
    std::vector<std::string> told;
    for (const json& finding : checked.run().at("findings")) {
      told.push_back(fmt::format("{} {}: {}", finding.at("level").get<std::string>(),
                                 finding.at("rule").get<std::string>(),
                                 finding.at("message").get<std::string>()));
    }
    return told;
  }
  static json query(const Checked& checked, const std::string& name) {
    for (const json& query : checked.run().value("queries", json::array())) {
      if (query.at("name") == name) return query;
    }
    ADD_FAILURE() << "no query " << name << ":\n" << checked.outcome.said();
    return json::object();
  }
  static std::string evidence(const json& finding) {
    std::string text;
    for (const json& line : finding.at("evidence")) text += line.get<std::string>() + "\n";
    return text;
  }
  std::string text_of(const std::string& file) const {
    return read_file(m_folder.path() / file).value_or("");
  }

  Folder m_folder;
};

// ── what fails

TEST_F(Bench, a_query_that_fails_on_head_stops_the_merge) {
  migrate("ALTER TABLE users RENAME COLUMN email TO mail;");
  const Checked checked = compare("queries:\n  - {name: mails, sql: SELECT email FROM users}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked), ElementsAre("error query-fails: query 'mails' fails on head: column \"email\" "
                                         "does not exist (SQLSTATE 42703)"));
  const json finding = checked.finding("query-fails");
  EXPECT_THAT(evidence(finding), HasSubstr("it runs on base"));
  EXPECT_EQ(finding["location"]["file"], "s.yaml");
  EXPECT_EQ(finding["location"]["line"], 6);
}

TEST_F(Bench, a_query_that_fails_on_base_alone_is_no_fault_of_the_change) {
  migrate("ALTER TABLE users RENAME COLUMN email TO mail;");
  const Checked checked = compare("queries:\n  - {name: mails, sql: SELECT mail FROM users}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(told(checked), IsEmpty());
  EXPECT_THAT(checked.outcome.output, HasSubstr("new: runs on head alone"));
}

TEST_F(Bench, a_query_that_fails_on_both_says_so) {
  migrate("SELECT 1;");
  const Checked checked = compare("queries:\n  - {name: wrong, sql: SELECT nothing FROM users}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json finding = checked.finding("query-fails");
  ASSERT_TRUE(finding.is_object());
  EXPECT_THAT(evidence(finding),
              HasSubstr("it fails on base too: column \"nothing\" does not exist (SQLSTATE 42703)"));
  EXPECT_EQ(finding["advice"], "correct the query in the scenario: it runs on neither schema");
}

TEST_F(Bench, a_query_that_writes_says_so_or_fails) {
  migrate("SELECT 1;");
  const std::string sql =
      "CREATE FUNCTION add_user() RETURNS int LANGUAGE sql AS "
      "'INSERT INTO users VALUES (0, ''x'', 1) RETURNING id';";
  m_folder.write("db/0001_shop.up.sql", text_of("db/0001_shop.up.sql") + sql + "\n");
  const Checked refused = compare("queries:\n  - {name: add, sql: SELECT add_user()}\n");
  EXPECT_EQ(refused.outcome.exit_code, 1) << refused.outcome.said();
  EXPECT_THAT(told(refused),
              ElementsAre("error query-fails: query 'add' fails on head: cannot execute INSERT in a "
                          "read-only transaction (SQLSTATE 25006)"));
  EXPECT_THAT(refused.finding("query-fails")["advice"].get<std::string>(), HasSubstr("writes: true"));
  const Checked allowed = compare("queries:\n  - {name: add, sql: SELECT add_user(), writes: true}\n");
  EXPECT_EQ(allowed.outcome.exit_code, 0) << allowed.outcome.said();
  EXPECT_EQ(query(allowed, "add")["writes"], true);
}

TEST_F(Bench, a_query_that_never_ends_is_cut) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "benchmark: {longest_query: 200 ms}\nqueries:\n  - {name: endless, sql: SELECT pg_sleep(60)}\n"
      "  - {name: one, sql: SELECT id FROM users WHERE id = 1}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre("error query-fails: query 'endless' fails on head: it takes longer than 200 ms "
                          "(SQLSTATE 57014)"));
  EXPECT_EQ(query(checked, "one")["base_rows"], 1);
}

TEST_F(Bench, a_query_that_ends_its_session_is_told_and_the_others_are_compared) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: dies, sql: SELECT pg_terminate_backend(pg_backend_pid())}\n"
      "  - {name: one, sql: SELECT id FROM users WHERE id = 1}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre("error query-fails: query 'dies' fails on head: it ends the session that it is "
                          "tried in (SQLSTATE 57P01)"));
  EXPECT_EQ(query(checked, "one")["base_rows"], 1);
}

TEST_F(Bench, what_is_no_query_is_told_and_ends_nothing) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: show, sql: SHOW work_mem}\n  - {name: end, sql: COMMIT}\n  - {name: copy, sql: "
      "COPY users TO "
      "STDOUT}\n  - {name: two, sql: SELECT 1; SELECT 2}\n  - {name: vacuum, sql: VACUUM}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          HasSubstr("'show' fails on head: only SELECT, VALUES, TABLE, WITH, INSERT, UPDATE, DELETE, "),
          HasSubstr("'end' fails on head: only SELECT,"), HasSubstr("'copy' fails on head: only SELECT,"),
          HasSubstr("'two' fails on head: cannot insert multiple commands into a prepared statement"),
          HasSubstr("'vacuum' fails on head: only SELECT,")));
}

TEST_F(Bench, a_copy_that_runs_a_program_is_not_even_tried) {
  migrate("SELECT 1;");
  const auto mark = m_folder.path() / "ran";
  const Checked checked = compare(fmt::format(
      "queries:\n  - {{name: copy, sql: \"COPY users TO PROGRAM 'touch {}; chmod 777 {}'\", writes: true}}\n",
      mark.string(), m_folder.path().string()));
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST_F(Bench, a_write_that_no_longer_writes_is_another_answer) {
  migrate("UPDATE users SET email = 'x' || email;");
  const Checked checked =
      compare("queries:\n  - {name: gone, sql: \"DELETE FROM users WHERE email LIKE 'user%'\"}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(evidence(checked.finding("query-result-changed")),
              HasSubstr("1,000 rows written on base, 0 on head"));
}

TEST_F(Bench, a_change_behind_many_rows_of_floats_is_told) {
  migrate("UPDATE orders SET note = 'changed' WHERE id = 3;");
  const Checked checked =
      compare("queries:\n  - {name: all, sql: 'SELECT id, note, total FROM orders ORDER BY id'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(evidence(checked.finding("query-result-changed")), HasSubstr("row 3: "));
}

TEST_F(Bench, doubled_floats_are_no_matter_of_last_digits) {
  migrate("UPDATE orders SET total = total * 2 WHERE id % 2 = 0;");
  const Checked checked = compare(
      "queries:\n  - {name: sums, sql: 'SELECT user_id % 7 AS g, sum(total) FROM orders GROUP BY g ORDER BY "
      "g'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("query-result-changed").is_object());
}

TEST_F(Bench, another_kind_of_type_is_another_answer) {
  migrate("ALTER TABLE users ALTER COLUMN age TYPE text;");
  const Checked checked = compare("queries:\n  - {name: ages, sql: SELECT age FROM users WHERE id = 1}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(evidence(checked.finding("query-result-changed")),
              HasSubstr("column age holds a number on base, a string on head"));
}

TEST_F(Bench, a_join_with_an_empty_table_decides_nothing) {
  migrate("SELECT 1;");
  const Checked checked =
      compare("queries:\n  - {name: joined, sql: SELECT u.id FROM users u JOIN nobody n ON n.id = u.id}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          "error query-not-decided: query 'joined' is not decided: it finds no row, and nobody is empty"));
}

TEST_F(Bench, parameters_must_fit_in_number_and_type) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: few, sql: 'SELECT * FROM users WHERE id = $1 OR id = $2', params: [1]}\n"
      "  - {name: none, sql: 'SELECT * FROM users WHERE id = $1'}\n"
      "  - {name: wrong, sql: 'SELECT * FROM users WHERE id = $1', params: [x]}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          "error query-fails: query 'few' fails on head: it has 2 parameters, and 1 value is given "
          "(SQLSTATE 08P01)",
          "error query-fails: query 'none' fails on head: it has 1 parameter, and 0 values are given "
          "(SQLSTATE 08P01)",
          "error query-fails: query 'wrong' fails on head: invalid input syntax for type integer: \"x\" "
          "(SQLSTATE 22P02)"));
}

TEST_F(Bench, two_queries_of_one_name_are_refused_with_both_places) {
  migrate("SELECT 1;");
  write_scenario("queries:\n  - {name: one, sql: SELECT 1}\n  - {name: one, sql: SELECT 2}\n");
  const Outcome outcome = run_program({"bench", "s.yaml"}, here());
  EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
  EXPECT_THAT(outcome.errors, HasSubstr("s.yaml:7:5: error: name 'one': s.yaml:6:5 has it too"));
}

TEST_F(Bench, a_migration_that_does_not_go_up_leaves_nothing_to_compare) {
  migrate("ALTER TABLE nothing ADD COLUMN a int;");
  const Checked checked = compare("queries:\n  - {name: one, sql: SELECT id FROM users}\n");
  EXPECT_EQ(checked.outcome.exit_code, 2) << checked.outcome.said();
  EXPECT_EQ(checked.record["verdict"], "error");
  EXPECT_THAT(checked.outcome.output + checked.outcome.errors,
              HasSubstr("there is no head to compare queries on: 0002 does not go up: relation \"nothing\" "
                        "does not exist"));
}

// ── answers

TEST_F(Bench, ten_million_rows_are_compared) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "benchmark: {longest_query: 60 s}\nqueries:\n  - {name: many, sql: 'SELECT i, u.id FROM users u, "
      "generate_series(1, 10000) i'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(query(checked, "many")["base_rows"], 10'000'000);
  EXPECT_EQ(query(checked, "many")["same_result"], true);
}

TEST_F(Bench, chance_and_clocks_are_said_to_be_incomparable_and_are_no_change) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: chance, sql: SELECT random()}\n  - {name: today, sql: 'SELECT now(), count(*) "
      "FROM users'}\n"
      "  - {name: clock, sql: SELECT clock_timestamp()}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          StartsWith("note query-not-decided: query 'chance' is not decided: on base it answers otherwise "
                     "the second time"),
          StartsWith("note query-not-decided: query 'today' is not decided: on base it answers"),
          StartsWith("note query-not-decided: query 'clock' is not decided: on base it answers")));
}

TEST_F(Bench, another_answer_is_shown_by_its_first_row) {
  migrate("UPDATE users SET email = 'nobody' WHERE id = 3;");
  const Checked checked = compare(
      "queries:\n  - {name: mails, sql: 'SELECT id, email FROM users WHERE id < 5 ORDER BY id'}\n"
      "  - {name: any, sql: 'SELECT id, email FROM users WHERE id < 5', same_result: false}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre("error query-result-changed: query 'mails' gives another answer: 4 rows on both, "
                          "with other values or in another order"));
  EXPECT_THAT(evidence(checked.finding("query-result-changed")),
              HasSubstr("row 3: (3, user3) on base, (3, nobody) on head"));
}

TEST_F(Bench, another_order_counts_where_the_query_orders_and_ties_do_not) {
  migrate("CREATE OR REPLACE FUNCTION rank_of(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -$1';");
  m_folder.write("db/0001_shop.up.sql",
                 text_of("db/0001_shop.up.sql") +
                     "CREATE FUNCTION rank_of(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';\n");
  const Checked checked = compare(
      "queries:\n  - {name: turned, sql: 'SELECT id FROM users ORDER BY rank_of(id)'}\n"
      "  - {name: set, sql: 'SELECT id FROM users'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre(HasSubstr("query-result-changed: query 'turned' gives another answer: 1,000 rows "
                                    "on both, with other values or in another order")));
  EXPECT_THAT(evidence(checked.finding("query-result-changed")),
              HasSubstr("row 1: (1) on base, (1000) on head"));
}

TEST_F(Bench, rows_that_tie_may_come_in_any_order) {
  migrate("CREATE INDEX users_age_id ON users (age, id DESC);");
  const Checked checked =
      compare("queries:\n  - {name: youngest, sql: 'SELECT age, id FROM users ORDER BY age LIMIT 3'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  for (const std::string& line : told(checked))
    EXPECT_THAT(line, StartsWith("note ")) << checked.outcome.said();
}

TEST_F(Bench, doubt_about_one_answer_leaves_the_base_as_it_was_for_the_others) {
  migrate("UPDATE users SET age = 1 WHERE id = 1;");
  const Checked checked = compare(
      "queries:\n  - {name: changed, sql: SELECT age FROM users WHERE id = 1, same_result: false}\n"
      "  - {name: added, sql: 'INSERT INTO orders SELECT -i, 1 FROM generate_series(1, 10000) i'}\n"
      "  - {name: all, sql: SELECT count(*) FROM orders}\n"
      "sizes:\n  - {table: orders, size_at_most: 1x}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  const json all = query(checked, "all");
  EXPECT_EQ(all["base_plan"]["buffers"], all["head_plan"]["buffers"]);
  EXPECT_EQ(checked.run()["sizes"][0]["base_bytes"], checked.run()["sizes"][0]["head_bytes"]);
}

// ── nothing to be decided by

TEST_F(Bench, a_query_of_empty_tables_is_not_decided) {
  migrate("SELECT 1;");
  const Checked checked = compare("queries:\n  - {name: none, sql: SELECT * FROM nobody}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre("error query-not-decided: query 'none' is not decided: the tables that it reads "
                          "are empty"));
}

TEST_F(Bench, parameters_come_from_a_query_or_a_list) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: listed, sql: 'SELECT * FROM users WHERE id = $1', params: [[1], [null], [3]]}\n"
      "  - {name: asked, sql: 'SELECT * FROM users WHERE id = $1 AND email = $2', params: 'SELECT id, email "
      "FROM users "
      "ORDER BY id LIMIT 2'}\n"
      "  - {name: many, sql: 'SELECT * FROM users WHERE id = $1', params: 'SELECT id FROM users ORDER BY "
      "id'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  std::vector<std::string> tried;
  for (const json& query : checked.run()["queries"]) {
    if (query["name"] != "many")
      tried.push_back(query["name"].get<std::string>() + ": " + query["parameters"].get<std::string>());
  }
  EXPECT_THAT(tried,
              ElementsAre("listed: 1", "listed: NULL", "listed: 3", "asked: 1, user1", "asked: 2, user2"));
  EXPECT_EQ(checked.run()["queries"].size(), 25U);
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("query 'many': of 1,000 sets of parameters the first 20 are tried"));
}

TEST_F(Bench, parameters_that_nobody_has_leave_a_query_undecided) {
  migrate("SELECT 1;");
  const Checked checked = compare(
      "queries:\n  - {name: none, sql: 'SELECT * FROM users WHERE id = $1', params: 'SELECT id FROM "
      "nobody'}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(told(checked),
              ElementsAre("error query-not-decided: query 'none' is not decided: its parameters are asked of "
                          "the base, which has none"));
}

TEST_F(Bench, a_question_for_parameters_that_fails_is_an_error_of_the_scenario) {
  migrate("SELECT 1;");
  write_scenario(
      "queries:\n  - {name: one, sql: 'SELECT * FROM users WHERE id = $1', params: SELECT nothing FROM "
      "users}\n");
  const Outcome outcome = run_program({"bench", "s.yaml"}, here());
  EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
  EXPECT_THAT(outcome.output + outcome.errors,
              HasSubstr("s.yaml:6:5: error: query 'one': no parameters: column \"nothing\" does not exist"));
}

TEST_F(Bench, a_limit_in_milliseconds_is_warned_of) {
  migrate("SELECT 1;");
  const Checked checked = compare("queries:\n  - {name: one, sql: SELECT id FROM users, at_most: 60 s}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output,
              HasSubstr("query 'one': a limit of 1 min 0 s is one of this machine; a ratio (at_most: "
                        "1.10x) holds on any"));
}

// ── sizes

TEST_F(Bench, sizes_are_claimed_met_not_met_and_not_there) {
  migrate("ALTER TABLE orders ALTER COLUMN total TYPE float4;\nDROP TABLE nobody;");
  const Checked checked = compare(
      "sizes:\n  - {columns: [orders.total], size_at_most: 0.5x}\n  - {columns: [orders.total], "
      "size_at_most: 0.4x}\n"
      "  - {table: nothing, size_at_most: 1x}\n  - {table: nobody, size_at_most: 1x}\n"
      "  - {index: orders_user_id_idx, size_at_most: 1x}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          "error claim-not-met: the size of column orders.total on head is 0.50 times that on base, at "
          "most 0.40 are claimed",
          "error claim-not-met: the size of table nothing cannot be compared: it is not there on base and "
          "head",
          "error claim-not-met: the size of table nobody cannot be compared: it is not there on head"));
  EXPECT_THAT(checked.outcome.output, HasSubstr("column orders.total: 156 kB → 78 kB, 0.50×"));
  EXPECT_THAT(checked.outcome.output, HasSubstr("may not merge: 5 sizes, 3 errors"));
}

// ── plans and prices

TEST_F(Bench, a_dropped_index_is_missed) {
  migrate("DROP INDEX orders_user_id_idx;");
  const Checked checked =
      compare("queries:\n  - {name: of one, sql: 'SELECT id FROM orders WHERE user_id = $1', params: [7]}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_THAT(
      told(checked),
      ElementsAre(
          "error index-not-used: query 'of one' reads all of orders on head, which it did not on base"));
  const json cost = checked.run()["index_costs"][0];
  EXPECT_EQ(cost["index"], "orders_user_id_idx");
  EXPECT_EQ(cost["dropped"], true);
  EXPECT_THAT(cost["used_by"], ElementsAre("of one"));
}

TEST_F(Bench, a_new_index_has_its_price_its_users_and_what_it_supersedes) {
  migrate(
      "CREATE INDEX orders_user_total ON orders (user_id, total);\nCREATE INDEX orders_note ON orders (note "
      "text_pattern_ops);\nCREATE INDEX orders_note_id ON orders (note, id);");
  const Checked checked = compare(
      "queries:\n  - {name: totals, sql: 'SELECT total FROM orders WHERE user_id = $1 ORDER BY total', "
      "params: [7]}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  std::map<std::string, json> costs;
  for (const json& cost : checked.run()["index_costs"]) costs[cost["index"]] = cost;
  EXPECT_EQ(costs.size(), 3U);
  EXPECT_THAT(costs["orders_user_total"]["used_by"], ElementsAre("totals"));
  EXPECT_THAT(costs["orders_user_total"]["supersedes"], ElementsAre("orders_user_id_idx"));
  EXPECT_GT(costs["orders_user_total"]["bytes"], 100'000);
  EXPECT_THAT(costs["orders_note_id"].value("supersedes", json::array()), IsEmpty())
      << "the operators are others";
}

TEST_F(Bench, what_makes_a_write_dearer_is_counted) {
  std::string indexes;
  for (const char* columns : {"total", "note", "user_id, total", "user_id, note", "total, note",
                              "note, total", "total, user_id", "note, user_id", "id, total"})
    indexes += fmt::format("CREATE INDEX ON orders ({});\n", columns);
  migrate(indexes);
  write_scenario(
      "benchmark: {budget: 30 s}\nqueries:\n  - {name: add, sql: 'INSERT INTO orders SELECT -i, i, i, i FROM "
      "generate_series(1, 500) i', at_most: 0.0001x}\n");
  const Checked checked = bench({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const json finding = checked.finding("query-slower");
  ASSERT_TRUE(finding.is_object()) << checked.outcome.said();
  EXPECT_THAT(evidence(finding), AllOf(HasSubstr("pages touched: "), HasSubstr("WAL: "),
                                       HasSubstr("new indexes on what it writes to: orders_id_total_idx, ")));
  const json add = query(checked, "add");
  EXPECT_GT(add["head_plan"]["wal_bytes"].get<double>(), 2 * add["base_plan"]["wal_bytes"].get<double>());
  EXPECT_GT(add["head_plan"]["buffers"].get<double>(), 2 * add["base_plan"]["buffers"].get<double>());
}

// ── times

TEST_F(Bench, without_time_nothing_is_timed) {
  migrate("SELECT 1;");
  const Checked checked = compare("queries:\n  - {name: one, sql: SELECT id FROM users, at_most: 0.0001x}\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(query(checked, "one")["timing"]["pairs"], 0);
  EXPECT_THAT(checked.outcome.output, HasSubstr("not timed"));
}

TEST_F(Bench, the_seed_is_taken_and_told) {
  migrate("SELECT 1;");
  write_scenario(
      "benchmark: {at_most: 1000x}\nqueries:\n  - {name: one, sql: SELECT id FROM users}\n"
      "  - {name: two, sql: SELECT age FROM users}\n");
  for (int round = 0; round < 2; ++round) {
    const Checked checked = bench({"s.yaml", "--seed", "42"}, here());
    EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
    EXPECT_EQ(query(checked, "one")["timing"]["seed"], 42);
    EXPECT_EQ(query(checked, "two")["timing"]["seed"], 43);
    EXPECT_THAT(checked.outcome.output, HasSubstr("seed 42"));
  }
}

TEST_F(Bench, options_out_of_range_are_refused) {
  migrate("SELECT 1;");
  write_scenario("queries:\n  - {name: one, sql: SELECT id FROM users}\n");
  EXPECT_THAT(run_program({"bench", "s.yaml", "--false-alarms", "0.7"}, here()).errors,
              HasSubstr("--false-alarms takes a rate above 0 and below 0.5"));
  EXPECT_THAT(run_program({"bench", "s.yaml", "--budget", "0"}, here()).errors,
              HasSubstr("--budget takes a number of seconds"));
  EXPECT_EQ(run_program({"bench", "s.yaml", "--budget", "nan"}, here()).exit_code, 2);
  EXPECT_THAT(run_program({"bench", "s.yaml", "--seed=-1"}, here()).errors,
              HasSubstr("--seed takes a whole number, not '-1'"));
}

TEST_F(Bench, a_scenario_without_queries_and_a_folder_without_scenarios_are_refused) {
  migrate("SELECT 1;");
  write_scenario("");
  const Outcome none = run_program({"bench", "s.yaml"}, here());
  EXPECT_EQ(none.exit_code, 2) << none.said();
  EXPECT_THAT(none.errors, HasSubstr("nothing to compare in 's.yaml': it has no key 'queries'"));
  const Outcome nowhere = run_program({"bench"}, here());
  EXPECT_EQ(nowhere.exit_code, 2) << nowhere.said();
  EXPECT_THAT(nowhere.errors, HasSubstr("nothing to compare: no scenario given"));
}

// ── reports

TEST_F(Bench, the_benchmark_form_names_base_and_head_and_googles_tool_reads_it) {
  migrate("SELECT 1;");
  write_scenario("benchmark: {at_most: 1000x}\nqueries:\n  - {name: one, sql: SELECT id FROM users}\n");
  const Checked checked = bench({"s.yaml", "--report", "benchmark=b.json"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  const json document = json::parse(text_of("b.json"), nullptr, false);
  ASSERT_FALSE(document.is_discarded());
  std::set<std::string> names;
  for (const json& entry : document["benchmarks"]) names.insert(entry["run_name"]);
  EXPECT_THAT(names, ElementsAre("base/shop/one", "head/shop/one"));
  const fs::path tool = "/usr/share/benchmark/compare.py";
  if (!fs::exists(tool))
    GTEST_SKIP() << "no " << tool << ": Google's compare.py is in Debian's libbenchmark-tools";
  Command command;
  command.argv = {"/usr/bin/python3", tool, "--help"};
  command.directory = m_folder.path();
  if (const auto there = lockkeeper::run(command); !there || !there->ok())
    GTEST_SKIP() << tool << " does not run here: it wants python3-scipy";
  command.argv = {"/usr/bin/python3", tool, "--no-utest", "--no-color", "filters", "b.json", "base", "head"};
  const auto finished = lockkeeper::run(command);
  ASSERT_TRUE(finished && finished->ok()) << (finished ? finished->errors : finished.error().message);
  EXPECT_THAT(finished->output, HasSubstr("[base vs. head]/shop/one"));
}

TEST_F(Bench, a_stored_record_gives_the_same_text) {
  migrate("DROP INDEX orders_user_id_idx;");
  write_scenario(
      "benchmark: {at_most: 1000x}\nqueries:\n  - {name: of one, sql: SELECT id FROM orders WHERE user_id = "
      "7}\n"
      "sizes:\n  - {table: orders, size_at_most: 0.5x}\n");
  const Checked checked =
      bench({"s.yaml", "--report", "json=run.json", "--report", "markdown=run.md"}, here());
  const Outcome again = run_program({"report", "run.json", "--report", "markdown=again.md"}, here());
  EXPECT_EQ(again.output, checked.outcome.output);
  EXPECT_EQ(text_of("again.md"), text_of("run.md"));
  EXPECT_THAT(checked.outcome.output, HasSubstr("reproduce: lockkeeper bench s.yaml"));
}

TEST_F(Bench, what_is_looked_for_elsewhere_is_neither_missing_nor_stale) {
  migrate("DROP INDEX orders_user_id_idx;");
  const std::string query = "queries:\n  - {name: of one, sql: SELECT id FROM orders WHERE user_id = 7}\n";
  const Checked expected =
      compare(query + "expect_findings: [{rule: index-not-used}, {rule: blocks-writes}]\n");
  EXPECT_EQ(expected.outcome.exit_code, 0) << expected.outcome.said();
  const Checked missing = compare(query + "expect_findings: [{rule: index-not-used}, {rule: query-fails}]\n");
  EXPECT_EQ(missing.outcome.exit_code, 1) << missing.outcome.said();
  EXPECT_EQ(missing.run()["missing_expected"].size(), 1U);
  const Checked allowed =
      compare(query +
              "allow:\n  - {rule: index-not-used, reason: it goes}\n"
              "  - {rule: blocks-writes, reason: at night}\n  - {rule: query-fails, reason: none}\n");
  EXPECT_EQ(allowed.outcome.exit_code, 0) << allowed.outcome.said();
  ASSERT_EQ(allowed.run()["stale"].size(), 1U) << allowed.outcome.said();
  EXPECT_EQ(allowed.run()["stale"][0]["rule"], "query-fails");
}

// ── elsewhere

TEST_F(Bench, on_an_existing_server_what_may_be_pinned_is_and_nothing_stays) {
  const DisposableServer server;
  migrate("DROP INDEX orders_user_id_idx;");
  write_scenario(
      "benchmark: {at_most: 1000x}\nqueries:\n  - {name: of one, sql: SELECT id FROM orders WHERE user_id = "
      "7}\n");
  const Checked checked = bench({"s.yaml", "--server", server.connection("postgres")}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("index-not-used").is_object()) << checked.outcome.said();
  // It runs here, but maybe as an account whose processes are not ours to pin.
  const bool pinned = query(checked, "of one")["timing"]["core"].get<int>() >= 0;
  EXPECT_THAT(checked.outcome.output, HasSubstr(pinned ? "pinned to core" : "free to move between cores"));
  EXPECT_THAT(server.ask("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"),
              ElementsAre("lockkeeper", "postgres"));
}

class SqliteBench : public ::testing::Test {
 protected:
  SqliteBench() {
    m_folder.write(
        "db/0001_shop.up.sql",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, age INT);\n"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT NOT NULL, total REAL, note TEXT);\n"
        "CREATE INDEX orders_user_id_idx ON orders (user_id);\nCREATE TABLE nobody (id INT);\n"
        "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)\n"
        "INSERT INTO orders SELECT i, i % 1000 + 1, i * 1.5, NULL FROM c;\n"
        "INSERT INTO users SELECT id, 'user' || id, id % 90 FROM orders WHERE id <= 1000;\n");
    m_folder.write("db/0001_shop.down.sql", "DROP TABLE nobody;\nDROP TABLE orders;\nDROP TABLE users;\n");
  }
  Start here() const { return {.directory = m_folder.path(), .deadline = std::chrono::minutes(3)}; }
  Checked compare(const std::string& up, const std::string& rest,
                  std::vector<std::string> options = {"--without-time"}) {
    m_folder.write("db/0002_change.up.sql", up + "\n");
    m_folder.write("db/0002_change.down.sql", "SELECT 1;\n");
    m_folder.write("s.yaml",
                   "scenario: shop\nengine: sqlite\nmigrations: {path: db, since: 2}\nseed_rows: 0\n" + rest);
    options.insert(options.begin(), "s.yaml");
    return bench(options, here());
  }

  Folder m_folder;
};

TEST_F(SqliteBench, what_fails_is_told_and_the_others_are_compared) {
  const Checked checked = compare(
      "ALTER TABLE users RENAME COLUMN email TO mail;",
      "benchmark: {longest_query: 200 ms}\nqueries:\n  - {name: mails, sql: SELECT email FROM users}\n"
      "  - {name: endless, sql: 'WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT "
      "max(i) FROM c'}\n"
      "  - {name: few, sql: 'SELECT * FROM users WHERE id = ?', params: [1, 2]}\n"
      "  - {name: chance, sql: SELECT random()}\n  - {name: none, sql: SELECT * FROM nobody}\n"
      "  - {name: one, sql: 'SELECT id FROM users WHERE id = ?', params: [7]}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  const std::string output = checked.outcome.output;
  EXPECT_THAT(output, HasSubstr("query 'mails' fails on head: no such column: email"));
  EXPECT_THAT(output, HasSubstr("query 'endless' fails on head: it took longer than 200 ms"));
  EXPECT_THAT(output, HasSubstr("query 'few' fails on head: it has 1 parameter, and 2 values are given"));
  EXPECT_THAT(output,
              HasSubstr("query 'chance' is not decided: on base it answers otherwise the second time"));
  EXPECT_THAT(output, HasSubstr("query 'none' is not decided: the tables that it reads are empty"));
  EXPECT_THAT(output, HasSubstr("✔ one "));
}

TEST_F(SqliteBench, a_dropped_index_and_another_answer_stop_the_merge) {
  const Checked checked = compare(
      "DROP INDEX orders_user_id_idx;\nUPDATE users SET email = 'nobody' WHERE id = 3;",
      "queries:\n  - {name: of one, sql: 'SELECT id FROM orders WHERE user_id = ?', params: [7]}\n"
      "  - {name: mails, sql: 'SELECT id, email FROM users WHERE id < 5 ORDER BY id'}\n"
      "  - {name: add, sql: 'INSERT INTO orders VALUES (-1, 1, 1, 1)'}\n"
      "sizes:\n  - {table: orders, size_at_most: 1x}\n  - {index: orders_user_id_idx, size_at_most: 1x}\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("index-not-used").is_object()) << checked.outcome.said();
  EXPECT_THAT(checked.finding("query-result-changed")["evidence"][0].get<std::string>(),
              HasSubstr("row 3: (3, 'user3') on base, (3, 'nobody') on head"));
  EXPECT_THAT(checked.finding("claim-not-met")["message"].get<std::string>(),
              HasSubstr("index orders_user_id_idx cannot be compared: it is not there on head"));
}

TEST_F(SqliteBench, times_are_taken_on_one_core_and_the_record_is_read_again) {
  const Checked checked =
      compare("SELECT 1;",
              "benchmark: {at_most: 1000x}\nqueries:\n  - {name: one, sql: SELECT count(*) FROM users}\n",
              {"--seed", "7", "--report", "json=run.json"});
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output, HasSubstr("seed 7"));
  EXPECT_EQ(run_program({"report", "run.json"}, here()).output, checked.outcome.output);
}

}  // namespace

}  // namespace lockkeeper::app::testing
