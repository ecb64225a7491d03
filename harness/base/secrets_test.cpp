#include "base/secrets.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace lockkeeper {
namespace {

TEST(secrets, values_of_variables_with_such_a_name_are_masked) {
  ::setenv("LOCKKEEPER_TEST_TOKEN", "from-outside", 1);
  const auto secrets = Secrets::of_environment(
      {{"db_password", "hunter22"}, {"API_KEY", "hunter2"}, {"SHORT_KEY", "abc"}, {"PLACE", "somewhere"}});
  EXPECT_EQ(secrets.masked("hunter22 hunter2 abc somewhere from-outside"), "*** *** abc somewhere ***");
  ::unsetenv("LOCKKEEPER_TEST_TOKEN");
}

TEST(secrets, one_more_is_masked_too) {
  const auto secrets = Secrets::of_environment({}).with("ours");
  EXPECT_EQ(secrets.masked("x ours, oursours"), "x ***, ******");
}

}  // namespace
}  // namespace lockkeeper
