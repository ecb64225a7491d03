#include "engine/postgres/dump.h"

#include <gtest/gtest.h>

namespace lockkeeper::engine::postgres {

namespace {

TEST(dump_tools, a_server_newer_than_pg_dump_is_refused_with_what_to_install) {
  const Tools tools{"/bin/psql", "/bin/pg_restore", 15, "/bin/pg_dump", 15};
  EXPECT_TRUE(expect_tools_for(tools, 15));
  EXPECT_TRUE(expect_tools_for(tools, 13));
  const auto refused = expect_tools_for(tools, 17);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      to_string(refused.error()),
      "error: cannot take a snapshot: the server is PostgreSQL 17, newer than pg_dump 15 (/bin/pg_dump)\n"
      "hint: install the client tools of PostgreSQL 17 (Debian: postgresql-client-17)");
  EXPECT_EQ(refused.error().kind, FailureKind::environment);
  EXPECT_FALSE(expect_tools_for({}, 15));
}

}  // namespace

}  // namespace lockkeeper::engine::postgres
