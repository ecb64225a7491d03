#include "history/formats/atlas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

/// Sums made with another implementation of SHA-256 over 1_a.sql "SELECT 1;\n" and 2_b.sql "SELECT 2;\n".
constexpr const char* k_sum =
    "h1:VNvw0pDgavFX/sdOa4OQ4cdfXK8LyCjaMKnLrKqiXHs=\n"
    "1_a.sql h1:oHx7vmeRbxB72kdSGUkFhE08red3y82zeqcbzCxkGjo=\n"
    "2_b.sql h1:jqdn/UCU1bnj96EwRLYv9FRnrwv3yIEfGHtJessEvPM=\n";

class AtlasTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("1_a.sql", "SELECT 1;\n");
    write("2_b.sql", "SELECT 2;\n");
    write("atlas.sum", k_sum);
  }
  Texts facts() const {
    Texts texts;
    for (const record::HistoryFact& fact : loaded().facts) {
      EXPECT_EQ(fact.kind, record::HistoryFactKind::checksum_differs);
      texts.push_back(scrubbed(to_string(fact.location)) + ": " + fact.detail);
    }
    return texts;
  }
};

TEST_F(AtlasTest, a_folder_that_matches_its_sums_has_no_facts) {
  const History history = loaded();
  EXPECT_EQ(history.format, "atlas");
  EXPECT_EQ(history.detected_by, "atlas.sum");
  EXPECT_FALSE(history.has_down);
  EXPECT_EQ(versions(history), (Texts{"1", "2"}));
  EXPECT_EQ(history.not_taken, Texts{});
  EXPECT_EQ(facts(), Texts{});
}

TEST_F(AtlasTest, what_differs_from_the_sums_is_said_at_its_line) {
  write("1_a.sql", "SELECT 3;\n");
  EXPECT_EQ(facts(), Texts{"DIR/atlas.sum:2:1: atlas.sum does not match: '1_a.sql' was edited"});
  write("1_a.sql", "SELECT 1;\n");
  write("1b_z.sql", "");
  EXPECT_EQ(facts(),
            Texts{"DIR/atlas.sum:3:1: atlas.sum does not match: '1b_z.sql' was put in before others"});
  fs::remove(m_folder / "1b_z.sql");
  write("3_c.sql", "");
  EXPECT_EQ(facts(), Texts{"DIR/atlas.sum:4:1: atlas.sum does not match: '3_c.sql' is not in it"});
  write("3_c.sql", "-- atlas:sum ignore\n");
  EXPECT_EQ(facts(), Texts{});
  fs::remove(m_folder / "2_b.sql");
  EXPECT_EQ(facts(), Texts{"DIR/atlas.sum:3:1: atlas.sum does not match: '2_b.sql' is no longer there"});
}

TEST_F(AtlasTest, a_sum_file_that_is_none_is_said) {
  write("atlas.sum", std::string(k_sum) + "x\n");
  EXPECT_EQ(facts(), Texts{"DIR/atlas.sum:4:1: atlas.sum does not match: a line without a sum"});
  write("atlas.sum", "h1:x\n" + std::string(k_sum).substr(48));
  EXPECT_EQ(
      facts(),
      Texts{"DIR/atlas.sum:1:1: atlas.sum does not match: its first line is not the sum of the others"});
  write("atlas.sum", "");
  EXPECT_EQ(facts().size(), 1U);
}

TEST_F(AtlasTest, the_files_of_another_layout_are_read_as_its_own_and_summed) {
  fs::remove(m_folder / "1_a.sql");
  fs::remove(m_folder / "2_b.sql");
  write("1_a.up.sql", "SELECT 1;\n");
  write("1_a.down.sql", "SELECT 1;\n");
  EXPECT_EQ(loaded().format, "plain");
  EXPECT_EQ(facts(), Texts{"DIR/atlas.sum:2:1: atlas.sum does not match: '1_a.sql' is no longer there"});
  fs::remove(m_folder / "1_a.up.sql");
  fs::remove(m_folder / "1_a.down.sql");
  write("1_a.sql", "-- +goose Up\nSELECT 1;\n");
  EXPECT_EQ(loaded().format, "goose");
}

TEST_F(AtlasTest, directives_stand_at_the_top_apart_from_the_rest) {
  write("1_a.sql", "-- x\n-- atlas:txmode none\n\nVACUUM; SELECT 1;\n");
  write("2_b.sql", "-- atlas:txmode none\nSELECT 1;\n");
  write("3_c.sql", "-- atlas:checkpoint\n\nSELECT 1;\n");
  const History history = loaded();
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"autocommit: -- atlas:txmode none at 2:1"});
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"one transaction"});
  EXPECT_EQ(history.not_taken, Texts{"3_c.sql: a checkpoint, which is for new databases alone"});
}

TEST_F(AtlasTest, a_delimiter_parts_messages_outside_of_quotes_and_comments) {
  write("1_a.sql",
        "-- atlas:delimiter \\n\\n\n-- a\n\nSELECT 1; SELECT 2;\n\nSELECT '\n\n', $a$\n\n$a$, (\n\n3);\n-- "
        "b\n\n"
        "SELECT 4");
  const auto script = loaded().migrations[0].up();
  EXPECT_EQ(statements(script),
            (Texts{"SELECT 1", "SELECT 2", "SELECT '\n\n', $a$\n\n$a$, (\n\n3)", "SELECT 4"}));
  EXPECT_EQ(messages(script), (std::vector<std::size_t>{1, 1, 2, 3}));
}

TEST_F(AtlasTest, a_delimiter_without_a_file_behind_it_sends_nothing) {
  write("1_a.sql", "-- atlas:delimiter -- end");
  EXPECT_TRUE(loaded().migrations[0].up().value().empty());
}

TEST_F(AtlasTest, what_atlas_refuses_is_refused) {
  write("1_a.sql", "-- atlas:txmode all\n\nSELECT 1;\n");
  write("2_b.sql", "-- atlas:txmode none\n-- atlas:txmode file\n\nSELECT 1;\n");
  write("3_c.sql", "-- atlas:txmode nine\n\nSELECT 1;\n");
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': 3 faults in their files\n"
            "DIR/1_a.sql:1:1: atlas refuses '1_a.sql': txmode all is not for single files\n"
            "DIR/2_b.sql:2:1: atlas refuses '2_b.sql': several txmode directives\n"
            "DIR/3_c.sql:1:1: atlas refuses '3_c.sql': unknown txmode 'nine'\n"
            "hint: it is '-- atlas:txmode none' or '-- atlas:txmode file', once");
}

}  // namespace
}  // namespace lockkeeper::history
