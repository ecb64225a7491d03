#include "engine/postgres/query_session.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/postgres/copy_database.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/own_instance.h"

namespace lockkeeper::engine::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using QueryRows = std::vector<QueryAnswer::Row>;

/// Ten thousand orders of a thousand users.
constexpr const char* k_shop = R"(
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE orders (id serial PRIMARY KEY, user_id int REFERENCES users DEFERRABLE INITIALLY DEFERRED, total float8);
CREATE INDEX orders_user_id_idx ON orders (user_id);
CREATE TABLE empty (id int);
CREATE VIEW mails AS SELECT email FROM users;
CREATE FUNCTION add_order() RETURNS bigint LANGUAGE sql AS 'INSERT INTO orders (user_id) VALUES (1) RETURNING id';
CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION 'not today' USING DETAIL = 'a detail', HINT = 'a hint', ERRCODE = 'LK001'; END $$;
INSERT INTO users SELECT i, 'user' || i || '@example.org' FROM generate_series(1, 1000) i;
INSERT INTO orders (user_id, total) SELECT i % 1000 + 1, i * 1.5 FROM generate_series(1, 10000) i;)";

/// A database of its own for each test, on a server that they share.
class PostgresQuerySession : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    s_server = std::make_unique<DisposableServer>();
    s_server->ask("lockkeeper", k_shop);
    s_server->ask("lockkeeper", "VACUUM ANALYZE");
  }
  static void TearDownTestSuite() { s_server.reset(); }

  PostgresQuerySession() {
    s_server->ask("postgres", "CREATE DATABASE " + m_database + " TEMPLATE lockkeeper");
    open();
  }

  std::string connection() const { return s_server->connection(m_database); }
  void execute(const std::string& sql) { s_server->ask(m_database, sql); }
  std::string ask(const std::string& sql) { return s_server->ask(m_database, sql).at(0); }
  /// ALTER DATABASE … SET, in force where a session is opened.
  void set(const std::string& setting) { execute("ALTER DATABASE " + m_database + " SET " + setting); }
  void open(const QuerySettings& settings = {}) {
    m_session = must(open_query_session(connection(), settings, true));
  }
  std::optional<record::SqlError> prepare(const std::string& sql, Access access = Access::read) {
    return must(m_session->prepare(sql, access));
  }
  void prepare_well(const std::string& sql, Access access = Access::read) {
    if (const auto error = prepare(sql, access)) throw std::runtime_error(error->message);
  }
  QueryAnswer answer(const std::string& sql, const Parameters& parameters = {},
                     Access access = Access::read) {
    prepare_well(sql, access);
    return must(m_session->answer(parameters));
  }
  QuerySession::Explained explain(const std::string& sql, const Parameters& parameters = {},
                                  Access access = Access::read) {
    prepare_well(sql, access);
    must(m_session->answer(parameters));
    return must(m_session->explain(parameters));
  }
  /// "SQLSTATE: message" of what answering it comes to, be it when it is prepared; empty: it is answered.
  std::string error_of(const std::string& sql, const Parameters& parameters = {},
                       Access access = Access::read) {
    auto error = prepare(sql, access);
    if (!error) error = must(m_session->answer(parameters)).error;
    return error ? error->sqlstate + ": " + error->message : "";
  }
  void expect_to_go_on() { EXPECT_EQ(answer("SELECT 6 * 7").kept, (QueryRows{{"42"}})); }

  static inline std::unique_ptr<DisposableServer> s_server;
  static inline int s_databases = 0;
  const std::string m_database = fmt::format("shop_{}", ++s_databases);
  std::unique_ptr<QuerySession> m_session;
};

std::vector<std::string> kinds(const record::QueryPlan& plan) {
  std::vector<std::string> kinds;
  for (const auto& node : plan.nodes)
    kinds.push_back(std::string(static_cast<std::size_t>(node.depth), ' ') + node.kind);
  return kinds;
}

/// The most memory that this process has ever taken, in kilobytes (proc(5): VmHWM).
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  throw std::runtime_error("no VmHWM in /proc/self/status");
}

// ── answers

TEST_F(PostgresQuerySession, a_query_is_answered_as_text) {
  const auto found = answer(
      "SELECT id, email, NULL AS none, 0.1::float8 + 0.2 AS sum, 1.5::float4 AS small, 1.50 AS exact, "
      "'\\x0aff'::bytea AS "
      "bytes, '' AS nothing FROM users WHERE id = $1 -- one",
      {"7"});
  ASSERT_FALSE(found.error);
  EXPECT_EQ(found.kept, (QueryRows{{"7", "user7@example.org", std::nullopt, "0.30000000000000004", "1.5",
                                    "1.50", "\\x0aff", ""}}));
  EXPECT_EQ(found.rows, 1);
  EXPECT_TRUE(found.whole);
  std::vector<std::string> names;
  std::vector<bool> floating;
  for (const auto& column : found.columns) {
    names.push_back(column.name);
    floating.push_back(column.floating);
  }
  EXPECT_THAT(names, ElementsAre("id", "email", "none", "sum", "small", "exact", "bytes", "nothing"));
  EXPECT_THAT(floating, ElementsAre(false, false, false, true, true, false, false, false));
}

TEST_F(PostgresQuerySession, a_column_without_rows_has_a_name) {
  const auto found = answer("SELECT id AS number FROM empty");
  EXPECT_EQ(found.rows, 0);
  EXPECT_TRUE(found.whole);
  ASSERT_EQ(found.columns.size(), 1U);
  EXPECT_EQ(found.columns[0].name, "number");
}

TEST_F(PostgresQuerySession, rows_without_columns_are_counted) {
  const auto found = answer("SELECT FROM users");
  EXPECT_EQ(found.rows, 1000);
  EXPECT_THAT(found.columns, IsEmpty());
}

TEST_F(PostgresQuerySession, order_counts_in_one_hash_and_not_in_the_other) {
  const auto up = answer("SELECT id FROM users ORDER BY id");
  const auto down = answer("SELECT id FROM users ORDER BY id DESC");
  EXPECT_NE(up.in_order, down.in_order);
  EXPECT_EQ(up.as_a_set, down.as_a_set);
  EXPECT_EQ(up.in_order, answer("SELECT id FROM users ORDER BY id").in_order);
}

TEST_F(PostgresQuerySession, parameters_may_be_null_and_hold_quotes) {
  EXPECT_EQ(answer("SELECT $1::text IS NULL, $2::text", {std::nullopt, "it's \\ \"so\""}).kept,
            (QueryRows{{"t", "it's \\ \"so\""}}));
  EXPECT_FALSE(must(m_session->explain({std::nullopt, "it's \\ \"so\""})).error);
}

TEST_F(PostgresQuerySession, settings_are_those_of_the_comparison_whatever_the_database_says) {
  set("jit = on");
  set("max_parallel_workers_per_gather = 4");
  set("statement_timeout = '1h'");
  const std::string settings =
      "SELECT current_setting('jit'), current_setting('max_parallel_workers_per_gather'), "
      "current_setting('plan_cache_mode'), current_setting('statement_timeout')";
  open();
  EXPECT_EQ(answer(settings).kept, (QueryRows{{"off", "0", "force_custom_plan", "10s"}}));
  open({.longest = std::chrono::milliseconds(1500), .jit = true, .parallel_workers = 2});
  EXPECT_EQ(answer(settings).kept, (QueryRows{{"on", "2", "force_custom_plan", "1500ms"}}));
}

TEST_F(PostgresQuerySession, one_that_is_to_read_is_refused_to_write) {
  EXPECT_EQ(error_of("INSERT INTO empty VALUES (1)"),
            "25006: cannot execute INSERT in a read-only transaction");
  EXPECT_EQ(error_of("WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone"),
            "25006: cannot execute SELECT in a read-only transaction");
  EXPECT_EQ(error_of("SELECT nextval('orders_id_seq')"),
            "25006: cannot execute nextval() in a read-only transaction");
  EXPECT_EQ(error_of("SELECT id FROM users WHERE id = 1 FOR UPDATE"),
            "25006: cannot execute SELECT FOR UPDATE in a read-only transaction");
  EXPECT_EQ(error_of("SELECT add_order()"), "25006: cannot execute INSERT in a read-only transaction");
  EXPECT_EQ(error_of("DROP TABLE empty"), "25006: cannot execute DROP TABLE in a read-only transaction");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, what_one_writes_is_rolled_back) {
  const auto added =
      answer("INSERT INTO orders (user_id) SELECT id FROM users RETURNING user_id", {}, Access::write);
  ASSERT_FALSE(added.error);
  EXPECT_EQ(added.rows, 1000);
  EXPECT_FALSE(explain("DELETE FROM orders", {}, Access::write).error);
  EXPECT_EQ(error_of("SELECT add_order()", {}, Access::write), "");
  prepare_well("UPDATE users SET email = id::text", Access::write);
  must(m_session->open());
  EXPECT_EQ(m_session->execute({}), nullptr);
  must(m_session->close());
  EXPECT_EQ(ask("SELECT count(*) FROM orders"), "10000");
  EXPECT_EQ(ask("SELECT count(*) FROM users WHERE email LIKE 'user%'"), "1000");
}

TEST_F(PostgresQuerySession, constraints_that_wait_for_the_end_are_checked_all_the_same) {
  EXPECT_EQ(
      error_of("INSERT INTO orders (user_id) VALUES (-1)", {}, Access::write),
      "23503: insert or update on table \"orders\" violates foreign key constraint \"orders_user_id_fkey\"");
  EXPECT_EQ(error_of("INSERT INTO orders (user_id) VALUES (1)", {}, Access::write), "");
}

TEST_F(PostgresQuerySession, what_a_function_raises_is_told_with_all_its_parts) {
  prepare_well("SELECT refuse()");
  const auto error = must(m_session->answer({})).error;
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "LK001");
  EXPECT_EQ(error->message, "not today");
  EXPECT_EQ(error->detail, "a detail");
  EXPECT_EQ(error->hint, "a hint");
  EXPECT_EQ(error->context, "PL/pgSQL function refuse() line 2 at RAISE");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, an_error_behind_the_first_rows_is_an_error) {
  const auto found = answer("SELECT 1 / (5000 - i) FROM generate_series(1, 10000) i");
  ASSERT_TRUE(found.error);
  EXPECT_EQ(found.error->sqlstate, "22012");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, one_that_takes_too_long_is_cut_and_says_how_long_it_may_take) {
  open({.longest = std::chrono::milliseconds(200)});
  EXPECT_EQ(error_of("SELECT pg_sleep(60)"), "57014: it takes longer than 200 ms");
  const auto explained = must(m_session->explain({}));
  ASSERT_TRUE(explained.error);
  EXPECT_EQ(explained.error->message, "it takes longer than 200 ms");
  must(m_session->open());
  const record::SqlError* const error = m_session->execute({});
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->message, "it takes longer than 200 ms");
  must(m_session->close());
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, one_that_is_cancelled_did_not_take_too_long) {
  EXPECT_EQ(error_of("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"),
            "57014: canceling statement due to user request");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, one_that_ends_its_session_leaves_one_that_goes_on) {
  open({.longest = std::chrono::milliseconds(1500)});
  const std::vector<int> before = m_session->processes();
  EXPECT_EQ(error_of("SELECT pg_terminate_backend(pg_backend_pid())"),
            "57P01: it ends the session that it is tried in");
  EXPECT_NE(m_session->processes(), before);
  expect_to_go_on();
  EXPECT_EQ(answer("SELECT current_setting('statement_timeout'), current_setting('jit')").kept,
            (QueryRows{{"1500ms", "off"}}));
}

TEST_F(PostgresQuerySession, one_whose_session_is_lost_while_it_is_timed_says_so) {
  prepare_well("SELECT pg_terminate_backend(pg_backend_pid())");
  must(m_session->open());
  ASSERT_NE(m_session->execute({}), nullptr);
  EXPECT_FALSE(m_session->close());
}

TEST_F(PostgresQuerySession, the_number_of_parameters_must_fit) {
  EXPECT_EQ(error_of("SELECT $1::int + $2::int", {"1"}), "08P01: it has 2 parameters, and 1 value is given");
  EXPECT_EQ(error_of("SELECT $1::int", {"1", "2"}), "08P01: it has 1 parameter, and 2 values are given");
  EXPECT_EQ(error_of("SELECT 1", {"1"}), "08P01: it has 0 parameters, and 1 value is given");
  const auto explained = must(m_session->explain({"1"}));
  ASSERT_TRUE(explained.error);
  EXPECT_EQ(explained.error->message, "it has 0 parameters, and 1 value is given");
  must(m_session->open());
  EXPECT_NE(m_session->execute({"1"}), nullptr);
  must(m_session->close());
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, a_parameter_must_be_of_its_type) {
  EXPECT_EQ(error_of("SELECT * FROM users WHERE id = $1", {"x"}),
            "22P02: invalid input syntax for type integer: \"x\"");
  EXPECT_EQ(error_of("SELECT * FROM users WHERE id = $1", {"99999999999"}),
            "22003: value \"99999999999\" is out of range for type integer");
  EXPECT_EQ(error_of("SELECT $1", {"any"}), "");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, copy_is_no_query_and_leaves_a_session_that_goes_on) {
  const std::string error = "0A000: COPY is no query that can be compared";
  EXPECT_EQ(error_of("COPY users TO STDOUT"), error);
  expect_to_go_on();
  EXPECT_EQ(error_of("COPY (SELECT generate_series(1, 1000000)) TO STDOUT"), error);
  expect_to_go_on();
  EXPECT_EQ(error_of("COPY users FROM STDIN", {}, Access::write), error);
  expect_to_go_on();
  prepare_well("COPY users TO STDOUT");
  must(m_session->open());
  ASSERT_NE(m_session->execute({}), nullptr);
  must(m_session->close());
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, what_is_no_one_query_is_refused) {
  EXPECT_EQ(error_of("SELECT 1; SELECT 2"),
            "42601: cannot insert multiple commands into a prepared statement");
  EXPECT_EQ(error_of("VACUUM", {}, Access::write), "25001: VACUUM cannot run inside a transaction block");
  EXPECT_EQ(error_of("SELECT nonsense"), "42703: column \"nonsense\" does not exist");
  for (const char* end : {"COMMIT", "ROLLBACK", "END"}) {
    EXPECT_EQ(error_of(end, {}, Access::write), "2D000: it leaves the transaction that it is tried in")
        << end;
  }
  EXPECT_EQ(error_of("SELECT 1;"), "");
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, a_procedure_cannot_leave_the_transaction_either) {
  execute(
      "CREATE PROCEDURE stay() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO empty VALUES (1); COMMIT; END $$");
  EXPECT_EQ(error_of("CALL stay()", {}, Access::write), "2D000: invalid transaction termination");
  EXPECT_EQ(ask("SELECT count(*) FROM empty"), "0");
}

TEST_F(PostgresQuerySession, one_statement_is_wanted) {
  EXPECT_EQ(error_of(""), "42601: one statement is wanted");
  EXPECT_EQ(error_of(" -- nothing\n"), "42601: one statement is wanted");
  expect_to_go_on();
}

// ── long answers

TEST_F(PostgresQuerySession, ten_million_rows_take_no_memory) {
  open({.longest = std::chrono::minutes(1)});
  answer("SELECT generate_series(1, 20000)");
  const long before = peak_memory();
  const auto found = answer("SELECT generate_series(1, 10000000)");
  ASSERT_FALSE(found.error) << found.error->message;
  EXPECT_EQ(found.rows, 10'000'000);
  EXPECT_FALSE(found.whole);
  EXPECT_EQ(found.kept.size(), 10'000U);
  EXPECT_LT(peak_memory() - before, 64 * 1024);
}

TEST_F(PostgresQuerySession, rows_of_a_timed_execution_are_dropped) {
  prepare_well("SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i");
  const long before = peak_memory();
  must(m_session->open());
  EXPECT_EQ(m_session->execute({}), nullptr);
  must(m_session->close());
  EXPECT_LT(peak_memory() - before, 64 * 1024);
}

// ── plans

TEST_F(PostgresQuerySession, a_plan_has_its_nodes_and_its_tables) {
  const auto explained = explain(
      "SELECT o.id FROM users JOIN orders o ON o.user_id = users.id WHERE users.email = $1 ORDER BY o.total",
      {"user5@example.org"});
  ASSERT_FALSE(explained.error);
  EXPECT_THAT(explained.tables, ElementsAre("orders", "users"));
  EXPECT_THAT(kinds(explained.plan), ElementsAre("Sort", " Nested Loop", "  Index Scan", "  Bitmap Heap Scan",
                                                 "   Bitmap Index Scan"));
  const auto& nodes = explained.plan.nodes;
  EXPECT_EQ(nodes[0].detail, "sort key o.total");
  EXPECT_EQ(nodes[0].rows, 10);
  EXPECT_EQ(nodes[0].rows_estimated, 10);
  EXPECT_EQ(nodes[0].loops, 1);
  EXPECT_EQ(nodes[0].spilled_kilobytes, 0);
  EXPECT_EQ(nodes[0].buffers, explained.plan.buffers);
  EXPECT_EQ(nodes[1].join, "Inner");
  EXPECT_EQ(nodes[2].relation, "users");
  EXPECT_EQ(nodes[2].index, "users_email_key");
  EXPECT_THAT(nodes[2].detail, HasSubstr("index cond (email = 'user5@example.org'::text)"));
  EXPECT_EQ(nodes[4].index, "orders_user_id_idx");
  EXPECT_THAT(explained.plan.indexes, ElementsAre("users_email_key", "orders_user_id_idx"));
  EXPECT_THAT(explained.plan.sequential_scans, IsEmpty());
  EXPECT_THAT(explained.plan.text, HasSubstr("Index Scan using users_email_key on users"));
  EXPECT_EQ(explained.plan.wal_bytes, 0);
}

TEST_F(PostgresQuerySession, tables_behind_views_and_keys_are_told_and_views_and_catalogs_are_not) {
  execute("CREATE SCHEMA \"My Shop\"");
  execute("CREATE TABLE \"My Shop\".\"T 1\" (id int)");
  EXPECT_THAT(explain("SELECT * FROM mails").tables, ElementsAre("users"));
  EXPECT_THAT(explain("SELECT count(*) FROM pg_class").tables, IsEmpty());
  EXPECT_THAT(explain("SELECT * FROM \"My Shop\".\"T 1\"").tables, ElementsAre("\"My Shop\".\"T 1\""));
  EXPECT_TRUE(must(m_session->are_empty({"\"My Shop\".\"T 1\"", "empty"})));
  EXPECT_FALSE(must(m_session->are_empty({"empty", "users"})));
}

TEST_F(PostgresQuerySession, a_table_whose_rows_are_gone_is_empty) {
  execute("INSERT INTO empty VALUES (1)");
  EXPECT_FALSE(must(m_session->are_empty({"empty"})));
  execute("DELETE FROM empty");
  EXPECT_TRUE(must(m_session->are_empty({"empty"})));
}

TEST_F(PostgresQuerySession, pages_touched_are_the_same_each_time_and_in_each_session) {
  const std::string sql =
      "SELECT u.email, sum(total) FROM users u JOIN orders ON user_id = u.id GROUP BY 1 ORDER BY 2";
  const auto first = explain(sql).plan.buffers;
  EXPECT_GT(first, 10);
  EXPECT_EQ(explain(sql).plan.buffers, first);
  EXPECT_EQ(must(m_session->explain({})).plan.buffers, first);
  open();
  EXPECT_EQ(explain(sql).plan.buffers, first);
}

TEST_F(PostgresQuerySession, what_is_not_executed_has_no_loops) {
  const auto plan = explain("SELECT * FROM users WHERE id = 1 AND false").plan;
  ASSERT_FALSE(plan.nodes.empty());
  EXPECT_EQ(plan.nodes[0].kind, "Result");
  EXPECT_EQ(plan.buffers, 0);
  const auto never = explain("SELECT * FROM empty JOIN users USING (id)").plan;
  EXPECT_TRUE(std::ranges::any_of(never.nodes, [](const auto& node) { return node.loops == 0; }));
}

TEST_F(PostgresQuerySession, more_indexes_make_more_wal_and_touch_more_pages) {
  for (const std::string table : {"one", "nine"}) {
    execute("CREATE TABLE " + table + " (a int, b int, c int, d int)");
    execute("CREATE INDEX ON " + table + " (a)");
  }
  for (const char* columns : {"b", "c", "d", "a, b", "a, c", "a, d", "b, c", "b, d"})
    execute(fmt::format("CREATE INDEX ON nine ({})", columns));
  const auto counted = [&](const std::string& table) {
    return explain("INSERT INTO " + table + " SELECT i, i, i, i FROM generate_series(1, 1000) i", {},
                   Access::write)
        .plan;
  };
  const auto one = counted("one");
  const auto nine = counted("nine");
  EXPECT_EQ(one.nodes[0].kind, "Insert");
  EXPECT_EQ(one.nodes[0].relation, "one");
  EXPECT_GT(one.wal_bytes, 100'000);
  EXPECT_GT(nine.wal_bytes, 3 * one.wal_bytes);
  EXPECT_GT(nine.buffers, 3 * one.buffers);
}

TEST_F(PostgresQuerySession, a_sort_that_does_not_fit_is_seen_to_spill) {
  const std::string sql = "SELECT id FROM orders ORDER BY total DESC, id";
  EXPECT_EQ(explain(sql).plan.nodes[0].spilled_kilobytes, 0);
  set("work_mem = '64kB'");
  open();
  const auto plan = explain(sql).plan;
  EXPECT_EQ(plan.nodes[0].kind, "Sort");
  EXPECT_GT(plan.nodes[0].spilled_kilobytes, 64);
}

TEST_F(PostgresQuerySession, a_hash_that_does_not_fit_is_seen_to_spill) {
  set("work_mem = '64kB'");
  set("hash_mem_multiplier = 1");
  set("enable_sort = off");
  set("enable_mergejoin = off");
  set("enable_nestloop = off");
  open();
  const auto spilled = [](const record::QueryPlan& plan, const std::string& kind) {
    return std::ranges::any_of(
        plan.nodes, [&](const auto& node) { return node.kind == kind && node.spilled_kilobytes > 0; });
  };
  EXPECT_TRUE(spilled(explain("SELECT total, count(*) FROM orders GROUP BY total").plan, "HashAggregate"));
  const auto joined = explain("SELECT count(*) FROM orders a JOIN orders b ON a.total = b.total + 1").plan;
  EXPECT_TRUE(spilled(joined, "Hash Join") || spilled(joined, "Hash")) << joined.text;
}

TEST_F(PostgresQuerySession, of_partitions_those_are_told_that_the_query_needs) {
  execute("CREATE TABLE logs (day int, text text) PARTITION BY RANGE (day)");
  execute("CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (100)");
  execute("CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (100) TO (200)");
  execute("INSERT INTO logs SELECT i, i::text FROM generate_series(0, 99) i");
  execute("ANALYZE logs");
  EXPECT_THAT(explain("SELECT count(*) FROM logs").tables, ElementsAre("logs_1", "logs_2"));
  const auto one = explain("SELECT * FROM logs WHERE day = $1", {"150"});
  EXPECT_THAT(one.tables, ElementsAre("logs_2"));
  EXPECT_THAT(one.plan.sequential_scans, ElementsAre("logs_2"));
  EXPECT_TRUE(must(m_session->are_empty({"logs_2"})));
  EXPECT_FALSE(must(m_session->are_empty({"logs_1", "logs_2"})));
}

TEST_F(PostgresQuerySession, what_has_no_plan_says_so) {
  execute("CREATE TABLE ruled (id int)");
  execute("CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING");
  for (const char* sql : {"SHOW work_mem", "INSERT INTO ruled VALUES (1)", "LOCK TABLE users"}) {
    const auto explained = explain(sql, {}, Access::write);
    ASSERT_TRUE(explained.error) << sql;
    EXPECT_EQ(explained.error->sqlstate + ": " + explained.error->message,
              "0A000: the server has no plan for it");
  }
  expect_to_go_on();
}

TEST_F(PostgresQuerySession, its_process_is_named_where_it_is_on_this_machine) {
  EXPECT_THAT(answer("SELECT pg_backend_pid()").kept.at(0).at(0),
              std::to_string(m_session->processes().at(0)));
  // A server of somebody else's is asked of the machine: this one is there.
  const auto process = m_session->processes().at(0);
  m_session = must(open_query_session(connection(), {}, false));
  ASSERT_EQ(m_session->processes().size(), 1U);
  EXPECT_NE(m_session->processes().at(0), process);
}

// ── what a copy hands on

TEST_F(PostgresQuerySession, a_copy_of_a_database_has_its_settings_too) {
  execute("CREATE ROLE clerk");
  execute("CREATE SCHEMA \"My Shop\"");
  execute("CREATE TABLE \"My Shop\".here AS SELECT 1 AS one");
  set("work_mem = '64kB'");
  set("search_path = \"My Shop\", public, \"it's\"");
  set("application_name = 'it''s = so'");
  execute("ALTER ROLE clerk IN DATABASE " + m_database + " SET work_mem = '128kB'");
  execute("ALTER ROLE clerk SET work_mem = '256kB'");
  m_session.reset();
  auto session = must(Connection::open(s_server->connection("postgres")));
  must(copy_database(session, m_database, "The \"copy\""));
  const std::string settings =
      "SELECT string_agg(format('%s %s', setrole::regrole, setconfig), '; ' ORDER BY setrole) FROM "
      "pg_db_role_setting s "
      "JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()";
  const std::string copied = s_server->ask("The \"copy\"", settings).at(0);
  EXPECT_THAT(copied, HasSubstr("work_mem=64kB"));
  EXPECT_THAT(copied, HasSubstr("clerk {work_mem=128kB}"));
  EXPECT_EQ(copied, ask(settings));
  EXPECT_EQ(s_server->ask("The \"copy\"", "SELECT one FROM here").at(0), "1");
  EXPECT_EQ(s_server->ask("The \"copy\"", "SHOW search_path").at(0), ask("SHOW search_path"));
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
