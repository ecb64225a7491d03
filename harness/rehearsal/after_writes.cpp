#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "check/identity.h"
#include "rehearsal/course.h"

/// Stage 4, after_writes: on S1, what the new release may write and the one before could not, then down.
namespace lockkeeper::rehearsal {

using engine::WriteWish;
using record::Change;
using record::ObjectDifference;
using record::Side;
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

/// What a domain's check kept out of the first column that is of it.
void wish_against_domain(const ObjectDifference& object, const engine::State& after,
                         const std::set<std::string>& tables, std::vector<WriteWish>& wishes) {
  static const std::regex k_value("\\bVALUE\\b");
  const auto at = object.definition.find("CHECK ");
  if (at == std::string::npos) return;
  for (const auto& column : after.objects) {
    if (column.kind != "column" || !tables.contains(column.parent)) continue;
    const auto attributes = nlohmann::json::parse(column.attributes, nullptr, false);
    if (!attributes.is_object() || !check::same_identity(attributes.value("type", ""), object.parent))
      continue;
    const std::string name = check::name_within(column.identity);
    wishes.push_back({Kind::against_check,
                      column.parent,
                      {name},
                      std::regex_replace(object.definition.substr(at), k_value, name)});
    return;
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

}  // namespace

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
    if (object.kind == "constraint" && object.change == Change::lost && !tables.contains(object.parent))
      wish_against_domain(object, after, tables, wishes);
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

namespace {

/// A down that stops behind all of them is tried behind each of so many, on an instance of its own.
constexpr std::size_t k_most_copies = 6;

/// What down, which ran behind a write, has left of it; `back` is the state that it leads to without. Empty:
/// all of it, as far as counts and contents tell.
std::string what_is_left(const record::StateDifference& written, const engine::State& back,
                         const engine::State& now, std::string& where) {
  const auto content = [](const engine::State& state,
                          const std::string& table) -> const engine::TableContent* {
    for (const auto& one : state.tables) {
      if (one.table == table) return &one;
    }
    return nullptr;
  };
  for (const record::DataDifference& change : written.data) {
    where = change.table;
    const auto* without = content(back, change.table);
    const auto* with = content(now, change.table);
    if (without == nullptr || with == nullptr) return "the table " + change.table + " is gone, and the rows";
    const std::int64_t rows = change.rows_after - change.rows_before;
    const std::int64_t missing = without->rows + rows - with->rows;
    if (missing > 0) return fmt::format("{} of {} written is gone", counted(missing, "row"), grouped(rows));
    if (missing < 0) return fmt::format("{} that had been deleted is back", counted(-missing, "row"));
    if (change.change != record::DataChange::column_values) continue;
    const auto hash = [&](const engine::TableContent& table) -> std::string {
      for (const auto& column : table.columns) {
        if (column.name == change.column) return column.hash;
      }
      return "";
    };
    if (hash(*without).empty()) return fmt::format("the column {} is gone, and the values", change.column);
    if (hash(*without) == hash(*with)) return fmt::format("the values written to {} are gone", change.column);
  }
  where.clear();
  return "";
}

}  // namespace

/// The scenario's own writes, each on an instance of its own.
Result<void> Course::write_as_told(Passage& passage) {
  for (const std::string& sql : m_scenario.writes) {
    const auto instance = m_ground.at(passage.index + 1);
    if (!instance) return failed(instance);
    record::Write& write = passage.record->writes.emplace_back();
    write.what = "the scenario's write";
    write.sql = sql;
    const auto before = (*instance)->read_state(&passage.after, everything());
    if (!before) return failed(before);
    if (const auto done = (*instance)->execute(sql, {}); !done) {
      if (done.error().kind == FailureKind::interrupted) return done;
      write.skipped = done.error().message;
      continue;
    }
    const auto written = (*instance)->read_state(&*before, everything());
    if (!written) return failed(written);
    auto outcome = run(**instance, *passage.migration, Side::down, engine::Observe::yes);
    if (!outcome) return failed(outcome);
    if (outcome->run.error) {
      write.stops_down = std::move(outcome->run.error);
      write.location = outcome->run.error_location;
      if (!outcome->run.statements.empty()) write.statement = outcome->run.statements.back().text;
      continue;
    }
    const auto now = (*instance)->read_state(&*written, everything());
    if (!now) return failed(now);
    write.lost = what_is_left(engine::compare(*before, *written), passage.back, *now, write.table);
  }
  return {};
}

/// Beside where an instance stands at S1, else on the main one: all of it is rolled back. What no transaction
/// of ours can hold is driven on instances of its own.
Result<void> Course::write_and_go_back(Passage& passage) {
  auto& record = *passage.record;
  if (m_options.depth == record::Depth::quick || !passage.back_ran) return {};
  if (!m_scenario.writes.empty()) return write_as_told(passage);
  engine::LaterRollback request;
  request.statement_timeout = m_options.statement_timeout;
  request.wishes = wishes_of(record.forward_change, passage.before, passage.after);
  if (request.wishes.empty()) return {};
  if (passage.migration->dialect == sql::Dialect::sqlite) {
    record.skipped.push_back(
        {record::Stage::after_writes, "no rows are made on SQLite: name some as writes"});
    return {};
  }
  if (passage.migration->command && is_dear(passage.index + 1)) {
    record.skipped.push_back(
        {record::Stage::after_writes, "its program would have to bring in all before it once more"});
    return {};
  }
  if (passage.migration->command) return write_on_copies(passage, std::move(request));
  const auto down = passage.migration->down();
  if (!down) return failed(down);
  request.down = &*down;
  engine::Instance* const instance = standing_at_end(passage);
  if (instance == nullptr) {
    record.skipped.push_back({record::Stage::after_writes, "no instance stands where up ends"});
    return {};
  }
  auto writes = instance->roll_back_later(request);
  if (writes && !*writes) return write_on_copies(passage, std::move(request));
  const auto restored = writes ? instance->restore_sequences(passage.after) : failed(writes);
  if (writes) record.writes = std::move(**writes);
  if (restored) return {};
  if (by_interrupt(restored.error())) return failed(restored);
  // Down has ended our sessions, or the server: another instance goes on.
  if (!writes) record.skipped.push_back({record::Stage::after_writes, restored.error().message});
  if (instance == m_beside.get())
    m_beside.reset();
  else
    passage.astray = true;
  return {};
}

/// All together first; where that stops down, one by one.
Result<void> Course::write_on_copies(Passage& passage, engine::LaterRollback request) {
  auto& record = *passage.record;
  const auto attempt =
      [&](std::vector<WriteWish> wishes) -> Result<std::optional<std::vector<record::Write>>> {
    const auto instance = m_ground.at(passage.index + 1);
    if (!instance) return failed(instance);
    request.wishes = std::move(wishes);
    request.drive = [&] { return run(**instance, *passage.migration, Side::down, engine::Observe::yes); };
    return (*instance)->roll_back_later(request);
  };
  const auto wishes = request.wishes;
  auto together = attempt(wishes);
  if (!together) return failed(together);
  if (!*together) {
    record.skipped.push_back({record::Stage::after_writes, "no rows are made on this engine"});
    return {};
  }
  const auto stops = [](const record::Write& write) { return write.stops_down.has_value(); };
  if (std::none_of((*together)->begin(), (*together)->end(), stops)) {
    record.writes = std::move(**together);
    return {};
  }
  for (std::size_t at = 0; at < wishes.size(); ++at) {
    if (at == k_most_copies) {
      record.skipped.push_back({record::Stage::after_writes,
                                fmt::format("tried with {} of {} writes", k_most_copies, wishes.size())});
      return {};
    }
    auto alone = attempt({wishes[at]});
    if (!alone) return failed(alone);
    if (*alone) record.writes.insert(record.writes.end(), (*alone)->begin(), (*alone)->end());
  }
  return {};
}

}  // namespace lockkeeper::rehearsal
