#include "engine/postgres/pass_through.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/tool_runner.h"

namespace lockkeeper::engine::postgres {
namespace {

namespace fs = std::filesystem;

struct FinishLibpq {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Libpq = std::unique_ptr<PGconn, FinishLibpq>;
using LibpqResult = std::unique_ptr<PGresult, FinishLibpq>;

class PassThroughTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { s_server = std::make_unique<DisposableServer>(); }
  static void TearDownTestSuite() { s_server.reset(); }

  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
    sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE users (id int PRIMARY KEY, email "
        "text);"
        "INSERT INTO users SELECT i, 'user' || i FROM generate_series(1, 1000) i");
  }
  void TearDown() override { fs::remove_all(m_directory); }

  static std::string url() { return s_server->connection(); }
  static std::string sql(const std::string& text) {
    auto session = Connection::open(url());
    if (!session) return to_string(session.error());
    const auto answered = session->ask(text);
    if (!answered || !answered->sqlstate.empty()) return answered ? answered->message : "lost";
    return answered->rows.empty() ? "" : answered->rows[0][0].value_or("NULL");
  }

  std::unique_ptr<PassThrough> start(Observe observe = Observe::yes) {
    auto started = PassThrough::start(url(), m_directory, observe);
    EXPECT_TRUE(started) << to_string(started.error());
    return started ? std::move(*started) : nullptr;
  }
  static Libpq connect(const PassThrough& pass_through, const std::string& more = "") {
    return Libpq(PQconnectdb((pass_through.address().url() + more).c_str()));
  }
  static Seen finish(PassThrough& pass_through) {
    auto seen = pass_through.finish(std::chrono::seconds(5));
    EXPECT_TRUE(seen) << to_string(seen.error());
    return seen ? std::move(*seen) : Seen{};
  }
  static std::string said(PGconn* connection, const char* text) {
    const LibpqResult result(PQexec(connection, text));
    return PQresultStatus(result.get()) == PGRES_TUPLES_OK && PQntuples(result.get()) > 0
               ? PQgetvalue(result.get(), 0, 0)
               : PQcmdStatus(result.get());
  }

  static ToolRequest named(const std::string& name, std::chrono::milliseconds deadline = {}) {
    ToolRequest request;
    request.name = name;
    request.deadline = deadline;
    return request;
  }
  SideOutcome run_command(std::vector<std::string> argv, ToolRequest request = {}) {
    request.name = request.name.empty() ? "psql" : request.name;
    request.command.argv = std::move(argv);
    request.location = Location{"migrations/1.py", 1, 1};
    auto outcome = run_tool(request, url(), {});
    EXPECT_TRUE(outcome) << to_string(outcome.error());
    return outcome ? std::move(*outcome) : SideOutcome{};
  }
  SideOutcome shell(const std::string& script, ToolRequest request = {}) {
    return run_command({"/bin/sh", "-c", script}, std::move(request));
  }
  SideOutcome psql(const std::string& text) {
    return shell("psql -X -q -v ON_ERROR_STOP=1 <<'END'\n" + text + "\nEND\n");
  }
  static const record::StatementRecord& of(const std::vector<record::StatementRecord>& statements,
                                           const std::string& text) {
    static const record::StatementRecord none;
    const auto found = std::ranges::find(statements, text, &record::StatementRecord::text);
    EXPECT_NE(found, statements.end()) << text;
    return found != statements.end() ? *found : none;
  }
  static std::string locks(const record::StatementRecord& statement) {
    std::vector<std::string> texts;
    for (const auto& lock : statement.locks) texts.push_back(lock.relation + " " + lock.mode);
    return join(texts, ", ");
  }

  static std::unique_ptr<DisposableServer> s_server;
  fs::path m_directory;
};

std::unique_ptr<DisposableServer> PassThroughTest::s_server;

TEST_F(PassThroughTest, psql_in_a_transaction_is_seen_as_a_side_of_ours_is) {
  const auto outcome = psql(
      "BEGIN;\nCREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id);\nCREATE INDEX users_email ON users "
      "(email);\n"
      "ALTER TABLE users ADD COLUMN stamp float DEFAULT random();\nUPDATE users SET email = 'x' WHERE id < "
      "11;\n"
      "COMMIT;");
  EXPECT_FALSE(outcome.run.error) << outcome.run.error->message;
  EXPECT_EQ(outcome.run.shape, record::TransactionShape::own_transactions);
  EXPECT_EQ(outcome.run.shape_reason, "psql runs it");
  const auto& statements = outcome.run.statements;
  ASSERT_EQ(statements.size(), 7U);
  EXPECT_FALSE(statements[0].locks_observed);
  EXPECT_EQ(locks(statements[1]), "");
  EXPECT_TRUE(statements[1].locks_observed);
  EXPECT_EQ(locks(statements[2]), "");
  EXPECT_EQ(locks(statements[3]), "public.users ShareLock");
  ASSERT_EQ(statements[3].scans.size(), 1U);
  EXPECT_TRUE(locks(of(statements, "ALTER TABLE users ADD COLUMN stamp float DEFAULT random()"))
                  .starts_with("public.users AccessExclusiveLock"));
  ASSERT_FALSE(statements[4].rewrites.empty());
  EXPECT_EQ(statements[4].rewrites[0].relation, "public.users");
  EXPECT_EQ(statements[5].rows_changed, 10);
  EXPECT_GT(statements[5].wal_bytes, 0U);
  EXPECT_EQ(statements[6].location.file, "migrations/1.py");
  EXPECT_FALSE(outcome.touched.everything);
  EXPECT_TRUE(outcome.touched.tables.contains("public.users"));
  EXPECT_FALSE(outcome.run.left_transaction_open);
}

TEST_F(PassThroughTest, what_runs_outside_of_transactions_is_judged_by_what_it_wrote) {
  // A read may prune pages of the catalogs, which writes WAL and so counts as a change: one undisturbed read
  // is enough.
  bool undisturbed = false;
  for (int attempt = 0; attempt < 5 && !undisturbed; ++attempt) {
    const auto reads = psql("SET search_path = public;\nSELECT count(*) FROM users;\nSELECT 1;");
    undisturbed = !reads.touched.everything && reads.touched.tables.empty();
  }
  EXPECT_TRUE(undisturbed);
  const auto index = psql("CREATE INDEX CONCURRENTLY users_email ON users (email);");
  EXPECT_FALSE(index.run.error);
  EXPECT_FALSE(index.run.statements.at(0).locks_observed);
  const auto writes = psql("INSERT INTO users VALUES (0);");
  EXPECT_TRUE(writes.touched.everything);
  EXPECT_EQ(writes.run.statements.at(0).rows_changed, 1);
  sql("CREATE FUNCTION change() RETURNS int LANGUAGE sql AS 'DELETE FROM users WHERE id = 1 RETURNING 1'");
  EXPECT_TRUE(psql("SELECT change();").touched.everything);
}

TEST_F(PassThroughTest, a_message_of_several_statements_is_recorded_as_several) {
  const auto outcome =
      run_command({"psql", "-X", "-q", "-c",
                   "CREATE TABLE a (); -- one;\nCREATE TABLE b ();; INSERT INTO users VALUES (-1)"});
  const auto& statements = outcome.run.statements;
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[1].text, "CREATE TABLE b ()");
  EXPECT_EQ(statements[2].rows_changed, 1);
  EXPECT_TRUE(outcome.touched.everything);
  const auto broken = run_command({"psql", "-X", "-q", "-c", "CREATE TABLE c (); SELECT 1/0; SELECT 3"});
  ASSERT_EQ(broken.run.statements.size(), 2U);
  EXPECT_EQ(broken.run.statements[1].text, "SELECT 1/0");
  EXPECT_EQ(broken.run.statements[1].error->sqlstate, "22012");
  const auto wrong = run_command({"psql", "-X", "-q", "-c", "CREATE TABLE c (); SELEKT 2; SELECT 3"});
  ASSERT_EQ(wrong.run.statements.size(), 1U);
  EXPECT_EQ(wrong.run.statements[0].text, "SELEKT 2");
}

TEST_F(PassThroughTest, an_error_of_the_server_is_why_the_tool_failed) {
  const auto outcome =
      psql("BEGIN;\nALTER TABLE users ADD UNIQUE (email);\nALTER TABLE nowhere ADD x int;\nCOMMIT;");
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->sqlstate, "42P01");
  EXPECT_EQ(outcome.run.error->message, "relation \"nowhere\" does not exist");
  EXPECT_EQ(outcome.run.error_location->file, "migrations/1.py");
  EXPECT_NE(outcome.run.error->detail.find("psql ended with exit code 3"), std::string::npos)
      << outcome.run.error->detail;
  EXPECT_FALSE(outcome.run.left_transaction_open);
}

TEST_F(PassThroughTest, a_tool_that_fails_by_itself_says_so) {
  const auto outcome = shell("seq 1 30; echo why >&2; exit 3", named("alembic"));
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->sqlstate, "");
  EXPECT_EQ(outcome.run.error->message, "alembic ended with exit code 3: why");
  EXPECT_EQ(split(outcome.run.error->detail, '\n').size(), 20U);
  EXPECT_TRUE(outcome.run.error->detail.ends_with("30\nwhy")) << outcome.run.error->detail;
}

TEST_F(PassThroughTest, a_tool_that_hangs_is_ended_with_all_that_it_began) {
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = shell("echo begun; psql -X -q -c 'BEGIN' -c 'LOCK users' -c 'SELECT pg_sleep(1000)'",
                             named("rails", std::chrono::milliseconds(1000)));
  ASSERT_TRUE(outcome.run.error);
  EXPECT_EQ(outcome.run.error->message, "rails did not end within 1.0 s");
  EXPECT_EQ(outcome.run.error->detail, "begun");
  EXPECT_EQ(outcome.run.statements.back().text, "SELECT pg_sleep(1000)");
  EXPECT_TRUE(outcome.touched.everything);
  EXPECT_EQ(sql("SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass"), "0");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(PassThroughTest, a_daemon_that_a_tool_leaves_behind_holds_nothing_up) {
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = shell(
      "(echo \"BEGIN; INSERT INTO users VALUES (-5);\"; sleep 100) | psql -X -q &\n"
      "until psql -X -A -t -c \"SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL\" "
      "| grep -q 1;"
      "do :; done");
  EXPECT_FALSE(outcome.run.error) << outcome.run.error->message;
  EXPECT_TRUE(outcome.run.left_transaction_open);
  EXPECT_EQ(sql("SELECT count(*) FROM users WHERE id = -5"), "0");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  const auto away = shell("setsid psql -X -q -c 'SELECT pg_sleep(1000)' & sleep 0.3; exit 0");
  EXPECT_FALSE(away.run.error);
  EXPECT_EQ(sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)' AND pid <> "
                "pg_backend_pid()"),
            "0");
}

TEST_F(PassThroughTest, secrets_are_seen_nowhere) {
  ToolRequest request;
  request.command.environment = {{"APP_SECRET", "open-sesame"},
                                 {"PLACE", "{host}:{port}/{database} {unknown}"}};
  const auto outcome = shell(
      "echo $PGPASSWORD $DATABASE_URL $APP_SECRET $PLACE {user}; psql -X -q -c \"SELECT '$APP_SECRET'\"; "
      "exit 1",
      request);
  ASSERT_TRUE(outcome.run.error);
  const std::string& said = outcome.run.error->detail;
  EXPECT_TRUE(said.starts_with("*** postgresql://postgres:***@127.0.0.1:")) << said;
  EXPECT_NE(said.find("/lockkeeper *** 127.0.0.1:"), std::string::npos) << said;
  EXPECT_NE(said.find("/lockkeeper {unknown} postgres\n"), std::string::npos) << said;
  EXPECT_EQ(outcome.run.statements.at(0).text, "SELECT '***'");
}

TEST_F(PassThroughTest, a_client_without_the_password_is_refused) {
  auto pass_through = start();
  const auto& address = pass_through->address();
  for (const std::string& host : {address.host, address.sockets.string()}) {
    const Libpq refused(PQconnectdb(
        fmt::format("host={} port={} user=postgres password=guess dbname=lockkeeper", host, address.port)
            .c_str()));
    EXPECT_EQ(PQstatus(refused.get()), CONNECTION_BAD);
    EXPECT_NE(std::string(PQerrorMessage(refused.get())).find("the password is not the one"),
              std::string::npos)
        << PQerrorMessage(refused.get());
    const Libpq let_in(PQconnectdb(fmt::format("host={} port={} user=postgres password={} dbname=lockkeeper",
                                               host, address.port, address.password)
                                       .c_str()));
    EXPECT_EQ(PQstatus(let_in.get()), CONNECTION_OK) << PQerrorMessage(let_in.get());
  }
  struct stat status {};
  ASSERT_EQ(::stat(m_directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  finish(*pass_through);
}

TEST_F(PassThroughTest, the_servers_refusal_reaches_the_client) {
  auto pass_through = start();
  const auto& address = pass_through->address();
  const Libpq nowhere(PQconnectdb(fmt::format("host={} port={} user=postgres password={} dbname=nowhere",
                                              address.host, address.port, address.password)
                                      .c_str()));
  EXPECT_NE(std::string(PQerrorMessage(nowhere.get())).find("database \"nowhere\" does not exist"),
            std::string::npos);
  EXPECT_EQ(finish(*pass_through).last_error->sqlstate, "3D000");
}

TEST_F(PassThroughTest, the_extended_protocol_keeps_its_unnamed_statement_over_a_look) {
  auto pass_through = start();
  {
    const Libpq client = connect(*pass_through, "?application_name=tool&options=-c%20work_mem%3D5MB");
    EXPECT_EQ(said(client.get(), "SHOW work_mem"), "5MB");
    EXPECT_EQ(said(client.get(), "SHOW application_name"), "tool");
    EXPECT_EQ(said(client.get(), "BEGIN"), "BEGIN");
    EXPECT_EQ(said(client.get(), "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), "SET");
    LibpqResult result(PQprepare(client.get(), "", "UPDATE users SET email = $1 WHERE id = $2", 2, nullptr));
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_COMMAND_OK) << PQresultErrorMessage(result.get());
    for (const char* id : {"1", "2", "3"}) {
      const std::array<const char*, 2> values{"x", id};
      result.reset(PQexecPrepared(client.get(), "", 2, values.data(), nullptr, nullptr, 0));
      EXPECT_STREQ(PQcmdStatus(result.get()), "UPDATE 1") << PQresultErrorMessage(result.get());
      if (*id == '2') said(client.get(), "DEALLOCATE ALL");
      if (*id == '2')
        result.reset(PQprepare(client.get(), "", "UPDATE users SET email = $1 WHERE id = $2", 2, nullptr));
    }
    EXPECT_EQ(
        said(client.get(), "SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'lockkeeper%'"),
        "0");
    result.reset(
        PQexecParams(client.get(), "SELECT pg_sleep(0.05)", 0, nullptr, nullptr, nullptr, nullptr, 0));
    result.reset(PQexecParams(client.get(), "COMMIT", 0, nullptr, nullptr, nullptr, nullptr, 0));
    EXPECT_STREQ(PQcmdStatus(result.get()), "COMMIT");
  }
  const Seen seen = finish(*pass_through);
  EXPECT_FALSE(seen.touched.everything);
  EXPECT_EQ(seen.touched.tables, (std::set<std::string>{"public.users"}));
  const auto& update = of(seen.statements, "UPDATE users SET email = $1 WHERE id = $2");
  EXPECT_EQ(locks(update), "public.users RowExclusiveLock, public.users_pkey RowExclusiveLock");
  EXPECT_EQ(update.rows_changed, 1);
  EXPECT_GE(of(seen.statements, "SELECT pg_sleep(0.05)").duration, std::chrono::milliseconds(50));
  EXPECT_FALSE(seen.left_transaction_open);
}

TEST_F(PassThroughTest, a_portal_lives_on_over_a_look) {
  auto pass_through = start();
  {
    const Libpq client = connect(*pass_through);
    said(client.get(), "BEGIN");
    said(client.get(), "DECLARE c CURSOR FOR SELECT id FROM users ORDER BY id");
    EXPECT_EQ(said(client.get(), "FETCH 1 FROM c"), "1");
    said(client.get(), "SAVEPOINT s");
    said(client.get(), "UPDATE users SET email = NULL WHERE id = 500");
    EXPECT_EQ(said(client.get(), "FETCH 1 FROM c"), "2");
    EXPECT_EQ(said(client.get(), "SELECT nothing"), "");
    EXPECT_EQ(PQtransactionStatus(client.get()), PQTRANS_INERROR);
    EXPECT_EQ(said(client.get(), "ROLLBACK TO s"), "ROLLBACK");
    EXPECT_EQ(said(client.get(), "FETCH 1 FROM c"), "3");
    EXPECT_EQ(said(client.get(), "COMMIT"), "COMMIT");
  }
  finish(*pass_through);
}

TEST_F(PassThroughTest, a_pipeline_with_several_syncs_is_answered_in_order) {
  auto pass_through = start();
  {
    const Libpq client = connect(*pass_through);
    ASSERT_EQ(PQenterPipelineMode(client.get()), 1);
    const std::vector<const char*> texts = {"BEGIN", "INSERT INTO users VALUES (-1)", "SELECT 1/0", "COMMIT"};
    PQsendQueryParams(client.get(), texts[0], 0, nullptr, nullptr, nullptr, nullptr, 0);
    PQsendQueryParams(client.get(), texts[1], 0, nullptr, nullptr, nullptr, nullptr, 0);
    PQpipelineSync(client.get());
    PQsendQueryParams(client.get(), texts[2], 0, nullptr, nullptr, nullptr, nullptr, 0);
    PQsendQueryParams(client.get(), texts[1], 0, nullptr, nullptr, nullptr, nullptr, 0);
    PQpipelineSync(client.get());
    PQsendQueryParams(client.get(), texts[3], 0, nullptr, nullptr, nullptr, nullptr, 0);
    PQpipelineSync(client.get());
    std::string statuses;
    for (int syncs = 0; syncs < 3;) {
      const LibpqResult result(PQgetResult(client.get()));
      if (!result) continue;
      const auto status = PQresultStatus(result.get());
      statuses += status == PGRES_PIPELINE_SYNC ? "| " : std::string(PQresStatus(status)) + " ";
      if (status == PGRES_PIPELINE_SYNC) ++syncs;
    }
    EXPECT_EQ(
        statuses,
        "PGRES_COMMAND_OK PGRES_COMMAND_OK | PGRES_FATAL_ERROR PGRES_PIPELINE_ABORTED | PGRES_COMMAND_OK | ");
  }
  const Seen seen = finish(*pass_through);
  ASSERT_EQ(seen.statements.size(), 4U);
  EXPECT_TRUE(seen.statements[1].locks_observed);
  EXPECT_EQ(seen.statements[2].error->sqlstate, "22012");
  EXPECT_EQ(seen.statements[3].text, "COMMIT");
  EXPECT_TRUE(seen.touched.tables.contains("public.users"));
}

TEST_F(PassThroughTest, copy_flows_in_and_out) {
  auto pass_through = start();
  std::string row(1000, 'x');
  {
    const Libpq client = connect(*pass_through);
    said(client.get(), "CREATE TABLE big (t text)");
    said(client.get(), "BEGIN");
    for (const bool extended : {false, true}) {
      const LibpqResult begun(extended ? PQexecParams(client.get(), "COPY big FROM STDIN", 0, nullptr,
                                                      nullptr, nullptr, nullptr, 0)
                                       : PQexec(client.get(), "COPY big FROM STDIN"));
      ASSERT_EQ(PQresultStatus(begun.get()), PGRES_COPY_IN);
      const std::string line = row + "\n";
      for (int i = 0; i < 20'000; ++i)
        PQputCopyData(client.get(), line.data(), static_cast<int>(line.size()));
      PQputCopyEnd(client.get(), nullptr);
      const LibpqResult done(PQgetResult(client.get()));
      EXPECT_STREQ(PQcmdStatus(done.get()), "COPY 20000") << PQresultErrorMessage(done.get());
      EXPECT_EQ(PQgetResult(client.get()), nullptr);
    }
    // One row, one field and one message of 3 MB.
    const LibpqResult begun(PQexec(client.get(), "COPY big FROM STDIN"));
    const std::string large = std::string(3'000'000, 'y') + "\n";
    PQputCopyData(client.get(), large.data(), static_cast<int>(large.size()));
    PQputCopyEnd(client.get(), nullptr);
    while (LibpqResult done{PQgetResult(client.get())}) EXPECT_STREQ(PQcmdStatus(done.get()), "COPY 1");
    const LibpqResult out(PQexec(client.get(), "COPY big TO STDOUT"));
    ASSERT_EQ(PQresultStatus(out.get()), PGRES_COPY_OUT);
    std::size_t bytes = 0;
    char* data = nullptr;
    for (int size = 0; (size = PQgetCopyData(client.get(), &data, 0)) > 0; PQfreemem(data))
      bytes += static_cast<std::size_t>(size);
    EXPECT_EQ(bytes, 40'000U * 1001 + large.size());
    while (LibpqResult done{PQgetResult(client.get())}) EXPECT_STREQ(PQcmdStatus(done.get()), "COPY 40001");
    EXPECT_EQ(said(client.get(), "SELECT max(length(t)) FROM big"), "3000000");
    EXPECT_EQ(said(client.get(), "COMMIT"), "COMMIT");
  }
  const Seen seen = finish(*pass_through);
  EXPECT_EQ(of(seen.statements, "COPY big FROM STDIN").rows_changed, 20'000);
  EXPECT_TRUE(seen.touched.tables.contains("public.big"));
}

TEST_F(PassThroughTest, a_copy_that_fails_leaves_the_session_usable) {
  auto pass_through = start();
  const Libpq client = connect(*pass_through);
  for (const bool extended : {false, true}) {
    const LibpqResult begun(extended ? PQexecParams(client.get(), "COPY users FROM STDIN", 0, nullptr,
                                                    nullptr, nullptr, nullptr, 0)
                                     : PQexec(client.get(), "COPY users FROM STDIN"));
    for (int i = 0; i < 50'000; ++i) PQputCopyData(client.get(), "no number\tx\n", 12);
    PQputCopyEnd(client.get(), nullptr);
    const LibpqResult done(PQgetResult(client.get()));
    EXPECT_STREQ(PQresultErrorField(done.get(), PG_DIAG_SQLSTATE), "22P02");
    while (LibpqResult more{PQgetResult(client.get())}) {
    }
    EXPECT_EQ(said(client.get(), "SELECT 5"), "5");
    const LibpqResult again(PQexec(client.get(), "COPY users FROM STDIN"));
    PQputCopyEnd(client.get(), "changed my mind");
    const LibpqResult given_up(PQgetResult(client.get()));
    EXPECT_STREQ(PQresultErrorField(given_up.get(), PG_DIAG_SQLSTATE), "57014");
    while (LibpqResult more{PQgetResult(client.get())}) {
    }
  }
  EXPECT_EQ(said(client.get(), "SELECT count(*) FROM users"), "1000");
}

TEST_F(PassThroughTest, a_client_that_goes_in_the_middle_of_copy_leaves_nothing) {
  auto pass_through = start();
  {
    Libpq client = connect(*pass_through);
    const LibpqResult begun(PQexec(client.get(), "COPY users FROM STDIN"));
    PQputCopyData(client.get(), "-1\tx\n", 5);
    PQflush(client.get());
    ::shutdown(PQsocket(client.get()), SHUT_RDWR);
  }
  const Seen seen = finish(*pass_through);
  EXPECT_TRUE(seen.touched.everything);
  EXPECT_EQ(sql("SELECT count(*) FROM users"), "1000");
}

TEST_F(PassThroughTest, a_statement_is_cancelled_from_another_connection) {
  auto pass_through = start();
  const Libpq client = connect(*pass_through);
  std::thread other([&] {
    while (sql("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)' AND state = "
               "'active'") == "0") {
    }
    PGcancel* handle = PQgetCancel(client.get());
    std::array<char, 256> error{};
    EXPECT_EQ(PQcancel(handle, error.data(), static_cast<int>(error.size())), 1) << error.data();
    PQfreeCancel(handle);
  });
  const LibpqResult result(PQexec(client.get(), "SELECT pg_sleep(100)"));
  other.join();
  EXPECT_STREQ(PQresultErrorField(result.get(), PG_DIAG_SQLSTATE), "57014");
}

TEST_F(PassThroughTest, notices_and_notifications_arrive) {
  auto pass_through = start();
  {
    const Libpq client = connect(*pass_through);
    std::string notices;
    PQsetNoticeReceiver(
        client.get(),
        [](void* to, const PGresult* result) {
          *static_cast<std::string*>(to) += PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        },
        &notices);
    said(client.get(), "LISTEN news");
    said(client.get(), "DROP TABLE IF EXISTS nowhere");
    EXPECT_EQ(notices, "table \"nowhere\" does not exist, skipping");
    sql("NOTIFY news, 'hello'");
    PGnotify* notification = nullptr;
    for (int round = 0; round < 500 && notification == nullptr; ++round) {
      pollfd polled{PQsocket(client.get()), POLLIN, 0};
      ::poll(&polled, 1, 10);
      PQconsumeInput(client.get());
      notification = PQnotifies(client.get());
    }
    ASSERT_NE(notification, nullptr);
    EXPECT_STREQ(notification->extra, "hello");
    PQfreemem(notification);
  }
  const Seen seen = finish(*pass_through);
  const auto& drop = of(seen.statements, "DROP TABLE IF EXISTS nowhere");
  ASSERT_EQ(drop.notices.size(), 1U);
  EXPECT_EQ(drop.notices[0].severity, "NOTICE");
  EXPECT_EQ(drop.notices[0].sqlstate, "00000");
}

TEST_F(PassThroughTest, what_another_connection_made_did_not_exist_before) {
  auto pass_through = start();
  {
    const Libpq one = connect(*pass_through);
    const Libpq other = connect(*pass_through);
    said(one.get(), "CREATE TABLE fresh (id int)");
    said(other.get(), "BEGIN");
    said(other.get(), "CREATE INDEX ON fresh (id)");
    said(one.get(), "BEGIN");
    said(one.get(), "LOCK users");
    said(one.get(), "SELECT 1");
    said(one.get(), "ROLLBACK");
    said(other.get(), "COMMIT");
  }
  const Seen seen = finish(*pass_through);
  EXPECT_EQ(locks(of(seen.statements, "CREATE INDEX ON fresh (id)")), "");
  EXPECT_FALSE(of(seen.statements, "LOCK users").locks_observed);
  EXPECT_EQ(locks(of(seen.statements, "SELECT 1")), "public.users AccessExclusiveLock");
  EXPECT_EQ(seen.backends.size(), 2U);
}

TEST_F(PassThroughTest, deferred_triggers_are_seen_and_fail_as_without_us) {
  sql("CREATE TABLE log (t text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT "
      "INTO log "
      "VALUES (1); RAISE NOTICE ''noted''; IF NEW.id < 0 THEN RAISE EXCEPTION ''no''; END IF; RETURN NULL; "
      "END';"
      "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
      "FUNCTION "
      "note()");
  auto pass_through = start();
  {
    const Libpq client = connect(*pass_through);
    int notices = 0;
    PQsetNoticeReceiver(
        client.get(), [](void* count, const PGresult*) { ++*static_cast<int*>(count); }, &notices);
    said(client.get(), "BEGIN");
    said(client.get(), "INSERT INTO users VALUES (2001)");
    EXPECT_EQ(notices, 0);
    EXPECT_EQ(said(client.get(), "COMMIT"), "COMMIT");
    EXPECT_EQ(notices, 1);
    said(client.get(), "BEGIN");
    said(client.get(), "INSERT INTO users VALUES (-1)");
    const LibpqResult result(PQexec(client.get(), "COMMIT"));
    EXPECT_STREQ(PQresultErrorField(result.get(), PG_DIAG_SQLSTATE), "P0001");
    EXPECT_EQ(PQtransactionStatus(client.get()), PQTRANS_IDLE);
    EXPECT_EQ(notices, 2);
  }
  const Seen seen = finish(*pass_through);
  EXPECT_EQ(seen.touched.tables, (std::set<std::string>{"public.log", "public.users"}));
  EXPECT_FALSE(seen.touched.everything);
  EXPECT_EQ(sql("SELECT count(*) FROM log"), "1");
}

TEST_F(PassThroughTest, many_connections_work_at_the_same_time) {
  auto pass_through = start();
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      for (int round = 0; round < 5; ++round) {
        const Libpq session = connect(*pass_through);
        EXPECT_EQ(said(session.get(), "BEGIN"), "BEGIN");
        const std::string insert = fmt::format("INSERT INTO users VALUES ({})", 2000 + client * 100 + round);
        EXPECT_EQ(said(session.get(), insert.c_str()), "INSERT 0 1");
        EXPECT_EQ(said(session.get(), "COMMIT"), "COMMIT");
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const Seen seen = finish(*pass_through);
  EXPECT_EQ(seen.statements.size(), 8U * 5 * 3);
  EXPECT_EQ(seen.backends.size(), 40U);
  EXPECT_FALSE(seen.touched.everything);
  EXPECT_EQ(sql("SELECT count(*) FROM users"), "1040");
}

TEST_F(PassThroughTest, garbage_ends_its_own_connection_and_no_other) {
  auto pass_through = start();
  const Libpq good = connect(*pass_through);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(pass_through->address().port));
  const std::string start_up = wire::int32(3 << 16) + wire::text("user") + wire::text("postgres") +
                               wire::text("database") + wire::text("lockkeeper") + '\0';
  const std::string greeted = wire::int32(static_cast<std::uint32_t>(start_up.size() + 4)) + start_up +
                              wire::message('p', wire::text(pass_through->address().password));
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.0\r\n\r\n"), std::string("\0\0\0\0\0\0\0\0\0", 9),
        std::string(20'000, '\xff'), wire::int32(8) + wire::int32(wire::k_ssl_request) + "nonsense",
        greeted + std::string("Q\0\0\0\0", 5), greeted + std::string("Q\xff\xff\xff\xff", 5),
        greeted + wire::message('Q'), greeted + wire::message('B'), greeted + wire::message('?', "what")}) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    ::shutdown(socket.get(), SHUT_WR);
    std::array<char, 4096> buffer;
    while (::recv(socket.get(), buffer.data(), buffer.size(), 0) > 0) {
    }
  }
  EXPECT_EQ(said(good.get(), "SELECT 7"), "7");
}

TEST_F(PassThroughTest, a_server_that_asks_for_a_password_is_given_it) {
  s_server->ensure("guarded");
  sql("DROP ROLE IF EXISTS guarded; SET password_encryption = 'scram-sha-256'; CREATE ROLE guarded LOGIN "
      "PASSWORD "
      "'öpen';DROP ROLE IF EXISTS old; SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD "
      "'open'");
  const fs::path rules = s_server->server().place().data / "pg_hba.conf";
  sql("COPY (SELECT 'local all guarded scram-sha-256' UNION ALL SELECT 'local all old md5' UNION ALL SELECT "
      "'local "
      "all all trust') TO '" +
      rules.string() + "'; SELECT pg_reload_conf()");
  // The server reads its rules when it gets to it.
  const auto refused = with_parameter(*with_parameter(url(), "user", "old"), "password", "wrong");
  while (Connection::open(*refused)) {
  }
  for (const auto& [role, password] : {std::pair{"guarded", "öpen"}, std::pair{"old", "open"}}) {
    const auto as_role = with_parameter(*with_parameter(url(), "user", role), "password", password);
    std::optional<Result<std::unique_ptr<PassThrough>>> started;
    started.emplace(PassThrough::start(*as_role, m_directory, Observe::yes));
    ASSERT_TRUE(*started) << to_string(started->error());
    {
      const Libpq client = connect(***started);
      EXPECT_EQ(said(client.get(), "SELECT current_user"), role) << PQerrorMessage(client.get());
    }
    finish(***started);
    const auto wrong =
        PassThrough::start(*with_parameter(*as_role, "password", "wrong"), m_directory, Observe::yes);
    EXPECT_FALSE(wrong);
  }
}

TEST_F(PassThroughTest, an_unobserved_tool_is_not_looked_at) {
  ToolRequest request;
  request.observe = Observe::no;
  const auto outcome = shell("psql -X -q -c 'BEGIN' -c 'LOCK users' -c 'SELECT 1' -c COMMIT", request);
  EXPECT_TRUE(outcome.touched.everything);
  EXPECT_EQ(outcome.run.statements.size(), 4U);
  EXPECT_FALSE(outcome.run.statements.at(2).locks_observed);
}

TEST_F(PassThroughTest, a_tool_that_is_not_there_is_a_failure) {
  ToolRequest request;
  request.name = "alembic";
  request.command.argv = {"/no/such/alembic"};
  const auto outcome = run_tool(request, url(), {});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, FailureKind::environment);
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
