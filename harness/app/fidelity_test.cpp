#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/postgres.h"
#include "history/load.h"
#include "rehearsal/ground.h"

/// What we send is what the real tools send: both run one history on two databases of one server, and pg_dump
/// says whether these are the same then. Tools are installed by `./dev fidelity`; the tests of one that is
/// not there are skipped.
namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using engine::postgres::DisposableServer;
using record::Side;
using ::testing::IsEmpty;

/// What one migration does, in SQL alone; each tool has files of its own for it.
struct Step {
  std::string name;
  std::string up;
  std::string down;
  bool in_transaction = true;
  bool rows_behind_copy = false;  ///< for tools that run psql
  bool crlf = false;
};

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

std::string with_crlf(const std::string& text) {
  return std::regex_replace(text, std::regex("\n"), "\r\n");
}

/// Where a tool finds its database.
struct Address {
  std::string host;  ///< directory of the socket
  std::string database;

  std::map<std::string, std::string> environment() const {
    return {{"PGHOST", host}, {"PGPORT", "5432"}, {"PGUSER", "postgres"}, {"PGDATABASE", database}};
  }
};

fs::path tools_directory() {
  const char* named = std::getenv("LOCKKEEPER_TOOLS");
  return named != nullptr ? fs::path(named) : fs::path(LOCKKEEPER_BINARY_DIR).parent_path() / "tools";
}

Finished must_run(const lockkeeper::Command& command) {
  RunOptions options;
  options.deadline = std::chrono::seconds(60);
  const auto finished = lockkeeper::run(command, options);
  if (!finished) throw std::runtime_error(to_string(finished.error()));
  return *finished;
}

/// One tool: how it is found, how its files are written, how it is run. A further one is one more row in
/// all_tools().
struct Tool {
  std::string name;  ///< as the format is named
  /// The program; none where it is not installed.
  std::function<std::optional<fs::path>()> find;
  bool runs_psql = false;
  std::function<void(const Folder&, const std::vector<Step>&)> write;  ///< below m/
  std::function<Finished(const fs::path& program, const fs::path& folder, const Address&)> up;
  std::function<Finished(const fs::path& program, const fs::path& folder, const Address&, std::size_t steps)>
      down;
  std::vector<std::string> not_dumped;  ///< options of pg_dump that leave its bookkeeping out
};

void PrintTo(const Tool& tool, std::ostream* out) {
  *out << tool.name;
}

// ── dbmate

void write_dbmate(const Folder& folder, const std::vector<Step>& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const char* option = step.in_transaction ? "" : " transaction:false";
    const std::string text =
        fmt::format("-- before the directive\n\n-- migrate:up{0}\n{1}\n-- migrate:down{0}\n{2}", option,
                    step.up, step.down);
    folder.write(fmt::format("m/{:03}_{}.sql", i + 1, step.name), step.crlf ? with_crlf(text) : text);
  }
}

Finished dbmate(const fs::path& program, const fs::path& folder, const Address& address,
                const std::string& command) {
  return must_run(
      {{program.string(), "--url",
        fmt::format("postgres://postgres@/{}?socket={}&sslmode=disable", address.database, address.host),
        "--migrations-dir", (folder / "m").string(), "--no-dump-schema", command},
       {},
       {"PG*", "DBMATE_*", "DATABASE_URL"},
       folder,
       {}});
}

Tool dbmate_tool() {
  Tool tool;
  tool.name = "dbmate";
  tool.find = []() -> std::optional<fs::path> {
    const fs::path ours = tools_directory() / "node_modules" / ".bin" / "dbmate";
    if (fs::exists(ours)) return ours;
    return find_in_path("dbmate");
  };
  tool.write = write_dbmate;
  tool.up = [](const fs::path& program, const fs::path& folder, const Address& address) {
    return dbmate(program, folder, address, "migrate");
  };
  tool.down = [](const fs::path& program, const fs::path& folder, const Address& address, std::size_t steps) {
    Finished last;
    for (std::size_t i = 0; i < steps; ++i) {
      last = dbmate(program, folder, address, "rollback");
      if (!last.ok()) break;
    }
    return last;
  };
  tool.not_dumped = {"--exclude-table=public.schema_migrations"};
  return tool;
}

// ── sqitch

std::string sqitch_script(const Step& step, const std::string& sql) {
  const std::string text =
      step.in_transaction ? fmt::format("-- Deploy or revert\n\nBEGIN;\n\n{}\nCOMMIT;\n", sql) : sql;
  return step.crlf ? with_crlf(text) : text;
}

void write_sqitch(const Folder& folder, const std::vector<Step>& steps) {
  folder.write("m/sqitch.conf",
               "[core]\n\tengine = pg\n[user]\n\tname = Ann Bell\n\temail = ann@example.com\n");
  std::string plan = "%syntax-version=1.0.0\n%project=fidelity\n%uri=https://example.com/fidelity/\n\n";
  std::string before;
  for (const Step& step : steps) {
    plan += fmt::format("{} {}2026-01-31T12:00:00Z Ann Bell <ann@example.com> # It's \\n {}\n", step.name,
                        before.empty() ? "" : fmt::format("[{} !nothing_of_that_name:other] ", before),
                        step.name);
    if (before.empty()) plan += "@v1 2026-01-31T12:00:00Z Ann Bell <ann@example.com> # the first\n\n";
    before = step.name;
    folder.write(fmt::format("m/deploy/{}.sql", step.name), sqitch_script(step, step.up));
    folder.write(fmt::format("m/revert/{}.sql", step.name), sqitch_script(step, step.down));
  }
  folder.write("m/sqitch.plan", plan);
}

Finished sqitch(const fs::path& program, const fs::path& folder, const Address& address,
                std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program.string());
  auto environment = address.environment();
  environment["HOME"] = folder.string();
  environment["TZ"] = "UTC";
  return must_run({std::move(arguments), std::move(environment), {"SQITCH_*"}, folder / "m", {}});
}

Tool sqitch_tool() {
  Tool tool;
  tool.name = "sqitch";
  tool.find = []() { return find_in_path("sqitch"); };
  tool.runs_psql = true;
  tool.write = write_sqitch;
  tool.up = [](const fs::path& program, const fs::path& folder, const Address& address) {
    // By default a failure takes back what the same command had deployed before.
    return sqitch(program, folder, address, {"deploy", "--mode", "change"});
  };
  tool.down = [](const fs::path& program, const fs::path& folder, const Address& address, std::size_t) {
    return sqitch(program, folder, address, {"revert", "-y"});
  };
  tool.not_dumped = {"--exclude-schema=sqitch"};
  return tool;
}

/// Every tool whose format there is.
std::vector<Tool> all_tools() {
  return {dbmate_tool(), sqitch_tool()};
}

// ── The comparison

class Fidelity : public ::testing::TestWithParam<Tool> {
 protected:
  void SetUp() override {
    const auto found = GetParam().find();
    if (!found) GTEST_SKIP() << GetParam().name << " is not installed; ./dev fidelity installs it";
    m_program = *found;
    m_server = std::make_unique<DisposableServer>();
    m_server->ensure("tool");
    m_host = engine::postgres::parameter_of(m_server->connection(), "host");
  }

  void write(std::vector<Step> steps) {
    if (!GetParam().runs_psql) std::erase_if(steps, [](const Step& step) { return step.rows_behind_copy; });
    m_steps = steps.size();
    GetParam().write(m_folder, steps);
  }
  Address tools_own() const { return {m_host, "tool"}; }
  Finished tool_up() const { return GetParam().up(m_program, m_folder.path(), tools_own()); }
  Finished tool_down() const { return GetParam().down(m_program, m_folder.path(), tools_own(), m_steps); }

  /// Runs the ups, and where asked for the downs, as a rehearsal does; the first error ends it.
  void ours(bool and_down) {
    const auto history = must(history::load({(m_folder.path() / "m").string()}));
    EXPECT_EQ(history.format, GetParam().name);
    EXPECT_EQ(history.migrations.size(), m_steps);
    m_engine = must(engine::postgres::existing_server(m_server->connection("postgres")));
    const auto image = must(m_engine->make_empty({}, "x"));
    const auto instance = must(m_engine->restore(image, "x", engine::Purpose::rehearse));
    ASSERT_TRUE(instance->execute(history.bookkeeping->create, {}));
    for (const auto& migration : history.migrations) {
      if (m_error.empty()) side(*instance, migration, Side::up);
    }
    for (auto at = history.migrations.rbegin(); and_down && at != history.migrations.rend(); ++at) {
      if (m_error.empty()) side(*instance, *at, Side::down);
    }
    const std::string line = must(instance->keep());
    const std::size_t name = line.find("lockkeeper_");
    m_ours = line.substr(name, line.find_first_of("'\"", name) - name);
  }

  std::string dump(const std::string& database, const std::vector<std::string>& options) const {
    const auto binaries = engine::postgres::find_binaries(std::nullopt);
    lockkeeper::Command command{{(binaries.front().directory / "pg_dump").string()},
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
  void expect_same() const {
    const std::string theirs = dump("tool", GetParam().not_dumped);
    EXPECT_THAT(theirs, ::testing::HasSubstr("PostgreSQL database dump"));
    EXPECT_EQ(theirs, dump(m_ours, GetParam().not_dumped));
  }
  std::vector<std::string> ask(const std::string& database, const std::string& sql) const {
    auto session = must(Connection::open(m_server->connection(database)));
    std::vector<std::string> rows;
    for (const auto& row : must(session.rows(sql))) rows.push_back(row.at(0).value_or("NULL"));
    return rows;
  }

  template <typename T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(to_string(result.error()));
    return std::move(*result);
  }

  Folder m_folder;
  fs::path m_program;
  std::unique_ptr<DisposableServer> m_server;
  std::unique_ptr<engine::Engine> m_engine;
  std::string m_host;
  std::string m_ours;   ///< our database
  std::string m_error;  ///< the first that we met
  std::size_t m_steps = 0;

 private:
  void side(engine::Instance& instance, const history::Migration& migration, Side side) {
    const auto outcome =
        must(rehearsal::run_side(instance, migration, side, std::chrono::seconds(30), engine::Observe::yes));
    if (outcome.run.error) m_error = fmt::format("{}: {}", migration.version, outcome.run.error->message);
  }
};

TEST_P(Fidelity, ups_leave_what_the_tool_leaves) {
  write(awkward_steps());
  const Finished theirs = tool_up();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  ours(false);
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT mood::text FROM app.users WHERE id = 2"), ::testing::ElementsAre("glad"));
}

TEST_P(Fidelity, downs_leave_what_the_tool_leaves) {
  write(awkward_steps());
  EXPECT_TRUE(tool_up().ok());
  const Finished theirs = tool_down();
  EXPECT_TRUE(theirs.ok()) << theirs.output << theirs.errors;
  ours(true);
  EXPECT_THAT(m_error, IsEmpty());
  expect_same();
}

TEST_P(Fidelity, an_error_in_a_transaction_leaves_what_the_tool_leaves) {
  write(failing_steps(true));
  const Finished theirs = tool_up();
  EXPECT_FALSE(theirs.ok());
  EXPECT_THAT(theirs.output + theirs.errors, ::testing::HasSubstr("division by zero"));
  ours(false);
  EXPECT_THAT(m_error, ::testing::HasSubstr("division by zero"));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT id::text FROM good"), ::testing::ElementsAre("1"));
}

TEST_P(Fidelity, an_error_outside_of_one_leaves_what_the_tool_leaves) {
  write(failing_steps(false));
  EXPECT_FALSE(tool_up().ok());
  ours(false);
  EXPECT_THAT(m_error, ::testing::HasSubstr("division by zero"));
  expect_same();
}

/// Whether it succeeds is the tool's to say.
TEST_P(Fidelity, a_search_path_without_the_books_does_what_it_does_to_the_tool) {
  write({{"schema", "CREATE SCHEMA app;\n", "DROP SCHEMA app;\n"},
         {"path", "SET LOCAL search_path = app;\nCREATE TABLE t (id int);\n", "DROP TABLE app.t;\n"}});
  const Finished theirs = tool_up();
  ours(false);
  EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
  expect_same();
}

TEST_P(Fidelity, a_files_own_commit_does_what_it_does_to_the_tool) {
  write({{"own", "CREATE TABLE own (id int);\nCOMMIT;\nBEGIN;\nINSERT INTO own VALUES (1);\n",
          "DROP TABLE own;\n"}});
  const Finished theirs = tool_up();
  ours(false);
  EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
  expect_same();
}

TEST_P(Fidelity, a_file_that_ends_its_transaction_does_what_it_does_to_the_tool) {
  write({{"own", "CREATE TABLE own (id int);\nCOMMIT;\nINSERT INTO own VALUES (1);\n", "DROP TABLE own;\n"}});
  const Finished theirs = tool_up();
  ours(false);
  EXPECT_EQ(theirs.ok(), m_error.empty()) << theirs.output << theirs.errors << m_error;
  expect_same();
}

INSTANTIATE_TEST_SUITE_P(Tools, Fidelity, ::testing::ValuesIn(all_tools()),
                         [](const auto& tool) { return tool.param.name; });

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
      EXPECT_EQ(registry("tool", query), registry(m_ours, query)) << query;
    }
  }
};

TEST_P(SqitchFidelity, the_registry_is_sqitchs_own) {
  write(awkward_steps());
  EXPECT_TRUE(tool_up().ok());
  ours(false);
  const std::vector<std::string> schema = {"--schema-only", "--schema=sqitch", "--no-comments"};
  EXPECT_EQ(dump("tool", schema), dump(m_ours, schema));
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
  ours(false);
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
  EXPECT_THAT(theirs.output + theirs.errors, ::testing::HasSubstr("syntax error at or near \":\""));
  ours(false);
  EXPECT_THAT(m_error, ::testing::HasSubstr("syntax error at or near \":\""));
  expect_same();
  EXPECT_THAT(ask(m_ours, "SELECT a FROM app.t ORDER BY ctid"),
              ::testing::ElementsAre("rows", ":schema", "\\N", "it's \\ 'fine'"));
}

INSTANTIATE_TEST_SUITE_P(Tools, SqitchFidelity, ::testing::Values(sqitch_tool()),
                         [](const auto& tool) { return tool.param.name; });

}  // namespace

}  // namespace lockkeeper::app::testing
