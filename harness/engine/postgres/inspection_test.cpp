#include "engine/postgres/inspection.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/inspection_queries.h"
#include "engine/postgres/tool_books.h"

namespace lockkeeper::engine::postgres {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename T>
T got(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

/// A server with a role that may only look, and the sessions of others.
class InspectionTest : public ::testing::Test {
 protected:
  InspectionTest() : m_admin(got(Connection::open(m_server.connection()))) {
    run("CREATE ROLE inspector LOGIN; GRANT pg_monitor TO inspector; CREATE ROLE stranger LOGIN");
  }

  void run(const std::string& sql) { got(m_admin.rows(sql)); }
  std::string value(const std::string& sql) { return got(m_admin.rows(sql)).at(0).at(0).value_or(""); }
  std::string url(const std::string& role) const {
    return got(with_parameter(m_server.connection(), "user", role));
  }
  InspectionOptions options(const std::string& role = "inspector") const {
    return {.url = url(role), .application_name = "lockkeeper test"};
  }
  Inspected look(const std::string& role = "inspector") {
    auto inspection = got(Inspection::open(options(role)));
    return got(inspection.look());
  }
  /// A session of its own that has run the statement.
  Connection other(const std::string& sql) {
    auto session = got(Connection::open(m_server.connection()));
    got(session.rows(sql));
    return session;
  }
  /// Waits until the query says so.
  void wait_until(const std::string& sql) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (value(sql) != "t") {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("never: " + sql);
      ::poll(nullptr, 0, 5);
    }
  }

  DisposableServer m_server;
  Connection m_admin;
};

std::vector<std::string> kinds(const Inspected& seen) {
  std::vector<std::string> kinds;
  for (const Trouble& trouble : seen.troubles) kinds.push_back(trouble.kind);
  return kinds;
}

const Trouble& trouble(const Inspected& seen, const std::string& kind) {
  const auto found = std::ranges::find(seen.troubles, kind, &Trouble::kind);
  if (found == seen.troubles.end()) throw std::runtime_error("no trouble " + kind);
  return *found;
}

const TableSize& table(const Inspected& seen, const std::string& name) {
  const auto found = std::ranges::find(seen.tables, name, &TableSize::table);
  if (found == seen.tables.end()) throw std::runtime_error("no table " + name);
  return *found;
}

/// What the server's log holds as statements; lines that go on begin with a tab there.
std::vector<std::string> logged_statements(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::vector<std::string> statements;
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find("statement: ");
    if (line.starts_with('\t') && !statements.empty()) {
      statements.back() += "\n" + line.substr(1);
    } else if (at != std::string::npos) {
      statements.push_back(line.substr(at + 11));
    }
  }
  return statements;
}

TEST_F(InspectionTest, the_servers_log_holds_no_statement_that_is_not_printed) {
  run("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
      "INSERT INTO schema_migrations VALUES (7, false); GRANT SELECT ON schema_migrations TO inspector;"
      "CREATE SEQUENCE numbers; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  run("ALTER ROLE inspector SET log_statement = 'all'");
  {
    auto inspection = got(Inspection::open(options()));
    auto seen = got(inspection.look());
    ASSERT_TRUE(got(inspection.read_schema(seen.unseen)).has_value());
    EXPECT_THAT(seen.unseen, IsEmpty());
  }
  std::set<std::string> printed;
  for (const auto& statement :
       inspection_statements(options(), m_admin.server_version() / 10000, WithSchema::yes))
    printed.insert(std::regex_replace(statement.sql, std::regex("«(schema_migrations)»"), "public.$1"));
  const auto logged = logged_statements(m_server.server().place().log);
  EXPECT_GT(logged.size(), 60U);
  for (const std::string& statement : logged) EXPECT_TRUE(printed.contains(statement)) << statement;
  EXPECT_THAT(logged, Contains("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").Times(1));
}

TEST_F(InspectionTest, takes_no_transaction_id_and_leaves_no_session) {
  run("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) "
      "i");
  const std::string before = value("SELECT pg_snapshot_xmax(pg_current_snapshot())");
  {
    auto inspection = got(Inspection::open(options()));
    auto seen = got(inspection.look());
    got(inspection.read_schema(seen.unseen));
    EXPECT_EQ(value("SELECT backend_xid IS NULL AND state = 'idle in transaction' FROM pg_stat_activity"
                    " WHERE application_name = 'lockkeeper test'"),
              "t");
    EXPECT_EQ(
        value("SELECT string_agg(DISTINCT mode, ',') FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
              " WHERE application_name = 'lockkeeper test' AND locktype = 'relation'"),
        "AccessShareLock");
  }
  EXPECT_EQ(value("SELECT pg_snapshot_xmax(pg_current_snapshot())"), before);
  wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'lockkeeper test'");
}

TEST_F(InspectionTest, is_read_only_whatever_the_role_begins_with) {
  run("ALTER ROLE inspector SET default_transaction_read_only = off; ALTER ROLE inspector SET search_path = "
      "app;"
      "ALTER ROLE inspector SET statement_timeout = 0; ALTER ROLE inspector SET lock_timeout = '7s'");
  const Inspected seen = look();
  // As a session of the role has it, not as ours does.
  EXPECT_EQ(seen.server.settings.at("lock_timeout"), "7000 ms");
  EXPECT_EQ(seen.server.settings.at("statement_timeout"), "0");
}

TEST_F(InspectionTest, refuses_a_superuser_unless_told_otherwise) {
  InspectionOptions as_superuser = options("postgres");
  const auto refused = Inspection::open(as_superuser);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, FailureKind::usage);
  EXPECT_EQ(refused.error().message, "will not inspect as 'postgres': it is a superuser");
  EXPECT_THAT(refused.error().hint, HasSubstr("GRANT pg_monitor TO inspector; or say --superuser-ok"));
  as_superuser.superuser = Superuser::accepted;
  EXPECT_TRUE(Inspection::open(as_superuser));
}

TEST_F(InspectionTest, an_untroubled_database_has_no_troubles) {
  run("CREATE TABLE t (id int PRIMARY KEY)");
  const Inspected seen = look();
  EXPECT_THAT(kinds(seen), IsEmpty());
  EXPECT_THAT(seen.unseen, IsEmpty());
  EXPECT_EQ(seen.server.role, "inspector");
  EXPECT_EQ(seen.server.encoding, "UTF8");
  EXPECT_FALSE(seen.server.is_standby);
  EXPECT_GT(seen.server.bytes.value_or(0), 0);
}

TEST_F(InspectionTest, finds_what_a_failed_concurrent_build_left) {
  run("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (1)");
  EXPECT_FALSE(m_admin.rows("CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)"));
  const Inspected seen = look();
  const Trouble& index = trouble(seen, "invalid-index");
  EXPECT_EQ(index.subject, "public.t_n");
  EXPECT_THAT(index.detail, HasSubstr("on public.t: "));
  EXPECT_TRUE(index.stands);
}

TEST_F(InspectionTest, finds_orphans_of_a_key_that_was_never_validated) {
  run("CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); INSERT INTO p VALUES (1, 1);"
      "CREATE TABLE \"C\" (x int, \"Y\" int); INSERT INTO \"C\" VALUES (1, 1), (1, 2), (NULL, 5);"
      "ALTER TABLE \"C\" ADD CONSTRAINT k FOREIGN KEY (x, \"Y\") REFERENCES p (a, b) NOT VALID;"
      "GRANT SELECT ON p, \"C\" TO inspector");
  const Inspected seen = look();
  EXPECT_EQ(trouble(seen, "orphaned-rows").detail,
            "1 row of the first 10,000 of public.\"C\" refer to none of public.p");
  EXPECT_FALSE(trouble(seen, "unvalidated-constraint").stands);
}

TEST_F(InspectionTest, says_which_tables_it_may_not_read_and_goes_on) {
  run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int);"
      "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES p NOT VALID;"
      "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)");
  const Inspected seen = look("stranger");
  std::vector<std::string> unseen;
  for (const Unseen& one : seen.unseen) unseen.push_back(one.what + " | " + one.reason);
  EXPECT_THAT(
      unseen,
      ElementsAre(
          "what sessions of other roles do, and how standbys lag behind | role 'stranger' may not see it: "
          "GRANT pg_monitor TO it",
          "orphans of public.c.k | this role may not read it: GRANT SELECT ON public.c, public.p TO it",
          "public.schema_migrations of golang-migrate | this role may not read it: GRANT SELECT ON "
          "public.schema_migrations TO it"));
  EXPECT_EQ(seen.tables.size(), 3U);
  EXPECT_THAT(seen.books, IsEmpty());
}

TEST_F(InspectionTest, finds_who_waits_and_behind_whom_and_shows_no_literal) {
  run("CREATE TABLE t (id int)");
  const Connection holder = other("SET application_name = 'holder'; BEGIN; LOCK TABLE t");
  auto waiter = got(Connection::open(m_server.connection()));
  got(waiter.rows("SET application_name = 'waiter'"));
  auto waiting = std::async(std::launch::async, [&] { return waiter.rows("TABLE t"); });
  wait_until("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted");
  const Inspected seen = look();
  run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
  EXPECT_TRUE(waiting.get());
  const Trouble& blocked = trouble(seen, "blocked-session");
  EXPECT_THAT(blocked.detail,
              HasSubstr("postgres (waiter) waits for AccessShareLock on public.t, behind pid "));
  EXPECT_THAT(blocked.detail, HasSubstr("postgres (holder), idle in transaction"));
  EXPECT_TRUE(blocked.stands);
  // Whoever has the table for himself keeps nobody from looking at the others.
  EXPECT_FALSE(table(seen, "public.t").bytes.has_value());
  EXPECT_THAT(seen.unseen, IsEmpty());
}

/// The query with its limit of time taken out, as a session of a minute ago would be seen.
std::string at_once(std::string_view kind) {
  const auto known = queries::troubles();
  const auto query = std::ranges::find(known, kind, &queries::TroubleQuery::kind);
  return std::regex_replace(std::string(query->sql), std::regex("interval '(1 minute|5 seconds)'"),
                            "interval '0'");
}

TEST_F(InspectionTest, long_transactions_are_shown_up_to_their_first_literal) {
  const Connection open = other(
      "SET application_name = 'batch'; BEGIN; SELECT 1 AS one, 'se' || 'cret' AS two; SELECT 2 AS n, "
      "'secret'");
  auto session = got(Connection::open(url("inspector")));
  const auto rows = got(session.rows(at_once("long-transaction")));
  const auto batch = std::ranges::find_if(
      rows, [](const auto& row) { return row[2]->find("postgres (batch)") != std::string::npos; });
  ASSERT_NE(batch, rows.end());
  EXPECT_EQ((*batch)[0], "t");
  EXPECT_THAT(*(*batch)[2], AllOf(HasSubstr("idle in transaction, open for "), Not(HasSubstr("secret"))));
  EXPECT_TRUE(got(session.ask(at_once("long-statement"))).sqlstate.empty());
}

TEST_F(InspectionTest, finds_prepared_transactions_and_slots_that_nobody_reads) {
  run("CREATE TABLE t (id int)");
  const Connection other_session = other("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left'");
  run("SELECT pg_create_physical_replication_slot('unread', true)");
  const Inspected seen = look();
  EXPECT_EQ(trouble(seen, "prepared-transaction").subject, "'left'");
  EXPECT_THAT(trouble(seen, "replication-slot").detail, HasSubstr("physical, not active, keeps "));
  EXPECT_FALSE(trouble(seen, "replication-slot").stands);
  run("ROLLBACK PREPARED 'left'");
}

TEST_F(InspectionTest, rows_are_estimates_and_partitions_are_summed) {
  run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 500); CREATE TABLE e (id "
      "int);"
      "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) "
      "TO (9);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (99); INSERT INTO p SELECT generate_series(0, "
      "98);"
      "ANALYZE t; ANALYZE p1; ANALYZE p2");
  const Inspected seen = look();
  EXPECT_EQ(table(seen, "public.t").rows, 500);
  EXPECT_TRUE(table(seen, "public.t").analyzed);
  EXPECT_EQ(table(seen, "public.e").rows, 0);
  EXPECT_EQ(table(seen, "public.p").rows, 99);
  EXPECT_TRUE(table(seen, "public.p").is_partitioned);
  EXPECT_EQ(table(seen, "public.p").bytes, *table(seen, "public.p1").bytes + *table(seen, "public.p2").bytes);
  const auto index = std::ranges::find(seen.indexes, "public.t_pkey", &IndexUse::index);
  ASSERT_NE(index, seen.indexes.end());
  EXPECT_TRUE(index->is_constraint);
}

TEST_F(InspectionTest, reads_the_books_of_tools) {
  run("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean);"
      "INSERT INTO schema_migrations VALUES (3, true);"
      "CREATE TABLE goose_db_version (id int, version_id bigint, is_applied boolean);"
      "INSERT INTO goose_db_version VALUES (1, 0, true), (2, 5, true), (3, 5, false), (4, 6, true);"
      "CREATE TABLE _prisma_migrations (migration_name text, finished_at timestamptz, rolled_back_at "
      "timestamptz,"
      " started_at timestamptz); INSERT INTO _prisma_migrations VALUES ('1_a', now(), NULL, '2020-01-01'),"
      " ('2_b', NULL, NULL, '2020-01-02'); CREATE TABLE \"SequelizeMeta\" (name text);"
      "INSERT INTO \"SequelizeMeta\" VALUES ('x.js'); CREATE SCHEMA audit; CREATE TABLE audit.changes (id "
      "int);"
      "GRANT SELECT ON ALL TABLES IN SCHEMA public TO inspector");
  std::vector<std::string> found;
  using State = BookEntry::State;
  for (const ToolBook& book : look().books) {
    for (const BookEntry& entry : book.entries) {
      const char* word = entry.state == State::in       ? "in"
                         : entry.state == State::out    ? "out"
                         : entry.state == State::failed ? "failed"
                                                        : "other";
      if (entry.state == State::failed_behind_all_before) word = "dirty";
      found.push_back(fmt::format("{} {} {}", book.table, entry.version, word));
    }
  }
  EXPECT_THAT(found, ElementsAre("public.schema_migrations 3 dirty", "public.goose_db_version 5 in",
                                 "public.goose_db_version 5 out", "public.goose_db_version 6 in",
                                 "public._prisma_migrations 1_a in", "public._prisma_migrations 2_b failed",
                                 "public.\"SequelizeMeta\" x.js in"));
}

TEST_F(InspectionTest, every_known_book_can_be_asked) {
  for (const KnownBook& book : known_books()) {
    const std::string name = "book." + std::string(book.table);
    // As tools make it, or wide enough for every type that a query takes apart.
    run("DROP SCHEMA IF EXISTS book CASCADE; CREATE SCHEMA book");
    std::vector<std::string> columns;
    for (const std::string& column : split(book.columns, ',')) {
      const bool is_flag = column == "dirty" || column == "success" || column == "is_applied";
      const bool is_number = column.starts_with("version_id") || column == "applied" || column == "total";
      columns.push_back(fmt::format("{} {}", column, is_flag ? "boolean" : is_number ? "bigint" : "text"));
    }
    run(fmt::format("CREATE TABLE book.t ({})", join(columns, ", ")));
    const auto asked = got(m_admin.ask(fmt::format(fmt::runtime(book.query), "book.t")));
    EXPECT_EQ(asked.message, "") << name;
  }
}

TEST_F(InspectionTest, a_table_that_is_locked_keeps_the_schema_from_being_read_for_a_moment_only) {
  run("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t");
  const Connection holder = other("BEGIN; LOCK TABLE t");
  auto inspection = got(Inspection::open(options()));
  std::vector<Unseen> unseen;
  EXPECT_FALSE(got(inspection.read_schema(unseen)).has_value());
  ASSERT_EQ(unseen.size(), 1U);
  EXPECT_TRUE(unseen[0].timed_out);
  EXPECT_THAT(unseen[0].reason, HasSubstr("(55P03); somebody has a table for himself"));
  // What failed is left behind, and the session goes on.
  EXPECT_TRUE(got(inspection.look()).server.is_standby == false);
}

TEST_F(InspectionTest, a_server_that_goes_away_is_a_failure_of_the_environment) {
  auto inspection = got(Inspection::open(options()));
  m_server.server().kill();
  // Sessions outlive the server for a moment.
  auto seen = inspection.look();
  for (int looks = 0; seen && looks < 300; ++looks) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    seen = inspection.look();
  }
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().kind, FailureKind::environment);
  EXPECT_THAT(seen.error().message, HasSubstr("cannot go on with the server"));
}

TEST(InspectionUrlTest, one_that_cannot_be_read_is_not_repeated) {
  for (const char* url :
       {"postgresql://maker:hush%zzhush@host", "maker:hushhush", "postgresql://a:hush@h:99/d?x=1",
        "postgresql://a:half@hush@h/d", "postgresql://a:hush/half@h/d", "postgresql://a:1/hush@h/d"}) {
    const auto opened = Inspection::open({.url = url, .application_name = "t"});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, FailureKind::usage) << url;
    EXPECT_THAT(to_string(opened.error()), Not(HasSubstr("hush"))) << url;
  }
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
