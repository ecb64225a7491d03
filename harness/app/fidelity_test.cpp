#include "app/fidelity_test.h"

#include <regex>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/postgres.h"
#include "history/load.h"
#include "rehearsal/ground.h"
#include "rehearsal/together.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using engine::postgres::DisposableServer;
using record::Side;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<Step>& awkward_steps() {
  static const std::vector<Step> k_steps = {
      {"tables",
       "/* a; comment */\nCREATE SCHEMA app;\n"
       "CREATE TABLE app.users (id bigserial PRIMARY KEY, name text NOT NULL DEFAULT 'a;b''c');\n"
       "CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $body$\nBEGIN\n  -- $$; it's\n"
       "  NEW.name := NEW.name || ';';\n  RETURN NEW;\nEND;\n$body$;\n"
       "CREATE TRIGGER touch BEFORE INSERT ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch();\n"
       "INSERT INTO app.users (name) SELECT 'user ' || g FROM generate_series(1, 20) g;\n",
       "DROP SCHEMA app CASCADE;\n"},
      {"moods", "CREATE TYPE app.mood AS ENUM ('glum', 'glad');\nALTER TABLE app.users ADD mood app.mood;\n",
       "ALTER TABLE app.users DROP mood;\nDROP TYPE app.mood;\n"},
      {"more_moods", "ALTER TYPE app.mood ADD VALUE 'so-so' AFTER 'glum';\n", "SELECT 1;\n"},
      {"name_index", "CREATE INDEX CONCURRENTLY users_name ON app.users (name);\n",
       "DROP INDEX CONCURRENTLY app.users_name;\n", false},
      {"local_path",
       "SET LOCAL search_path = app, public;\nCREATE TABLE items (id int PRIMARY KEY);\n"
       "SET LOCAL search_path = public;\n",
       "DROP TABLE app.items;\n"},
      {"windows",
       "CREATE FUNCTION app.two() RETURNS int LANGUAGE sql\nAS $$\n  SELECT 1;\n  SELECT 2;\n$$;\n"
       "COMMENT ON TABLE app.users IS 'two\nlines';\n",
       "COMMENT ON TABLE app.users IS NULL;\nDROP FUNCTION app.two();\n", true, false, true},
      {"atomic",
       "CREATE FUNCTION app.three() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 3; END;\n"
       "DO $$ BEGIN UPDATE app.users SET mood = 'glad' WHERE id % 2 = 0; END $$;\n",
       "DROP FUNCTION app.three();\nUPDATE app.users SET mood = NULL;\n"},
      {"rows", "COPY app.items FROM stdin;\n1\n22\n\\.\nINSERT INTO app.items VALUES (333);\n",
       "DELETE FROM app.items;\n", true, true},
      {"odd_rows", "COPY app.users (id, name) FROM stdin;\n100\tit's; $$\n101\t\\N0:x\n\\.\n",
       "DELETE FROM app.users WHERE id >= 100;\n", false, true},
  };
  return k_steps;
}

/// The first stays, the second fails half-way.
std::vector<Step> failing_steps(bool in_transaction) {
  return {{"good", "CREATE TABLE good (id int);\nINSERT INTO good VALUES (1);\n", "DROP TABLE good;\n"},
          {"bad",
           "CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nINSERT INTO good VALUES (2);\n"
           "SELECT 1 / 0;\nCREATE TABLE never (id int);\n",
           "DROP TABLE half;\n", in_transaction},
          {"later", "CREATE TABLE later (id int);\n", "DROP TABLE later;\n"}};
}

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A server and what our databases on it begin with.
struct Site {
  DisposableServer server;
  std::unique_ptr<engine::Engine> engine =
      value_of(engine::postgres::existing_server(server.connection("postgres")));
  engine::Image empty = value_of(engine->make_empty({}, "x"));
};

/// One for all tests, each in databases of its own.
std::unique_ptr<Site>& kept_site() {
  static std::unique_ptr<Site> s_site;
  return s_site;
}

const Site& site() {
  if (!kept_site()) kept_site() = std::make_unique<Site>();
  return *kept_site();
}

/// Ends it with the last of the tests.
class EndOfSite : public ::testing::Environment {
 public:
  void TearDown() override { kept_site().reset(); }
};
const ::testing::Environment* const k_end_of_site =
    ::testing::AddGlobalTestEnvironment(std::make_unique<EndOfSite>().release());

constexpr std::chrono::seconds k_statement_timeout{30};

}  // namespace

// ── The comparison

Fidelity::Fidelity() = default;
Fidelity::~Fidelity() = default;

void Fidelity::SetUp() {
  const auto found = GetParam().find();
  if (!found) GTEST_SKIP() << GetParam().name << " is not installed; ./dev fidelity installs what it can";
  m_program = *found;
  static int s_count = 0;
  m_tools = fmt::format("tool_{}", ++s_count);
  site().server.ensure(m_tools);
  m_host = engine::postgres::parameter_of(site().server.connection(), "host");
}

void Fidelity::write(std::vector<Step> steps) {
  const Tool& tool = GetParam();
  std::erase_if(steps, [&](const Step& step) {
    return (step.rows_behind_copy && !tool.runs_psql) || (!step.in_transaction && !tool.leaves_transactions);
  });
  m_steps = steps.size();
  tool.write(m_folder, steps);
}

void Fidelity::begin() {
  m_history = value_of(history::load({(m_folder.path() / "m").string()}));
  EXPECT_EQ(m_history.format, GetParam().name);
  EXPECT_EQ(m_history.migrations.size(), m_steps);
  m_instance = value_of(site().engine->restore(site().empty, "x", engine::Purpose::rehearse));
  value_of(m_instance->execute(m_history.bookkeeping->create, {}));
  m_ours = value_of(m_instance->try_query({"SELECT current_database()", {}})).text();
}

void Fidelity::take(const std::string& version, const engine::SideOutcome& outcome) {
  if (outcome.run.error) m_error = fmt::format("{}: {}", version, outcome.run.error->message);
}

void Fidelity::side(const history::Migration& migration, Side side) {
  if (!m_error.empty()) return;
  take(migration.version, value_of(rehearsal::run_side(*m_instance, migration, side, k_statement_timeout,
                                                       engine::Observe::yes)));
}

void Fidelity::our_ups() {
  begin();
  for (const auto& migration : m_history.migrations) side(migration, Side::up);
}

void Fidelity::our_downs() {
  for (auto at = m_history.migrations.rbegin(); at != m_history.migrations.rend(); ++at)
    side(*at, Side::down);
}

void Fidelity::our_ups_at_once() {
  begin();
  EXPECT_TRUE(m_history.all_in_one);
  if (m_history.migrations.front().command) {
    for (const std::size_t index : m_history.steps_between(0, m_steps)) {
      side(m_history.migrations[index], Side::up);
    }
    return;
  }
  std::vector<std::size_t> all;
  for (std::size_t index = 0; index < m_steps; ++index) all.push_back(index);
  const auto joined = value_of(rehearsal::join_ups(m_history, all));
  engine::SideRequest request;
  request.script = &joined.script;
  request.bookkeeping = joined.bookkeeping;
  request.statement_timeout = k_statement_timeout;
  request.observe = engine::Observe::no;
  take("all", value_of(m_instance->run_side(request)));
}

std::string Fidelity::dump(const std::string& database, const std::vector<std::string>& options) const {
  static const auto k_binaries = engine::postgres::find_binaries(std::nullopt);
  lockkeeper::Command command{{(k_binaries.front().directory / "pg_dump").string()},
                              Address{m_host, database}.environment(),
                              {},
                              {},
                              {}};
  command.argv.insert(command.argv.end(), options.begin(), options.end());
  const Finished finished = must_run(command);
  EXPECT_TRUE(finished.ok()) << finished.errors;
  // Newer ones guard a dump with a random word.
  return std::regex_replace(finished.output, std::regex("\\\\(un)?restrict .*\n"), "");
}

void Fidelity::expect_same() const {
  const std::string theirs = dump(m_tools, GetParam().not_dumped);
  EXPECT_THAT(theirs, HasSubstr("PostgreSQL database dump"));
  EXPECT_EQ(theirs, dump(m_ours, GetParam().not_dumped));
}

std::vector<std::string> Fidelity::ask(const std::string& database, const std::string& sql) const {
  auto session = value_of(Connection::open(site().server.connection(database)));
  std::vector<std::string> rows;
  for (const auto& row : value_of(session.rows(sql))) rows.push_back(row.at(0).value_or("NULL"));
  return rows;
}

namespace {

TEST_P(Fidelity, ups_and_downs_leave_what_the_tool_leaves) {
  write(awkward_steps());
  Finished theirs = tool_up();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  our_ups();
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT mood::text FROM app.users WHERE id = 2"), ElementsAre("glad"));
  if (!GetParam().down) return;
  theirs = tool_down();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  our_downs();
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
}

TEST_P(Fidelity, an_error_in_a_transaction_leaves_what_the_tool_leaves) {
  write(failing_steps(true));
  const Finished theirs = tool_up();
  EXPECT_FALSE(theirs.ok());
  EXPECT_THAT(theirs.output + theirs.errors, HasSubstr("division by zero"));
  our_ups();
  EXPECT_THAT(m_error, HasSubstr("division by zero"));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT id::text FROM good"), ElementsAre("1"));
}

TEST_P(Fidelity, an_error_outside_of_one_leaves_what_the_tool_leaves) {
  if (!GetParam().leaves_transactions) GTEST_SKIP() << GetParam().name << " has a transaction around all SQL";
  write(failing_steps(false));
  EXPECT_FALSE(tool_up().ok());
  our_ups();
  EXPECT_THAT(m_error, HasSubstr("division by zero"));
  expect_same();
}

/// Whether it succeeds is the tool's to say.
TEST_P(Fidelity, a_search_path_without_the_books_does_what_it_does_to_the_tool) {
  write({{"schema", "CREATE SCHEMA app;\n", "DROP SCHEMA app;\n"},
         {"path", "SET LOCAL search_path = app;\nCREATE TABLE t (id int);\n", "DROP TABLE app.t;\n"}});
  const Finished theirs = tool_up();
  our_ups();
  EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
  expect_same();
}

TEST_P(Fidelity, a_files_own_commit_does_what_it_does_to_the_tool) {
  const std::string begins_again =
      "CREATE TABLE own (id int);\nCOMMIT;\nBEGIN;\nINSERT INTO own VALUES (1);\n";
  const std::string ends = "INSERT INTO own VALUES (2);\nCOMMIT;\nINSERT INTO own VALUES (3);\n";
  write({{"begins_again", begins_again, "DROP TABLE own;\n"}, {"ends", ends, "SELECT 1;\n"}});
  const Finished theirs = tool_up();
  our_ups();
  EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT id FROM own ORDER BY id"), ElementsAre("1", "2", "3"));
}

INSTANTIATE_TEST_SUITE_P(Tools, Fidelity, ::testing::ValuesIn(all_tools()), name_for_test);

// ── All that is pending in one transaction

class FidelityAtOnce : public Fidelity {};

TEST_P(FidelityAtOnce, ups_leave_what_the_tool_leaves) {
  write(awkward_steps());
  const Finished theirs = tool_up_at_once();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  our_ups_at_once();
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT mood::text FROM app.users WHERE id = 2"), ElementsAre("glad"));
}

TEST_P(FidelityAtOnce, an_error_takes_back_what_the_tool_takes_back) {
  write(failing_steps(true));
  const Finished theirs = tool_up_at_once();
  EXPECT_FALSE(theirs.ok());
  EXPECT_THAT(theirs.output + theirs.errors, HasSubstr("division by zero"));
  our_ups_at_once();
  EXPECT_THAT(m_error, HasSubstr("division by zero"));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT to_regclass('good')::text"), ElementsAre("NULL"));
}

TEST_P(FidelityAtOnce, an_error_leaves_what_was_done_before_a_migration_without_a_transaction) {
  if (!GetParam().leaves_transactions) GTEST_SKIP() << GetParam().name << " has a transaction around all SQL";
  std::vector<Step> steps = failing_steps(true);
  steps.insert(steps.begin() + 1, {"index", "CREATE INDEX CONCURRENTLY good_id ON good (id);\n",
                                   "DROP INDEX CONCURRENTLY good_id;\n", false});
  write(steps);
  EXPECT_FALSE(tool_up_at_once().ok());
  our_ups_at_once();
  EXPECT_THAT(m_error, HasSubstr("division by zero"));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT id::text FROM good"), ElementsAre("1"));
}

/// A new label of an enum that is used in the transaction that made it.
TEST_P(FidelityAtOnce, what_passes_one_by_one_fails_as_it_does_for_the_tool) {
  write({{"mood", "CREATE TYPE mood AS ENUM ('glum');\nCOMMIT;\nBEGIN;\n", "DROP TYPE mood;\n"},
         {"label", "ALTER TYPE mood ADD VALUE 'glad';\n", "SELECT 1;\n"},
         {"use", "CREATE TABLE t AS SELECT 'glad'::mood AS mood;\n", "DROP TABLE t;\n"}});
  const Finished theirs = tool_up_at_once();
  EXPECT_FALSE(theirs.ok());
  EXPECT_THAT(theirs.output + theirs.errors, HasSubstr("unsafe use of new value"));
  our_ups_at_once();
  EXPECT_THAT(m_error, HasSubstr("unsafe use of new value"));
  expect_same();
}

INSTANTIATE_TEST_SUITE_P(Tools, FidelityAtOnce, ::testing::ValuesIn(tools_that_run_all_at_once()),
                         name_for_test);

// ── What only one of them has

class SqitchFidelity : public Fidelity {
 protected:
  std::vector<std::string> registry(const std::string& database, const std::string& query) const {
    return ask(database,
               "SELECT to_jsonb(r) - '{committed_at,installed_at,created_at,committer_name,committer_email,"
               "creator_name,creator_email}'::text[] FROM (" +
                   query + ") r");
  }
  void expect_same_registry() const {
    for (const char* query :
         {"SELECT project, uri FROM sqitch.projects", "SELECT version FROM sqitch.releases",
          "SELECT * FROM sqitch.changes ORDER BY committed_at", "SELECT * FROM sqitch.tags ORDER BY tag",
          "SELECT * FROM sqitch.dependencies ORDER BY change_id, dependency",
          "SELECT * FROM sqitch.events ORDER BY committed_at"}) {
      EXPECT_EQ(registry(m_tools, query), registry(m_ours, query)) << query;
    }
  }
};

TEST_P(SqitchFidelity, the_registry_is_sqitchs_own) {
  write(awkward_steps());
  EXPECT_TRUE(tool_up().ok());
  our_ups();
  const std::vector<std::string> schema = {"--schema-only", "--schema=sqitch", "--no-comments"};
  EXPECT_EQ(dump(m_tools, schema), dump(m_ours, schema));
  expect_same_registry();
}

TEST_P(SqitchFidelity, reworked_changes_are_run_from_the_scripts_of_their_tag) {
  const std::string by = " 2026-01-31T12:00:00Z Ann Bell <ann@example.com> # x\n";
  write({});
  m_folder.write("m/sqitch.plan", "%project=fidelity\n\nusers" + by + "@v1" + by + "other [users]" + by +
                                      "@v2" + by + "users [users@v2 other]" + by);
  m_folder.write("m/deploy/users@v1.sql", "CREATE TABLE users (id int);\n");
  m_folder.write("m/deploy/other.sql", "CREATE TABLE other (id int);\n");
  m_folder.write("m/deploy/users.sql", "ALTER TABLE users ADD name text;\n");
  m_steps = 3;
  const Finished theirs = tool_up();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  our_ups();
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
  expect_same_registry();
}

TEST_P(SqitchFidelity, meta_commands_do_what_psql_does) {
  write({{"meta",
          "\\set ON_ERROR_STOP on\n\\set schema app\n\\set quoted 'it''s \\\\ \\'fine\\''\n\\pset pager "
          "off\n\\timing on\n"
          "CREATE SCHEMA :schema;\nCREATE TABLE :\"schema\".t (a text DEFAULT :'quoted', b int[]); \\echo "
          "made\n"
          "\\if :{?schema}\n\\i shared/rows.sql\n\\ir ../shared/more.sql\n\\else\nSELECT nonsense;\n\\endif\n"
          "INSERT INTO :schema.t (b) SELECT ('{1,2,3}'::int[])[1:2] \\g /dev/null\n"
          "INSERT INTO app.t (a) VALUES (':schema'), ($$:schema$$)\\; INSERT INTO app.t (a) VALUES "
          "(:'unset_is_left');\n",
          "DROP SCHEMA app CASCADE;\n", false}});
  m_folder.write("m/shared/rows.sql", "INSERT INTO :schema.t (a) VALUES ('rows')");
  m_folder.write("m/shared/more.sql",
                 "COPY :schema.t (a) FROM stdin;\n:schema\n\\\\N\n\\.\nSELECT 1 -- no semicolon\n");
  const Finished theirs = tool_up();
  EXPECT_THAT(theirs.output + theirs.errors, HasSubstr("syntax error at or near \":\""));
  our_ups();
  EXPECT_THAT(m_error, HasSubstr("syntax error at or near \":\""));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT a FROM app.t ORDER BY ctid"),
              ElementsAre("rows", ":schema", "\\N", "it's \\ 'fine'"));
}

INSTANTIATE_TEST_SUITE_P(Tools, SqitchFidelity, ::testing::Values(tool_named("sqitch")), name_for_test);

class LiquibaseFidelity : public Fidelity {
 protected:
  /// One formatted file of so many change sets. Did the tool succeed?
  bool run(std::size_t change_sets, const std::string& text) {
    write({{"all", "", ""}});
    m_folder.write("m/001_all.sql", "--liquibase formatted sql\n" + text);
    m_steps = change_sets;
    const Finished theirs = tool_up();
    our_ups();
    EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
    expect_same();
    return theirs.ok();
  }
};

TEST_P(LiquibaseFidelity, what_it_cuts_is_cut_where_it_cuts) {
  const std::string text =
      "--changeset a:1 endDelimiter:/\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n  SELECT 1;\n"
      "  SELECT 2; -- two; it's\n$$\n/\nCREATE TABLE t (a text DEFAULT 'x -- y; z')\n/\n"
      "--changeset a:2 splitStatements:false stripComments:false\n-- ahead\nCREATE FUNCTION g() RETURNS int "
      "LANGUAGE plpgsql AS $x$\nBEGIN\n  -- kept; it's\n  /* as this is */\n  RETURN 1;\nEND\n$x$;\n"
      "CREATE TABLE u ();\n"
      "--changeset a:3\nINSERT INTO t VALUES ('2');\nCOMMIT;\nINSERT INTO t VALUES ('3');\nROLLBACK;\n"
      "INSERT INTO t VALUES (E'4\\'; -- 5');\nINSERT INTO t VALUES ('\\');\n"
      "--changeset a:4\nCREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
      "DO $$ BEGIN PERFORM 1; /* gone */ END $$;\nINSERT INTO t VALUES ('/* gone? */'), ('-- gone?\n');\n";
  EXPECT_TRUE(run(4, text));
}

/// BEGIN opens what only END closes: from there on the rest is one message, and JDBC makes a pipeline of it.
TEST_P(LiquibaseFidelity, what_refuses_a_transaction_passes_first_in_a_pipeline) {
  const std::string text =
      "--changeset a:1\nCREATE TABLE t (a text);\n"
      "--changeset a:2 runInTransaction:false\nCREATE INDEX CONCURRENTLY i ON t (a);\nBEGIN;\n"
      "INSERT INTO t VALUES ('1');\nCOMMIT;\nVACUUM t;\n"
      "--changeset a:3 runInTransaction:false splitStatements:false\n"
      "CREATE INDEX CONCURRENTLY j ON t (a);\nINSERT INTO t VALUES ('2');\nINSERT INTO t VALUES ('3');\n"
      "--changeset a:4 runInTransaction:false splitStatements:false\nDROP INDEX CONCURRENTLY i;\n"
      "CREATE INDEX CONCURRENTLY k ON t (a);\n";
  EXPECT_FALSE(run(4, text));
  EXPECT_THAT(m_error, HasSubstr("CREATE INDEX CONCURRENTLY cannot"));
}

TEST_P(LiquibaseFidelity, a_body_in_dollar_quotes_is_cut_too) {
  const std::string text =
      "--changeset a:1\nCREATE TABLE t ();\n--changeset a:2\nCREATE TABLE u ();\n"
      "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $x$\nBEGIN\n  RETURN 1;\nEND;\n$x$;\n";
  EXPECT_FALSE(run(2, text));
  EXPECT_THAT(m_error, HasSubstr("unterminated dollar-quoted string"));
}

TEST_P(LiquibaseFidelity, jdbc_begins_again_after_a_commit) {
  const std::string text =
      "--changeset a:1\nCREATE TABLE t (id int);\nCOMMIT;\nINSERT INTO t VALUES (1);\nSELECT 1 / 0;\n";
  EXPECT_FALSE(run(1, text));
  EXPECT_THAT(m_error, HasSubstr("division by zero"));
  EXPECT_THAT(ask(m_ours, "SELECT count(*) FROM t"), ElementsAre("0"));
}

INSTANTIATE_TEST_SUITE_P(Tools, LiquibaseFidelity, ::testing::Values(tool_named("liquibase")), name_for_test);

}  // namespace

}  // namespace lockkeeper::app::testing
