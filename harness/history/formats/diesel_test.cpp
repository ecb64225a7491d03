#include "history/formats/diesel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using DieselTest = HistoryTest;

TEST_F(DieselTest, folders_are_ordered_by_their_version_without_dashes) {
  for (const char* name :
       {"2017-08-31-230457_invitations", "20170804200817_emails", "2017-09-23-182408_tokens",
        "2017-09-23-182408-0001_more", "00000000000000_diesel_initial_setup"}) {
    write(std::string(name) + "/up.sql", "SELECT 1; SELECT 2;");
  }
  write("2017-08-31-230457_invitations/down.sql", "");
  write("2017-08-31-230457_invitations/notes.md");
  write(".keep");
  write("README.md");
  fs::create_directory(m_folder / "nothing");
  const History history = loaded();
  EXPECT_EQ(history.format, "diesel");
  EXPECT_EQ(history.detected_by, "'00000000000000_diesel_initial_setup/'");
  EXPECT_EQ(versions(history), (Texts{"00000000000000", "20170804200817", "2017-08-31-230457",
                                      "2017-09-23-182408", "2017-09-23-182408-0001"}));
  EXPECT_EQ(history.migrations[2].name, "invitations");
  EXPECT_TRUE(history.migrations[2].down().value().empty());
  EXPECT_EQ(history.migrations[3].down_path, std::nullopt);
  EXPECT_EQ(history.not_taken,
            (Texts{".keep: hidden", "2017-08-31-230457_invitations/notes.md: neither up.sql nor down.sql",
                   "README.md: not in a folder of its own", "nothing/: an empty folder"}));
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"one transaction"});
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(history.migrations[2].note_of(record::Side::up),
            "INSERT INTO public.__diesel_schema_migrations (version) VALUES ('20170831230457')");
}

TEST_F(DieselTest, metadata_decides_on_the_transaction_of_both_sides) {
  for (const char* name : {"1_a", "2_b", "3_c"}) {
    write(std::string(name) + "/up.sql", "VACUUM;");
    write(std::string(name) + "/down.sql", "SELECT 1; SELECT 2;");
  }
  write("1_a/metadata.toml", "# x\nrun_in_transaction = false # y\r\n");
  write("2_b/metadata.toml", "run_in_transaction=true\n");
  write("3_c/metadata.toml", "\n");
  const History history = loaded();
  EXPECT_EQ(history.detected_by, "'1_a/metadata.toml'");
  const std::string reason = "autocommit: metadata.toml has no run_in_transaction = true";
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{reason});
  EXPECT_EQ(shapes(history.migrations[0].down()),
            Texts{"one message: diesel sends it as one message, of which the server makes one transaction"});
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"one transaction"});
  EXPECT_EQ(shapes(history.migrations[2].up()), Texts{reason});
}

TEST_F(DieselTest, the_project_tells_the_format_where_names_do_not) {
  write("1_a/up.sql");
  EXPECT_EQ(loaded().format, "plain-folders");
  write("../../Cargo.toml", "[dependencies]\nserde = \"1\"\ndiesel = { version = \"2\" }\n");
  EXPECT_EQ(loaded().format, "diesel");
  write("../../Cargo.toml", "[dependencies]\ndieselfuel = \"1\"\n");
  EXPECT_EQ(loaded().format, "plain-folders");
  write("../diesel.toml", "");
  EXPECT_EQ(loaded().format, "diesel");
}

TEST_F(DieselTest, what_diesel_refuses_is_refused) {
  write("2024-01-01-000000_a/up.sql", "");
  write("2024-01-02-000000_b/up.sql");
  write("docs/readme.txt");
  write("20240102000000_c/up.sql");
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': 3 faults in their files\n"
            "DIR/2024-01-01-000000_a/up.sql: diesel refuses '2024-01-01-000000_a/up.sql': it is empty\n"
            "DIR/20240102000000_c/up.sql: version '20240102000000': two migrations have it, "
            "'2024-01-02-000000_b/up.sql' and '20240102000000_c/up.sql'\n"
            "DIR/docs: diesel refuses 'docs/': it has no up.sql\n"
            "hint: a comment is enough for diesel; give one of them a version of its own; a migration is a "
            "folder with up.sql and down.sql; keep other folders elsewhere");
}

}  // namespace
}  // namespace lockkeeper::history
