#include "history/formats/prisma.h"

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using record::TransactionShape;

class PrismaTest : public HistoryTest {
 protected:
  void provider(const std::string& name) const {
    write("migration_lock.toml", "# by hand\nprovider = \"" + name + "\"\n");
  }
};

TEST_F(PrismaTest, folders_are_migrations_in_the_order_of_their_names) {
  provider("postgresql");
  write("20240102000000_b/migration.sql", "CREATE TABLE b ();\nCREATE TABLE c ();");
  write("20240102000000_b/down.sql", "DROP TABLE c, b;");
  write("0_init/migration.sql");
  write("20240102000000_b/notes.md");
  write("README.md");
  const History history = loaded();
  EXPECT_EQ(history.format, "prisma");
  EXPECT_EQ(history.detected_by, "migration_lock.toml");
  EXPECT_EQ(versions(history), (Texts{"0", "20240102000000"}));
  EXPECT_TRUE(history.has_down);
  EXPECT_EQ(history.migrations[1].name, "b");
  EXPECT_EQ(history.migrations[1].down_path, folder() + "/20240102000000_b/down.sql");
  EXPECT_EQ(history.not_taken,
            (Texts{"20240102000000_b/notes.md: not migration.sql", "README.md: not in a folder of its own"}));
}

TEST_F(PrismaTest, a_script_is_one_message) {
  provider("postgresql");
  write("1_a/migration.sql", "CREATE TABLE b ();\nCREATE TABLE c ();");
  write("2_b/migration.sql", "CREATE INDEX CONCURRENTLY i ON b (a)");
  const History history = loaded();
  EXPECT_FALSE(history.has_down);
  const auto several = history.migrations[0].up();
  EXPECT_EQ(several->parts[0].shape, TransactionShape::one_message);
  EXPECT_EQ(several->parts[0].shape_reason,
            "Prisma sends it as one message, of which the server makes one transaction");
  EXPECT_EQ(history.migrations[1].up()->parts[0].shape, TransactionShape::autocommit);
}

TEST_F(PrismaTest, a_folder_without_its_script_is_refused) {
  provider("postgresql");
  write("1_a/migration.sql");
  write("2_b/other.sql");
  EXPECT_EQ(failure(),
            "DIR/2_b: error: Prisma refuses 'DIR/2_b': it holds no migration.sql\n"
            "hint: remove the folder, or restore its file");
}

TEST_F(PrismaTest, another_engine_is_said) {
  provider("mysql");
  write("1_a/migration.sql");
  EXPECT_EQ(
      failure(),
      "DIR/migration_lock.toml: error: 'DIR/migration_lock.toml': the provider is mysql, and migrations are "
      "rehearsed on PostgreSQL and SQLite\nhint: name a folder whose migrations are for one of these");
  provider("cockroachdb");
  EXPECT_EQ(loaded().migrations[0].up()->parts[0].shape, TransactionShape::autocommit);
  write("migration_lock.toml", "");
  EXPECT_EQ(failure(),
            "DIR/migration_lock.toml: error: Prisma refuses 'DIR/migration_lock.toml': it names no provider\n"
            "hint: write: provider = \"postgresql\"");
}

TEST_F(PrismaTest, folders_alone_may_be_of_prisma) {
  write("1_a/migration.sql");
  write("1_b/migration.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "prisma");
  EXPECT_EQ(versions(history), (Texts{"1_a", "1_b"}));
  EXPECT_EQ(history.migrations[0].note_of(record::Side::up),
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) "
            "VALUES "
            "(gen_random_uuid()::text, '', '1_a', now(), 1)");
}

}  // namespace
}  // namespace lockkeeper::history
