#include "engine/query_session.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sqlite/database.h"
#include "engine/sqlite/must.h"
#include "engine/sqlite/query_plan.h"
#include "engine/sqlite/sqlite.h"

namespace lockkeeper::engine::sqlite {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Rows = std::vector<QueryAnswer::Row>;

/// A thousand users, each with an order.
constexpr const char* k_shop =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INT);"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT REFERENCES users (id), total REAL);"
    "CREATE TABLE empty (id INTEGER PRIMARY KEY, n INT);"
    "CREATE INDEX by_email ON users (email);"
    "CREATE VIEW adults AS SELECT id, email FROM users WHERE age > 17;"
    "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) "
    "INSERT INTO users SELECT i, 'user' || i || '@example.org', i % 90 FROM c;"
    "INSERT INTO orders SELECT id, id, id * 1.5 FROM users; ANALYZE;";

/// A query that takes far longer than anybody waits.
constexpr const char* k_endless =
    "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT max(i) FROM c";

class QuerySessionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-queries-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
  }
  void TearDown() override {
    m_session.reset();
    m_instance.reset();
    fs::remove_all(m_root);
  }

  void load(const std::string& sql, Pragmas pragmas = {}) {
    fs::create_directories(m_root / "run");
    m_engine = files({std::move(pragmas), m_root / "run"});
    const Image image = must(m_engine->make_empty(m_root / "empty", "shop"));
    m_instance = must(m_engine->restore(image, "shop", Purpose::rehearse));
    execute(sql);
    open();
  }
  void open(const QuerySettings& settings = {}) {
    m_session = must(m_instance->open_query_session(settings));
  }
  void execute(const std::string& sql) { must(m_instance->execute(sql, {})); }
  std::string ask(const std::string& sql) { return must(m_instance->try_query({sql, {}})).text(); }

  std::optional<record::SqlError> prepare(const std::string& sql, Access access = Access::read) {
    return must(m_session->prepare(sql, access));
  }
  QueryAnswer answer(const std::string& sql, const Parameters& parameters = {},
                     Access access = Access::read) {
    const auto error = prepare(sql, access);
    if (error) throw std::runtime_error(error->message);
    return must(m_session->answer(parameters));
  }
  QuerySession::Explained explain(const std::string& sql, const Parameters& parameters = {},
                                  Access access = Access::read) {
    const auto error = prepare(sql, access);
    if (error) throw std::runtime_error(error->message);
    return must(m_session->explain(parameters));
  }
  std::int64_t pages(const std::string& sql, const Parameters& parameters = {}) {
    return explain(sql, parameters).plan.buffers;
  }

  fs::path m_root;
  std::unique_ptr<Engine> m_engine;
  std::unique_ptr<Instance> m_instance;
  std::unique_ptr<QuerySession> m_session;
};

// ── answers

TEST_F(QuerySessionTest, a_query_is_answered_as_text) {
  load(k_shop);
  const auto found =
      answer("SELECT id, email, NULL AS none, 0.5 AS half, x'0aff' AS bytes FROM users WHERE id = ?;  -- one",
             {"7"});
  ASSERT_FALSE(found.error);
  EXPECT_EQ(found.kept, (Rows{{"7", "user7@example.org", std::nullopt, "0.5", "x'0aff'"}}));
  EXPECT_EQ(found.rows, 1);
  EXPECT_TRUE(found.whole);
  std::vector<std::string> names;
  for (const auto& column : found.columns) names.push_back(column.name);
  EXPECT_THAT(names, ElementsAre("id", "email", "none", "half", "bytes"));
  EXPECT_THAT(found.types, ElementsAre("itnfb"));
}

TEST_F(QuerySessionTest, the_same_digits_of_another_type_are_another_answer) {
  load("CREATE TABLE t (a); INSERT INTO t VALUES (3), ('3')");
  const auto number = answer("SELECT a FROM t WHERE rowid = 1");
  const auto text = answer("SELECT a FROM t WHERE rowid = 2");
  EXPECT_EQ(number.kept, text.kept);
  EXPECT_NE(number.types, text.types);
  EXPECT_NE(number.as_a_set, text.as_a_set);
}

TEST_F(QuerySessionTest, a_write_says_how_many_rows_it_wrote) {
  load(k_shop);
  const auto written = answer("UPDATE users SET email = email || 'x' WHERE id <= 3", {}, Access::write);
  EXPECT_EQ(written.changed, 3);
  EXPECT_EQ(answer("UPDATE users SET email = 'x' WHERE id < 0", {}, Access::write).changed, 0);
  EXPECT_FALSE(answer("SELECT id FROM users").changed);
}

TEST_F(QuerySessionTest, a_tie_comes_otherwise_in_another_way) {
  load("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
  const auto usual = answer("SELECT a FROM t LIMIT 1");
  const auto otherwise = must(m_session->answer_otherwise({}, 0));
  ASSERT_TRUE(otherwise);
  EXPECT_NE(usual.kept, otherwise->kept);
  EXPECT_FALSE(must(m_session->answer_otherwise({}, 2)));
  EXPECT_EQ(must(m_session->answer({})).kept, usual.kept) << "the way is left again";
}

// The last digits of a sum depend on its order, and those of an integer in the same column do not.
TEST_F(QuerySessionTest, only_floating_values_are_nearly_the_same) {
  load("CREATE TABLE t (a)");
  const auto of = [&](const std::string& values) { return answer("SELECT * FROM (VALUES " + values + ")"); };
  EXPECT_NE(of("(1.00000001), (10000001)").in_order, of("(1.00000002), (10000001)").in_order);
  EXPECT_EQ(of("(1.00000001), (10000001)").nearly_in_order, of("(1.00000002), (10000001)").nearly_in_order);
  EXPECT_NE(of("(1.5), (10000001)").nearly_in_order, of("(1.5), (10000002)").nearly_in_order);
}

TEST_F(QuerySessionTest, a_word_that_reads_as_a_number_is_bound_as_a_word) {
  load(k_shop);
  const std::string sql = "SELECT ? AS a";
  for (const char* word : {"nan", "inf", "-infinity", "nan(1)", "1x", ""}) {
    const auto found = answer(sql, {word});
    EXPECT_EQ(found.kept, (Rows{{word}})) << word;
    EXPECT_THAT(found.types, ElementsAre("t")) << word;
  }
  EXPECT_THAT(answer(sql, {"12"}).types, ElementsAre("i"));
  EXPECT_THAT(answer(sql, {"-1e3"}).types, ElementsAre("f"));
  EXPECT_THAT(answer(sql, {std::nullopt}).types, ElementsAre("n"));
}

TEST_F(QuerySessionTest, only_a_write_that_went_well_says_how_many_rows) {
  load(k_shop);
  EXPECT_EQ(answer("DELETE FROM orders", {}, Access::write).changed, 1000);
  EXPECT_FALSE(answer("VALUES (1)", {}, Access::write).changed) << "of the write before";
  EXPECT_EQ(answer("INSERT INTO empty (n) VALUES (1), (2) RETURNING id", {}, Access::write).changed, 2);
  EXPECT_EQ(answer("REPLACE INTO users (id, age) VALUES (1, 2)", {}, Access::write).changed, 1);
  EXPECT_EQ(answer("INSERT OR IGNORE INTO users (id) VALUES (1)", {}, Access::write).changed, 0);
  const auto refused = answer("INSERT INTO users (id) VALUES (1)", {}, Access::write);
  EXPECT_TRUE(refused.error);
  EXPECT_FALSE(refused.changed);
}

// Somebody's own sessions may have it the other way round already.
TEST_F(QuerySessionTest, another_way_is_other_than_the_settings_and_they_are_put_back) {
  for (const char* reversed : {"off", "on"}) {
    load(k_shop, {{"reverse_unordered_selects", reversed}});
    ASSERT_FALSE(prepare("SELECT id, age FROM users WHERE id > ? LIMIT 2"));
    const auto plain = must(m_session->answer({"990"})).kept;
    EXPECT_EQ(plain.at(0).at(0), reversed == std::string("off") ? "991" : "1000");
    EXPECT_NE(must(m_session->answer_otherwise({"990"}, 0))->kept, plain);
    EXPECT_EQ(must(m_session->answer({"990"})).kept, plain);
    EXPECT_FALSE(must(m_session->answer_otherwise({"990"}, -1)));
    m_session.reset();
    m_instance.reset();
    fs::remove_all(m_root / "empty");
  }
}

TEST_F(QuerySessionTest, a_join_without_an_index_goes_another_way) {
  load(
      "CREATE TABLE a (x INT); CREATE TABLE b (x INT);"
      "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50) "
      "INSERT INTO a SELECT i FROM c;"
      "INSERT INTO b SELECT 51 - x FROM a, (VALUES (1), (2), (3), (4)); ANALYZE");
  const std::string sql = "SELECT * FROM a, b WHERE a.x = b.x";
  EXPECT_THAT(explain(sql).plan.text, testing::HasSubstr("AUTOMATIC"));
  const auto plain = must(m_session->answer({}));
  const auto otherwise = must(m_session->answer_otherwise({}, 1));
  ASSERT_TRUE(otherwise);
  EXPECT_EQ(otherwise->as_a_set, plain.as_a_set);
  EXPECT_NE(otherwise->in_order, plain.in_order);
  EXPECT_EQ(must(m_session->answer({})).in_order, plain.in_order);
}

TEST_F(QuerySessionTest, another_way_of_a_write_is_rolled_back) {
  load(k_shop);
  ASSERT_FALSE(prepare("UPDATE users SET age = -1 WHERE id < ? RETURNING id", Access::write));
  for (const int way : {0, 1}) {
    const auto otherwise = must(m_session->answer_otherwise({"4"}, way));
    ASSERT_TRUE(otherwise);
    EXPECT_FALSE(otherwise->error);
    EXPECT_EQ(otherwise->changed, 3);
  }
  EXPECT_EQ(ask("SELECT count(*) FROM users WHERE age = -1"), "0");
}

TEST_F(QuerySessionTest, another_way_that_takes_too_long_is_put_back_too) {
  load(k_shop);
  QuerySettings settings;
  settings.longest = std::chrono::milliseconds(50);
  open(settings);
  const auto before = answer("SELECT id, age FROM users LIMIT 1");
  ASSERT_FALSE(prepare(k_endless));
  EXPECT_EQ(must(m_session->answer_otherwise({}, 0))->error->sqlstate, "SQLITE_INTERRUPT");
  EXPECT_EQ(answer("SELECT id, age FROM users LIMIT 1").kept, before.kept);
}

TEST_F(QuerySessionTest, order_counts_in_one_hash_and_not_in_the_other) {
  load(k_shop);
  const auto up = answer("SELECT id FROM users ORDER BY id");
  const auto down = answer("SELECT id FROM users ORDER BY id DESC");
  EXPECT_NE(up.in_order, down.in_order);
  EXPECT_EQ(up.as_a_set, down.as_a_set);
  EXPECT_NE(up.as_a_set, answer("SELECT id FROM users WHERE id <> 500").as_a_set);
  EXPECT_EQ(up.in_order, answer("SELECT id FROM users ORDER BY id").in_order);
}

TEST_F(QuerySessionTest, a_column_without_rows_has_a_name) {
  load(k_shop);
  const auto found = answer("SELECT id AS number FROM empty");
  EXPECT_EQ(found.rows, 0);
  ASSERT_EQ(found.columns.size(), 1U);
  EXPECT_EQ(found.columns[0].name, "number");
}

TEST_F(QuerySessionTest, one_statement_is_wanted) {
  load(k_shop);
  for (const char* sql : {"SELECT 1; SELECT 2", "SELECT 1; nonsense", "", " -- nothing\n ;"}) {
    const auto error = prepare(sql);
    ASSERT_TRUE(error) << sql;
    EXPECT_EQ(error->message, "one statement is wanted") << sql;
  }
  EXPECT_FALSE(prepare("/* a */ SELECT 1; -- b\n;"));
  EXPECT_EQ(must(m_session->answer({})).kept, (Rows{{"1"}}));
  EXPECT_FALSE(must(m_session->explain({})).error);
}

TEST_F(QuerySessionTest, what_cannot_be_prepared_is_told_by_sqlite) {
  load(k_shop);
  const auto error = prepare("SELECT phone FROM users");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "SQLITE_ERROR");
  EXPECT_EQ(error->message, "no such column: phone");
}

TEST_F(QuerySessionTest, a_wrong_number_of_parameters_says_how_many) {
  load(k_shop);
  ASSERT_FALSE(prepare("SELECT id FROM users WHERE id IN (?, ?)"));
  const auto few = must(m_session->answer({"1"}));
  ASSERT_TRUE(few.error);
  EXPECT_EQ(few.error->sqlstate, "SQLITE_RANGE");
  EXPECT_EQ(few.error->message, "it has 2 parameters, and 1 value is given");
  EXPECT_EQ(must(m_session->explain({})).error->message, "it has 2 parameters, and 0 values are given");
  must(m_session->open());
  EXPECT_EQ(m_session->execute({"1", "2", "3"})->message, "it has 2 parameters, and 3 values are given");
  must(m_session->close());
  EXPECT_EQ(must(m_session->answer({"1", "2"})).rows, 2);
}

// ── writes

TEST_F(QuerySessionTest, what_writes_is_refused_where_it_is_to_read) {
  load(k_shop);
  for (const char* sql :
       {"DELETE FROM users", "INSERT INTO users (age) VALUES (1) RETURNING id", "CREATE TABLE t (a)"}) {
    const auto error = prepare(sql);
    ASSERT_TRUE(error) << sql;
    EXPECT_EQ(error->sqlstate, "SQLITE_READONLY") << sql;
    EXPECT_EQ(error->message, "it writes, though it is to read only") << sql;
  }
}

TEST_F(QuerySessionTest, what_leaves_the_transaction_is_refused) {
  load(k_shop);
  for (const char* sql : {"COMMIT", "ROLLBACK", "SAVEPOINT a"}) {
    for (const Access access : {Access::read, Access::write}) {
      const auto error = prepare(sql, access);
      ASSERT_TRUE(error) << sql;
      EXPECT_EQ(error->message, "it leaves the transaction that it is tried in") << sql;
    }
  }
}

TEST_F(QuerySessionTest, what_no_rollback_takes_back_is_refused) {
  load(k_shop);
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"ATTACH 'other.db' AS other", "it attaches another file"},
      {"DETACH main", "it detaches a file"},
      {"PRAGMA user_version = 3", "it sets PRAGMA user_version"},
      {"PRAGMA Writable_Schema(ON)", "it sets PRAGMA writable_schema"},
      {"SELECT Load_Extension('/tmp/x.so')", "it calls load_extension()"},
      {"SELECT id FROM users WHERE load_extension('a', 'b') = 1", "it calls load_extension()"},
  };
  for (const auto& [sql, message] : cases) {
    for (const Access access : {Access::read, Access::write}) {
      const auto error = prepare(sql, access);
      ASSERT_TRUE(error) << sql;
      EXPECT_EQ(error->sqlstate, "SQLITE_AUTH") << sql;
      EXPECT_EQ(error->message, message) << sql;
    }
  }
  EXPECT_FALSE(fs::exists("other.db"));
  EXPECT_EQ(answer("SELECT name FROM pragma_table_info('empty')").kept, (Rows{{"id"}, {"n"}}));
}

// They ask for PRAGMA page_size when they are first opened in a session.
TEST_F(QuerySessionTest, virtual_tables_are_no_pragmas) {
  load(
      "CREATE VIRTUAL TABLE r USING rtree(id, low, high); INSERT INTO r VALUES (1, 2, 3);"
      "CREATE VIRTUAL TABLE f USING fts4(body); INSERT INTO f VALUES ('one two')");
  EXPECT_EQ(answer("SELECT id FROM r WHERE low < 4").kept, (Rows{{"1"}}));
  EXPECT_EQ(answer("SELECT body FROM f WHERE f MATCH 'two'").kept, (Rows{{"one two"}}));
}

TEST_F(QuerySessionTest, the_catalog_cannot_be_written) {
  load(k_shop);
  for (const char* sql : {"UPDATE sqlite_master SET sql = ''", "DELETE FROM sqlite_schema",
                          "INSERT INTO sqlite_master (name) VALUES ('x')"}) {
    const auto error = prepare(sql, Access::write);
    ASSERT_TRUE(error) << sql;
    EXPECT_THAT(error->message, testing::HasSubstr("may not be modified")) << sql;
  }
}

TEST_F(QuerySessionTest, writes_are_rolled_back) {
  load(k_shop);
  const auto written = answer("UPDATE users SET age = 7 WHERE id = ? RETURNING age", {"1"}, Access::write);
  ASSERT_FALSE(written.error);
  EXPECT_EQ(written.kept, (Rows{{"7"}}));
  EXPECT_FALSE(must(m_session->explain({"1"})).error);
  for (int i = 0; i < 3; ++i) {
    must(m_session->open());
    EXPECT_EQ(m_session->execute({"1"}), nullptr);
    must(m_session->close());
  }
  EXPECT_EQ(ask("SELECT age FROM users WHERE id = 1"), "1");
}

TEST_F(QuerySessionTest, what_commit_would_refuse_is_an_error) {
  load(
      "CREATE TABLE a (id INTEGER PRIMARY KEY);"
      "CREATE TABLE b (a INT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)",
      {{"foreign_keys", "on"}});
  const auto refused = answer("INSERT INTO b VALUES (1)", {}, Access::write);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->sqlstate, "SQLITE_CONSTRAINT_FOREIGNKEY");
}

// ── time

TEST_F(QuerySessionTest, what_takes_too_long_is_cut_and_the_session_goes_on) {
  load(k_shop);
  QuerySettings settings;
  settings.longest = std::chrono::milliseconds(50);
  open(settings);
  const auto cut = answer(k_endless);
  ASSERT_TRUE(cut.error);
  EXPECT_EQ(cut.error->sqlstate, "SQLITE_INTERRUPT");
  EXPECT_EQ(cut.error->message, "it took longer than 50 ms");
  EXPECT_EQ(must(m_session->explain({})).error->sqlstate, "SQLITE_INTERRUPT");
  must(m_session->open());
  const auto* error = m_session->execute({});
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->sqlstate, "SQLITE_INTERRUPT");
  must(m_session->close());
  EXPECT_EQ(answer("SELECT 1").kept, (Rows{{"1"}}));
}

TEST_F(QuerySessionTest, what_is_too_long_is_an_error) {
  load(k_shop);
  for (const char* sql :
       {"SELECT zeroblob(900000000)", "SELECT randomblob(900000000)", "SELECT hex(zeroblob(60000000))"}) {
    const auto found = answer(sql);
    ASSERT_TRUE(found.error) << sql;
    EXPECT_EQ(found.error->sqlstate, "SQLITE_TOOBIG") << sql;
    EXPECT_EQ(found.error->message, "string or blob too big") << sql;
  }
  // None of them is too long alone.
  const auto row = answer("SELECT zeroblob(30000000), zeroblob(30000000), zeroblob(30000000)");
  ASSERT_TRUE(row.error);
  EXPECT_EQ(row.error->sqlstate, "SQLITE_TOOBIG");
  EXPECT_EQ(row.error->message, "a row is longer than 64 MB");
  EXPECT_EQ(answer("SELECT length(zeroblob(60000000))").kept, (Rows{{"60000000"}}));
}

TEST_F(QuerySessionTest, a_parameter_that_is_too_long_is_not_null) {
  load(k_shop);
  ASSERT_FALSE(prepare("SELECT ? IS NULL"));
  const auto found = must(m_session->answer({std::string((64U << 20) + 1, 'x')}));
  ASSERT_TRUE(found.error);
  EXPECT_EQ(found.error->sqlstate, "SQLITE_TOOBIG");
}

// Where the time goes into turning values into text, and where it goes into making them.
TEST_F(QuerySessionTest, long_values_are_cut_as_well) {
  load(k_shop);
  QuerySettings settings;
  settings.longest = std::chrono::milliseconds(300);
  open(settings);
  for (const char* wanted : {"zeroblob(20000000 + i)", "length(hex(zeroblob(20000000 + i)))"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto cut =
        answer(std::string("WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT ") +
               wanted + " FROM c");
    ASSERT_TRUE(cut.error) << wanted;
    EXPECT_EQ(cut.error->sqlstate, "SQLITE_INTERRUPT") << wanted;
    EXPECT_EQ(cut.error->message, "it took longer than 300 ms") << wanted;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << wanted;
  }
}

TEST_F(QuerySessionTest, a_write_that_is_cut_leaves_nothing_and_can_be_closed) {
  load(k_shop);
  QuerySettings settings;
  settings.longest = std::chrono::milliseconds(50);
  open(settings);
  ASSERT_FALSE(
      prepare("WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
              "INSERT INTO empty (n) SELECT i FROM c",
              Access::write));
  must(m_session->open());
  ASSERT_NE(m_session->execute({}), nullptr);
  must(m_session->close());
  EXPECT_EQ(ask("SELECT count(*) FROM empty"), "0");
}

// ── plans

TEST_F(QuerySessionTest, a_plan_has_its_nodes_and_its_tables) {
  load(k_shop);
  const auto explained = explain(
      "SELECT o.id FROM users JOIN orders o ON o.user_id = users.id WHERE users.email = $1 ORDER BY o.total",
      {"user5@example.org"});
  ASSERT_FALSE(explained.error);
  EXPECT_THAT(explained.tables, ElementsAre("orders", "users"));
  const auto& nodes = explained.plan.nodes;
  ASSERT_GE(nodes.size(), 4U);
  EXPECT_EQ(nodes[0].kind, "QUERY PLAN");
  EXPECT_EQ(nodes[0].depth, 0);
  EXPECT_EQ(nodes[0].rows, 1);
  EXPECT_EQ(nodes[0].loops, 1);
  EXPECT_EQ(nodes[0].buffers, explained.plan.buffers);
  EXPECT_EQ(nodes[1].kind, "SEARCH");
  EXPECT_EQ(nodes[1].depth, 1);
  EXPECT_EQ(nodes[1].relation, "users");
  EXPECT_EQ(nodes[1].index, "by_email");
  EXPECT_EQ(nodes[1].detail, "COVERING INDEX (email=?)");
  EXPECT_EQ(nodes[1].loops, 0) << "sqlite does not count it";
  EXPECT_EQ(nodes.back().kind, "USE TEMP B-TREE FOR ORDER BY");
  EXPECT_THAT(explained.plan.indexes, ElementsAre("by_email"));
  EXPECT_EQ(explained.plan.wal_bytes, 0);
}

TEST_F(QuerySessionTest, tables_behind_views_triggers_and_counts_are_told) {
  load(k_shop);
  execute(
      "CREATE TABLE log (id INT); CREATE TRIGGER t AFTER DELETE ON orders BEGIN INSERT INTO log VALUES "
      "(old.id); "
      "END; CREATE TABLE \"two words\" (a)");
  open();
  EXPECT_THAT(explain("SELECT email FROM adults").tables, ElementsAre("users"));
  EXPECT_THAT(explain("SELECT count(*) FROM ORDERS").tables, ElementsAre("orders"));
  EXPECT_THAT(explain("DELETE FROM orders WHERE id = 1", {}, Access::write).tables,
              ElementsAre("log", "orders"));
  EXPECT_THAT(explain("WITH c AS (SELECT 1) SELECT count(*) FROM c, sqlite_master").tables, IsEmpty());
  EXPECT_THAT(explain("SELECT * FROM \"two words\"").tables, ElementsAre("\"two words\""));
  EXPECT_TRUE(must(m_session->are_empty({"\"two words\"", "empty"})));
  EXPECT_FALSE(must(m_session->are_empty({"empty", "users"})));
}

// What a cache holds already must make no difference, nor what ran between.
TEST_F(QuerySessionTest, pages_touched_are_the_same_each_time_and_in_each_session) {
  load(k_shop);
  const std::string sql =
      "SELECT * FROM users JOIN orders ON user_id = users.id WHERE email > ? ORDER BY total";
  const std::int64_t first = pages(sql, {"user5"});
  EXPECT_GT(first, 10);
  EXPECT_EQ(pages(sql, {"user5"}), first);
  EXPECT_EQ(must(m_session->explain({"user5"})).plan.buffers, first);
  answer(sql, {"user5"});
  EXPECT_EQ(must(m_session->explain({"user5"})).plan.buffers, first);
  execute("UPDATE users SET age = age WHERE id = 1");  // empties the caches of others
  EXPECT_EQ(must(m_session->explain({"user5"})).plan.buffers, first);
  open();
  EXPECT_EQ(pages(sql, {"user5"}), first);
}

TEST_F(QuerySessionTest, pages_of_a_write_are_the_same_each_time) {
  load(k_shop);
  ASSERT_FALSE(prepare("UPDATE users SET email = email || 'x'", Access::write));
  const std::int64_t first = must(m_session->explain({})).plan.buffers;
  EXPECT_GT(first, 100);
  EXPECT_EQ(must(m_session->explain({})).plan.buffers, first);
  EXPECT_EQ(must(m_session->explain({})).plan.buffers, first);
}

// Pages behind a memory map are counted by nobody; a cache too small makes misses of hits.
TEST_F(QuerySessionTest, pages_touched_do_not_depend_on_cache_and_map) {
  const std::string sql = "SELECT sum(age) FROM users JOIN orders ON user_id = users.id";
  load(k_shop);
  const std::int64_t plain = pages(sql);
  m_session.reset();
  m_instance.reset();
  fs::remove_all(m_root / "empty");
  load(k_shop, {{"mmap_size", "100000000"}, {"cache_size", "5"}});
  EXPECT_EQ(ask("PRAGMA mmap_size"), "100000000");
  EXPECT_EQ(pages(sql), plain);
}

TEST_F(QuerySessionTest, a_lost_index_costs_pages) {
  load(k_shop);
  const std::string sql = "SELECT id FROM users WHERE email = ?";
  const std::int64_t with = pages(sql, {"user5@example.org"});
  EXPECT_LE(with, 4);
  execute("DROP INDEX by_email");
  const auto without = explain(sql, {"user5@example.org"});
  EXPECT_GT(without.plan.buffers, 2 * with);
  EXPECT_THAT(without.plan.sequential_scans, ElementsAre("users"));
  EXPECT_THAT(without.plan.indexes, IsEmpty());
}

TEST_F(QuerySessionTest, pages_that_a_table_left_free_are_touched_by_no_query) {
  load(k_shop);
  const std::string sql = "SELECT sum(age) FROM users";
  const std::int64_t before = pages(sql);
  execute("CREATE TABLE big AS SELECT * FROM users a, orders LIMIT 100000; DROP TABLE big");
  EXPECT_NE(ask("PRAGMA freelist_count"), "0");
  EXPECT_EQ(pages(sql), before);
}

record::PlanNode second_node(const std::string& line) {
  return plan_of({{"2", "0", "0", line}}).nodes.at(1);
}

TEST(QueryPlanTest, lines_are_taken_apart) {
  struct Case {
    const char* line;
    const char* kind;
    const char* relation;
    const char* index;
    const char* join;
    const char* detail;
  };
  const std::vector<Case> cases = {
      {"SCAN t", "SCAN", "t", "", "", ""},
      {"SCAN y LEFT-JOIN", "SCAN", "y", "", "Left", ""},
      {"SCAN t USING INDEX i", "SCAN", "t", "i", "", ""},
      {"SCAN t USING COVERING INDEX i", "SCAN", "t", "i", "", "COVERING INDEX"},
      {"SEARCH t USING INDEX i (a=? AND b>?)", "SEARCH", "t", "i", "", "(a=? AND b>?)"},
      {"SEARCH two words USING INDEX i (a=?) LEFT-JOIN", "SEARCH", "two words", "i", "Left", "(a=?)"},
      {"SEARCH t USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH", "t", "", "",
       "INTEGER PRIMARY KEY (rowid=?)"},
      {"SEARCH t USING AUTOMATIC COVERING INDEX (a=?)", "SEARCH", "t", "", "",
       "AUTOMATIC COVERING INDEX (a=?)"},
      {"SCAN f VIRTUAL TABLE INDEX 0:M1", "SCAN", "f", "", "", "VIRTUAL TABLE INDEX 0:M1"},
      {"SCAN 3 CONSTANT ROWS", "SCAN", "", "", "", "3 CONSTANT ROWS"},
      {"SCAN (subquery-7)", "SCAN", "(subquery-7)", "", "", ""},
      {"CO-ROUTINE (subquery-8)", "CO-ROUTINE", "(subquery-8)", "", "", ""},
      {"MATERIALIZE s", "MATERIALIZE", "s", "", "", ""},
      {"BLOOM FILTER ON t (a=?)", "BLOOM FILTER ON", "t", "", "", "(a=?)"},
      {"CORRELATED SCALAR SUBQUERY 3", "CORRELATED SCALAR SUBQUERY", "", "", "", "3"},
      {"USING INDEX i FOR IN-OPERATOR", "USING INDEX FOR IN-OPERATOR", "", "i", "", ""},
      {"USE TEMP B-TREE FOR ORDER BY", "USE TEMP B-TREE FOR ORDER BY", "", "", "", ""},
      {"MULTI-INDEX OR", "MULTI-INDEX OR", "", "", "", ""},
      {"INDEX 1", "INDEX", "", "", "", "1"},
  };
  for (const Case& one : cases) {
    const record::PlanNode node = second_node(one.line);
    EXPECT_EQ(node.kind, one.kind) << one.line;
    EXPECT_EQ(node.relation, one.relation) << one.line;
    EXPECT_EQ(node.index, one.index) << one.line;
    EXPECT_EQ(node.join, one.join) << one.line;
    EXPECT_EQ(node.detail, one.detail) << one.line;
  }
}

TEST(QueryPlanTest, depths_follow_parents_and_subqueries_are_no_tables) {
  const auto plan = plan_of({{"3", "0", "0", "MATERIALIZE s"},
                             {"7", "3", "0", "SCAN x USING COVERING INDEX xa"},
                             {"20", "0", "0", "SCAN y"},
                             {"25", "0", "0", "SCAN s"},
                             {"26", "0", "0", "SCAN f VIRTUAL TABLE INDEX 0:"},
                             {"27", "0", "0", "SCAN g VIRTUAL TABLE INDEX 0:M1"}});
  std::vector<int> depths;
  for (const auto& node : plan.nodes) depths.push_back(node.depth);
  EXPECT_THAT(depths, ElementsAre(0, 1, 2, 1, 1, 1, 1));
  EXPECT_THAT(plan.sequential_scans, ElementsAre("y", "f"));
  EXPECT_THAT(plan.indexes, ElementsAre("xa"));
  EXPECT_EQ(plan.text,
            "MATERIALIZE s\n  SCAN x USING COVERING INDEX xa\nSCAN y\nSCAN s\nSCAN f VIRTUAL TABLE INDEX 0:\n"
            "SCAN g VIRTUAL TABLE INDEX 0:M1");
}

// ── sizes

TEST_F(QuerySessionTest, sizes_are_those_of_the_file) {
  load(k_shop);
  const auto users = must(m_instance->size_of_table("users"));
  const auto index = must(m_instance->size_of_index("by_email"));
  ASSERT_TRUE(users && index);
  EXPECT_GT(*users, 1000 * 20);
  EXPECT_EQ(*users % 4096, 0);
  EXPECT_GT(*index, 1000 * 18);
  EXPECT_EQ(must(m_instance->size_of_index("users.by_email")), index);
  // With the pages of the schema they are all that is in the file.
  std::int64_t sum = 0;
  for (const char* table : {"users", "orders", "empty", "sqlite_stat1", "sqlite_stat4"})
    sum += must(m_instance->size_of_table(table)).value_or(0);
  EXPECT_EQ(ask("SELECT (page_count - freelist_count - 1) * page_size FROM pragma_page_count, "
                "pragma_freelist_count, pragma_page_size"),
            std::to_string(sum + *index));
  EXPECT_FALSE(must(m_instance->size_of_table("nothing")));
  EXPECT_FALSE(must(m_instance->size_of_table("adults")));
  EXPECT_FALSE(must(m_instance->size_of_index("users")));
  EXPECT_FALSE(must(m_instance->size_of_column("users.nothing")));
  EXPECT_FALSE(must(m_instance->size_of_column("nothing.id")));
}

TEST_F(QuerySessionTest, the_index_of_a_constraint_is_found_by_its_columns) {
  load("CREATE TABLE t (a INT, b INT, UNIQUE (a, b)); INSERT INTO t VALUES (1, 2)");
  EXPECT_EQ(must(m_instance->size_of_index("t(a, b)")), 4096);
  EXPECT_EQ(must(m_instance->size_of_index("sqlite_autoindex_t_1")), 4096);
  EXPECT_GE(must(m_instance->rebuild_index("t(a, b)")).count(), 0);
}

TEST_F(QuerySessionTest, indexes_are_told_with_what_they_are_of) {
  load(
      "CREATE TABLE t (a INT UNIQUE, b TEXT COLLATE NOCASE, \"two words\" INT);"
      "CREATE INDEX by_a ON t (a); CREATE INDEX by_b ON t (b, a DESC); CREATE INDEX by_c ON t (a) WHERE a > "
      "1;"
      "CREATE INDEX by_d ON t (lower(b), a); CREATE UNIQUE INDEX by_e ON t (\"two words\");");
  std::vector<std::string> told;
  for (const auto& index : must(m_instance->indexes())) {
    EXPECT_EQ(index.table, "t");
    EXPECT_EQ(index.bytes, 4096);
    std::string line = index.name + (index.plain ? " plain" : "");
    for (const std::string& column : index.columns) line += ", " + column;
    told.push_back(line);
  }
  EXPECT_THAT(told,
              ElementsAre("by_a plain, a", "by_b plain, b COLLATE NOCASE, a DESC", "by_c, a",
                          "by_d, 1 of (lower(b), a), a", "by_e, \"two words\"", "sqlite_autoindex_t_1, a"));
}

TEST_F(QuerySessionTest, a_virtual_table_is_as_large_as_its_shadows) {
  load("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('one two three')");
  EXPECT_GE(must(m_instance->size_of_table("f")).value_or(0), 5 * 4096);
  EXPECT_FALSE(must(m_instance->size_of_column("f.body")));
}

/// The payload of a table with one column is all records: each value, and one byte for the header's length.
/// What dbstat counts in the file is the oracle.
TEST_F(QuerySessionTest, a_columns_size_is_what_its_records_hold) {
  const std::string values =
      "(NULL), (0), (1), (-1), (127), (128), (-129), (32768), (8388607), (8388608), (-2147483649), "
      "(140737488355327), (140737488355328), (9223372036854775807), (1.5), (5.0), (300.0), (-0.0), (1e15), "
      "(1e300), "
      "('a'), (''), ('äöü'), ('12'), ('1.0'), (x''), (x'00ff'), (hex(zeroblob(30))), (zeroblob(57)), "
      "(zeroblob(58)), "
      "(hex(zeroblob(600)))";
  for (const char* encoding : {"UTF-8", "UTF-16le"}) {
    for (const char* type : {"", "INT", "REAL", "TEXT", "NUMERIC", "BLOB"}) {
      load(std::string("CREATE TABLE t (a ") + type + "); INSERT INTO t VALUES " + values,
           {{"encoding", std::string("'") + encoding + "'"}});
      const std::int64_t records = std::stoll(
          ask("SELECT payload - (SELECT count(*) FROM t) FROM dbstat WHERE name = 't' AND aggregate = TRUE"));
      EXPECT_EQ(must(m_instance->size_of_column("t.a")), records) << encoding << " " << type;
      m_session.reset();
      m_instance.reset();
      fs::remove_all(m_root / "empty");
    }
  }
}

TEST_F(QuerySessionTest, a_rowid_counts_as_the_key_that_it_is) {
  load(
      "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT GENERATED ALWAYS AS ('x' || id) VIRTUAL);"
      "INSERT INTO a (id) VALUES (1), (127), (128), (20000), (-1);"
      "CREATE TABLE b (id INTEGER PRIMARY KEY) WITHOUT ROWID; INSERT INTO b VALUES (1), (127), (128), "
      "(20000), (-1);"
      "CREATE TABLE c (id INTEGER PRIMARY KEY DESC); INSERT INTO c VALUES (1), (127), (128), (20000), (-1)");
  EXPECT_EQ(must(m_instance->size_of_column("a.id")), 5 + 1 + 1 + 2 + 3 + 9);
  EXPECT_EQ(must(m_instance->size_of_column("b.id")), 5 + 0 + 1 + 2 + 2 + 1);
  EXPECT_EQ(must(m_instance->size_of_column("c.id")), 5 + 0 + 1 + 2 + 2 + 1);
  EXPECT_EQ(must(m_instance->size_of_column("a.v")), 0);
}

TEST_F(QuerySessionTest, an_index_is_rebuilt) {
  load(k_shop);
  EXPECT_GT(must(m_instance->rebuild_index("by_email")).count(), 0);
  const auto none = m_instance->rebuild_index("nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "cannot rebuild index 'nothing': there is none");
}

// ── copies

TEST_F(QuerySessionTest, a_copy_lives_apart_from_its_origin) {
  for (const char* journal : {"delete", "wal"}) {
    load(k_shop, {{"journal_mode", journal}});
    const std::string sql = "SELECT count(*), sum(age) FROM users";
    {
      auto copy = must(m_instance->copy_beside());
      auto session = must(copy->open_query_session({}));
      must(session->prepare(sql, Access::read));
      const auto there = must(session->answer({}));
      EXPECT_EQ(there.in_order, answer(sql).in_order);
      EXPECT_EQ(must(session->explain({})).plan.buffers, must(m_session->explain({})).plan.buffers);
      EXPECT_EQ(must(copy->try_query({"PRAGMA journal_mode", {}})).text(), journal);
      must(copy->execute("DELETE FROM users WHERE id > 10", {}));
      execute("UPDATE users SET age = 1");
      EXPECT_EQ(must(copy->try_query({sql, {}})).text(), "10, 55");
      EXPECT_EQ(ask(sql), "1000, 1000");
      session.reset();
      auto another = must(m_instance->copy_beside());
      EXPECT_EQ(must(another->try_query({sql, {}})).text(), "1000, 1000");
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(m_root / "run"), fs::directory_iterator()), 1);
    m_session.reset();
    m_instance.reset();
    fs::remove_all(m_root / "empty");
  }
}

// ── settling

TEST_F(QuerySessionTest, settling_renews_the_statistics_of_what_was_touched) {
  load(k_shop);
  const std::string of_users = "SELECT stat FROM sqlite_stat1 WHERE tbl = 'users'";
  const std::string of_orders = "SELECT stat FROM sqlite_stat1 WHERE tbl = 'orders'";
  execute("DELETE FROM users WHERE id > 500; DELETE FROM orders WHERE id > 500");
  Touched touched;
  touched.tables = {"users", "gone"};
  must(m_instance->settle(touched));
  EXPECT_EQ(ask(of_users), "500 1");
  EXPECT_EQ(ask(of_orders), "1000");
  touched.everything = true;
  must(m_instance->settle(touched));
  EXPECT_EQ(ask(of_orders), "500");
}

// CREATE INDEX touches no row, and a rebuild takes the statistics of the table that it drops along.
TEST_F(QuerySessionTest, settling_makes_the_statistics_that_are_missing) {
  load(k_shop);
  execute(
      "CREATE INDEX by_age ON users (age);"
      "CREATE TABLE new_orders (id INTEGER PRIMARY KEY, user_id INT); INSERT INTO new_orders SELECT id, "
      "user_id FROM "
      "orders; DROP TABLE orders; ALTER TABLE new_orders RENAME TO orders");
  must(m_instance->settle({}));
  EXPECT_EQ(ask("SELECT stat FROM sqlite_stat1 WHERE idx = 'by_age'"), "1000 12");
  EXPECT_EQ(ask("SELECT stat FROM sqlite_stat1 WHERE tbl = 'orders'"), "1000");
}

TEST_F(QuerySessionTest, settling_a_database_without_statistics_makes_all) {
  load("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)");
  must(m_instance->settle({}));
  EXPECT_EQ(ask("SELECT tbl, stat FROM sqlite_stat1"), "t, 2");
}

TEST_F(QuerySessionTest, settling_writes_the_log_out) {
  load(k_shop, {{"journal_mode", "wal"}});
  const fs::path log = m_root / "run" / "instance-1" / "shop.db-wal";
  EXPECT_GT(fs::file_size(log), 0U);
  must(m_instance->settle({}));
  EXPECT_EQ(fs::file_size(log), 0U);
}

// Who has read the schema already plans by the statistics that it had then.
TEST_F(QuerySessionTest, readers_plan_by_the_new_statistics) {
  load(
      "CREATE TABLE t (a INT, b INT); CREATE INDEX by_a ON t (a); CREATE INDEX by_b ON t (b);"
      "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) INSERT INTO t SELECT "
      "i, 1 FROM "
      "c; ANALYZE;");
  const QueryRequest request = {"SELECT * FROM t WHERE a = 1 AND b = 1", {}};
  EXPECT_THAT(must(m_instance->plan(request)).plan.indexes, ElementsAre("by_a"));
  execute("UPDATE t SET b = a, a = 1");
  Touched touched;
  touched.tables = {"t"};
  must(m_instance->settle(touched));
  EXPECT_THAT(must(m_instance->plan(request)).plan.indexes, ElementsAre("by_b"));
  open();
  EXPECT_THAT(explain(request.sql).plan.indexes, ElementsAre("by_b"));
}

}  // namespace
}  // namespace lockkeeper::engine::sqlite
