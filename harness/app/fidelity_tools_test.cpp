#include <algorithm>
#include <cstdlib>
#include <regex>

#include <fmt/format.h>
#include <sys/stat.h>

#include "app/fidelity_test.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/postgres/pass_through.h"

/// The real tools: where they are, what their files look like, how they are called.
namespace lockkeeper::app::testing {

std::string with_crlf(const std::string& text) {
  return std::regex_replace(text, std::regex("\n"), "\r\n");
}

std::map<std::string, std::string> Address::environment() const {
  return {{"PGHOST", host}, {"PGPORT", "5432"}, {"PGUSER", "postgres"}, {"PGDATABASE", database}};
}

std::string Address::connection() const {
  return fmt::format("host='{}' port=5432 user=postgres dbname='{}'", host, database);
}

Finished must_run(const lockkeeper::Command& command) {
  RunOptions options;
  options.deadline = std::chrono::seconds(60);
  const auto finished = lockkeeper::run(command, options);
  if (!finished) throw std::runtime_error(to_string(finished.error()));
  return *finished;
}

void PrintTo(const Tool& tool, std::ostream* out) {
  *out << tool.name;
}

std::string name_for_test(const ::testing::TestParamInfo<Tool>& tool) {
  std::string name = tool.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

namespace {

fs::path tools_directory() {
  const char* named = std::getenv("LOCKKEEPER_TOOLS");
  return named != nullptr ? fs::path(named) : fs::path(LOCKKEEPER_BINARY_DIR).parent_path() / "tools";
}

/// A package of npm's registry that ./dev has installed.
std::optional<fs::path> node_package(const std::string& name) {
  const fs::path ours = tools_directory() / "node_modules" / name;
  return fs::exists(ours) ? std::optional(ours) : std::nullopt;
}

/// The text cut where tools that send statement by statement would have their files cut: before a line that
/// begins with a word of SQL, behind one that ends a statement.
std::vector<std::string> statements_of(const std::string& text) {
  static const std::regex k_cut(";\n(?=(CREATE|INSERT|ALTER|COMMENT|DO|DROP|SET|SELECT|COMMIT|BEGIN) ?)");
  std::vector<std::string> statements;
  auto begin = text.begin();
  for (std::sregex_iterator at(text.begin(), text.end(), k_cut), end; at != end; ++at) {
    statements.emplace_back(begin, text.begin() + at->position() + at->length());
    begin = text.begin() + at->position() + at->length();
  }
  statements.emplace_back(begin, text.end());
  return statements;
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

Finished dbmate(const ToolRun& run, const std::string& command) {
  return must_run({{run.program.string(), "--url",
                    fmt::format("postgres://postgres@/{}?socket={}&sslmode=disable", run.address.database,
                                run.address.host),
                    "--migrations-dir", (run.folder / "m").string(), "--no-dump-schema", command},
                   {},
                   {"PG*", "DBMATE_*", "DATABASE_URL"},
                   run.folder,
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
  tool.up = [](const ToolRun& run) { return dbmate(run, "migrate"); };
  tool.down = [](const ToolRun& run, std::size_t steps) {
    Finished last;
    for (std::size_t i = 0; i < steps; ++i) {
      last = dbmate(run, "rollback");
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

Finished sqitch(const ToolRun& run, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), run.program.string());
  auto environment = run.address.environment();
  environment["HOME"] = run.folder.string();
  environment["TZ"] = "UTC";
  return must_run({std::move(arguments), std::move(environment), {"SQITCH_*"}, run.folder / "m", {}});
}

Tool sqitch_tool() {
  Tool tool;
  tool.name = "sqitch";
  tool.find = []() { return find_in_path("sqitch"); };
  tool.runs_psql = true;
  tool.write = write_sqitch;
  // By default a failure takes back what the same command had deployed before.
  tool.up = [](const ToolRun& run) { return sqitch(run, {"deploy", "--mode", "change"}); };
  tool.down = [](const ToolRun& run, std::size_t) { return sqitch(run, {"revert", "-y"}); };
  tool.not_dumped = {"--exclude-schema=sqitch"};
  return tool;
}

// ── node-pg-migrate

/// Its own runner, asked for one migration after the other, as `up 1` is.
constexpr std::string_view k_run_node_pg_migrate = R"js(
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const [module, direction] = process.argv.slice(2);
const require = createRequire(module + '/');
const { runner } = await import(pathToFileURL(require.resolve('node-pg-migrate')));
for (let done = [null]; done.length > 0; )
  done = await runner({ databaseUrl: {}, dir: 'm', migrationsTable: 'pgmigrations', schema: ['public'],
    checkOrder: true, singleTransaction: true, direction, count: 1, log: () => {} });
)js";

void write_node_pg_migrate(const Folder& folder, const std::vector<Step>& steps) {
  folder.write("run.mjs", std::string(k_run_node_pg_migrate));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const std::string text = fmt::format(
        "-- before the directive\n\n-- Up Migration\n{}\n-- Down Migration\n{}", step.up, step.down);
    folder.write(fmt::format("m/{}_{}.sql", 1700000000000 + i, step.name),
                 step.crlf ? with_crlf(text) : text);
  }
}

Finished node(const ToolRun& run, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "node");
  return must_run({std::move(arguments), run.address.environment(), {"DATABASE_URL"}, run.folder, {}});
}

Tool node_pg_migrate_tool() {
  Tool tool;
  tool.name = "node-pg-migrate";
  tool.find = []() { return node_package("node-pg-migrate"); };
  tool.leaves_transactions = false;
  tool.write = write_node_pg_migrate;
  tool.up = [](const ToolRun& run) { return node(run, {"run.mjs", run.program.string(), "up"}); };
  tool.down = [](const ToolRun& run, std::size_t) {
    return node(run, {"run.mjs", run.program.string(), "down"});
  };
  tool.up_at_once = [](const ToolRun& run) {
    return node(run, {(run.program / "bin" / "node-pg-migrate.js").string(), "up", "-m", "m"});
  };
  tool.not_dumped = {"--exclude-table=public.pgmigrations", "--exclude-table=public.pgmigrations_id_seq"};
  return tool;
}

// ── Drizzle

/// Its own migrator, on the journal as it stands or as it grew entry by entry.
constexpr std::string_view k_run_drizzle = R"js(
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const [module, how] = process.argv.slice(2);
const require = createRequire(module + '/');
const { Client } = require('pg');
const { drizzle } = require('drizzle-orm/node-postgres');
const { migrate } = require('drizzle-orm/node-postgres/migrator');
const journal = JSON.parse(readFileSync('m/meta/_journal.json', 'utf8'));
cpSync('m', 'grown', { recursive: true });
for (let count = how === 'all' ? journal.entries.length : 1; count <= journal.entries.length; ++count) {
  writeFileSync('grown/meta/_journal.json',
    JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
  const client = new Client();
  await client.connect();
  try {
    await migrate(drizzle(client), { migrationsFolder: 'grown' });
  } finally {
    await client.end();
  }
}
)js";

void write_drizzle(const Folder& folder, const std::vector<Step>& steps) {
  folder.write("run.mjs", std::string(k_run_drizzle));
  std::string entries;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const std::string text =
        fmt::format("-- before it all\n{}", join(statements_of(step.up), "--> statement-breakpoint\n"));
    folder.write(fmt::format("m/{:04}_{}.sql", i, step.name), step.crlf ? with_crlf(text) : text);
    entries +=
        fmt::format(R"({}{{"idx": {}, "version": "7", "when": {}, "tag": "{:04}_{}", "breakpoints": true}})",
                    entries.empty() ? "" : ", ", i, 1700000000000 + i, i, step.name);
  }
  folder.write("m/meta/_journal.json",
               fmt::format(R"({{"version": "7", "dialect": "postgresql", "entries": [{}]}})", entries));
}

Tool drizzle_tool() {
  Tool tool;
  tool.name = "drizzle";
  tool.find = []() { return node_package("drizzle-orm"); };
  tool.leaves_transactions = false;
  tool.write = write_drizzle;
  tool.up = [](const ToolRun& run) { return node(run, {"run.mjs", run.program.string(), "each"}); };
  tool.up_at_once = [](const ToolRun& run) { return node(run, {"run.mjs", run.program.string(), "all"}); };
  tool.not_dumped = {"--exclude-schema=drizzle"};
  return tool;
}

// ── Liquibase

/// Formatted SQL, a file for each change set. Liquibase knows no dollar quotes: semicolons in them end a
/// statement unless the text is not to be split.
void write_liquibase(const Folder& folder, const std::vector<Step>& steps) {
  std::string root =
      "<databaseChangeLog xmlns=\"http://www.liquibase.org/xml/ns/dbchangelog\" "
      "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
      "xsi:schemaLocation=\"http://www.liquibase.org/xml/ns/dbchangelog "
      "http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd\">\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    std::string text =
        fmt::format("--liquibase formatted sql\n\n-- before the directive\n\n--changeset ann:{}{}{}\n{}",
                    step.name, step.in_transaction ? "" : " runInTransaction:false",
                    step.up.find("AS $") != std::string::npos ? " splitStatements:false" : "", step.up);
    text += "--rollback " + std::regex_replace(step.down, std::regex("\n(?=.)"), "\n--rollback ");
    const std::string file = fmt::format("{:03}_{}.sql", i + 1, step.name);
    folder.write("m/" + file, step.crlf ? with_crlf(text) : text);
    root += fmt::format("  <include file=\"{}\" relativeToChangelogFile=\"true\"/>\n", file);
  }
  folder.write("m/changelog.xml", root + "</databaseChangeLog>\n");
}

/// JDBC knows no sockets of the file system: what is sent goes through our pass-through, which hands it on as
/// it is.
Finished liquibase(const ToolRun& run, const std::vector<std::string>& arguments) {
  const fs::path sockets = run.folder / "sockets";
  fs::create_directory(sockets);
  ::chmod(sockets.c_str(), 0700);
  const auto between =
      engine::postgres::PassThrough::start(run.address.connection(), sockets, engine::Observe::no);
  if (!between) throw std::runtime_error(to_string(between.error()));
  const auto& address = (*between)->address();
  std::string classes;
  for (const char* jar :
       {"commons-collections4", "commons-io", "commons-lang3", "commons-text", "jaxb-api", "jaxb-core",
        "jaxb-runtime", "liquibase-core", "opencsv", "picocli", "postgresql", "snakeyaml"}) {
    classes += (run.program / (std::string(jar) + ".jar")).string() + ":";
  }
  lockkeeper::Command command;
  // These options halve the time that it takes to start.
  command.argv = {"java",
                  "-XX:TieredStopAtLevel=1",
                  "-XX:+UseSerialGC",
                  "-Xshare:auto",
                  "-cp",
                  classes,
                  "liquibase.integration.commandline.LiquibaseCommandLine",
                  "--show-banner=false",
                  "--changelog-file=changelog.xml",
                  "--search-path=" + (run.folder / "m").string(),
                  fmt::format("--url=jdbc:postgresql://{}:{}/{}?sslmode=disable", address.host, address.port,
                              address.database),
                  "--username=" + address.user,
                  "--password=" + address.password};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.unset = {"LIQUIBASE_*", "JAVA_*", "PG*"};
  command.directory = run.folder;
  return must_run(command);
}

Tool liquibase_tool() {
  Tool tool;
  tool.name = "liquibase";
  tool.find = []() -> std::optional<fs::path> {
    const auto package = node_package("liquibase");
    if (!package || !find_in_path("java")) return std::nullopt;
    return *package / "dist" / "liquibase" / "internal" / "lib";
  };
  tool.write = write_liquibase;
  tool.up = [](const ToolRun& run) { return liquibase(run, {"update"}); };
  tool.down = [](const ToolRun& run, std::size_t steps) {
    return liquibase(run, {"rollback-count", std::to_string(steps)});
  };
  tool.not_dumped = {"--exclude-table=public.databasechangelog*"};
  return tool;
}

// ── Alembic

std::string python_text(const Step& step, const std::string& sql) {
  std::string code;
  for (const std::string& statement : statements_of(sql)) {
    code += step.in_transaction ? "    " : "    with op.get_context().autocommit_block():\n        ";
    code += fmt::format("op.execute(r\"\"\"{}\"\"\".replace(':', r'\\:'))\n", statement);
  }
  return code;
}

void write_alembic(const Folder& folder, const std::vector<Step>& steps, bool each) {
  folder.write("m/alembic.ini",
               "[alembic]\nscript_location = %(here)s/alembic\nsqlalchemy.url = postgresql+psycopg2://\n");
  folder.write("m/alembic/env.py",
               fmt::format("from alembic import context\nfrom sqlalchemy import engine_from_config, pool\n\n"
                           "settings = context.config.get_section(context.config.config_ini_section)\n"
                           "engine = engine_from_config(settings, poolclass=pool.NullPool)\n"
                           "with engine.connect() as connection:\n"
                           "    context.configure(connection=connection{})\n"
                           "    with context.begin_transaction():\n"
                           "        context.run_migrations()\n",
                           each ? ", transaction_per_migration=True" : ""));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const std::string text = fmt::format(
        "\"\"\"{}\"\"\"\nfrom alembic import op\n\nrevision = 'r{}'\ndown_revision = {}\n\n\n"
        "def upgrade():\n{}\n\ndef downgrade():\n{}",
        step.name, i + 1, i == 0 ? "None" : fmt::format("'r{}'", i), python_text(step, step.up),
        python_text(step, step.down));
    folder.write(fmt::format("m/alembic/versions/r{}_{}.py", i + 1, step.name),
                 step.crlf ? with_crlf(text) : text);
  }
}

Finished alembic(const ToolRun& run, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), run.program.string());
  auto environment = run.address.environment();
  environment["PYTHONDONTWRITEBYTECODE"] = "1";
  return must_run({std::move(arguments), std::move(environment), {"DATABASE_URL"}, run.folder / "m", {}});
}

/// Where the interpreter that it belongs to has the driver too.
std::optional<fs::path> find_alembic() {
  const auto program = find_in_path("alembic");
  const auto text = program ? read_file(*program) : Result<std::string>("");
  if (!text || !text->starts_with("#!")) return std::nullopt;
  const std::string python = trimmed(text->substr(2, text->find('\n') - 2));
  return must_run({{python, "-c", "import psycopg2"}, {}, {}, {}, {}}).ok() ? program : std::nullopt;
}

Tool alembic_tool(bool each) {
  Tool tool;
  tool.name = "alembic";
  tool.find = []() {
    static const std::optional<fs::path> k_found = find_alembic();
    return k_found;
  };
  tool.write = [each](const Folder& folder, const std::vector<Step>& steps) {
    write_alembic(folder, steps, each);
  };
  tool.up = [](const ToolRun& run) { return alembic(run, {"upgrade", "head"}); };
  tool.down = [](const ToolRun& run, std::size_t) { return alembic(run, {"downgrade", "base"}); };
  if (!each) tool.up_at_once = tool.up;
  tool.not_dumped = {"--exclude-table=public.alembic_version"};
  return tool;
}

}  // namespace

std::vector<Tool> all_tools() {
  return {dbmate_tool(),  sqitch_tool(),    node_pg_migrate_tool(),
          drizzle_tool(), liquibase_tool(), alembic_tool(true)};
}

std::vector<Tool> tools_that_run_all_at_once() {
  return {node_pg_migrate_tool(), drizzle_tool(), alembic_tool(false)};
}

Tool tool_named(const std::string& name) {
  for (Tool& tool : all_tools()) {
    if (tool.name == name) return tool;
  }
  throw std::runtime_error("no tool is named " + name);
}

}  // namespace lockkeeper::app::testing
