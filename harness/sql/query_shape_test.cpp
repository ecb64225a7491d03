#include "sql/query_shape.h"

#include <gtest/gtest.h>

namespace lockkeeper::sql {
namespace {

QueryShape shape(std::string_view query) {
  return shape_of(query, Dialect::postgres);
}

TEST(QueryShape, a_query_is_ordered_by_an_order_of_its_own) {
  EXPECT_TRUE(shape("SELECT a FROM t ORDER BY a LIMIT 3").ordered);
  EXPECT_TRUE(shape("SELECT a FROM t UNION SELECT b FROM u order /* so */ by 1").ordered);
  EXPECT_TRUE(shape("(SELECT a FROM t ORDER BY a)").ordered);
  EXPECT_TRUE(shape("((SELECT a FROM t)) ORDER BY a").ordered);
  EXPECT_FALSE(shape("(SELECT a FROM t ORDER BY a) UNION (SELECT b FROM u ORDER BY b)").ordered);
  EXPECT_FALSE(shape("SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT 3) s").ordered);
  EXPECT_FALSE(shape("SELECT row_number() OVER (ORDER BY a), 'ORDER BY a' FROM t").ordered);
}

TEST(QueryShape, what_is_no_query_is_told_by_its_first_word) {
  for (const char* query :
       {"SELECT 1", "((SELECT 1))", "VALUES (1)", "TABLE t", "WITH a AS (SELECT 1) SELECT * FROM a",
        "-- x\ninsert into t VALUES (1)", "REPLACE INTO t VALUES (1)"})
    EXPECT_TRUE(shape(query).is_query) << query;
  for (const char* query :
       {"", "COPY t TO PROGRAM 'id'", "PRAGMA query_only = 1", "CALL p()", "DO $$ $$", "COMMIT",
        "EXPLAIN SELECT 1", "CREATE TABLE t AS SELECT 1", "(", "SET jit = on", "\"select\""})
    EXPECT_FALSE(shape(query).is_query) << query;
}

TEST(QueryShape, a_write_is_told_by_its_verb) {
  for (const char* query : {"INSERT INTO t VALUES (1)", "-- x\nupdate t SET a = 1", "DELETE FROM t",
                            "WITH gone AS (DELETE FROM t RETURNING a) SELECT count(*) FROM gone",
                            "WITH s AS (SELECT 1) INSERT INTO t SELECT * FROM s",
                            "SELECT a FROM t FOR UPDATE", "SELECT a FROM t FOR NO KEY UPDATE"})
    EXPECT_TRUE(shape(query).writes) << query;
  for (const char* query :
       {"SELECT replace(a, 'x', 'y') FROM t", "SELECT \"update\" FROM t",
        "WITH s AS (SELECT (replace(a, 'x', 'y')) FROM t) SELECT * FROM s",
        "SELECT 'INSERT' FROM t WHERE a IN (SELECT b FROM u)", "SELECT substring(a FOR 2) FROM t"})
    EXPECT_FALSE(shape(query).writes) << query;
}

}  // namespace
}  // namespace lockkeeper::sql
