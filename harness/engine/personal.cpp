#include "engine/personal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "base/text.h"

namespace lockkeeper::engine {

namespace {

/// Long enough to be seen anywhere in a name written together.
constexpr std::array<std::string_view, 25> k_telling = {
    "email",   "password",   "passwd",     "passphrase", "secret",   "token",      "apikey",
    "phone",   "mobile",     "address",    "birth",      "passport", "firstname",  "lastname",
    "surname", "fullname",   "username",   "ipaddr",     "postcode", "creditcard", "cardnumber",
    "taxid",   "nationalid", "privatekey", "credential"};

/// Short ones are looked for as whole words: 'span' is no PAN.
constexpr std::array<std::string_view, 18> k_telling_words = {"mail", "pwd", "pass", "ssn", "iban", "bic",
                                                              "dob",  "pin", "cvv",  "cvc", "pan",  "tel",
                                                              "fax",  "zip", "salt", "otp", "ip",   "gender"};

/// "homePhone_nr" → home, phone, nr
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  char before = '\0';
  for (const char character : name) {
    const auto is = [](int (*kind)(int), char c) { return kind(static_cast<unsigned char>(c)) != 0; };
    const bool begins = is(std::isupper, character) && is(std::islower, before);
    if (!is(std::isalpha, character) || begins) words.emplace_back();
    if (is(std::isalpha, character)) words.back() += character;
    before = character;
  }
  for (std::string& word : words) word = lower(word);
  return words;
}

}  // namespace

bool looks_personal(std::string_view column) {
  const auto words = words_of(column);
  const std::string together = join(words, "");
  return std::ranges::any_of(
             k_telling, [&](std::string_view sign) { return together.find(sign) != std::string::npos; }) ||
         std::ranges::any_of(words, [](const std::string& word) {
           return std::ranges::find(k_telling_words, word) != k_telling_words.end();
         });
}

}  // namespace lockkeeper::engine
