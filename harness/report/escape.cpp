#include "report/escape.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace lockkeeper::report {

namespace {

constexpr std::string_view k_replacement = "\uFFFD";

std::string valid_utf8(std::string_view text) {
  std::string result;
  while (const auto bad = first_invalid_utf8(text)) {
    result += text.substr(0, *bad);
    result += k_replacement;
    text.remove_prefix(*bad + 1);
  }
  return result += text;
}

struct Character {
  std::string_view bytes;
  char32_t code = 0;
};

/// The character at `at` of valid UTF-8.
Character character_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  static constexpr std::array<unsigned char, 5> k_masks{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = first & k_masks.at(length);
  for (std::size_t i = 1; i < length; ++i)
    code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3F);
  return {text.substr(at, length), code};
}

/// C1 controls, marks and overrides of direction, invisible and tag characters, non-characters.
bool hides_or_reorders(char32_t code) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 9> k_ranges{{{0x80, 0x9F},
                                                                          {0x61C, 0x61C},
                                                                          {0x200B, 0x200B},
                                                                          {0x200E, 0x200F},
                                                                          {0x2028, 0x202E},
                                                                          {0x2060, 0x206F},
                                                                          {0xFEFF, 0xFEFF},
                                                                          {0xFFFE, 0xFFFF},
                                                                          {0xE0000, 0xE007F}}};
  return std::any_of(k_ranges.begin(), k_ranges.end(),
                     [&](const auto& range) { return code >= range.first && code <= range.second; });
}

void append_readable(std::string& result, const Character& character) {
  const char32_t code = character.code;
  if (code == '\t' || code == '\n' || code == '\r') {
    result += ' ';
  } else if (code < 0x20) {
    // The control pictures begin at U+2400, in the order of the controls: E2 90 80.
    result += "\xE2\x90";
    result += static_cast<char>(0x80 + code);
  } else if (code == 0x7F) {
    result += "\u2421";
  } else if (hides_or_reorders(code)) {
    result += k_replacement;
  } else {
    result += character.bytes;
  }
}

/// `&`, `<`, `>` and both quotes as entities, anything else as it is.
std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&apos;";
    default:
      return {};
  }
}

bool is_markdown_markup(char c) {
  return std::string_view("\\`*_{}[]()!|~$").find(c) != std::string_view::npos;
}

/// Characters after which GitHub looks for a mention, an issue number or an address; an empty comment parts
/// them.
bool starts_reference(std::string_view text, std::size_t at) {
  const char c = text[at];
  return c == '@' || c == '#' || text.substr(at, 3) == "://" || lower(text.substr(at, 4)) == "www.";
}

std::string escaped_markdown(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (starts_reference(text, at)) {
      result += c;
      result += "<!-- -->";
    } else if (const auto named = entity(c); !named.empty() && c != '\'' && c != '"') {
      result += named;
    } else {
      if (is_markdown_markup(c)) result += '\\';
      result += c;
    }
  }
  return result;
}

std::size_t longest_run_of_backticks(const std::vector<std::string>& lines) {
  std::size_t longest = 0;
  for (const std::string& line : lines) {
    std::size_t run = 0;
    for (const char c : line) {
      run = c == '`' ? run + 1 : 0;
      longest = std::max(longest, run);
    }
  }
  return longest;
}

}  // namespace

std::string readable(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string result;
  for (std::size_t at = 0; at < valid.size();) {
    const Character character = character_at(valid, at);
    append_readable(result, character);
    at += character.bytes.size();
  }
  return result;
}

std::vector<std::string> readable_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::string& line : split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(readable(line));
  }
  while (lines.size() > 1 && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string markdown_text(std::string_view text) {
  std::string result = escaped_markdown(readable(text));
  // At the beginning of a line these would open a list or a heading, or underline one.
  const std::size_t digits = std::min(result.find_first_not_of("0123456789"), result.size());
  if (digits < result.size() && digits > 0 && result[digits] == '.') result.insert(digits, "\\");
  if (!result.empty() && std::string_view("-+=#").find(result.front()) != std::string_view::npos) {
    result.insert(result.begin(), '\\');
  }
  return result;
}

std::string markdown_code(std::string_view text) {
  // Not backticks: a cell of a table would still end at a pipe in them, and a name may hold backticks of its
  // own.
  return "<code>" + escaped_markdown(readable(text)) + "</code>";
}

std::string markdown_block(const std::vector<std::string>& lines, std::string_view language) {
  const std::string fence(std::max<std::size_t>(3, longest_run_of_backticks(lines) + 1), '`');
  std::string result = fence + std::string(language) + "\n";
  for (const std::string& line : lines) result += readable(line) + "\n";
  return result + fence + "\n";
}

std::string xml_text(std::string_view text) {
  std::string result;
  for (const char c : readable(text)) {
    if (const auto named = entity(c); !named.empty()) {
      result += named;
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace lockkeeper::report
