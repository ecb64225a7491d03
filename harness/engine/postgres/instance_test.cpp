#include "engine/postgres/instance.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/postgres/disposable_server.h"
#include "engine/postgres/own_instance.h"

namespace lockkeeper::engine::postgres {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What two databases of one server are compared by.
class PostgresInstance : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { s_engine = std::make_unique<OwnEngine>(); }
  static void TearDownTestSuite() { s_engine.reset(); }

  static std::string ask(Instance& instance, const std::string& sql) {
    const auto answer = must(instance.try_query({sql, {}}));
    return answer.error ? "error " + answer.error->message : answer.text();
  }
  std::string ask(const std::string& sql) { return ask(*m_instance, sql); }
  /// One statement each, since VACUUM wants to be alone.
  void execute(const std::vector<std::string>& statements) {
    for (const std::string& sql : statements) must(m_instance->execute(sql, {}));
  }
  void settle(const Touched& touched = {}) { must(m_instance->settle(touched)); }
  /// All that the planner knows of a table's values, byte by byte.
  static std::string statistics(Instance& instance, const std::string& table) {
    return ask(
        instance,
        "SELECT count(*), md5(string_agg(s::text, '|' ORDER BY s.staattnum)) FROM pg_statistic s WHERE "
        "s.starelid = '" +
            table + "'::regclass");
  }
  std::int64_t size(const Result<std::optional<std::int64_t>>& found) { return must(found).value_or(-1); }

  static inline std::unique_ptr<OwnEngine> s_engine;
  const std::unique_ptr<Instance> m_instance = s_engine->instance();
};

constexpr const char* k_large =
    "CREATE TABLE large AS SELECT i AS id, md5(i::text) AS text, random() AS chance FROM "
    "generate_series(1, 100000) i";

// ── settle

TEST_F(PostgresInstance, settle_analyzes_what_has_no_statistics) {
  execute({k_large});
  settle();
  EXPECT_THAT(statistics(*m_instance, "large"), testing::StartsWith("3, "));
}

TEST_F(PostgresInstance, settle_leaves_the_statistics_of_what_nothing_touched) {
  execute({k_large, "CREATE TABLE small AS SELECT 1 AS id FROM generate_series(1, 100)", "ANALYZE"});
  settle();
  const std::string large = statistics(*m_instance, "large");
  const std::string small = statistics(*m_instance, "small");
  execute({"INSERT INTO small SELECT generate_series(1, 1000)"});
  settle({false, {"public.small", "public.gone"}});
  EXPECT_EQ(statistics(*m_instance, "large"), large);
  EXPECT_NE(statistics(*m_instance, "small"), small);
  settle({true, {}});
  EXPECT_NE(statistics(*m_instance, "large"), large) << "100,000 rows are sampled at random";
}

TEST_F(PostgresInstance, settle_analyzes_a_column_and_an_indexed_expression_that_are_new) {
  execute({"CREATE TABLE t AS SELECT i AS id, i::text AS text FROM generate_series(1, 1000) i", "ANALYZE"});
  execute({"ALTER TABLE t ADD COLUMN more int DEFAULT 7", "CREATE INDEX t_upper ON t (upper(text))"});
  settle();
  EXPECT_THAT(statistics(*m_instance, "t"), testing::StartsWith("3, "));
  EXPECT_THAT(statistics(*m_instance, "t_upper"), testing::StartsWith("1, "));
}

TEST_F(PostgresInstance, settle_leaves_all_pages_visible_to_index_only_scans_also_just_behind_a_write) {
  execute({k_large, "CREATE INDEX ON large (id)", "UPDATE large SET text = text || 'x' WHERE id % 2 = 0"});
  settle();
  EXPECT_THAT(ask("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM large WHERE id "
                  "BETWEEN 10 AND 20"),
              AllOf(HasSubstr("Index Only Scan"), HasSubstr("Heap Fetches: 0")));
}

TEST_F(PostgresInstance, settle_takes_names_with_quotes) {
  execute({"CREATE SCHEMA \"My Shop\"", "CREATE TABLE \"My Shop\".\"T 1\" (\"a b\" int)",
           "INSERT INTO \"My Shop\".\"T 1\" SELECT generate_series(1, 10)"});
  settle({false, {"\"My Shop\".\"T 1\""}});
  EXPECT_THAT(statistics(*m_instance, "\"My Shop\".\"T 1\""), testing::StartsWith("1, "));
}

TEST_F(PostgresInstance, sweep_takes_away_what_was_rolled_back_and_leaves_statistics) {
  execute({k_large, "CREATE INDEX ON large (id)"});
  settle();
  // From version 16 on the first VACUUM leaves a few pages that were never used, which one that shortens
  // takes along.
  const auto pages = [&] { return std::stoll(ask("SELECT pg_relation_size('large') / 8192")); };
  const auto before = pages();
  const std::string known = statistics(*m_instance, "large");
  const auto session = must(m_instance->open_query_session({}));
  ASSERT_FALSE(must(session->prepare("INSERT INTO large SELECT * FROM large", Access::write)));
  ASSERT_FALSE(must(session->answer({})).error);
  EXPECT_GT(pages(), 3 * before / 2);
  must(m_instance->sweep());
  EXPECT_LE(pages(), before);
  EXPECT_EQ(statistics(*m_instance, "large"), known);
}

// ── beside one another

TEST_F(PostgresInstance, a_copy_beside_has_the_same_statistics_and_plans_and_lives_by_itself) {
  execute({k_large, "CREATE INDEX ON large (chance)", "ALTER DATABASE shop SET work_mem = '64kB'",
           "ALTER DATABASE shop SET search_path = \"Other\", public"});
  settle();
  const auto copy = must(m_instance->copy_beside());
  EXPECT_EQ(statistics(*copy, "large"), statistics(*m_instance, "large"));
  EXPECT_EQ(ask(*copy, "SELECT current_setting('work_mem'), current_setting('search_path')"),
            "64kB, \"Other\", public");
  const std::string query = "SELECT text FROM large WHERE chance < 0.001 ORDER BY text";
  std::vector<record::QueryPlan> plans;
  for (Instance* side : {m_instance.get(), copy.get()}) {
    const auto session = must(side->open_query_session({}));
    ASSERT_FALSE(must(session->prepare(query, Access::read)));
    ASSERT_FALSE(must(session->answer({})).error);
    plans.push_back(must(session->explain({})).plan);
    EXPECT_EQ(session->processes().size(), 1U);
  }
  EXPECT_EQ(plans[0].text, plans[1].text);
  EXPECT_EQ(plans[0].nodes[0].rows_estimated, plans[1].nodes[0].rows_estimated);
  EXPECT_EQ(plans[0].buffers, plans[1].buffers);
  execute({"DROP TABLE large"});
  EXPECT_EQ(ask(*copy, "SELECT count(*) FROM large"), "100000");
  EXPECT_FALSE(copy->copy_beside());
  EXPECT_FALSE(copy->keep());
}

// ── sizes

TEST_F(PostgresInstance, a_table_is_found_by_any_of_its_names_and_as_large_as_its_pages) {
  execute({"CREATE SCHEMA \"My Shop\"",
           "CREATE TABLE \"My Shop\".\"T.1\" AS SELECT generate_series(1, 1000) AS \"a.b\"",
           "CREATE TABLE plain AS SELECT generate_series(1, 1000) AS id"});
  settle();
  const std::int64_t bytes = std::stoll(ask("SELECT pg_relation_size('plain')"));
  EXPECT_GT(bytes, 0);
  for (const char* name : {"plain", "public.plain"})
    EXPECT_EQ(size(m_instance->size_of_table(name)), bytes) << name;
  for (const char* name : {"My Shop.T.1", "\"My Shop\".\"T.1\""})
    EXPECT_EQ(size(m_instance->size_of_table(name)), bytes) << name;
  for (const char* name : {"\"T.1\"", "nothing", "other.plain", "pg_class'"})
    EXPECT_EQ(size(m_instance->size_of_table(name)), -1) << name;
  EXPECT_EQ(size(m_instance->size_of_column("\"My Shop\".\"T.1\".\"a.b\"")), 4000);
  EXPECT_EQ(size(m_instance->size_of_column("plain.id")), 4000);
  EXPECT_EQ(size(m_instance->size_of_column("public.plain.id")), 4000);
  for (const char* name : {"plain.nothing", "nothing.id", "id", "plain.ctid", "."})
    EXPECT_EQ(size(m_instance->size_of_column(name)), -1) << name;
}

TEST_F(PostgresInstance, what_is_stored_apart_counts_to_its_table) {
  execute({"CREATE TABLE t (body text)", "ALTER TABLE t ALTER body SET STORAGE EXTERNAL",
           "INSERT INTO t SELECT repeat('x', 100000) FROM generate_series(1, 10)"});
  EXPECT_GT(size(m_instance->size_of_table("t")), 1'000'000);
  EXPECT_EQ(size(m_instance->size_of_column("t.body")), 1'000'000);
}

TEST_F(PostgresInstance, a_column_of_no_rows_takes_nothing_and_is_there) {
  execute({"CREATE TABLE t (a int)"});
  EXPECT_EQ(size(m_instance->size_of_column("t.a")), 0);
  EXPECT_EQ(size(m_instance->size_of_table("t")), 0);
}

TEST_F(PostgresInstance, a_partitioned_table_is_as_large_as_its_partitions) {
  execute({"CREATE TABLE logs (day int) PARTITION BY RANGE (day)",
           "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (100)",
           "CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (100) TO (200)",
           "CREATE INDEX logs_day ON logs (day)",
           "INSERT INTO logs SELECT i % 200 FROM generate_series(1, 10000) i"});
  EXPECT_EQ(size(m_instance->size_of_table("logs")),
            size(m_instance->size_of_table("logs_1")) + size(m_instance->size_of_table("logs_2")));
  EXPECT_EQ(
      size(m_instance->size_of_index("logs_day")),
      size(m_instance->size_of_index("logs_1_day_idx")) + size(m_instance->size_of_index("logs_2_day_idx")));
  EXPECT_GT(size(m_instance->size_of_index("logs_day")), 2 * 8192);
  EXPECT_EQ(size(m_instance->size_of_column("logs.day")), 40'000);
  EXPECT_EQ(size(m_instance->size_of_index("logs")), -1);
  EXPECT_EQ(size(m_instance->size_of_table("logs_day")), -1);
  const auto indexes = must(m_instance->indexes());
  ASSERT_EQ(indexes.size(), 1U);
  EXPECT_EQ(indexes[0].name, "logs_day");
  EXPECT_EQ(indexes[0].bytes, size(m_instance->size_of_index("logs_day")));
  EXPECT_GT(must(m_instance->rebuild_index("logs_day")).count(), 0);
}

// ── indexes

TEST_F(PostgresInstance, indexes_are_told_with_all_that_makes_them_begin_alike) {
  execute({"CREATE SCHEMA \"My Shop\"", "CREATE TABLE \"My Shop\".t (a int)",
           "CREATE INDEX \"By A\" ON \"My Shop\".t (a)",
           "CREATE TABLE t (a int PRIMARY KEY, b text, c text COLLATE \"C\", d int UNIQUE, \"e f\" int)",
           "CREATE INDEX t1 ON t (a, b)", "CREATE INDEX t2 ON t (a DESC, b text_pattern_ops)",
           "CREATE INDEX t3 ON t (b COLLATE \"C\", a NULLS FIRST)",
           "CREATE INDEX t4 ON t (c, a DESC NULLS LAST)", "CREATE INDEX t5 ON t (a) INCLUDE (b)",
           "CREATE INDEX t6 ON t (lower(b), a)", "CREATE INDEX t7 ON t (a) WHERE a > 0",
           "CREATE INDEX t8 ON t USING hash (a)", "CREATE INDEX t9 ON t (\"e f\")"});
  std::vector<std::string> told;
  for (const auto& index : must(m_instance->indexes())) {
    std::string line = index.name + " on " + index.table + (index.plain ? " plain" : "");
    for (const std::string& column : index.columns) line += ", " + column;
    told.push_back(line);
    EXPECT_GT(index.bytes, 0) << index.name;
  }
  EXPECT_THAT(told, ElementsAre("\"My Shop\".\"By A\" on \"My Shop\".t plain, a", "t1 on t plain, a, b",
                                "t2 on t plain, a DESC, b text_pattern_ops",
                                "t3 on t plain, b COLLATE \"C\", a NULLS FIRST",
                                "t4 on t plain, c, a DESC NULLS LAST", "t5 on t, a", "t6 on t, lower(b), a",
                                "t7 on t, a", "t8 on t, a", "t9 on t plain, \"e f\"", "t_d_key on t, d",
                                "t_pkey on t, a"));
}

TEST_F(PostgresInstance, an_index_that_is_there_can_be_built_anew) {
  execute({"CREATE TABLE \"T 1\" AS SELECT generate_series(1, 1000) AS a",
           "CREATE INDEX \"By A\" ON \"T 1\" (a)"});
  EXPECT_GT(must(m_instance->rebuild_index("\"By A\"")).count(), 0);
  EXPECT_FALSE(m_instance->rebuild_index("nothing"));
}

// ── ties

TEST_F(PostgresInstance, an_answer_that_hangs_on_where_rows_lie_is_ambiguous) {
  execute({"CREATE TABLE few AS SELECT i AS id FROM generate_series(1, 20) i",
           "CREATE TABLE middle AS SELECT i AS id, i % 90 AS age FROM generate_series(1, 1000) i",
           "CREATE TABLE many AS SELECT i AS id, i % 90 AS age FROM generate_series(1, 20000) i",
           "CREATE TABLE keyed (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, age int)",
           "INSERT INTO keyed (age) SELECT i % 10 FROM generate_series(1, 1000) i", "VACUUM ANALYZE"});
  const auto is_ambiguous = [&](const std::string& sql, bool in_order) {
    const auto session = must(m_instance->open_query_session({}));
    EXPECT_FALSE(must(session->prepare(sql, Access::read)));
    const auto usual = must(session->answer({}));
    for (int way = 0;; ++way) {
      const auto answer = must(session->answer_otherwise({}, way));
      if (!answer) return false;
      EXPECT_FALSE(answer->error) << way;
      if (in_order ? answer->in_order != usual.in_order : answer->as_a_set != usual.as_a_set) return true;
    }
  };
  EXPECT_TRUE(is_ambiguous("SELECT id FROM few LIMIT 3", false));
  for (const std::string table : {"middle", "many", "keyed"}) {
    EXPECT_TRUE(is_ambiguous("SELECT id, age FROM " + table + " ORDER BY age LIMIT 3", false)) << table;
    EXPECT_TRUE(is_ambiguous("SELECT id, age FROM " + table + " ORDER BY age", true)) << table;
    EXPECT_FALSE(is_ambiguous("SELECT id, age FROM " + table + " ORDER BY age", false)) << table;
    EXPECT_FALSE(is_ambiguous("SELECT id, age FROM " + table + " ORDER BY age, id LIMIT 3", true)) << table;
  }
  EXPECT_EQ(ask("SELECT min(id), ctid FROM middle GROUP BY ctid ORDER BY 1 LIMIT 1"), "1, (0,1)")
      << "all is rolled back";
}

// ── what the planner believes

/// Why a small fixture cannot stand for production's size by its statistics: the planner asks the file how
/// many pages a table has, and takes from pg_class only how many rows there are to a page
/// (estimate_rel_size() in plancat.c, table_block_relation_estimate_size() in tableam.c).
class PlannerSize : public ::testing::Test {
 protected:
  /// The plan's lines once what pg_class says of the table t has been changed.
  std::string plan(const std::string& change) {
    auto session = must(Connection::open(m_server.connection()));
    must(session.rows("BEGIN"));
    if (!change.empty()) must(session.rows(change));
    const auto lines = must(session.rows("EXPLAIN SELECT * FROM t"));
    return lines.at(0).at(0).value_or("");
  }

  DisposableServer m_server;
};

TEST_F(PlannerSize, planner_takes_the_size_from_the_file) {
  m_server.ask("lockkeeper", "CREATE TABLE t AS SELECT generate_series(1, 10000) AS id");
  m_server.ask("lockkeeper", "VACUUM ANALYZE t");
  ASSERT_EQ(m_server.ask("lockkeeper", "SELECT relpages FROM pg_class WHERE relname = 't'").at(0), "45");
  const std::string own = plan("");
  EXPECT_THAT(own, HasSubstr("rows=10000 "));
  // Forty million rows and their pages: nothing changes.
  EXPECT_EQ(plan("UPDATE pg_class SET reltuples = 10000 * 4000.0, relpages = 45 * 4000 WHERE relname = 't'"),
            own);
  // The rows alone: believed as a density that no page has, at the price of reading 45 pages.
  const std::string dense = plan("UPDATE pg_class SET reltuples = 10000 * 4000.0 WHERE relname = 't'");
  EXPECT_THAT(dense, HasSubstr("cost=0.00..400045.00 rows=40000000 "));
}

TEST_F(PlannerSize, planner_takes_the_size_from_the_file_also_where_statistics_are_brought_back) {
  if (m_server.ask("lockkeeper", "SELECT to_regproc('pg_restore_relation_stats') IS NULL").at(0) == "t")
    GTEST_SKIP() << "pg_restore_relation_stats() came with version 18, and the newest server here is older";
  m_server.ask("lockkeeper", "CREATE TABLE t AS SELECT generate_series(1, 10000) AS id");
  m_server.ask("lockkeeper", "VACUUM ANALYZE t");
  const std::string own = plan("");
  EXPECT_EQ(m_server
                .ask("lockkeeper",
                     "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', 't', "
                     "'relpages', 180000, 'reltuples', 40000000::real)")
                .at(0),
            "t");
  ASSERT_EQ(m_server.ask("lockkeeper", "SELECT relpages FROM pg_class WHERE relname = 't'").at(0), "180000");
  EXPECT_EQ(plan(""), own);
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
