#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <ostream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/process.h"
#include "base/text.h"

/// Histories that the real tools run: knex, sequelize-cli, Django, Rails and Liquibase. One that is not
/// installed is skipped.
namespace lockkeeper::app::testing {

namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// A project of one tool: `users` is sound, `email` forgets a column on its way back, `bad` fails half-way
/// outside of a transaction.
struct Project {
  std::string format;
  std::string migrations;                ///< the folder of them
  std::string bad;                       ///< version of `bad`
  std::function<std::string()> missing;  ///< why it cannot be run; empty: it can
  std::function<void(const Folder&)> write;
  std::function<void(const Folder&)> write_sound_email;
  std::function<void(const Folder&)> write_bad;
};

void PrintTo(const Project& project, std::ostream* out) {
  *out << project.format;
}

fs::path node_modules() {
  const char* named = std::getenv("LOCKKEEPER_TOOLS");
  return (named != nullptr ? fs::path(named) : fs::path(LOCKKEEPER_BINARY_DIR).parent_path() / "tools") /
         "node_modules";
}

std::string missing_node_tool(const std::string& program, const std::string& package) {
  if (!find_in_path("node")) return "node is not installed";
  const bool there = fs::exists(node_modules() / ".bin" / program) && fs::exists(node_modules() / package) &&
                     fs::exists(node_modules() / "pg");
  return there ? "" : program + " is not installed in " + node_modules().string();
}

std::string missing_modules(const std::vector<std::string>& command) {
  if (!find_in_path(command.front())) return command.front() + " is not installed";
  const auto finished = run({.argv = command, .environment = {}, .unset = {}, .directory = {}, .run_as = {}});
  return finished && finished->ok() ? "" : "its modules are not installed";
}

// ── Knex

void write_knex(const Folder& folder) {
  fs::create_symlink(node_modules(), folder.path() / "node_modules");
  // The place that the project would really go to.
  folder.write("knexfile.js", "module.exports = {client: 'pg', connection: {host: 'production.invalid'}};\n");
  folder.write(
      "migrations/1_users.js",
      "// lockkeeper:allow migration-without-a-reason: said in a comment\n"
      "exports.up = (knex) => knex.schema.createTable('users', (t) => { t.increments(); t.text('name'); });\n"
      "exports.down = (knex) => knex.schema.dropTable('users');\n");
}

void write_knex_email(const Folder& folder, const std::string& down) {
  folder.write("migrations/2_email.js",
               "exports.up = async (knex) => {\n"
               "  await knex.schema.alterTable('users', (t) => { t.text('email'); t.integer('age'); });\n"
               "  await knex.raw('CREATE INDEX by_email ON users (email)');\n};\n"
               "exports.down = (knex) => knex.schema.alterTable('users', (t) => { " +
                   down + " });\n");
}

void write_knex_bad(const Folder& folder) {
  folder.write(
      "migrations/3_bad.js",
      "exports.up = async (knex) => {\n  await knex.raw('CREATE TABLE half (id int)');\n"
      "  await knex.raw('SELECT * FROM nowhere');\n};\n"
      "exports.down = (knex) => knex.schema.dropTable('half');\nexports.config = {transaction: false};\n");
}

// ── Sequelize

void write_sequelize(const Folder& folder) {
  fs::create_symlink(node_modules(), folder.path() / "node_modules");
  folder.write("package.json", "{\"devDependencies\": {\"sequelize-cli\": \"6\"}}\n");
  folder.write(
      "migrations/1-users.js",
      "module.exports = {\n  up: (q, S) => q.createTable('users', {id: {type: S.INTEGER, primaryKey: true, "
      "autoIncrement: true}, name: S.TEXT}),\n  down: (q) => q.dropTable('users'),\n};\n");
}

void write_sequelize_email(const Folder& folder, const std::string& down) {
  folder.write(
      "migrations/2-email.js",
      "module.exports = {\n  up: async (q, S) => {\n    await q.addColumn('users', 'email', S.TEXT);\n"
      "    await q.addColumn('users', 'age', S.INTEGER);\n"
      "    await q.sequelize.query('CREATE INDEX by_email ON users (email)');\n  },\n"
      "  down: async (q) => { await q.removeColumn('users', 'email'); " +
          down + " },\n};\n");
}

void write_sequelize_bad(const Folder& folder) {
  folder.write(
      "migrations/3-bad.js",
      "module.exports = {\n  up: async (q) => {\n    await q.sequelize.query('CREATE TABLE half (id int)');\n"
      "    await q.sequelize.query('SELECT * FROM nowhere');\n  },\n  down: (q) => "
      "q.dropTable('half'),\n};\n");
}

// ── Django

void write_django(const Folder& folder) {
  folder.write("manage.py",
               "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
               "from django.core.management import execute_from_command_line\n"
               "execute_from_command_line(sys.argv)\n");
  folder.write(
      "settings.py",
      "import os\nSECRET_KEY = 'x'\n"
      "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'shop']\n"
      "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql',\n"
      "    **{key: os.environ['PG' + name] for key, name in [('NAME', 'DATABASE'), ('USER', 'USER'),\n"
      "       ('PASSWORD', 'PASSWORD'), ('HOST', 'HOST'), ('PORT', 'PORT')]}}}\n");
  folder.write("shop/__init__.py", "");
  folder.write("shop/models.py", "");
  folder.write("shop/migrations/__init__.py", "");
  folder.write(
      "shop/migrations/0001_users.py",
      "from django.conf import settings\nfrom django.db import migrations, models\n\n\n"
      "class Migration(migrations.Migration):\n"
      "    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]\n"
      "    operations = [migrations.CreateModel('Users', [\n"
      "        ('id', models.AutoField(primary_key=True)),\n"
      "        ('owner', models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True))])]\n");
}

void write_django_email(const Folder& folder, const std::string& down) {
  folder.write(
      "shop/migrations/0002_email.py",
      "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
      "    dependencies = [('shop', '0001_users')]\n"
      "    operations = [\n        migrations.AddField('users', 'email', models.TextField(null=True)),\n"
      "        migrations.RunSQL('ALTER TABLE shop_users ADD age int', '" +
          down + "'),\n    ]\n");
}

void write_django_bad(const Folder& folder) {
  folder.write(
      "shop/migrations/0003_bad.py",
      "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    atomic = False\n"
      "    dependencies = [('shop', '0002_email')]\n    operations = [\n"
      "        migrations.RunSQL('CREATE TABLE half (id int)', 'DROP TABLE half'),\n"
      "        migrations.RunSQL('SELECT * FROM nowhere'),\n    ]\n");
}

// ── Rails

void write_rails(const Folder& folder) {
  folder.write("config/application.rb",
               "require 'rails'\nrequire 'active_record/railtie'\nclass Try < Rails::Application\n"
               "  config.eager_load = false\n  config.logger = Logger.new(File::NULL)\nend\n");
  folder.write("config/environment.rb", "require_relative 'application'\nRails.application.initialize!\n");
  folder.write("config/database.yml", "test: {adapter: postgresql, host: production.invalid}\n");
  folder.write("Rakefile", "require_relative 'config/application'\nRails.application.load_tasks\n");
  folder.write("bin/rails",
               "APP_PATH = File.expand_path('../config/application', __dir__)\nrequire 'rails/commands'\n");
  folder.write("db/schema.rb", "# as it was\n");
  folder.write("db/migrate/1_create_users.rb",
               "class CreateUsers < ActiveRecord::Migration[6.0]\n  def change\n"
               "    create_table(:users) { |t| t.text :name }\n  end\nend\n");
}

void write_rails_email(const Folder& folder, const std::string& down) {
  folder.write(
      "db/migrate/2_add_email.rb",
      "class AddEmail < ActiveRecord::Migration[6.0]\n  def up\n    add_column :users, :email, :text\n"
      "    add_column :users, :age, :integer\n    execute 'CREATE INDEX by_email ON users (email)'\n  end\n"
      "  def down\n    remove_column :users, :email\n    " +
          down + "\n  end\nend\n");
}

void write_rails_bad(const Folder& folder) {
  folder.write("db/migrate/3_bad.rb",
               "class Bad < ActiveRecord::Migration[6.0]\n  disable_ddl_transaction!\n  def up\n"
               "    execute 'CREATE TABLE half (id int)'\n    execute 'SELECT * FROM nowhere'\n  end\nend\n");
}

// ── Liquibase, with changes that it alone can make SQL of

constexpr const char* k_liquibase_root =
    "databaseChangeLog:\n"
    "  - changeSet:\n      id: 1\n      author: a\n      changes:\n"
    "        - createTable:\n            tableName: users\n            columns:\n"
    "              - column: {name: id, type: int, autoIncrement: true, constraints: {primaryKey: true}}\n"
    "              - column: {name: name, type: text}\n"
    "  - include: {file: email.yaml, relativeToChangelogFile: true}\n"
    "  - include: {file: bad.yaml, relativeToChangelogFile: true, errorIfMissing: false}\n";

std::string change_set(const std::string& id, const std::string& more) {
  return "databaseChangeLog:\n  - changeSet:\n      id: " + id + "\n      author: a\n" + more;
}

void write_liquibase_email(const Folder& folder, const std::string& rollback) {
  folder.write(
      "db/email.yaml",
      change_set("2",
                 "      changes:\n        - addColumn:\n            tableName: users\n            columns:\n"
                 "              - column: {name: email, type: text}\n"
                 "              - column: {name: age, type: int}\n" +
                     rollback));
}

void write_liquibase(const Folder& folder) {
  fs::create_symlink(node_modules(), folder.path() / "node_modules");
  folder.write("db/root.yaml", k_liquibase_root);
  // The place that the project would really go to.
  folder.write("db/liquibase.properties",
               "changeLogFile=root.yaml\nurl=jdbc:postgresql://production.invalid/shop\nusername=x\n");
  write_liquibase_email(folder,
                        "      rollback:\n        - dropColumn: {tableName: users, columnName: email}\n");
}

void write_liquibase_bad(const Folder& folder) {
  folder.write("db/bad.yaml",
               change_set("3",
                          "      runInTransaction: false\n      changes:\n"
                          "        - createTable:\n            tableName: half\n            columns:\n"
                          "              - column: {name: id, type: int}\n"
                          "        - sql: {sql: 'SELECT * FROM nowhere'}\n"));
}

std::string missing_liquibase() {
  if (!find_in_path("java")) return "java is not installed";
  return fs::exists(node_modules() / "liquibase/dist/liquibase/internal/lib")
             ? ""
             : "liquibase is not installed in " + node_modules().string();
}

std::vector<Project> all_projects() {
  return {
      {"knex", "migrations", "3", [] { return missing_node_tool("knex", "knex"); },
       [](const Folder& folder) {
         write_knex(folder);
         write_knex_email(folder, "t.dropColumn('email');");
       },
       [](const Folder& folder) { write_knex_email(folder, "t.dropColumn('email'); t.dropColumn('age');"); },
       write_knex_bad},
      {"sequelize", "migrations", "3", [] { return missing_node_tool("sequelize-cli", "sequelize"); },
       [](const Folder& folder) {
         write_sequelize(folder);
         write_sequelize_email(folder, "");
       },
       [](const Folder& folder) { write_sequelize_email(folder, "await q.removeColumn('users', 'age');"); },
       write_sequelize_bad},
      {"django", "shop/migrations", "0003_bad",
       [] {
         return find_in_path("django-admin")
                    ? missing_modules({"/usr/bin/python3", "-c", "import django, psycopg2"})
                    : "django-admin is not installed";
       },
       [](const Folder& folder) {
         write_django(folder);
         write_django_email(folder, "SELECT 1");
       },
       [](const Folder& folder) { write_django_email(folder, "ALTER TABLE shop_users DROP age"); },
       write_django_bad},
      {"rails", "db/migrate", "3",
       [] {
         return missing_modules(
             {"ruby", "-e", "require 'rails'; require 'active_record/railtie'; require 'pg'"});
       },
       [](const Folder& folder) {
         write_rails(folder);
         write_rails_email(folder, "");
       },
       [](const Folder& folder) { write_rails_email(folder, "remove_column :users, :age"); },
       write_rails_bad},
      {"liquibase", "db", "bad.yaml::3::a", missing_liquibase, write_liquibase,
       [](const Folder& folder) { write_liquibase_email(folder, ""); }, write_liquibase_bad}};
}

class OutsideTools : public ::testing::TestWithParam<Project> {
 protected:
  void SetUp() override {
    if (const std::string why = GetParam().missing(); !why.empty())
      GTEST_SKIP() << GetParam().format << ": " << why;
    GetParam().write(m_folder);
  }
  Checked checked() const {
    return check({GetParam().migrations}, {.directory = m_folder.path(),
                                           .environment = {{"RAILS_ENV", "-"}, {"NODE_ENV", "-"}},
                                           .deadline = std::chrono::minutes(5)});
  }
  /// All but the home that the program is given.
  std::set<std::string> listing() const {
    auto files = m_folder.listing();
    files.erase("home");
    return files;
  }
  /// What a side sent, in small letters.
  static std::string sent(const nlohmann::json& side) {
    std::string text;
    for (const auto& statement : side.at("statements"))
      text += statement.at("text").get<std::string>() + "\n";
    return lower(text);
  }

  Folder m_folder;
};

TEST_P(OutsideTools, sound_histories_pass_and_their_statements_are_seen) {
  GetParam().write_sound_email(m_folder);
  const auto files = listing();
  const Checked result = checked();
  EXPECT_EQ(result.outcome.exit_code, 0) << result.outcome.said();
  EXPECT_EQ(result.run().at("format"), GetParam().format);
  const auto& migrations = result.run().at("migrations");
  ASSERT_EQ(migrations.size(), 2U) << result.outcome.said();
  EXPECT_THAT(sent(migrations[0].at("forward")), AllOf(HasSubstr("create table"), HasSubstr("users")));
  EXPECT_THAT(sent(migrations[0].at("back")), AllOf(HasSubstr("drop table"), HasSubstr("users")));
  EXPECT_THAT(sent(migrations[1].at("forward")), HasSubstr("add "));
  EXPECT_THAT(sent(migrations[0].at("forward")), Not(HasSubstr("create table \"auth_user\"")));
  EXPECT_EQ(listing(), files);
}

TEST_P(OutsideTools, what_a_down_forgets_is_found) {
  const Checked result = checked();
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  EXPECT_THAT(result.rules(), Contains("schema-not-restored")) << result.outcome.said();
  EXPECT_THAT(result.outcome.output, HasSubstr("age")) << result.outcome.said();
}

TEST_P(OutsideTools, an_error_half_way_is_shown_as_the_server_said_it) {
  GetParam().write_sound_email(m_folder);
  GetParam().write_bad(m_folder);
  const Checked result = checked();
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  EXPECT_THAT(result.outcome.output, HasSubstr("relation \"nowhere\" does not exist (SQLSTATE 42P01)"))
      << result.outcome.said();
  const auto& migrations = result.run().at("migrations");
  ASSERT_EQ(migrations.size(), 3U);
  EXPECT_EQ(migrations[2].at("version"), GetParam().bad);
  EXPECT_THAT(sent(migrations[2].at("forward")), HasSubstr("half"));
}

INSTANTIATE_TEST_SUITE_P(Each, OutsideTools, ::testing::ValuesIn(all_projects()),
                         [](const auto& project) { return project.param.format; });

TEST(OutsideToolsElsewhere, a_tool_that_works_on_another_database_stops_the_run) {
  Folder folder;
  folder.write("knexfile.js", "");
  folder.write("migrations/1_a.js", "");
  const fs::path program = folder.write("node_modules/.bin/knex", "#!/bin/sh\nexit 0\n");
  fs::permissions(program, fs::perms::owner_all);
  const Outcome outcome = run_program({"check", "migrations"}, {.directory = folder.path()});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.said(),
              HasSubstr("knex ended well, but never came to the database that it was to work on"));
}

TEST(OutsideToolsElsewhere, one_that_is_not_installed_is_named_with_what_installs_it) {
  if (find_in_path("knex")) GTEST_SKIP() << "knex is in PATH";
  Folder folder;
  folder.write("knexfile.js", "");
  folder.write("migrations/1_a.js", "");
  const Outcome outcome = run_program({"check", "migrations"}, {.directory = folder.path()});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.said(),
              AllOf(HasSubstr("cannot run 'knex': it is not installed"), HasSubstr("npm install")));
}

}  // namespace

}  // namespace lockkeeper::app::testing
