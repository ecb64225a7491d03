#include "engine/postgres/side_runner.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "sql/script.h"

namespace lockkeeper::engine::postgres {
namespace {

using record::SideRun;
using record::TransactionShape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Texts = std::vector<std::string>;

/// Sides as tools send them; what they leave is asked for in a session of its own.
class SideRunnerTest : public ::testing::TestWithParam<Observe> {
 protected:
  static std::unique_ptr<DisposableServer>& server() {
    static std::unique_ptr<DisposableServer> s_server;
    return s_server;
  }
  static void SetUpTestSuite() { server() = std::make_unique<DisposableServer>(); }
  static void TearDownTestSuite() { server().reset(); }
  void SetUp() override { ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t (id int)"); }

  static std::shared_ptr<const sql::Source> source(const std::string& text) {
    return std::make_shared<const sql::Source>(sql::Source::from_text("x.sql", text).value());
  }
  static sql::Part one_by_one(const std::string& text,
                              TransactionShape shape = TransactionShape::one_transaction) {
    const auto lines = source(text);
    return sql::statement_by_statement(lines, sql::all_of(*lines), shape).value();
  }
  static sql::Part one_message(const std::string& text,
                               TransactionShape shape = TransactionShape::autocommit) {
    const auto lines = source(text);
    return sql::as_one_message(lines, sql::all_of(*lines), shape, "the tool").value();
  }

  SideRun run(sql::Part part) {
    sql::Script script;
    script.parts.push_back(std::move(part));
    SideRequest request;
    request.script = &script;
    request.bookkeeping = m_bookkeeping;
    request.statement_timeout = std::chrono::seconds(30);
    request.observe = GetParam();
    auto outcome = m_runner.run(request);
    if (!outcome) throw std::runtime_error(to_string(outcome.error()));
    return std::move(outcome->run);
  }
  /// Its error's text; empty where there is none.
  std::string error_of(sql::Part part) {
    const SideRun done = run(std::move(part));
    return done.error ? done.error->message : "";
  }
  static Texts ask(const std::string& query) {
    auto session = Connection::open(server()->connection()).value();
    const auto answer = session.ask(query).value();
    if (!answer.sqlstate.empty()) return {answer.message};
    Texts rows;
    for (const auto& row : answer.rows) rows.push_back(row.at(0).value_or("NULL"));
    return rows;
  }
  static Texts rows() { return ask("SELECT id FROM t ORDER BY id"); }

  std::string m_bookkeeping;

 private:
  SideRunner m_runner{server()->connection()};
};

// ── A part in the tool's transaction

TEST_P(SideRunnerTest, what_follows_a_commit_is_on_its_own) {
  EXPECT_THAT(error_of(one_by_one("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2);"
                                  "CREATE INDEX CONCURRENTLY i ON t (id); SELECT 1 / 0; SELECT 3")),
              "division by zero");
  EXPECT_THAT(rows(), ElementsAre("1", "2"));
  EXPECT_THAT(ask("SELECT 'i'::regclass::text"), ElementsAre("i"));
}

TEST_P(SideRunnerTest, a_driver_that_begins_again_takes_back_what_follows_a_commit) {
  sql::Part part = one_by_one("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); SELECT 1 / 0");
  part.begins_again = true;
  EXPECT_EQ(error_of(part), "division by zero");
  EXPECT_THAT(rows(), ElementsAre("1"));
}

TEST_P(SideRunnerTest, a_driver_that_begins_again_commits_what_follows_a_commit) {
  sql::Part part = one_by_one("INSERT INTO t VALUES (1); ROLLBACK; INSERT INTO t VALUES (2)");
  part.begins_again = true;
  m_bookkeeping = "INSERT INTO t VALUES (100)";
  const SideRun done = run(part);
  EXPECT_FALSE(done.error);
  EXPECT_FALSE(done.left_transaction_open);
  EXPECT_THAT(rows(), ElementsAre("2", "100"));
}

TEST_P(SideRunnerTest, a_driver_that_begins_again_has_no_place_for_what_refuses_a_transaction) {
  sql::Part part = one_by_one("COMMIT; CREATE INDEX CONCURRENTLY i ON t (id)");
  part.begins_again = true;
  EXPECT_EQ(error_of(part), "CREATE INDEX CONCURRENTLY cannot run inside a transaction block");
}

TEST_P(SideRunnerTest, a_driver_may_miss_the_transaction_that_a_file_has_ended) {
  sql::Part part = one_by_one("INSERT INTO t VALUES (1);\nCOMMIT;\nINSERT INTO t VALUES (2)");
  part.error_where_ended = "unexpected transaction status idle";
  m_bookkeeping = "INSERT INTO t VALUES (100)";
  const SideRun done = run(part);
  ASSERT_TRUE(done.error);
  EXPECT_EQ(done.error->message, "unexpected transaction status idle");
  EXPECT_EQ(done.error->sqlstate, "");
  ASSERT_TRUE(done.error_location);
  EXPECT_EQ(done.error_location->line, 3);
  EXPECT_EQ(done.statements.size(), 3U);
  // The tool has sent its note by then, and the server has kept it.
  EXPECT_THAT(rows(), ElementsAre("1", "2", "100"));
}

TEST_P(SideRunnerTest, a_transaction_that_the_file_begins_again_is_the_one_that_the_driver_commits) {
  sql::Part part = one_by_one("INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2)");
  part.error_where_ended = "unexpected transaction status idle";
  m_bookkeeping = "INSERT INTO t VALUES (100)";
  EXPECT_EQ(error_of(part), "");
  EXPECT_THAT(rows(), ElementsAre("1", "2", "100"));
}

TEST_P(SideRunnerTest, rows_behind_copy_are_sent_by_tools_that_do) {
  const std::string text = "COPY t FROM stdin;\n1\n\\N\n3\n\\.\nINSERT INTO t VALUES (4);\n";
  for (const TransactionShape shape : {TransactionShape::one_transaction, TransactionShape::autocommit}) {
    sql::Part part = one_by_one(text, shape);
    part.sends_copy_data = true;
    const SideRun done = run(part);
    EXPECT_FALSE(done.error) << done.error->message;
    ASSERT_EQ(done.statements.size(), 2U);
    EXPECT_EQ(done.statements[0].rows_changed, 3);
  }
  EXPECT_THAT(rows(), ElementsAre("1", "1", "3", "3", "4", "4", "NULL", "NULL"));
}

TEST_P(SideRunnerTest, rows_behind_copy_are_nothing_to_other_tools) {
  const SideRun done = run(one_by_one("INSERT INTO t VALUES (1);\nCOPY t FROM stdin;\n1\n\\.\n"));
  ASSERT_TRUE(done.error);
  ASSERT_TRUE(done.error_location);
  EXPECT_EQ(done.error_location->line, 2);
  EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(SideRunnerTest, what_wants_a_transaction_is_refused_where_there_is_none) {
  for (const char* text : {"SAVEPOINT s", "LOCK TABLE t", "lock\nt", "DECLARE c CURSOR FOR SELECT 1",
                           "ROLLBACK TO s", "RELEASE s"}) {
    EXPECT_THAT(error_of(one_by_one(text, TransactionShape::autocommit)),
                HasSubstr("can only be used in transaction blocks"))
        << text;
    EXPECT_EQ(error_of(one_by_one("SAVEPOINT s; " + std::string(text))), "") << text;
  }
  EXPECT_EQ(error_of(one_by_one("DECLARE c CURSOR WITH HOLD FOR SELECT 1", TransactionShape::autocommit)),
            "");
}

// ── A message of several statements

TEST_P(SideRunnerTest, a_message_of_several_statements_is_one_transaction) {
  EXPECT_EQ(error_of(one_message("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SELECT 1 / 0")),
            "division by zero");
  EXPECT_THAT(rows(), IsEmpty());
  m_bookkeeping = "INSERT INTO t VALUES (100)";
  const SideRun done = run(one_message("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"));
  EXPECT_FALSE(done.error);
  EXPECT_EQ(done.shape, TransactionShape::one_message);
  EXPECT_FALSE(done.left_transaction_open);
  EXPECT_THAT(rows(), ElementsAre("1", "2", "100"));
}

TEST_P(SideRunnerTest, a_commit_in_the_middle_keeps_what_stands_before_it) {
  EXPECT_EQ(error_of(one_message("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); SELECT 1 / 0")),
            "division by zero");
  EXPECT_THAT(rows(), ElementsAre("1"));
}

TEST_P(SideRunnerTest, a_message_of_several_statements_refuses_concurrently) {
  for (const char* text : {"INSERT INTO t VALUES (1); CREATE INDEX CONCURRENTLY i ON t (id)",
                           "CREATE INDEX CONCURRENTLY i ON t (id); SELECT 1"}) {
    EXPECT_THAT(error_of(one_message(text)), HasSubstr("cannot run inside a transaction block")) << text;
  }
  EXPECT_THAT(rows(), IsEmpty());
  EXPECT_THAT(ask("SELECT to_regclass('i')"), ElementsAre("NULL"));
}

TEST_P(SideRunnerTest, a_pipeline_takes_what_refuses_a_transaction_where_nothing_waits_before_it) {
  const auto pipeline = [&](const std::string& text) {
    sql::Part part = one_message(text);
    part.pipelines = true;
    return error_of(std::move(part));
  };
  EXPECT_EQ(pipeline("CREATE INDEX CONCURRENTLY i ON t (id); SELECT 1"), "");
  EXPECT_THAT(pipeline("DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY i ON t (id)"),
              HasSubstr("CREATE INDEX CONCURRENTLY cannot"));
  EXPECT_THAT(ask("SELECT to_regclass('i')"), ElementsAre("NULL"));
  EXPECT_EQ(pipeline("INSERT INTO t VALUES (1); COMMIT; VACUUM t; INSERT INTO t VALUES (2); SELECT 1 / 0"),
            "division by zero");
  EXPECT_EQ(rows(), Texts{"1"});
  EXPECT_THAT(pipeline("INSERT INTO t VALUES (3); VACUUM t"), HasSubstr("VACUUM cannot"));
  EXPECT_EQ(rows(), Texts{"1"});
}

TEST_P(SideRunnerTest, a_message_of_one_statement_may_be_concurrently) {
  const SideRun done = run(one_message("CREATE INDEX CONCURRENTLY i ON t (id);\n-- no more\n"));
  EXPECT_FALSE(done.error);
  EXPECT_EQ(done.shape, TransactionShape::autocommit);
  EXPECT_THAT(ask("SELECT to_regclass('i')"), ElementsAre("i"));
}

TEST_P(SideRunnerTest, a_begin_without_commit_is_left_open_and_taken_back) {
  m_bookkeeping = "INSERT INTO t VALUES (100)";
  const SideRun done = run(one_message("INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)"));
  EXPECT_FALSE(done.error);
  EXPECT_TRUE(done.left_transaction_open);
  EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(SideRunnerTest, a_messages_own_begin_and_commit_do_nothing_new) {
  EXPECT_EQ(error_of(one_message("BEGIN; INSERT INTO t VALUES (1); COMMIT")), "");
  EXPECT_EQ(error_of(one_message("BEGIN; INSERT INTO t VALUES (2); SELECT 1 / 0; COMMIT")),
            "division by zero");
  EXPECT_THAT(rows(), ElementsAre("1"));
}

/// The same texts, sent as they stand: the server says what is right.
TEST_P(SideRunnerTest, messages_do_what_the_server_does_with_them) {
  for (const std::string text :
       {"INSERT INTO t VALUES (1); SELECT 1 / 0", "INSERT INTO t VALUES (1); COMMIT; SELECT 1 / 0",
        "INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); ROLLBACK; INSERT INTO t VALUES (3)",
        "INSERT INTO t VALUES (1); ROLLBACK; INSERT INTO t VALUES (2)",
        "INSERT INTO t VALUES (1); COMMIT; CREATE INDEX CONCURRENTLY i ON t (id); INSERT INTO t VALUES (2)",
        "COMMIT; CREATE INDEX CONCURRENTLY i ON t (id)",
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; CREATE INDEX CONCURRENTLY i ON t (id)",
        "BEGIN; INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2); COMMIT",
        "INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2)",
        "INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); ROLLBACK TO s", "SELECT 1; RELEASE s",
        "LOCK TABLE t; INSERT INTO t VALUES (1)", "DECLARE c CURSOR FOR SELECT 1; FETCH c",
        "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; COMMIT",
        "SET search_path = pg_catalog; INSERT INTO public.t VALUES (1); COMMIT; INSERT INTO t VALUES (2)"}) {
    SetUp();
    const auto theirs = Connection::open(server()->connection()).value().ask(text).value();
    const Texts left = rows();
    const Texts indexes = ask("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass");
    SetUp();
    EXPECT_EQ(error_of(one_message(text)), theirs.message) << text;
    EXPECT_EQ(rows(), left) << text;
    EXPECT_EQ(ask("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), indexes) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Observed, SideRunnerTest, ::testing::Values(Observe::no, Observe::yes),
                         [](const auto& observe) { return observe.param == Observe::yes ? "yes" : "no"; });

}  // namespace
}  // namespace lockkeeper::engine::postgres
