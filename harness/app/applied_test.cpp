#include "app/applied.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "history/load.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::BookEntry;
using engine::postgres::Connection;
using engine::postgres::ToolBook;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// How a tool's files are laid out: {} stands for 1 to 3.
struct Layout {
  std::string format;
  std::string file;
  std::string text = "SELECT 1;\n";
  std::vector<std::pair<std::string, std::string>> beside = {};
};
void PrintTo(const Layout& layout, std::ostream* out) {
  *out << layout.format;
}

const std::vector<Layout>& layouts_of_tools() {
  static const std::vector<Layout> k_layouts = {
      {"golang-migrate", "000{}_a.up.sql"},
      {"dbmate", "2020010100000{}_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n"},
      {"goose", "0000{}_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"},
      {"sql-migrate", "{}_a.sql", "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nSELECT 1;\n"},
      {"prisma",
       "2020010100000{}_a/migration.sql",
       "SELECT 1;\n",
       {{"migration_lock.toml", "provider = \"postgresql\"\n"}}},
      {"sqlx", "2020010100000{}_a.sql"},
      {"diesel", "2020-01-0{}-000000_a/up.sql"},
      {"tern", "00{}_a.sql", "SELECT 1;\n---- create above / drop below ----\nSELECT 1;\n"},
      {"flyway", "V1_{}__a.sql"},
      {"liquibase", "{}.sql", "--liquibase formatted sql\n--changeset me:{}\nSELECT 1;\n"},
      {"drizzle",
       "000{}_a.sql",
       "SELECT 1;\n",
       {{"meta/_journal.json",
         "{\"dialect\": \"postgresql\", \"entries\": ["
         "{\"idx\": 0, \"when\": 1, \"tag\": \"0001_a\", \"breakpoints\": true},"
         "{\"idx\": 1, \"when\": 2, \"tag\": \"0002_a\", \"breakpoints\": true},"
         "{\"idx\": 2, \"when\": 3, \"tag\": \"0003_a\", \"breakpoints\": true}]}"}}},
      {"node-pg-migrate", "160000000000{}_a.sql",
       "-- Up Migration\nSELECT 1;\n-- Down Migration\nSELECT 1;\n"},
      {"maragudk-migrate", "{}-a.up.sql"},
      {"morph", "00000{}_a.up.sql"},
      {"popx",
       "2020010100000{}_a.up.sql",
       "SELECT 1;\n",
       {{"20200101000001_a.down.sql", ""},
        {"20200101000002_a.down.sql", ""},
        {"20200101000003_a.down.sql", ""}}},
      {"supabase", "2020010100000{}_a.sql"}};
  return k_layouts;
}

/// Of each tool whose books we keep ourselves, as it keeps them.
class AppliedOfTool : public ::testing::TestWithParam<Layout> {};

TEST_P(AppliedOfTool, what_is_noted_in_its_books_is_in_and_the_rest_is_pending) {
  const Folder folder;
  const Layout& layout = GetParam();
  for (const char* number : {"1", "2", "3"}) {
    const auto numbered = [&](std::string text) {
      for (std::size_t at = 0; (at = text.find("{}", at)) != std::string::npos;) text.replace(at, 2, number);
      return text;
    };
    folder.write("m/" + numbered(layout.file), numbered(layout.text));
  }
  for (const auto& [file, text] : layout.beside) folder.write("m/" + file, text);
  const auto loaded = history::load({(folder.path() / "m").string(), layout.format});
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  const history::History& history = *loaded;
  ASSERT_EQ(history.migrations.size(), 3U);
  const engine::postgres::DisposableServer server;
  auto session = Connection::open(server.connection()).value();
  const auto run = [&](const std::string& sql) {
    const auto done = session.rows(sql);
    ASSERT_TRUE(done) << to_string(done.error());
  };
  run(history.bookkeeping->create);
  for (const std::size_t index : {0U, 1U}) run(history.migrations[index].note_of(record::Side::up));
  auto inspection = engine::postgres::Inspection::open({.url = server.connection(),
                                                        .application_name = "test",
                                                        .superuser = engine::postgres::Superuser::accepted});
  const auto seen = inspection.value().look().value();
  const ToolBook* book = book_of(history, seen.books);
  ASSERT_NE(book, nullptr);
  const Applied applied = applied_of(history, *book);
  EXPECT_THAT(applied.in, ElementsAre(0, 1));
  EXPECT_THAT(applied.pending, ElementsAre(2));
  EXPECT_THAT(applied.unknown, IsEmpty());
  EXPECT_THAT(failed_versions(*book), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Tools, AppliedOfTool, ::testing::ValuesIn(layouts_of_tools()),
                         [](const auto& layout) {
                           std::string name = layout.param.format;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

history::History history_of(const std::vector<std::string>& versions) {
  history::History history;
  history.directory = "shop/migrations";
  for (const std::string& version : versions) {
    history::Migration migration;
    migration.version = version;
    migration.up_path = "shop/migrations/" + version + ".sql";
    history.migrations.push_back(std::move(migration));
  }
  return history;
}

using State = BookEntry::State;

TEST(Applied, the_last_word_on_a_version_holds) {
  const ToolBook book{
      "goose",
      "t",
      {{"1", State::in}, {"2", State::in}, {"2", State::out}, {"1", State::out}, {"1", State::in}}};
  EXPECT_THAT(applied_of(history_of({"01", "02"}), book).in, ElementsAre(0));
  EXPECT_THAT(versions_in(book), ElementsAre("1"));
}

TEST(Applied, a_dirty_version_is_not_in_and_those_before_it_are) {
  const ToolBook book{"golang-migrate", "t", {{"20", State::failed_behind_all_before}}};
  const Applied applied = applied_of(history_of({"0010", "0020", "0030"}), book);
  EXPECT_THAT(applied.in, ElementsAre(0));
  EXPECT_THAT(applied.pending, ElementsAre(1, 2));
  EXPECT_THAT(failed_versions(book), ElementsAre("20"));
}

TEST(Applied, change_sets_are_known_by_id_and_author_where_liquibase_was_started_elsewhere) {
  const ToolBook book{
      "liquibase", "t", {{"classpath:db/log.sql::1::me", State::in}, {"log.sql::7::me", State::in}}};
  const Applied applied = applied_of(history_of({"log.sql::1::me", "log.sql::2::me"}), book);
  EXPECT_THAT(applied.in, ElementsAre(0));
  EXPECT_THAT(applied.unknown, ElementsAre("log.sql::7::me"));
}

TEST(Applied, what_no_file_is_of_is_unknown_and_other_apps_of_django_are_not_asked) {
  const ToolBook book{
      "django",
      "t",
      {{"auth.0001_initial", State::in}, {"shop.0001_a", State::in}, {"shop.0009_z", State::in}}};
  const Applied applied = applied_of(history_of({"0001_a", "0002_b"}), book);
  EXPECT_THAT(applied.in, ElementsAre(0));
  EXPECT_THAT(applied.unknown, ElementsAre("0009_z"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
