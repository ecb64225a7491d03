#include "history/history_test.h"

namespace lockkeeper::history {

namespace {

class Dbmate : public HistoryTest {
 protected:
  std::string refused(const std::string& text) const {
    write("1_a.sql", text);
    const std::string said = failure();
    return said.substr(0, said.find('\n'));
  }
};

TEST_F(Dbmate, sections_are_sent_as_one_message_each) {
  write("10_b.sql",
        "-- note\r\n\r\n--migrate:up\r\nSELECT 1;\r\nSELECT 2;\r\n-- migrate:down\r\nSELECT 3;\r\n");
  write("9_a.sql", "-- migrate:up  x:y transaction:false\nSELECT 4;\n-- migrate:down transaction:true\n");
  write("x.sql", "-- migrate:up\n");
  const History history = loaded();
  EXPECT_EQ(history.format, "dbmate");
  EXPECT_EQ(versions(history), (Texts{"10", "9"}));  // by file name
  EXPECT_EQ(history.not_taken, Texts{"x.sql: does not begin with digits"});
  const auto up = history.migrations[0].up();
  EXPECT_EQ(statements(up), (Texts{"SELECT 1", "SELECT 2"}));
  EXPECT_EQ(up->parts[0].shape, record::TransactionShape::one_transaction);
  EXPECT_EQ(statements(history.migrations[0].down()), Texts{"SELECT 3"});
  const auto bare = history.migrations[1].up();
  EXPECT_EQ(bare->parts[0].shape, record::TransactionShape::autocommit);
  EXPECT_EQ(bare->parts[0].shape_reason, "transaction:false at 1:1");
  EXPECT_EQ(statements(history.migrations[1].down()), Texts{});
}

TEST_F(Dbmate, what_it_refuses_is_refused) {
  EXPECT_EQ(refused("-- migrate:up\nSELECT 1;\n"),
            "DIR/1_a.sql: error: dbmate refuses 'DIR/1_a.sql': it has no '-- migrate:down'");
  EXPECT_EQ(
      refused("SELECT 0;\n-- migrate:up\n-- migrate:down\n"),
      "DIR/1_a.sql:1:1: error: dbmate refuses 'DIR/1_a.sql': a statement stands before '-- migrate:up'");
  EXPECT_EQ(refused("-- migrate:down\n-- migrate:up\n"),
            "DIR/1_a.sql:1:1: error: dbmate refuses 'DIR/1_a.sql': '-- migrate:down' stands before "
            "'-- migrate:up'");
  EXPECT_EQ(
      refused("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n"),
      "DIR/1_a.sql:3:1: error: dbmate refuses 'DIR/1_a.sql': a section of the same name stands before it");
  EXPECT_EQ(refused("  -- migrate:up\nSELECT 1;\n  -- migrate:down\n"),
            "DIR/1_a.sql: error: dbmate refuses 'DIR/1_a.sql': it has no '-- migrate:up'");
}

TEST_F(Dbmate, notes_where_the_search_path_leads_then) {
  write("1_a.sql", "-- migrate:up\n-- migrate:down\n");
  const Migration migration = loaded().migrations[0];
  EXPECT_EQ(
      migration.note_of(record::Side::up),
      "DO $dbmate$ BEGIN EXECUTE pg_catalog.format('INSERT INTO %I.schema_migrations (version) VALUES (%L)', "
      "coalesce(pg_catalog.current_schema(), 'public'), '1'); END $dbmate$");
}

}  // namespace

}  // namespace lockkeeper::history
