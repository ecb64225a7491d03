#include "history/formats/drizzle.h"

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class DrizzleTest : public HistoryTest {
 protected:
  void journal(const std::string& entries, const std::string& dialect = "postgresql") const {
    write("meta/_journal.json",
          R"({"version":"7","dialect":")" + dialect + R"(","entries":[)" + entries + "]}");
  }
  static std::string entry(const std::string& tag, const std::string& when) {
    return R"({"idx":0,"version":"7","when":)" + when + R"(,"tag":")" + tag + R"(","breakpoints":true})";
  }
};

TEST_F(DrizzleTest, the_journal_says_what_runs_and_in_which_order) {
  journal(entry("0001_b", "200") + "," + entry("0000_a", "100"));
  write("0000_a.sql");
  write("0001_b.sql");
  write("0002_c.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "drizzle");
  EXPECT_EQ(versions(history), (Texts{"0001", "0000"}));
  EXPECT_EQ(history.migrations[0].name, "b");
  EXPECT_FALSE(history.has_down);
  EXPECT_TRUE(history.all_in_one);
  EXPECT_EQ(
      history.not_taken,
      (Texts{"0000_a.sql: taken here as on a new database; where '0001_b' is applied Drizzle passes over it, "
             "since its 'when' in the journal is not later",
             "0002_c.sql: not in meta/_journal.json"}));
  EXPECT_EQ(history.migrations[0].note_of(record::Side::up),
            "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('0001_b', 200)");
}

TEST_F(DrizzleTest, a_text_is_cut_at_its_breakpoints_and_nowhere_else) {
  journal(entry("0000_a", "100"));
  write("0000_a.sql",
        "CREATE TABLE a ();--> statement-breakpoint\r\nSELECT 1; SELECT 2;\n--> statement-breakpoint\n\n");
  const auto up = loaded().migrations[0].up();
  EXPECT_EQ(statements(up), (Texts{"CREATE TABLE a ()", "SELECT 1", "SELECT 2"}));
  EXPECT_EQ(up->parts[0].shape, record::TransactionShape::one_transaction);
  EXPECT_EQ(up->parts[0].statements[1].message, up->parts[0].statements[2].message);
  EXPECT_NE(up->parts[0].statements[0].message, up->parts[0].statements[1].message);
}

TEST_F(DrizzleTest, a_file_that_the_journal_names_must_be_there) {
  journal(entry("0000_a", "100") + "," + entry("0001_b", "200"));
  write("0000_a.sql");
  EXPECT_EQ(
      failure(),
      "DIR/0001_b.sql: error: Drizzle refuses 'DIR/0001_b.sql': the journal names it and it is not there\n"
      "hint: restore the file, or take its entry out of meta/_journal.json");
}

TEST_F(DrizzleTest, bad_journals_are_refused) {
  write("0000_a.sql");
  const auto said = [&](const std::string& text) {
    write("meta/_journal.json", text);
    const std::string all = failure();
    return all.substr(0, all.find("\nhint"));
  };
  const std::string where = "DIR/meta/_journal.json: error: ";
  const std::string refuses = where + "Drizzle refuses 'DIR/meta/_journal.json': ";
  EXPECT_EQ(said(""), refuses + "it is not JSON");
  EXPECT_EQ(said("[]"), refuses + "it is not JSON");
  EXPECT_EQ(said("{}"), refuses + "it has no list of entries");
  EXPECT_EQ(said(R"({"entries":[1]})"), refuses + "entry 1 has no tag");
  EXPECT_EQ(said(R"({"dialect":"mysql","entries":[]})"),
            where +
                "'DIR/meta/_journal.json': the dialect is mysql, and migrations are rehearsed on PostgreSQL "
                "and SQLite");
}

TEST_F(DrizzleTest, newer_versions_have_a_folder_for_each) {
  write("20240102000000_b/migration.sql", "SELECT 1;--> statement-breakpoint\nSELECT 2");
  write("20240102000000_b/snapshot.json", "{}");
  write("20240101000000_a/migration.sql");
  write("20240101000000_a/snapshot.json", "{}");
  write("notes/x.md");
  const History history = loaded();
  EXPECT_EQ(history.format, "drizzle-folders");
  EXPECT_EQ(versions(history), (Texts{"20240101000000", "20240102000000"}));
  EXPECT_EQ(statements(history.migrations[1].up()), (Texts{"SELECT 1", "SELECT 2"}));
  EXPECT_EQ(history.not_taken, (Texts{"notes/: a folder without migration.sql"}));
}

}  // namespace
}  // namespace lockkeeper::history
