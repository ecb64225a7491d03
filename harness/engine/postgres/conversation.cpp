#include "engine/postgres/conversation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/statement_text.h"
#include "sql/kind.h"
#include "sql/lexer.h"
#include "sql/source.h"

namespace lockkeeper::engine::postgres {

namespace {

using sql::StatementKind;

constexpr std::size_t k_kept_text = 2 * k_text_limit;
constexpr std::size_t k_most_notices = 1000;
// Of names that a client never closes; libraries that prepare everything use some hundred.
constexpr std::size_t k_most_names = 10'000;

template <std::size_t size>
bool is_one_of(std::string_view word, const std::array<std::string_view, size>& words) {
  return std::ranges::find(words, word) != words.end();
}

std::string first_word(std::string_view statement) {
  return lower(sql::Lexer(statement).next_code().in(statement));
}

/// WITH may stand before INSERT, UPDATE, DELETE and MERGE, and have them inside.
bool reads_only(std::string_view statement, const std::string& word) {
  if (is_one_of<5>(word, {"select", "values", "table", "explain", "declare"})) return true;
  if (word != "with" || statement.size() > k_text_limit) return false;
  const std::string text = lower(statement);
  return std::ranges::none_of(std::array<std::string_view, 4>{"insert", "update", "delete", "merge"},
                              [&](auto verb) { return text.find(verb) != std::string::npos; });
}

/// In the client's encoding, which the record's UTF-8 may not be.
std::string as_utf8(std::string_view text) {
  std::string made(text);
  while (const auto wrong = first_invalid_utf8(made)) made[*wrong] = '?';
  return made;
}

record::SqlError as_utf8(record::SqlError error) {
  for (std::string* text : {&error.sqlstate, &error.message, &error.detail, &error.hint, &error.context})
    *text = as_utf8(*text);
  return error;
}

/// Without white space around it and the semicolon at its end.
std::string_view bare(std::string_view text) {
  constexpr std::string_view k_space = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(k_space);
  if (begin == std::string_view::npos) return {};
  std::size_t end = text.size();
  while (k_space.find(text[end - 1]) != std::string_view::npos || text[end - 1] == ';') {
    if (--end == begin) break;
  }
  return text.substr(begin, end - begin);
}

/// The statements of a message; one where it cannot be told.
std::vector<std::string> split_message(std::string_view text) {
  const auto source = sql::Source::from_text("message", std::string(text));
  if (!source) return {std::string(text)};
  const auto statements = sql::split_statements(*source);
  if (!statements) return {std::string(text)};
  std::vector<std::string> texts;
  for (const auto& statement : *statements) texts.emplace_back(statement.text);
  return texts;
}

}  // namespace

Sort sort_of(std::string_view statement) {
  const StatementKind kind = sql::kind_of(statement);
  const std::string word = first_word(statement);
  if (kind == StatementKind::begin || kind == StatementKind::set_transaction) return Sort::control;
  if (kind == StatementKind::end)
    return word == "rollback" || word == "abort" ? Sort::rollback : Sort::commit;
  if (is_one_of<11>(word, {"set", "reset", "show", "savepoint", "release", "listen", "unlisten", "notify",
                           "deallocate", "discard", "close"}))
    return Sort::control;
  // ROLLBACK PREPARED too, which changes nothing that is seen.
  if (word == "rollback") return Sort::rollback_to;
  if (is_one_of<3>(word, {"lock", "fetch", "move"})) return Sort::without_snapshot;
  if (reads_only(statement, word)) return Sort::reading;
  return leaves_rows_alone(statement, kind) ? Sort::leaves_rows_alone : Sort::ordinary;
}

void Conversation::push(char type, std::string text, bool whole) {
  m_operations.push_back({type, std::move(text), whole, Clock::now(), {}});
}

std::string Conversation::text_of_portal(const std::string& portal) const {
  const auto found = m_portals.find(portal);
  return found != m_portals.end() ? found->second : fmt::format("(portal '{}')", portal);
}

void Conversation::sent(const wire::Piece& piece) {
  wire::Reader reader(piece.body);
  switch (piece.type) {
    case 'Q': {
      const std::string_view text = reader.text();
      return push('Q', std::string(piece.whole() ? text : text.substr(0, k_kept_text)), piece.whole());
    }
    case 'P': {
      std::string name(reader.text());
      std::string text(reader.text().substr(0, k_kept_text));
      if (m_statements.size() < k_most_names || m_statements.contains(name)) m_statements[name] = text;
      return push('P', std::move(text));
    }
    case 'B': {
      std::string portal(reader.text());
      const std::string name(reader.text());
      const auto found = m_statements.find(name);
      std::string text = found != m_statements.end() ? found->second : fmt::format("EXECUTE {}", name);
      if (m_portals.size() < k_most_names || m_portals.contains(portal)) m_portals[portal] = text;
      return push('B', std::move(text));
    }
    case 'E':
      return push('E', text_of_portal(std::string(reader.text())));
    case 'C':
    case 'D': {
      const bool statement = reader.bytes(1) == "S";
      const std::string name(reader.text());
      const auto& known = statement ? m_statements : m_portals;
      const auto found = known.find(name);
      push(piece.type, found != known.end() ? found->second : name);
      if (piece.type == 'C') (statement ? m_statements : m_portals).erase(name);
      return;
    }
    case 'F':
      return push('F', fmt::format("(call of function {})", reader.int32()));
    case 'S':
      return push('S', {});
    default:
      return;
  }
}

void Conversation::pop_if(char type) {
  if (m_operations.empty() || m_operations.front().type != type) return;
  m_operations.pop_front();
}

Conversation::Completion Conversation::completion(std::string command) {
  Completion ended;
  ended.command = std::move(command);
  const auto now = Clock::now();
  // What waited behind another statement began when that had ended, as far as the server's answers tell: it
  // keeps them back up to the Sync.
  ended.duration =
      std::chrono::duration_cast<record::Microseconds>(now - std::max(m_operations.front().sent, m_last_end));
  ended.notices = std::exchange(m_notices, {});
  m_last_end = now;
  return ended;
}

void Conversation::completed(std::string command) {
  if (m_operations.empty()) return;
  Operation& operation = m_operations.front();
  if (operation.type == 'Q') {
    operation.completions.push_back(completion(std::move(command)));
  } else if (operation.type == 'E' || operation.type == 'F') {
    tell(operation.text, completion(std::move(command)));
    if (operation.type == 'E') m_operations.pop_front();
  }
}

void Conversation::failed(wire::Report report) {
  const bool nobodys = m_operations.empty() || m_operations.front().type == 'S';
  if (nobodys || report.severity == "FATAL") m_session_error = as_utf8(report.error);
  if (nobodys) return;
  Operation& operation = m_operations.front();
  Completion ended = completion({});
  ended.error = std::move(report);
  if (operation.type == 'Q') {
    operation.completions.push_back(std::move(ended));
    return;
  }
  tell(operation.text, std::move(ended));
  // Up to the next Sync the server skips what it is sent.
  if (operation.type == 'F') return;
  while (!m_operations.empty() && m_operations.front().type != 'S') m_operations.pop_front();
}

void Conversation::received(const wire::Piece& piece) {
  switch (piece.type) {
    case 'C':
      return completed(std::string(wire::Reader(piece.body).text()));
    case 's':
    case 'V':
      return completed({});
    case 'I':
      return pop_if('E');
    case '1':
      return pop_if('P');
    case '2':
      return pop_if('B');
    case '3':
      return pop_if('C');
    case 'T':
    case 'n':
      return pop_if('D');
    case 'E':
      return failed(wire::report(piece.body));
    case 'N': {
      if (m_notices.size() >= k_most_notices) return;
      const auto said = wire::report(piece.body);
      const auto error = as_utf8(said.error);
      m_notices.push_back({as_utf8(said.severity), error.sqlstate, error.message, error.detail});
      return;
    }
    default:
      return;
  }
}

bool Conversation::begins_commit(const wire::Piece& piece) const {
  if (!piece.whole()) return false;
  wire::Reader reader(piece.body);
  std::string_view text;
  if (piece.type == 'B' || piece.type == 'P') {
    static_cast<void>(reader.text());
  }
  if (piece.type == 'B') {
    const auto found = m_statements.find(std::string(reader.text()));
    if (found == m_statements.end()) return false;
    text = found->second;
  } else if (piece.type == 'P' || piece.type == 'Q') {
    text = reader.text();
  }
  // A longer text is several statements, or a COMMIT with a comment that nobody writes.
  text = bare(text);
  return !text.empty() && text.size() < 200 && text.find(';') == std::string_view::npos &&
         sort_of(text) == Sort::commit;
}

void Conversation::forget_sync() {
  std::erase_if(m_operations, [](const Operation& operation) { return operation.type == 'S'; });
}

void Conversation::tell(std::string_view text, Completion ended) {
  Told told;
  told.record.text = as_utf8(shortened(bare(text), k_kept_text));
  told.sort = sort_of(told.record.text);
  told.record.duration = ended.duration;
  told.record.rows_changed = rows_changed(ended.command);
  told.record.notices = std::move(ended.notices);
  if (ended.error) told.record.error = as_utf8(std::move(ended.error->error));
  m_told.push_back(std::move(told));
}

/// Each statement of a Query where their number tells which is which, else all of them as one.
void Conversation::tell(const Operation& operation) {
  const auto& completions = operation.completions;
  if (completions.empty()) return;
  std::vector<std::string> texts{operation.text};
  if (operation.whole && (completions.size() > 1 || completions.back().error)) {
    texts = split_message(operation.text);
  }
  const auto& error = completions.back().error;
  if (error && completions.size() == 1 && error->position > 0 && texts.size() > 1) {
    // What the grammar refuses is refused before anything runs.
    const std::size_t at = byte_of_character(operation.text, error->position);
    std::size_t end = 0;
    for (const std::string& text : texts) {
      end = operation.text.find(text, end) + text.size();
      if (at <= end) return tell(text, completions.back());
    }
  }
  if (error ? completions.size() <= texts.size() : completions.size() == texts.size()) {
    for (std::size_t i = 0; i < completions.size(); ++i) tell(texts[i], completions[i]);
    return;
  }
  Completion all = completions.back();
  all.notices.clear();
  all.duration = {};
  for (const Completion& each : completions) {
    all.duration += each.duration;
    all.notices.insert(all.notices.end(), each.notices.begin(), each.notices.end());
  }
  tell(operation.text, std::move(all));
  m_told.back().sort = Sort::ordinary;
}

std::vector<Told> Conversation::take_rest() {
  const bool failed_already = in_query() && !m_operations.front().completions.empty() &&
                              m_operations.front().completions.back().error;
  if (!failed_already && (in_query() || (!m_operations.empty() && m_operations.front().type == 'E'))) {
    wire::Report report;
    report.error.message = "had not ended when its session was closed";
    failed(std::move(report));
  }
  return take();
}

std::vector<Told> Conversation::take() {
  while (!m_operations.empty()) {
    const Operation operation = std::move(m_operations.front());
    m_operations.pop_front();
    if (operation.type == 'Q') tell(operation);
    if (operation.type == 'Q' || operation.type == 'F' || operation.type == 'S') break;
  }
  m_notices.clear();
  return std::exchange(m_told, {});
}

}  // namespace lockkeeper::engine::postgres
