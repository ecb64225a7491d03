#include "history/formats/supabase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class SupabaseTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    m_folder = m_root / "supabase" / "migrations";
    fs::create_directories(m_folder);
  }
};

TEST_F(SupabaseTest, its_folder_tells_the_format) {
  write("20210101000000_init.sql");
  write("20240101000000_a's.sql", "SELECT 1; SELECT 2;");
  write("20240102000000_b.sql");
  write("seed.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "supabase");
  EXPECT_EQ(history.detected_by, "supabase/migrations");
  EXPECT_FALSE(history.has_down);
  EXPECT_EQ(versions(history), (Texts{"20240101000000", "20240102000000"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"20210101000000_init.sql: a first init.sql from before 2021-12-09, which supabase skips",
                   "seed.sql: not named <number>_<name>.sql"}));
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(
      shapes(history.migrations[0].up()),
      Texts{"one transaction: supabase sends it as one pipeline, of which the server makes one transaction"});
  EXPECT_EQ(history.migrations[0].note_of(record::Side::up),
            "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) VALUES "
            "('20240101000000', 'a''s', '{}')");
}

TEST_F(SupabaseTest, the_first_of_a_pipeline_may_refuse_transactions) {
  write("1_a.sql", "-- x\nCREATE INDEX CONCURRENTLY i ON t (a); SELECT 1; SELECT 2;");
  write("2_b.sql", "CREATE INDEX CONCURRENTLY i ON t (a);");
  write("3_c.sql", "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a);");
  write("4_d.sql", "-- nothing");
  const History history = loaded();
  const std::string alone = "autocommit: the first of a pipeline may do without a transaction";
  const std::string whole =
      "one transaction: supabase sends it as one pipeline, of which the server makes one transaction";
  EXPECT_EQ(shapes(history.migrations[0].up()), (Texts{alone, whole}));
  EXPECT_EQ(statements(history.migrations[0].up()),
            (Texts{"CREATE INDEX CONCURRENTLY i ON t (a)", "SELECT 1", "SELECT 2"}));
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{alone});
  EXPECT_EQ(shapes(history.migrations[2].up()), Texts{whole});
  EXPECT_EQ(shapes(history.migrations[3].up()), Texts{whole});
}

TEST_F(SupabaseTest, two_files_of_one_version_are_refused) {
  write("20240101000000_a.sql");
  write("20240101000000_b.sql");
  EXPECT_THAT(failure(), ::testing::HasSubstr("version '20240101000000': two migrations have it"));
}

}  // namespace
}  // namespace lockkeeper::history
