#include "engine/postgres/state_reader.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"

namespace lockkeeper::engine::postgres {
namespace {

using record::DataChange;

const Touched k_everything{.everything = true, .tables = {}};
const Touched k_nothing{};

/// One server for all of them; each test has databases of its own.
class StateReaderTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { s_server = new DisposableServer(); }
  static void TearDownTestSuite() { delete s_server; }

  void SetUp() override {
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    m_database = name.substr(0, 60);
    s_server->ensure(m_database);
    m_connection = s_server->connection(m_database);
  }

  void run(const std::string& sql, const std::string& connection = {}) const {
    auto session = Connection::open(connection.empty() ? m_connection : connection);
    ASSERT_TRUE(session.has_value());
    const auto answered = session->ask(sql);
    ASSERT_TRUE(answered.has_value());
    ASSERT_EQ(answered->message, "");
  }

  static State read(StateReader& reader, const State* previous = nullptr,
                    const Touched& touched = k_everything) {
    auto state = reader.read(previous, touched);
    EXPECT_TRUE(state.has_value()) << (state ? "" : to_string(state.error()));
    return state ? *state : State();
  }

  /// What a change makes of the data, seen from before.
  std::vector<record::DataDifference> data_after(const std::string& sql) {
    StateReader reader(m_connection);
    const State before = read(reader);
    run(sql);
    return compare(before, read(reader, &before)).data;
  }

  static DisposableServer* s_server;
  std::string m_database;
  std::string m_connection;
};
DisposableServer* StateReaderTest::s_server = nullptr;

TEST_F(StateReaderTest, rows_in_another_order_are_the_same_rows) {
  run("CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, i::text FROM generate_series(1, 100) i");
  EXPECT_TRUE(
      data_after(
          "CREATE TABLE u AS SELECT * FROM t; TRUNCATE t; INSERT INTO t SELECT * FROM u ORDER BY a DESC")
          .empty());
}

TEST_F(StateReaderTest, values_swapped_between_rows_are_a_difference) {
  run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  const auto data = data_after("UPDATE t SET b = CASE b WHEN 'x' THEN 'y' ELSE 'x' END");
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].change, DataChange::row_composition);
}

TEST_F(StateReaderTest, values_swapped_between_rows_beside_an_added_column_are_a_difference) {
  run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  const auto data =
      data_after("ALTER TABLE t ADD c int; UPDATE t SET b = CASE b WHEN 'x' THEN 'y' ELSE 'x' END");
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].change, DataChange::row_composition);
}

TEST_F(StateReaderTest, values_swapped_between_columns_are_a_difference) {
  run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)");
  EXPECT_EQ(data_after("UPDATE t SET a = b, b = a").size(), 2U);
}

TEST_F(StateReaderTest, null_empty_and_zero_are_three_things) {
  run("CREATE TABLE t (a text, b int, c float8); INSERT INTO t VALUES (NULL, NULL, 0)");
  EXPECT_EQ(data_after("UPDATE t SET a = '', b = 0, c = '-0'").size(), 3U);
}

TEST_F(StateReaderTest, what_only_text_tells_apart_is_a_difference) {
  run("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE t (a numeric, b interval, c jsonb, d text COLLATE loose, e date);"
      "INSERT INTO t VALUES (1.0, '1 day', '1.0', 'A', 'infinity')");
  const auto data =
      data_after("UPDATE t SET a = 1.00, b = '24 hours', c = '1.00', d = 'a', e = '5000000-01-01'");
  EXPECT_EQ(data.size(), 5U);
}

TEST_F(StateReaderTest, a_wider_type_holds_the_same_values) {
  run("CREATE TABLE t (a int, b varchar(10), c smallint, d timestamp, e numeric(10,2), f char(5));"
      "INSERT INTO t VALUES (-5, 'x', 7, '2020-01-01', 1.50, 'ab')");
  EXPECT_TRUE(data_after("ALTER TABLE t ALTER a TYPE bigint, ALTER b TYPE text, ALTER c TYPE int,"
                         " ALTER d TYPE timestamptz USING d AT TIME ZONE 'UTC', ALTER e TYPE numeric(12,4),"
                         " ALTER f TYPE text")
                  .empty());
}

TEST_F(StateReaderTest, a_type_that_rounds_loses_values) {
  run("CREATE TABLE t (id int, price float8); INSERT INTO t VALUES (1, 1.005), (2, 3)");
  const auto data = data_after("ALTER TABLE t ALTER price TYPE numeric(10,2)");
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].change, DataChange::column_values);
  EXPECT_EQ(data[0].column, "price");
}

TEST_F(StateReaderTest, a_type_that_cannot_be_cast_back_counts_as_other_values) {
  run("CREATE TABLE t (a boolean); INSERT INTO t VALUES (true)");
  EXPECT_EQ(data_after("ALTER TABLE t ALTER a TYPE date USING '2020-01-01'::date").size(), 1U);
}

TEST_F(StateReaderTest, a_changed_type_that_stays_is_still_known_two_steps_later) {
  run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  StateReader reader(m_connection);
  const State first = read(reader);
  run("ALTER TABLE t ALTER a TYPE text");
  const State second = read(reader, &first);
  run("UPDATE t SET a = a");
  const State third = read(reader, &second);
  EXPECT_TRUE(compare(first, third).data.empty());
}

/// With 99 rows in every table, so that what is taken over can be told from what is read.
State marked(State state) {
  SharedList<TableContent> tables;
  for (TableContent table : state.tables) {
    table.rows = 99;
    tables.push_back(std::move(table));
  }
  state.tables = std::move(tables);
  return state;
}

TEST_F(StateReaderTest, an_untouched_table_is_taken_over_and_a_touched_one_read) {
  run("CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE TABLE u (a int); INSERT INTO u VALUES (1)");
  StateReader reader(m_connection);
  const State before = marked(read(reader));
  const State after = read(reader, &before, {.everything = false, .tables = {"public.u"}});
  ASSERT_EQ(after.tables.size(), 2U);
  EXPECT_EQ(after.tables[0].rows, 99);
  EXPECT_EQ(after.tables[1].rows, 1);
}

TEST_F(StateReaderTest, what_did_not_change_is_shared_with_the_state_before) {
  run("CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int DEFAULT 1)");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("ALTER TABLE u ALTER a SET DEFAULT 2");
  const State after = read(reader, &before, k_nothing);
  ASSERT_EQ(after.objects.size(), before.objects.size());
  std::string others;
  for (std::size_t i = 0; i < after.objects.size(); ++i) {
    if (after.objects.shared(i) != before.objects.shared(i)) others += after.objects[i].identity + " ";
  }
  EXPECT_EQ(others, "public.u.a ");
  EXPECT_EQ(after.tables.shared(0), before.tables.shared(0));
}

TEST_F(StateReaderTest, what_few_databases_have_is_seen_as_soon_as_there_is_some) {
  run("CREATE TABLE t (a int)");
  StateReader reader(m_connection);
  State last = read(reader);
  const auto changed_by = [&](const std::string& sql) {
    run(sql);
    State now = read(reader, &last, k_nothing);
    std::string seen;
    for (const auto& object : compare(last, now).objects) {
      seen += object.kind;
      for (const auto& attribute : object.attributes) seen += " " + attribute.name + "=" + attribute.after;
      seen += ";";
    }
    last = std::move(now);
    return seen;
  };
  EXPECT_EQ(changed_by("CREATE VIEW v AS SELECT 1 AS a"), "column;view;");
  EXPECT_EQ(changed_by("CREATE SEQUENCE s"), "sequence;");
  EXPECT_EQ(changed_by("ALTER TABLE t SET (fillfactor = 50)"), "table options=fillfactor=50;");
  EXPECT_EQ(changed_by("ALTER TABLE t ALTER a SET STATISTICS 5"), "column statistics target=5;");
  EXPECT_EQ(changed_by("DROP VIEW v; ALTER TABLE t RESET (fillfactor)"), "column;table options=;view;");
}

TEST_F(StateReaderTest, an_untouched_table_is_read_where_its_file_or_columns_are_others) {
  run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2); CREATE TABLE u (a int); INSERT INTO u "
      "VALUES (1)");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("ALTER TABLE t DROP b; ALTER TABLE t ADD b int; TRUNCATE u");
  const auto data = compare(before, read(reader, &before, k_nothing)).data;
  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[0].column, "b");
  EXPECT_EQ(data[1].change, DataChange::table_rows);
}

/// Hashes of all columns, and which rows go with which values.
std::string content_text(const State& state) {
  std::string text;
  for (const TableContent& table : state.tables) {
    text += table.table + " " + std::to_string(table.rows) + "\n";
    for (const ColumnContent& column : table.columns) text += column.name + " " + column.hash + "\n";
  }
  return text;
}

TEST_F(StateReaderTest, what_is_derived_from_an_untouched_table_is_what_a_scan_finds) {
  run("CREATE TYPE mood AS ENUM ('sad', 'ok');"
      "CREATE TABLE t (a int, b varchar(10), c int, d text, e numeric(10,2));"
      "INSERT INTO t SELECT i, 'b' || i, CASE WHEN i % 3 > 0 THEN i END, 'd', i FROM generate_series(1, 100) "
      "i");
  StateReader reader(m_connection);
  State state = read(reader);
  for (const char* change :
       {"ALTER TABLE t ADD n text", "ALTER TABLE t ADD k int DEFAULT -7, ADD m mood NOT NULL DEFAULT 'ok'",
        "ALTER TABLE t ADD l int[] DEFAULT '{1,2}', ADD w timestamptz DEFAULT now()",
        "ALTER TABLE t RENAME a TO z", "ALTER TABLE t ALTER b TYPE text, ALTER e TYPE numeric(12,2)",
        "ALTER TABLE t RENAME b TO x; ALTER TABLE t RENAME d TO b; ALTER TABLE t RENAME x TO d",
        "ALTER TABLE t RENAME z TO y; ALTER TABLE t ADD z int", "ALTER TABLE t DROP c",
        "ALTER TABLE t ADD c int DEFAULT 5", "DELETE FROM t", "ALTER TABLE t ADD late int DEFAULT 3"}) {
    run(change);
    const bool deletes = std::string_view(change).starts_with("DELETE");
    State derived = read(reader, &state, {.everything = deletes, .tables = {}});
    const State scanned = read(reader, &derived);
    EXPECT_EQ(content_text(derived), content_text(scanned)) << change;
    EXPECT_TRUE(compare(derived, scanned).data.empty()) << change;
    state = std::move(derived);
  }
}

TEST_F(StateReaderTest, columns_that_come_and_are_renamed_without_a_rewrite_need_no_scan) {
  run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)");
  StateReader reader(m_connection);
  const State before = marked(read(reader));
  run("ALTER TABLE t ADD c text DEFAULT 'x'; ALTER TABLE t RENAME a TO z");
  EXPECT_EQ(read(reader, &before, k_nothing).tables[0].rows, 99);
  run("ALTER TABLE t ADD d int DEFAULT random()");
  EXPECT_EQ(read(reader, &before, k_nothing).tables[0].rows, 1);
}

TEST_F(StateReaderTest, values_swapped_between_rows_are_seen_after_a_column_came_without_a_scan) {
  run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("ALTER TABLE t ADD c int; ALTER TABLE t RENAME a TO z");
  const State derived = read(reader, &before, k_nothing);
  run("UPDATE t SET b = CASE b WHEN 'x' THEN 'y' ELSE 'x' END");
  const auto data = compare(derived, read(reader, &derived)).data;
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].change, DataChange::row_composition);
}

TEST_F(StateReaderTest, a_renamed_label_changes_the_values_of_an_untouched_table) {
  run("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (m mood); INSERT INTO t VALUES ('sad')");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'");
  EXPECT_EQ(compare(before, read(reader, &before, k_nothing)).data.size(), 1U);
}

TEST_F(StateReaderTest, odd_tables_are_read) {
  run("CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES; CREATE TABLE \"o'd \"\"d\" (\"a,b\" int, \"ü\" "
      "text);"
      "INSERT INTO \"o'd \"\"d\" VALUES (1, 'x'); CREATE TABLE kid () INHERITS (bare); INSERT INTO kid "
      "DEFAULT VALUES;"
      "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE MATERIALIZED VIEW n AS SELECT 1 AS a WITH NO DATA;"
      "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p DEFAULT; INSERT INTO p "
      "VALUES (1)");
  StateReader reader(m_connection);
  std::string seen;
  for (const TableContent& table : read(reader).tables)
    seen += table.table + "=" + std::to_string(table.rows) + " ";
  EXPECT_EQ(seen, "public.\"o'd \"\"d\"=1 public.bare=1 public.kid=1 public.m=1 public.p1=1 ");
}

TEST_F(StateReaderTest, a_session_that_a_migration_ended_is_opened_again) {
  StateReader reader(m_connection);
  read(reader);
  run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database()"
      " AND pid <> pg_backend_pid()");
  read(reader);
}

TEST_F(StateReaderTest, large_objects_are_rows_too_and_read_whatever_was_touched) {
  StateReader reader(m_connection);
  EXPECT_TRUE(read(reader).tables.empty());
  run("SELECT lo_from_bytea(1000001, 'one'); SELECT lo_from_bytea(1000002, 'two')");
  const State before = read(reader);
  ASSERT_EQ(before.tables.size(), 1U);
  EXPECT_EQ(before.tables[0].table, "pg_catalog.pg_largeobject");
  EXPECT_EQ(before.tables[0].rows, 2);

  run("SELECT lo_put(1000002, 0, 'x')");
  const auto changed = compare(before, read(reader, &before, k_nothing)).data;
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0].change, record::DataChange::column_values);
  EXPECT_EQ(changed[0].column, "data");

  run("SELECT lo_unlink(1000001), lo_unlink(1000002)");
  const auto lost = compare(before, read(reader)).data;
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].rows_before, 2);
  EXPECT_EQ(lost[0].rows_after, 0);
}

TEST_F(StateReaderTest, sequences_are_put_back_where_they_stood) {
  run("CREATE SEQUENCE used; CREATE SEQUENCE fresh; CREATE SEQUENCE moved; SELECT nextval('used');"
      "ALTER SEQUENCE moved RESTART WITH 40");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("SELECT nextval(s::regclass) FROM unnest(ARRAY['used', 'fresh', 'moved']) s");
  const State after = read(reader, &before, k_nothing);
  const auto moves = compare_sequences(before, after);
  ASSERT_EQ(moves.size(), 3U);
  EXPECT_EQ(moves[0].before, "unused");
  EXPECT_EQ(moves[1].before, "before 40");
  EXPECT_EQ(moves[1].after, "40");
  EXPECT_EQ(moves[2].before, "1");

  ASSERT_TRUE(reader.restore_sequences(before).has_value());
  EXPECT_TRUE(compare_sequences(before, read(reader, &after, k_nothing)).empty());
}

TEST_F(StateReaderTest, facts_name_the_columns_of_keys_and_indexes) {
  run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (x int, p_id int)");
  StateReader reader(m_connection);
  const State before = read(reader);
  run("ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID; CREATE INDEX one ON c (x);"
      "CREATE INDEX two ON c (x); ALTER TABLE p ADD UNIQUE (id)");
  std::string seen;
  for (const auto& fact : schema_facts(before, read(reader, &before))) {
    seen += fact.object + " of " + fact.table + ": " + fact.detail + "\n";
  }
  EXPECT_EQ(seen,
            "public.c.c_p_id_fkey of public.c: \npublic.c.c_p_id_fkey of public.c: p_id\n"
            "public.p_id_key of public.p: public.p_pkey\npublic.two of public.c: public.one\n");
}

TEST_F(StateReaderTest, rows_that_break_a_constraint_that_claims_to_hold_are_counted) {
  run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p_id int REFERENCES p, n int CHECK (n > 0));"
      "CREATE TABLE parts (a int CHECK (a > 0)) PARTITION BY LIST (a); CREATE TABLE part PARTITION OF parts "
      "DEFAULT;"
      "INSERT INTO c VALUES (NULL, 1);"
      "SET session_replication_role = replica; INSERT INTO c VALUES (7, 1), (8, NULL)");
  StateReader reader(m_connection);
  const auto facts = reader.violated_constraints({.everything = false, .tables = {"public.c"}});
  ASSERT_TRUE(facts.has_value()) << to_string(facts.error());
  ASSERT_EQ(facts->size(), 1U);
  EXPECT_EQ(facts->front().object, "public.c.c_p_id_fkey");
  EXPECT_EQ(facts->front().table, "public.c");
  EXPECT_EQ(facts->front().detail, "2 rows");
  EXPECT_TRUE(reader.violated_constraints({.everything = false, .tables = {"public.part"}})->empty());
  EXPECT_EQ(reader.violated_constraints(k_everything)->size(), 1U);
  EXPECT_EQ(reader.violated_constraints({.everything = false, .tables = {"public.p"}})->size(), 1U);
}

TEST_F(StateReaderTest, a_key_over_the_same_values_as_before_is_not_asked_again) {
  run("CREATE TABLE p (id int PRIMARY KEY, n int); CREATE TABLE c (p_id int REFERENCES p, n int);"
      "SET session_replication_role = replica; INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (7, 1)");
  StateReader reader(m_connection);
  const State before = read(reader);
  const auto broken_after = [&](const std::string& sql) {
    run(sql);
    const State after = read(reader, &before);
    const auto facts = reader.violated_constraints(k_everything, {&before, &after});
    EXPECT_TRUE(facts.has_value());
    return facts ? facts->size() : 99;
  };
  EXPECT_EQ(broken_after("UPDATE c SET n = 2; UPDATE p SET n = 2"), 0U);
  EXPECT_EQ(broken_after("SET session_replication_role = replica; UPDATE p SET id = 2"), 1U);
  EXPECT_EQ(
      broken_after("SET session_replication_role = replica; UPDATE p SET id = 1; UPDATE c SET p_id = 8"), 1U);
  EXPECT_EQ(broken_after("SET session_replication_role = replica; UPDATE c SET p_id = 7"), 0U);
  EXPECT_EQ(broken_after("ALTER TABLE c ALTER CONSTRAINT c_p_id_fkey DEFERRABLE"), 1U);
}

TEST_F(StateReaderTest, rows_are_compared_by_key) {
  const std::string other = m_database + "_b";
  s_server->ensure(other);
  const std::string base = s_server->connection(other);
  const std::string made =
      "CREATE TABLE t (id int PRIMARY KEY, v text, old int); INSERT INTO t SELECT i, 'v' || i, i"
      " FROM generate_series(1, 12000) i";
  run(made, base);
  run(made);
  run("DELETE FROM t WHERE id IN (17, 9000); UPDATE t SET v = 'other' WHERE id = 30; INSERT INTO t VALUES "
      "(20000, 'n', 1);"
      "ALTER TABLE t DROP old; ALTER TABLE t ALTER id TYPE bigint");
  const auto difference = postgres::compare_rows(base, m_connection, "public.t");
  ASSERT_TRUE(difference.has_value()) << to_string(difference.error());
  ASSERT_TRUE(difference->has_value());
  EXPECT_EQ((*difference)->rows_lost, 2);
  EXPECT_EQ((*difference)->rows_added, 1);
  EXPECT_EQ((*difference)->rows_changed, 1);
  EXPECT_EQ((*difference)->rows_before, 12000);
  EXPECT_EQ((*difference)->rows_after, 11999);
  EXPECT_EQ((*difference)->sample_key, "id=17");
}

TEST_F(StateReaderTest, rows_without_a_key_cannot_be_compared) {
  run("CREATE TABLE t (a int UNIQUE)");
  const auto difference = postgres::compare_rows(m_connection, m_connection, "public.t");
  ASSERT_TRUE(difference.has_value());
  EXPECT_FALSE(difference->has_value());
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
