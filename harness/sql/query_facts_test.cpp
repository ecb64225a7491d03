#include "sql/query_facts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sql/parameter_query.h"

namespace lockkeeper::sql {
namespace {

QueryFacts facts_of(const std::string& text) {
  auto facts = query_facts(text);
  if (!facts) throw std::runtime_error(text + ": " + facts.error());
  return *facts;
}

/// "equal users.id; limit", one for each parameter.
std::string uses_of(const std::string& text) {
  static const char* const k_kinds[] = {"?",    "equal",    "low",      "high",  "pattern",
                                        "list", "assigned", "inserted", "limit", "offset"};
  std::string said;
  for (const ParameterUse& use : facts_of(text).parameters) {
    said += fmt::format("{}{}{}", said.empty() ? "" : "; ", k_kinds[static_cast<int>(use.kind)],
                        use.table.empty() ? "" : fmt::format(" {}.{}", use.table, use.value));
  }
  return said;
}

TEST(QueryFacts, a_parameter_belongs_to_the_column_that_it_is_held_against) {
  const std::pair<const char*, const char*> cases[] = {
      {"select * from users where id = $1", "equal users.id"},
      {"select * from users where $1 = id", "equal users.id"},
      {"select * from \"Order\" o where o.\"userId\" = $1 limit $2 offset $3",
       "equal \"Order\".\"userId\"; limit; offset"},
      {"select * from s.\"user\" where s.\"user\".a = $1", "equal s.\"user\".a"},
      {"select * from t where a > $1 and $2 <= b and c < $3 and $4 >= d",
       "low t.a; low t.b; high t.c; high t.d"},
      {"select * from t where a between $1 and $2", "low t.a; high t.a"},
      {"select * from t where a in ($1, $2) and b not in ($3)", "equal t.a; equal t.a; equal t.b"},
      {"select * from t where a = any($1) and b <> all($2::int[])", "list t.a; list t.b"},
      {"select * from t where a like $1 or b ilike $2", "pattern t.a; pattern t.b"},
      {"select * from t where a = $1::uuid and b::date = cast($2 as date)", "equal t.a; equal t.(b)::date"},
      {"select * from t where lower(a) = $1 and a collate \"C\" > $2", "equal t.lower(a); low t.a"},
      {"select * from t where (a, b) > ($1, $2)", "low t.a; low t.b"},
      {"select * from t where $1::int is null or a = $1", "equal t.a"},
      {"select * from a, b where a.x = $1 and b.y = $2", "equal a.x; equal b.y"},
      {"select * from a join b using (id) where x = $1", "?"},
      {"select * from t where a + 1 = $1 and f(b) = $2", "?; ?"},
      {"select $1, coalesce(a, $2) from t", "?; ?"},
      {"select * from t where a > now() - $1::interval", "?"},
      {"with w as (select * from t where a = $1) select * from w where w.b = $2", "equal t.a; ?"},
      {"select * from t where exists (select 1 from u where u.a = t.b and t.c = $1)", "equal t.c"},
      {"select * from t where a in (select b from u where c = $1)", "equal u.c"},
      {"select * from (select * from t where a = $1) x where x.b = $2", "equal t.a; ?"},
      {"select a from t where a = $1 union select a from u where a = $2 order by 1 limit $3",
       "equal t.a; equal u.a; limit"},
      {"insert into t(a, b) values ($1, $2), ($3, default)", "inserted t.a; inserted t.b; inserted t.a"},
      {"insert into t values ($1)", "?"},
      {"insert into t(a, b) select $1, $2::int on conflict (a) do update set b = $3",
       "inserted t.a; inserted t.b; inserted t.b"},
      {"update t set a = $1, b = b + $2 where c = $3", "assigned t.a; ?; equal t.c"},
      {"update t x set a = $1 from u where u.id = x.id and u.b = $2", "assigned t.a; equal u.b"},
      {"delete from t using u where t.a = $1 and u.b = $2", "equal t.a; equal u.b"},
      {"merge into t using u on t.a = u.a and u.b = $1 when matched then delete", "equal u.b"},
      {"select * from t where a = $2", "?; equal t.a"},
  };
  for (const auto& [text, uses] : cases) EXPECT_EQ(uses_of(text), uses) << text;
}

TEST(QueryFacts, statements_are_told_by_what_they_do_and_touch) {
  using Verb = QueryFacts::Verb;
  EXPECT_EQ(facts_of("values (1)").verb, Verb::select);
  EXPECT_EQ(facts_of("with x as (select 1) insert into t select * from x").verb, Verb::insert);
  for (const char* utility :
       {"begin", "commit", "set a = 1", "create table t(a int)", "vacuum", "explain select 1", "execute q(3)",
        "copy t to stdout", "select 1 into x", "savepoint a", "call p()"})
    EXPECT_EQ(facts_of(utility).verb, Verb::utility) << utility;
  EXPECT_TRUE(facts_of("select * from pg_class c join pg_catalog.pg_index i on true").on_catalogs_only);
  EXPECT_TRUE(facts_of("select * from information_schema.tables").on_catalogs_only);
  EXPECT_FALSE(facts_of("select * from pg_class, t").on_catalogs_only);
  for (const char* nothing : {"select 1", "select version()", "select pg_sleep(1)", "values ($1)"})
    EXPECT_TRUE(facts_of(nothing).touches_nothing) << nothing;
  EXPECT_FALSE(facts_of("select charge($1)").touches_nothing);
  EXPECT_FALSE(facts_of("select * from shop.orders_of($1)").touches_nothing);
  EXPECT_EQ(facts_of("select * from a, s.b, a x, (select * from c) d, pg_class").tables,
            (std::vector<std::string>{"a", "b", "c"}));
}

TEST(QueryFacts, constants_make_no_difference_to_a_fingerprint) {
  EXPECT_EQ(facts_of("SELECT * FROM t WHERE a = 1").fingerprint,
            facts_of("select *  from t where a = $1;").fingerprint);
  EXPECT_NE(facts_of("SELECT * FROM t WHERE a = 1").fingerprint,
            facts_of("SELECT * FROM t WHERE b = 1").fingerprint);
}

TEST(QueryFacts, the_text_is_what_a_server_takes) {
  EXPECT_EQ(facts_of("-- name: GetUser :one\n/* x */ select 1 from t; ;\n").text, "select 1 from t");
  EXPECT_EQ(
      facts_of("select * from t where a > now() - interval $1 and b > date $12 and c = 'interval $1'").text,
      "select * from t where a > now() - $1::interval and b > $12::date and c = 'interval $1'");
  EXPECT_EQ(facts_of("select cast($1 as date), $2::date from t").text,
            "select cast($1 as date), $2::date from t");
}

TEST(QueryFacts, what_is_no_statement_says_why) {
  EXPECT_EQ(query_facts("").error(), "empty");
  EXPECT_EQ(query_facts(" -- nothing\n;").error(), "empty");
  EXPECT_EQ(query_facts("select * from t where a = 'x").error(),
            "cut short, or no SQL that PostgreSQL 15 knows");
  EXPECT_EQ(query_facts("select 1; select 2").error(), "several in one message");
  EXPECT_EQ(query_facts("select '" + std::string(100'000, 'x') + "'").error(), "longer than 98 kB");
  std::string chain = "select 1";
  for (int i = 0; i < 20'000; ++i) chain += "+1";
  EXPECT_EQ(query_facts(chain).error(), "nested too deeply to be parsed");
  EXPECT_FALSE(query_facts("select " + std::string(40'000, '(')).has_value());
  EXPECT_FALSE(
      query_facts("select " + std::string(40'000, '(') + "1" + std::string(40'000, ')')).has_value());
  std::string list = "select 1 from t where a in (1";
  for (int i = 0; i < 40'000; ++i) list += ",2";
  EXPECT_TRUE(query_facts(list + ")").has_value());
}

std::string query_for(const std::string& text) {
  return parameter_query(facts_of(text).parameters).sql;
}

TEST(ParameterQuery, yields_the_commonest_and_the_rarest_values_that_stand_together) {
  EXPECT_EQ(query_for("select * from t where a = $2 and \"B\" = $1 limit $3 offset $4"),
            "SELECT t1.p1, t1.p2, '20', '0'\n"
            "FROM (SELECT \"B\"::text AS p1, a::text AS p2 FROM t WHERE \"B\" IS NOT NULL AND a IS NOT NULL "
            "GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1) AS t1\n"
            "UNION ALL\n"
            "SELECT t1.p1, t1.p2, '20', '0'\n"
            "FROM (SELECT \"B\"::text AS p1, a::text AS p2 FROM t WHERE \"B\" IS NOT NULL AND a IS NOT NULL "
            "GROUP BY 1, 2 ORDER BY count(*), 1 DESC, 2 DESC LIMIT 1) AS t1");
}

TEST(ParameterQuery, takes_the_ends_of_ranges_from_the_rows_that_the_other_values_choose) {
  EXPECT_EQ(
      query_for("select * from t where a = $1 and b >= $2 and b < $3 and c > $4"),
      "SELECT t1.p1, t1.p2, t1.p3, t1.p4\n"
      "FROM (SELECT a::text AS p1, (percentile_disc(0.1) WITHIN GROUP (ORDER BY b))::text AS p2, "
      "(percentile_disc(0.9) WITHIN GROUP (ORDER BY b))::text AS p3, "
      "(percentile_disc(0.25) WITHIN GROUP (ORDER BY c))::text AS p4 FROM t WHERE a IS NOT NULL GROUP BY 1 "
      "HAVING count(b) > 0 AND count(c) > 0 ORDER BY count(*) DESC, 1 LIMIT 1) AS t1\n"
      "UNION ALL\n"
      "SELECT t1.p1, t1.p2, t1.p3, t1.p4\n"
      "FROM (SELECT a::text AS p1, (percentile_disc(0.45) WITHIN GROUP (ORDER BY b))::text AS p2, "
      "(percentile_disc(0.55) WITHIN GROUP (ORDER BY b))::text AS p3, "
      "(percentile_disc(0.95) WITHIN GROUP (ORDER BY c))::text AS p4 FROM t WHERE a IS NOT NULL GROUP BY 1 "
      "HAVING count(b) > 0 AND count(c) > 0 ORDER BY count(*), 1 DESC LIMIT 1) AS t1");
}

TEST(ParameterQuery, crosses_tables_and_gives_lists_further_values) {
  const std::string query =
      query_for("select * from a x join b y on true where x.c in ($1, $2) and y.d like $3 and y.e = any($4)");
  EXPECT_EQ(
      query.substr(0, query.find("\nUNION ALL")),
      "SELECT t1.p1, coalesce((SELECT c::text FROM a WHERE c IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, "
      "1 OFFSET 1 LIMIT 1), t1.p1), t2.p3, t2.p4\n"
      "FROM (SELECT c::text AS p1 FROM a WHERE c IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) "
      "AS t1\n"
      "CROSS JOIN (SELECT left(d::text, 3) || '%' AS p3, ARRAY[e::text]::text AS p4 FROM b WHERE d IS NOT "
      "NULL AND e IS NOT NULL GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1) AS t2");
}

TEST(ParameterQuery, writes_with_values_of_rows_that_are_there) {
  EXPECT_EQ(
      query_for("insert into t(a, b) values ($1, $2)"),
      "SELECT t1.p1, t1.p2\nFROM (SELECT a::text AS p1, b::text AS p2 FROM t ORDER BY 1, 2 LIMIT 1) AS t1\n"
      "UNION ALL\n"
      "SELECT t1.p1, t1.p2\nFROM (SELECT a::text AS p1, b::text AS p2 FROM t ORDER BY 1 DESC, 2 DESC LIMIT "
      "1) "
      "AS t1");
  EXPECT_EQ(query_for("update t set a = $1").substr(0, 80),
            "SELECT t1.p1\nFROM (SELECT min(a::text) AS p1 FROM t HAVING count(*) > 0) AS t1\nU");
  EXPECT_EQ(query_for("select * from t limit $1"), "SELECT '20'");
}

TEST(ParameterQuery, names_the_first_parameter_of_which_nothing_is_known) {
  EXPECT_EQ(
      parameter_query(facts_of("select * from t where a = $1 and b + $2 > 1 and $3").parameters).missing, 2);
  EXPECT_EQ(parameter_query({}).missing, 0);
  EXPECT_EQ(parameter_query({}).sql, "");
}

TEST(QuotedName, quotes_what_would_not_stand_alone) {
  EXPECT_EQ(quoted_name("users"), "users");
  EXPECT_EQ(quoted_name("userId"), "\"userId\"");
  EXPECT_EQ(quoted_name("order"), "\"order\"");
  EXPECT_EQ(quoted_name("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quoted_name("1st"), "\"1st\"");
}

}  // namespace
}  // namespace lockkeeper::sql
