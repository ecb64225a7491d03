#include "engine/output_file.h"

#include <filesystem>
#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/decompress.h"
#include "engine/personal.h"

namespace lockkeeper::engine {

namespace {

class OutputFileTest : public ::testing::Test {
 public:
  OutputFileTest(const OutputFileTest&) = delete;
  OutputFileTest& operator=(const OutputFileTest&) = delete;
  OutputFileTest() {
    std::string path = "/tmp/lockkeeper-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
    m_directory = path;
  }
  ~OutputFileTest() override {
    std::error_code error;
    std::filesystem::remove_all(m_directory, error);
  }

 protected:
  std::filesystem::path m_directory;
};

TEST_F(OutputFileTest, each_form_is_read_back_whole) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919) + "\n";
  for (const char* name : {"a.sql", "a.sql.gz", "a.sql.zst"}) {
    const auto path = m_directory / name;
    auto file = OutputFile::create(path);
    ASSERT_TRUE(file) << to_string(file.error());
    for (std::size_t at = 0; at < text.size(); at += 1000) ASSERT_TRUE((*file)->write(text.substr(at, 1000)));
    EXPECT_FALSE(std::filesystem::exists(path)) << "seen before it is whole";
    const auto bytes = (*file)->finish();
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, std::filesystem::file_size(path));
    const auto read = head_of(path, text.size() + 1);
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(*read, text);
  }
}

TEST_F(OutputFileTest, one_that_is_not_finished_is_gone) {
  {
    auto file = OutputFile::create(m_directory / "a.sql");
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write("half"));
    EXPECT_TRUE(std::filesystem::exists((*file)->draft()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(m_directory));
}

TEST(looks_personal, sees_words_of_a_name_and_not_parts_of_others) {
  for (const char* name : {"email", "homePhone", "api_token", "passwordHash", "IBAN", "birthDate",
                           "street_address", "ssn", "first_name", "user_ip"})
    EXPECT_TRUE(looks_personal(name)) << name;
  for (const char* name :
       {"id", "name", "caliban", "span", "shipping_id", "zipped", "created_at", "pinned", "spinner"})
    EXPECT_FALSE(looks_personal(name)) << name;
}

}  // namespace

}  // namespace lockkeeper::engine
