#include "scenario/mask.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lockkeeper::scenario {

namespace {

class MaskFile {
 public:
  explicit MaskFile(const std::string& text) {
    if (::mkdtemp(m_directory.data()) == nullptr)
      throw std::runtime_error("cannot make a temporary directory");
    std::ofstream(path()) << text;
  }
  ~MaskFile() {
    std::error_code error;
    std::filesystem::remove_all(m_directory, error);
  }
  MaskFile(const MaskFile&) = delete;
  MaskFile& operator=(const MaskFile&) = delete;
  std::string path() const { return m_directory + "/masks.yaml"; }

 private:
  std::string m_directory = "/tmp/lockkeeper-test-XXXXXX";
};

std::string error_of(const std::string& text) {
  const MaskFile file(text);
  const auto rules = load_masks(file.path());
  if (rules) return {};
  Failure failure = rules.error();
  if (failure.location) failure.location->file = "masks.yaml";
  return to_string(failure);
}

TEST(masks, every_rule_is_read) {
  const MaskFile file(
      "columns:\n  public.u.a: null\n  public.u.b: 'null'\n  public.u.c: constant Jane Doe\n  public.u.d: "
      "hash\n"
      "  \"*.*.email\": email\n  'public.\"odd.name\".e': keep_last 4\n");
  const auto rules = load_masks(file.path());
  ASSERT_TRUE(rules) << to_string(rules.error());
  ASSERT_EQ(rules->size(), 6U);
  EXPECT_EQ(rules->at(0).kind, MaskRule::Kind::null);
  EXPECT_EQ(rules->at(1).kind, MaskRule::Kind::null);
  EXPECT_EQ(rules->at(2).constant, "Jane Doe");
  EXPECT_EQ(rules->at(3).kind, MaskRule::Kind::hash);
  EXPECT_EQ(rules->at(4).kind, MaskRule::Kind::email);
  EXPECT_TRUE(rules->at(4).matches("s", "t", "email"));
  EXPECT_FALSE(rules->at(4).matches("s", "t", "email2"));
  EXPECT_EQ(rules->at(5).keep, 4);
  EXPECT_TRUE(rules->at(5).matches("public", "odd.name", "e"));
}

TEST(masks, what_cannot_be_read_is_shown_at_its_place) {
  EXPECT_EQ(error_of("colums: {}\n"),
            "masks.yaml:1:1: error: unknown key 'colums' (did you mean 'columns'?)\n"
            "hint: a file of masks knows: columns");
  EXPECT_EQ(error_of("columns: []\n"),
            "masks.yaml:1:10: error: key 'columns': a map of columns to rules is wanted\n"
            "hint: columns: {public.users.email: email}");
  EXPECT_EQ(error_of("columns:\n  public.u.a: keep_last -1\n"),
            "masks.yaml:2:15: error: rule 'keep_last': '-1' is no number of characters\n"
            "hint: write it as 'keep_last 4'");
  EXPECT_EQ(error_of("columns:\n  public.u.a: constant\n"),
            "masks.yaml:2:15: error: rule 'constant': its value is missing\nhint: write it as 'constant X'");
  EXPECT_EQ(error_of("columns:\n  public.u.a: emial\n"),
            "masks.yaml:2:15: error: unknown rule 'emial' (did you mean 'email'?)\n"
            "hint: the rules are null, constant X, hash, email and keep_last N");
  EXPECT_EQ(error_of("columns:\n  u.a: hash\n"),
            "masks.yaml:2:3: error: 'u.a' is no schema.table.column\n"
            "hint: write all three parts, '*' for any; a part that holds a dot stands in double quotes");
}

}  // namespace

}  // namespace lockkeeper::scenario
