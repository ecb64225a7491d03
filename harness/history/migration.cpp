#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "history/history.h"

namespace lockkeeper::history {

namespace {

using record::TransactionShape;

constexpr std::string_view k_asked_for = "--transaction asks for it";

void send_apart(sql::Part& part) {
  for (std::size_t i = 0; i < part.statements.size(); ++i) part.statements[i].message = i;
  part.shape = TransactionShape::autocommit;
  part.shape_reason = k_asked_for;
}

void send_as_one_message(sql::Part& part) {
  for (sql::Statement& statement : part.statements) statement.message = 0;
  part.shape = part.statements.size() > 1 ? TransactionShape::one_message : TransactionShape::autocommit;
  part.shape_reason = k_asked_for;
}

void reshape(sql::Script& script, Transaction transaction) {
  switch (transaction) {
    case Transaction::of_tool:
      return;
    case Transaction::per_migration:
    case Transaction::all:
      script.parts = {sql::in_one_transaction(std::move(script.parts), std::string(k_asked_for))};
      return;
    case Transaction::statement:
      for (sql::Part& part : script.parts) send_apart(part);
      return;
    case Transaction::file:
      for (sql::Part& part : script.parts) send_as_one_message(part);
      return;
  }
}

}  // namespace

Result<sql::Script> Migration::script(record::Side side) const {
  auto script = read(*this, side);
  if (script && transaction != Transaction::of_tool) {
    for (sql::Part& part : script->parts) part.may_leave_transaction = false;
    reshape(*script, transaction);
  }
  return script;
}

std::string Migration::note_of(record::Side side) const {
  return bookkeeping && bookkeeping->note ? bookkeeping->note(*this, side) : "";
}

namespace {

/// What is sent and noted: the files behind it can change without changing it.
Result<std::string> hash_of_sent(const Migration& migration) {
  const auto script = migration.up();
  if (!script) return failed(script);
  Hasher hasher;
  for (const sql::Part& part : script->parts) {
    hasher.add_field("part");
    for (const sql::Statement& statement : part.statements) {
      hasher.add_field(statement.text).add_field(statement.copy_data);
      hasher.add_field(std::to_string(statement.message));
    }
  }
  hasher.add_field(migration.note_of(record::Side::up));
  return hasher.hex();
}

}  // namespace

Result<std::string> Migration::hash_of_up() const {
  if (hash_what_is_sent) return hash_of_sent(*this);
  auto content = up_digest.empty() ? hash_of_file(up_path) : Result<std::string>(up_digest);
  if (!content || (further_files.empty() && up_settings.empty())) return content;
  Hasher hasher;
  hasher.add_field(*content);
  for (const std::string& file : further_files) {
    const auto more = hash_of_file(file);
    if (!more) return failed(more);
    hasher.add_field(*more);
  }
  if (!up_settings.empty()) hasher.add_field(up_settings);
  return hasher.hex();
}

std::vector<std::size_t> History::steps_between(std::size_t from, std::size_t to) const {
  std::set<std::string_view> brought;
  std::vector<std::size_t> asked;
  for (std::size_t i = to; i-- > from;) {
    if (!brought.contains(migrations[i].version)) asked.push_back(i);
    const auto with_it = brings.find(migrations[i].version);
    if (with_it != brings.end()) brought.insert(with_it->second.begin(), with_it->second.end());
  }
  std::reverse(asked.begin(), asked.end());
  return asked;
}

std::string Habits::when_out_of_order() const {
  switch (late) {
    case Late::skipped:
      return "the tool passes over it without a word on databases that are past it";
    case Late::refused:
      return "the tool refuses to go on where later ones are in";
    case Late::applied:
      return "the tool runs it after the later ones there, and before them on a new database";
    case Late::unknown:
    case Late::no_matter:
      break;
  }
  return "many tools never run it on databases that are past it, others refuse to go on";
}

}  // namespace lockkeeper::history
