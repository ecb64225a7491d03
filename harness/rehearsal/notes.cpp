#include "rehearsal/notes.h"

#include <nlohmann/json.hpp>

namespace lockkeeper::rehearsal {

using nlohmann::json;

namespace {

// The kinds as numbers would shift when one is added; only what violated_constraints() reports is stored.
constexpr auto k_violated = record::SchemaFactKind::constraint_violated;

json table_to_json(const engine::TableContent& table) {
  json columns = json::array();
  for (const auto& column : table.columns) {
    columns.push_back({column.name, column.type, column.hash, column.hashed_as, column.seed, column.slot});
  }
  json compositions = json::array();
  for (const auto& composition : table.compositions)
    compositions.push_back({composition.columns, composition.hash});
  return {{"table", table.table},     {"rows", table.rows},
          {"storage", table.storage}, {"depends", static_cast<int>(table.depends_on)},
          {"columns", columns},       {"compositions", compositions}};
}

engine::TableContent table_from_json(const json& text) {
  engine::TableContent table;
  text.at("table").get_to(table.table);
  text.at("rows").get_to(table.rows);
  text.at("storage").get_to(table.storage);
  table.depends_on = static_cast<engine::Dependence>(text.at("depends").get<int>());
  for (const auto& column : text.at("columns")) {
    table.columns.push_back(
        {column.at(0), column.at(1), column.at(2), column.at(3), column.at(4), column.at(5)});
  }
  for (const auto& composition : text.at("compositions"))
    table.compositions.push_back({composition.at(0), composition.at(1)});
  return table;
}

}  // namespace

std::string encode(const Notes& notes) {
  json objects = json::array();
  for (const auto& object : notes.state.objects) {
    objects.push_back(
        {object.kind, object.identity, object.parent, object.attributes, object.oid, object.facts});
  }
  json tables = json::array();
  for (const auto& table : notes.state.tables) tables.push_back(table_to_json(table));
  json sequences = json::array();
  for (const auto& sequence : notes.state.sequences)
    sequences.push_back({sequence.sequence, sequence.position});
  json violations = json::array();
  for (const auto& fact : notes.violations) violations.push_back({fact.object, fact.table, fact.detail});
  return json{{"objects", std::move(objects)},
              {"tables", std::move(tables)},
              {"sequences", std::move(sequences)},
              {"violations", std::move(violations)}}
      .dump();
}

std::optional<Notes> decode(std::string_view text) {
  Notes notes;
  try {
    const json whole = json::parse(text);
    for (const auto& object : whole.at("objects")) {
      notes.state.objects.push_back(
          {object.at(0), object.at(1), object.at(2), object.at(3), object.at(4), object.at(5)});
    }
    for (const auto& table : whole.at("tables")) notes.state.tables.push_back(table_from_json(table));
    for (const auto& sequence : whole.at("sequences")) {
      notes.state.sequences.push_back({sequence.at(0), sequence.at(1)});
    }
    for (const auto& fact : whole.at("violations")) {
      notes.violations.push_back({k_violated, fact.at(0), fact.at(1), fact.at(2)});
    }
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return notes;
}

}  // namespace lockkeeper::rehearsal
