#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "check/identity.h"
#include "rehearsal/course.h"

/// Stage 4, after_writes: on S1, what the new release may write and the one before could not, then down.
namespace lockkeeper::rehearsal {

using engine::WriteWish;
using record::Change;
using record::ObjectDifference;
using Kind = engine::WriteWish::Kind;

namespace {

/// "UNIQUE (a, b)" → a and b
std::vector<std::string> columns_in(const std::string& definition, std::string_view word) {
  const auto at = definition.find(std::string(word) + " (");
  if (at == std::string::npos) return {};
  const auto open = definition.find('(', at);
  const auto close = definition.find(')', open);
  std::vector<std::string> columns;
  for (const std::string& column : split(definition.substr(open + 1, close - open - 1), ','))
    columns.push_back(trimmed(column));
  return columns;
}

const record::AttributeChange* attribute(const ObjectDifference& object, std::string_view name) {
  for (const record::AttributeChange& change : object.attributes) {
    if (change.name == name) return &change;
  }
  return nullptr;
}

std::vector<std::string> columns_named(const engine::State& state, const std::string& table,
                                       const std::string& definition) {
  std::vector<std::string> columns;
  for (const auto& object : state.objects) {
    if (object.kind != "column" || object.parent != table) continue;
    if (check::names(definition, check::bare_name(object.identity)))
      columns.push_back(check::name_within(object.identity));
  }
  return columns;
}

/// What a constraint that is gone, or says something else now, kept out.
void wish_against(const ObjectDifference& object, const engine::State& before,
                  std::vector<WriteWish>& wishes) {
  std::string definition = object.definition;
  if (object.change == Change::altered) {
    const auto* change = attribute(object, "definition");
    if (change == nullptr) return;
    definition = change->before;
  }
  const auto begins = [&](std::string_view word) {
    const auto at = definition.find(word);
    return at != std::string::npos && definition.find('(') > at;
  };
  if (begins("CHECK ")) {
    const std::string check = definition.substr(definition.find("CHECK "));
    wishes.push_back(
        {Kind::against_check, object.parent, columns_named(before, object.parent, check), check});
  } else if (begins("FOREIGN KEY ")) {
    wishes.push_back(
        {Kind::against_foreign_key, object.parent, columns_in(definition, "FOREIGN KEY"), definition});
  } else if (begins("UNIQUE ") && object.change == Change::lost) {
    wishes.push_back({Kind::against_unique, object.parent, columns_in(definition, "UNIQUE"), definition});
  }
}

void wish_against_index(const ObjectDifference& object, std::vector<WriteWish>& wishes) {
  if (!object.definition.starts_with("CREATE UNIQUE INDEX")) return;
  const auto columns = columns_in(object.definition, "btree");
  const auto plain = [](const std::string& column) { return column.find('(') == std::string::npos; };
  const auto known = [&](const WriteWish& wish) {
    return wish.kind == Kind::against_unique && wish.table == object.parent && wish.columns == columns;
  };
  if (!columns.empty() && std::all_of(columns.begin(), columns.end(), plain) &&
      std::none_of(wishes.begin(), wishes.end(), known))
    wishes.push_back({Kind::against_unique, object.parent, columns, object.definition});
}

void wish_of_column(const ObjectDifference& object, std::vector<WriteWish>& wishes) {
  if (object.change == Change::added) {
    wishes.push_back({Kind::value, object.parent, {check::name_within(object.identity)}, ""});
    return;
  }
  const auto* nullable = attribute(object, "nullable");
  if (nullable != nullptr && nullable->after == "true")
    wishes.push_back({Kind::null, object.parent, {check::name_within(object.identity)}, ""});
  const auto* type = attribute(object, "type");
  if (type != nullptr)
    wishes.push_back({Kind::longer, object.parent, {check::name_within(object.identity)}, type->before});
}

/// The literals of a list, as SQL writes them: 'a', 'it''s', E'b\\s'.
std::vector<std::string> literals_of(const std::string& list) {
  std::vector<std::string> literals(1);
  bool inside = false;
  for (const char c : list) {
    if (c == '\'') inside = !inside;
    if (c == ',' && !inside)
      literals.emplace_back();
    else
      literals.back() += c;
  }
  for (std::string& literal : literals) literal = trimmed(literal);
  return literals;
}

void wish_of_labels(const ObjectDifference& object, std::vector<WriteWish>& wishes) {
  const auto* labels = attribute(object, "labels");
  if (labels == nullptr) return;
  const auto before = literals_of(labels->before);
  for (const std::string& label : literals_of(labels->after)) {
    if (!label.empty() && std::find(before.begin(), before.end(), label) == before.end())
      wishes.push_back({Kind::label, object.identity, {}, label});
  }
}

/// Longer values of one change come first: a row in a table that is gone anyway tells least.
std::vector<WriteWish> wishes_of(const record::StateDifference& change, const engine::State& before,
                                 const engine::State& after) {
  std::set<std::string> tables;
  for (const auto& object : after.objects) {
    if (object.kind == "table") tables.insert(object.identity);
  }
  std::set<std::string> new_tables;
  for (const ObjectDifference& object : change.objects) {
    if (object.kind == "table" && object.change == Change::added) new_tables.insert(object.identity);
  }
  std::vector<WriteWish> wishes;
  for (const ObjectDifference& object : change.objects) {
    if (object.kind == "type" && object.change == Change::altered) wish_of_labels(object, wishes);
    if (!tables.contains(object.parent) || new_tables.contains(object.parent)) continue;
    if (object.kind == "column" && object.change != Change::lost) wish_of_column(object, wishes);
    if (object.kind == "constraint" && object.change != Change::added) wish_against(object, before, wishes);
    // That of a constraint says the same once more, and costs no second row.
    if (object.kind == "index" && object.change == Change::lost &&
        object.definition.find(" WHERE ") == std::string::npos)
      wish_against_index(object, wishes);
  }
  for (const std::string& table : new_tables) wishes.push_back({Kind::row, table, {}, ""});
  return wishes;
}

}  // namespace

/// Beside where an instance stands at S1, else on the main one: all of it is rolled back.
Result<void> Course::write_and_go_back(Passage& passage) {
  auto& record = *passage.record;
  if (m_options.depth == record::Depth::quick || !passage.back_ran) return {};
  const auto skip = [&](const std::string& reason) {
    record.skipped.push_back({record::Stage::after_writes, reason});
  };
  if (passage.migration->command) {
    skip("a program outside takes it back, which cannot be rolled back");
    return {};
  }
  engine::LaterRollback request;
  request.statement_timeout = m_options.statement_timeout;
  for (const std::string& sql : m_scenario.writes) request.wishes.push_back({Kind::given, "", {}, sql});
  if (request.wishes.empty())
    request.wishes = wishes_of(record.forward_change, passage.before, passage.after);
  if (request.wishes.empty()) return {};
  const auto down = passage.migration->down();
  if (!down) return failed(down);
  request.down = &*down;
  engine::Instance* const instance = standing_at_end(passage);
  if (instance == nullptr) {
    skip("no instance stands where up ends");
    return {};
  }
  auto writes = instance->roll_back_later(request);
  if (writes && !*writes) {
    skip("not done on this engine");
    return {};
  }
  const auto restored = writes ? instance->restore_sequences(passage.after) : failed(writes);
  if (writes) record.writes = std::move(**writes);
  if (restored) return {};
  if (restored.error().kind == FailureKind::interrupted || interrupted()) return failed(restored);
  // Down has ended our sessions, or the server: another instance goes on.
  if (!writes) skip(restored.error().message);
  if (instance == m_beside.get())
    m_beside.reset();
  else
    passage.astray = true;
  return {};
}

}  // namespace lockkeeper::rehearsal
