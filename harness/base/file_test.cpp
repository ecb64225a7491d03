#include "base/file.h"

#include <gtest/gtest.h>

namespace lockkeeper {

namespace {

TEST(Cannot, names_what_the_path_and_the_systems_words) {
  errno = EACCES;
  const Failure failure = cannot("make", "a/b").value();
  EXPECT_EQ(to_string(failure), "error: cannot make 'a/b': Permission denied");
  EXPECT_EQ(failure.kind, FailureKind::environment);
}

TEST(Cannot, in_the_store_says_how_to_have_it_elsewhere) {
  EXPECT_EQ(cannot_in_store("lock", "s", EACCES).value().hint,
            "set LOCKKEEPER_STORE to a directory that you may write");
  EXPECT_EQ(cannot_in_store("make", "s", ENOSPC).value().hint,
            "free some space there, or set LOCKKEEPER_STORE to a directory on another disk");
}

TEST(ReadFile, of_a_folder_is_the_callers_mistake) {
  const auto text = read_file("/");
  ASSERT_FALSE(text);
  EXPECT_EQ(to_string(text.error()), "error: cannot read '/': Is a directory");
  EXPECT_EQ(text.error().kind, FailureKind::usage);
}

}  // namespace

}  // namespace lockkeeper
