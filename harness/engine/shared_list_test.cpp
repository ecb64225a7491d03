#include "engine/shared_list.h"

#include <algorithm>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace lockkeeper::engine {
namespace {

static_assert(std::random_access_iterator<SharedList<std::string>::Iterator>);

TEST(SharedList, lists_hold_the_same_value_and_not_a_copy) {
  const SharedList<std::string> first = {"a", "b"};
  SharedList<std::string> second;
  second.share(first.shared(1));
  second.push_back("c");
  EXPECT_EQ(&second[0], &first[1]);
  EXPECT_EQ(second[1], "c");
}

TEST(SharedList, is_searched_like_any_range) {
  const SharedList<std::string> list = {"a", "c", "e"};
  EXPECT_EQ(std::ranges::lower_bound(list, "d") - list.begin(), 2);
  EXPECT_EQ(std::ranges::find(list, "x"), list.end());
  EXPECT_EQ(*(list.end() - 1), "e");
}

}  // namespace
}  // namespace lockkeeper::engine
