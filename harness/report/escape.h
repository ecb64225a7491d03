#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Names and messages come from whoever wrote the migration. Here they lose the power to do anything but be
/// read: no terminal escapes, no markup, no mentions, no reordering of the text around them.
namespace lockkeeper::report {

/// One line of valid UTF-8: line breaks and tabs as spaces, control characters as their pictures (␛),
/// characters that reorder or hide text as U+FFFD.
std::string readable(std::string_view text);

/// The same, line by line; a final line break makes no further line.
std::vector<std::string> readable_lines(std::string_view text);

/// readable() as Markdown prose that GitHub shows character for character: no markup, links, mentions, issue
/// references.
std::string markdown_text(std::string_view text);

/// readable() as inline code, safe in table cells.
std::string markdown_code(std::string_view text);

/// Lines as a fenced block that nothing in them can close.
std::string markdown_block(const std::vector<std::string>& lines, std::string_view language);

/// readable() for an XML 1.0 attribute or element; quotes are escaped too.
std::string xml_text(std::string_view text);

}  // namespace lockkeeper::report
