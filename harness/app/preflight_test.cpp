#include <chrono>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "app/program_test.h"
#include "base/file.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "scenario/load.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using engine::postgres::DisposableServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Production: a server with two of the folder's three migrations, and a role that may only look.
class PreflightTest : public ::testing::Test {
 protected:
  PreflightTest() {
    write("1_users",
          "CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL);\n"
          "CREATE INDEX users_email ON users (email);",
          "DROP TABLE users;");
    write("2_orders",
          "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(20) DEFAULT 'none');\n"
          "CREATE VIEW noted AS SELECT id FROM orders WHERE note <> 'none';",
          "DROP VIEW noted; DROP TABLE orders;");
    write("3_more", "ALTER TABLE orders ADD more int;", "ALTER TABLE orders DROP more;");
    m_folder.write("go.mod", "require github.com/golang-migrate/migrate/v4 v4.17.0\n");
    run("CREATE ROLE inspector LOGIN; GRANT pg_monitor TO inspector");
    for (const char* file : {"m/1_users.up.sql", "m/2_orders.up.sql"}) run(text_of(file));
    run("CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (2, false); GRANT SELECT ON schema_migrations TO inspector");
  }

  void write(const std::string& name, const std::string& up, const std::string& down) {
    m_folder.write("m/" + name + ".up.sql", up);
    m_folder.write("m/" + name + ".down.sql", down);
  }
  std::string text_of(const std::string& file) const { return read_file(m_folder.path() / file).value(); }
  void run(const std::string& sql) const {
    const auto done = Connection::open(m_server.connection()).value().rows(sql);
    if (!done) throw std::runtime_error(to_string(done.error()));
  }
  void wait_until(const std::string& sql) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    auto session = Connection::open(m_server.connection()).value();
    while (session.rows(sql).value().at(0).at(0) != "t") {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("never: " + sql);
      ::poll(nullptr, 0, 5);
    }
  }
  std::string url(const std::string& role = "inspector") const {
    const auto connection = engine::postgres::with_parameter(m_server.connection(), "user", role).value();
    return engine::postgres::without_parameter(connection, "password");
  }
  Outcome lockkeeper(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment = {}) const {
    Start setup{m_folder.path()};
    setup.environment = environment;
    return run_program(arguments, setup);
  }
  /// A role that comes in by password alone.
  void add_role_with_password(const std::string& role, const std::string& password) {
    // Not the default of PostgreSQL 13.
    run(fmt::format("SET password_encryption = 'scram-sha-256'; CREATE ROLE {} LOGIN PASSWORD '{}'", role,
                    password));
    std::ofstream(m_server.server().place().data / "pg_hba.conf")
        << "local all " << role << " scram-sha-256\nlocal all all trust\n";
    run("SELECT pg_reload_conf()");
  }

  DisposableServer m_server;
  Folder m_folder;
};

TEST_F(PreflightTest, nothing_stands_in_the_way_where_the_schema_is_what_the_migrations_make) {
  const Outcome outcome = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_EQ(outcome.errors, "");
  EXPECT_THAT(outcome.output,
              HasSubstr("  migrations: golang-migrate (public.schema_migrations): at 2\n"
                        "  of the folder: 2 in, 1 pending: 3\n"
                        "✔ the schema is what those that are in make (2 migrations, on postgres "));
  EXPECT_THAT(outcome.output, HasSubstr("nothing that was seen stands in the way"));
  EXPECT_EQ(remains(shared_store(), outcome.pid), "");
}

TEST_F(PreflightTest, drift_is_shown_object_by_object) {
  run("ALTER TABLE users ALTER email DROP NOT NULL; DROP INDEX users_email; CREATE TABLE by_hand (a int);"
      "ALTER TABLE orders ALTER note SET DEFAULT 'x'; ALTER TABLE orders OWNER TO inspector;"
      "GRANT SELECT ON users TO PUBLIC; CREATE EXTENSION pgcrypto");
  const Outcome outcome = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  for (const char* line :
       {"✘ the schema is not what those that are in make (2 migrations, on postgres ",
        "    │ column public.orders.note: default was 'none'::character varying, is 'x'::character varying",
        "    │ column public.users.email: nullable was false, is true",
        "    │ lost index public.users_email: ", "    │ new table public.by_hand (with 1 column)",
        "    also: new extension pgcrypto"}) {
    EXPECT_THAT(outcome.output, HasSubstr(line));
  }
  EXPECT_THAT(outcome.output, AllOf(Not(HasSubstr("owner")), Not(HasSubstr("privileges"))));
}

TEST_F(PreflightTest, a_dirty_migration_and_unknown_ones_are_said_loudly) {
  run("UPDATE schema_migrations SET dirty = true");
  const Outcome dirty = lockkeeper({"preflight", url()});
  EXPECT_EQ(dirty.exit_code, 1) << dirty.said();
  EXPECT_THAT(dirty.output,
              HasSubstr("✘ DIRTY: public.schema_migrations says that 2 failed in the middle\n"));
  run("UPDATE schema_migrations SET version = 9, dirty = false");
  const Outcome unknown = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(unknown.exit_code, 1) << unknown.said();
  EXPECT_THAT(unknown.output, HasSubstr("✘ in there, and unknown to the folder: 9\n"));
}

TEST_F(PreflightTest, a_table_of_the_tool_that_may_not_be_read_leaves_the_question_open) {
  run("REVOKE SELECT ON schema_migrations FROM inspector");
  const Outcome outcome = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.output,
              HasSubstr("? not seen: public.schema_migrations of golang-migrate: this role may not "
                        "read it: GRANT SELECT ON public.schema_migrations TO it\n"));
  EXPECT_THAT(outcome.errors, HasSubstr("error: cannot tell which migrations are in: "));
}

TEST_F(PreflightTest, where_nobody_notes_what_is_in_it_is_what_is_not_on_trial) {
  run("DROP TABLE schema_migrations");
  const Outcome unknown = lockkeeper({"preflight", url(), "m", "--format", "plain"});
  EXPECT_EQ(unknown.exit_code, 2) << unknown.said();
  EXPECT_THAT(unknown.errors,
              HasSubstr("so what is in is not known\nhint: name the tool with --format, or the first "
                        "migration that is not in with --since"));
  const Outcome before =
      lockkeeper({"preflight", url(), "m", "--format", "plain", "--since", "3", "--output", "json"});
  EXPECT_EQ(before.exit_code, 0) << before.said();
  const auto said = nlohmann::json::parse(before.output);
  EXPECT_EQ(said.at("migrations").at("in"), 2);
  EXPECT_EQ(said.at("migrations").at("pending"), nlohmann::json({"3"}));
  EXPECT_EQ(said.at("drift").at("differences"), nlohmann::json::array());
}

TEST_F(PreflightTest, where_the_tool_has_never_run_all_is_pending_and_what_is_there_is_new) {
  run("DROP TABLE schema_migrations");
  const Outcome outcome = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("of the folder: 0 in, 3 pending: 1, 2, 3\n"),
                                    HasSubstr("    │ new table public.users ")));
}

TEST_F(PreflightTest, what_could_not_be_seen_in_time_is_no_pass_and_the_rest_is_told) {
  auto holder = Connection::open(m_server.connection()).value();
  ASSERT_TRUE(holder.rows("BEGIN; LOCK TABLE orders"));
  const Outcome outcome = lockkeeper({"preflight", url(), "m"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("size unknown  public.orders, "), HasSubstr("of the folder: 2 in"),
                    HasSubstr("? not seen: the schema: "), HasSubstr("(55P03)")));
}

TEST_F(PreflightTest, wrong_credentials_are_a_usage_error_and_no_password_is_shown) {
  add_role_with_password("keeper", "opensesame");
  run("GRANT SELECT ON schema_migrations TO keeper");
  const std::string right = url("keeper") + " password=opensesame";
  const Outcome wrong = lockkeeper({"preflight", url("keeper") + " password=closedsesame"});
  EXPECT_EQ(wrong.exit_code, 2) << wrong.said();
  EXPECT_THAT(wrong.errors, AllOf(HasSubstr("password authentication failed for user \"keeper\""),
                                  HasSubstr("hint: give the right password in PGPASSWORD or ~/.pgpass")));
  EXPECT_THAT(wrong.said(), Not(HasSubstr("sesame")));
  const Outcome without = lockkeeper({"preflight", url("keeper")});
  EXPECT_EQ(without.exit_code, 2) << without.said();
  EXPECT_THAT(without.errors, HasSubstr("no password supplied"));
  const Outcome by_environment = lockkeeper({"preflight", url("keeper")}, {{"PGPASSWORD", "opensesame"}});
  EXPECT_EQ(by_environment.exit_code, 0) << by_environment.said();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--output", "text"}, std::vector<std::string>{"--output", "json"}}) {
    std::vector<std::string> arguments = {"preflight", right,          "m",     "--save",
                                          "s.json",    "--production", "p.yaml"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const Outcome outcome = lockkeeper(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
    EXPECT_THAT(outcome.said() + text_of("s.json") + text_of("p.yaml"), Not(HasSubstr("sesame")));
  }
}

TEST_F(PreflightTest, a_superuser_is_refused_unless_told_otherwise) {
  const Outcome refused = lockkeeper({"preflight", url("postgres")});
  EXPECT_EQ(refused.exit_code, 2) << refused.said();
  EXPECT_EQ(refused.output, "");
  EXPECT_THAT(refused.errors, HasSubstr("error: will not inspect as 'postgres': it is a superuser\nhint: "));
  EXPECT_EQ(lockkeeper({"preflight", url("postgres"), "--superuser-ok"}).exit_code, 0);
}

TEST_F(PreflightTest, print_lists_statements_and_connects_to_nothing) {
  const Outcome bare = lockkeeper({"preflight", "--print"});
  EXPECT_EQ(bare.exit_code, 0) << bare.said();
  EXPECT_THAT(bare.output,
              AllOf(HasSubstr("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"),
                    HasSubstr("SET LOCAL statement_timeout = 5000;\n"), HasSubstr("\nROLLBACK;\n")));
  const Outcome nowhere =
      lockkeeper({"preflight", "host=/nonexistent user=x", "--print", "--statement-timeout", "2"});
  EXPECT_EQ(nowhere.exit_code, 0) << nowhere.said();
  EXPECT_THAT(nowhere.output, HasSubstr("SET LOCAL statement_timeout = 2000;\n"));
}

TEST_F(PreflightTest, a_server_that_is_not_there_is_a_failure_of_the_environment) {
  const Outcome outcome = lockkeeper({"preflight", "host=/nonexistent user=x dbname=y"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.errors,
              HasSubstr("hint: check host and port in the URL, and that the server is running"));
  EXPECT_EQ(lockkeeper({"preflight", "postgresql://a:b@c:d@e/f"}).exit_code, 2);
  EXPECT_EQ(lockkeeper({"preflight"}).exit_code, 2);
}

TEST_F(PreflightTest, rows_are_written_as_a_scenario_takes_them) {
  run("INSERT INTO users (email) SELECT 'a' FROM generate_series(1, 300); CREATE TABLE \"Odd \"\"one\" (a "
      "int);"
      "ANALYZE users");
  ASSERT_EQ(lockkeeper({"preflight", url(), "--production", "p.yaml"}).exit_code, 0);
  m_folder.write("s.yaml", "scenario: s\nmigrations: m\n" + text_of("p.yaml"));
  const auto scenario = scenario::load((m_folder.path() / "s.yaml").string(), {});
  ASSERT_TRUE(scenario) << to_string(scenario.error());
  EXPECT_EQ(scenario->production.rows.at("public.users"), 300);
  EXPECT_EQ(scenario->production.rows.at("public.\"Odd \"\"one\""), 0);
}

TEST_F(PreflightTest, what_is_there_is_held_against_the_scenarios_version) {
  const int there = Connection::open(m_server.connection()).value().server_version() / 10000;
  const int other = there == 13 ? 14 : 13;
  m_folder.write(
      "s.yaml", fmt::format("scenario: s\nengine: {{postgres: {{versions: [{}]}}}}\nmigrations: m\n", other));
  run("ALTER ROLE inspector SET lock_timeout = '3s'");
  const Outcome outcome = lockkeeper({"preflight", url(), "s.yaml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr(fmt::format("note: the scenario is rehearsed on PostgreSQL {}, and the server is {}.",
                                  other, there)),
            HasSubstr("note: lock_timeout is 3000 ms there, 0 in rehearsals")));
}

TEST_F(PreflightTest, postflight_compares_with_what_preflight_saved) {
  ASSERT_EQ(lockkeeper({"preflight", url(), "--save", "before.json"}).exit_code, 0);
  const Outcome same = lockkeeper({"postflight", url(), "--before", "before.json"});
  EXPECT_EQ(same.exit_code, 0) << same.said();
  run("CREATE TABLE fresh (n int); INSERT INTO fresh VALUES (1), (1); CREATE INDEX orders_note ON orders "
      "(note)");
  EXPECT_FALSE(Connection::open(m_server.connection())
                   .value()
                   .rows("CREATE UNIQUE INDEX CONCURRENTLY twice ON fresh (n)"));
  run("SET enable_seqscan = off; SELECT FROM users WHERE email = 'a'");
  // A session's counts are seen when it has ended.
  wait_until("SELECT pg_stat_get_numscans('users_email'::regclass) = 1");
  const Outcome after = lockkeeper({"postflight", url(), "--before", "before.json"});
  EXPECT_EQ(after.exit_code, 1) << after.said();
  EXPECT_THAT(after.output,
              AllOf(HasSubstr("    public.users_email on public.users: 1 scan since\n"),
                    HasSubstr("    public.orders_note on public.orders, new: 0 scans since\n"),
                    HasSubstr("    public.orders_note on public.orders, new, "),
                    HasSubstr("    public.fresh: new, "), HasSubstr("✘ invalid indexes\n    public.twice: "),
                    HasSubstr("something is wrong that was not before\n")));
  ASSERT_EQ(lockkeeper({"preflight", url(), "--save", "with.json"}).exit_code, 1);
  const Outcome known = lockkeeper({"postflight", url(), "--before", "with.json", "--output", "json"});
  EXPECT_EQ(known.exit_code, 0) << known.said();
  const auto said = nlohmann::json::parse(known.output);
  EXPECT_EQ(said.at("troubles").at(0).at("new"), false);
}

TEST_F(PreflightTest, postflight_takes_no_other_file_for_a_preflight) {
  m_folder.write("x.json", "{\"preflight\": 1}");
  m_folder.write("y.json", "no json");
  for (const char* file : {"x.json", "y.json", "missing.json"}) {
    const Outcome outcome = lockkeeper({"postflight", url(), "--before", file});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
    EXPECT_THAT(outcome.errors, HasSubstr(fmt::format("'{}'", file)));
  }
}

}  // namespace

}  // namespace lockkeeper::app::testing
