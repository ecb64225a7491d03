#include "base/sha256.h"

#include <gtest/gtest.h>

namespace lockkeeper {
namespace {

TEST(Sha256, gives_the_digests_of_the_standard) {
  EXPECT_EQ(base64(Sha256().digest()), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(base64(Sha256().add("abc").digest()), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(base64(Sha256().add("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").digest()),
            "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
  EXPECT_EQ(base64(Sha256().add(std::string(1000000, 'a')).digest()),
            "zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=");
}

TEST(Sha256, goes_on_after_a_digest) {
  Sha256 hash;
  hash.add("a");
  EXPECT_EQ(hash.digest(), Sha256().add("a").digest());
  EXPECT_EQ(hash.add("bc").digest(), Sha256().add("abc").digest());
}

TEST(Sha256, base64_is_padded) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace lockkeeper
