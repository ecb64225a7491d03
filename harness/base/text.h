#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockkeeper {

/// Offset of the first byte that is not valid UTF-8 (RFC 3629), none where all of it is.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

/// How many bytes to put in, take out or replace, to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word` by edit distance, if near enough to be a slip of the keyboard.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string trimmed(std::string_view text);
std::string lower(std::string_view text);  ///< ASCII only

/// "2027-06-30": a day that exists, written as YYYY-MM-DD.
bool is_date(std::string_view text);

/// One line of at most `limit` characters: white space folded, "…" where it was cut, never inside a
/// character.
std::string abridged(std::string_view text, std::size_t limit = 100);

/// A word as a shell takes it: in single quotes where it needs them.
std::string shell_word(std::string_view word);

/// "1,234,567"
std::string grouped(std::int64_t number);
/// "3 rows", "1 row"
std::string counted(std::int64_t number, std::string_view noun);
/// "850 µs", "12 ms", "3.4 s", "2 min 5 s"
std::string human(std::chrono::microseconds duration);
/// "14.2 µs", "1.21 ms", "121 ms", "2.3 s": with a third digit, where two are compared.
std::string human_milliseconds(double milliseconds);
/// "37 MB" (powers of 1024)
std::string human_bytes(std::uint64_t bytes);

}  // namespace lockkeeper
