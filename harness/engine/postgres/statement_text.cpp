#include "engine/postgres/statement_text.h"

#include <cstdlib>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

std::optional<std::int64_t> rows_changed(const std::string& command) {
  for (const std::string_view verb : {"INSERT ", "UPDATE ", "DELETE ", "MERGE ", "COPY "}) {
    if (command.starts_with(verb))
      return std::strtoll(command.substr(command.rfind(' ') + 1).c_str(), nullptr, 10);
  }
  return std::nullopt;
}

std::size_t byte_of_character(std::string_view text, std::size_t position) {
  std::size_t at = 0;
  for (std::size_t character = 1; character < position && at < text.size(); ++character) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return std::string(text.substr(0, limit));
}

bool leaves_rows_alone(std::string_view text, sql::StatementKind kind) {
  const std::string head = lower(abridged(text.substr(0, 200), 60));
  return kind == sql::StatementKind::no_transaction &&
         (head.starts_with("create index") || head.starts_with("create unique index") ||
          head.starts_with("drop index") || head.starts_with("reindex") || head.starts_with("vacuum"));
}

}  // namespace lockkeeper::engine::postgres
