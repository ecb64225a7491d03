#include "history/locale_order.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "history/format.h"

namespace lockkeeper::history {

namespace {

/// The order of the Unicode collation's root table among ASCII.
constexpr std::string_view k_punctuation = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Of a character whose case does not count.
unsigned weight(char c) {
  const std::size_t place = k_punctuation.find(c);
  if (place != std::string_view::npos) return static_cast<unsigned>(place);
  return 100U + static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
}

/// Small letters stand before capitals where nothing else differs.
bool case_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char left, char right) { return left > right; });
}

std::string without_punctuation(std::string_view text) {
  std::string result;
  std::copy_if(text.begin(), text.end(), std::back_inserter(result),
               [](char c) { return k_punctuation.find(c) == std::string_view::npos; });
  return result;
}

/// Digits in a row, or one other character.
std::vector<std::string> pieces(const std::string& text) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (is_digit(text[at]) && end < text.size() && is_digit(text[end])) ++end;
    result.push_back(text.substr(at, end - at));
    at = end;
  }
  return result;
}

bool piece_less(const std::string& a, const std::string& b) {
  if (is_digit(a[0]) && is_digit(b[0])) return number_less(a, b);
  return weight(a[0]) < weight(b[0]);
}

}  // namespace

bool locale_less(std::string_view a, std::string_view b) {
  const auto less = [](char left, char right) { return weight(left) < weight(right); };
  if (std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), less)) return true;
  if (std::lexicographical_compare(b.begin(), b.end(), a.begin(), a.end(), less)) return false;
  return case_less(a, b);
}

bool locale_less_by_number(std::string_view a, std::string_view b) {
  const auto left = pieces(without_punctuation(a));
  const auto right = pieces(without_punctuation(b));
  if (std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(), piece_less))
    return true;
  if (std::lexicographical_compare(right.begin(), right.end(), left.begin(), left.end(), piece_less))
    return false;
  return locale_less(a, b);
}

}  // namespace lockkeeper::history
