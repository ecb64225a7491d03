#include "app/site_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace {

using engine::postgres::IndexUse;
using engine::postgres::Inspected;
using engine::postgres::TableSize;
using engine::postgres::ToolBook;
using engine::postgres::Trouble;
using Json = nlohmann::ordered_json;

constexpr int k_form = 1;  // changes with what read_preflight() reads

Json or_null(const std::optional<std::int64_t>& number) {
  return number ? Json(*number) : Json();
}
std::optional<std::int64_t> number_or_none(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<std::int64_t>());
}

Json server_json(const Inspected& seen) {
  const auto& server = seen.server;
  return {{"version", server.version},
          {"database", server.database},
          {"role", server.role},
          {"encoding", server.encoding},
          {"collation", server.collation},
          {"standby", server.is_standby},
          {"bytes", or_null(server.bytes)},
          {"counted_since", server.counted_since},
          {"settings", server.settings}};
}

Json book_json(const ToolBook& book) {
  return {{"tool", book.tool},
          {"table", book.table},
          {"in", versions_in(book)},
          {"failed", failed_versions(book)}};
}

Json seen_json(const Inspected& seen) {
  Json json = {{"preflight", k_form}, {"server", server_json(seen)}};
  for (const char* list : {"tables", "indexes", "troubles", "books", "unseen"}) json[list] = Json::array();
  for (const TableSize& table : seen.tables) {
    json["tables"].push_back({{"table", table.table},
                              {"rows", or_null(table.rows)},
                              {"bytes", or_null(table.bytes)},
                              {"partitioned", table.is_partitioned},
                              {"analyzed", table.analyzed}});
  }
  for (const IndexUse& index : seen.indexes) {
    json["indexes"].push_back({{"index", index.index},
                               {"table", index.table},
                               {"scans", index.scans},
                               {"bytes", or_null(index.bytes)},
                               {"constraint", index.is_constraint}});
  }
  for (const Trouble& trouble : seen.troubles) {
    json["troubles"].push_back({{"kind", trouble.kind},
                                {"subject", trouble.subject},
                                {"detail", trouble.detail},
                                {"stands_in_the_way", trouble.stands}});
  }
  for (const ToolBook& book : seen.books) json["books"].push_back(book_json(book));
  for (const auto& unseen : seen.unseen) {
    json["unseen"].push_back(
        {{"what", unseen.what}, {"reason", unseen.reason}, {"timed_out", unseen.timed_out}});
  }
  return json;
}

Inspected seen_of(const Json& json) {
  Inspected seen;
  seen.server.counted_since = json.at("server").at("counted_since").get<std::string>();
  for (const Json& table : json.at("tables")) {
    seen.tables.push_back({table.at("table"), number_or_none(table.at("rows")),
                           number_or_none(table.at("bytes")), table.at("partitioned"), table.at("analyzed")});
  }
  for (const Json& index : json.at("indexes")) {
    seen.indexes.push_back({index.at("index"), index.at("table"), index.at("scans"),
                            number_or_none(index.at("bytes")), index.at("constraint")});
  }
  for (const Json& trouble : json.at("troubles")) {
    seen.troubles.push_back(
        {trouble.at("kind"), trouble.at("subject"), trouble.at("detail"), trouble.at("stands_in_the_way")});
  }
  return seen;
}

}  // namespace

bool stands_in_the_way(const Preflight& preflight) {
  const Inspected& seen = preflight.seen;
  return std::ranges::any_of(seen.troubles, &Trouble::stands) ||
         std::ranges::any_of(seen.books,
                             [](const ToolBook& book) { return !failed_versions(book).empty(); }) ||
         (preflight.applied && !preflight.applied->unknown.empty()) ||
         (preflight.drift && !preflight.drift->objects.empty());
}

std::string preflight_json(const Preflight& preflight) {
  Json json = seen_json(preflight.seen);
  json["notes"] = preflight.notes;
  if (preflight.applied) {
    json["migrations"] = {{"tool", preflight.applied->tool},
                          {"in", preflight.applied->in.size()},
                          {"pending", preflight.pending},
                          {"unknown", preflight.applied->unknown}};
  }
  if (preflight.drift) {
    json["drift"] = {{"built_on", preflight.drift->built_on},
                     {"differences", difference_lines(preflight.drift->objects)},
                     {"also", difference_lines(preflight.drift->asides)}};
  }
  if (preflight.not_compared) json["not_compared"] = preflight.not_compared->message;
  json["stands_in_the_way"] = stands_in_the_way(preflight);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Inspected> read_preflight(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return failed(text);
  const Json json = Json::parse(*text, nullptr, false);
  const char* const hint = "name a file that lockkeeper preflight --save has written";
  if (!json.is_object() || json.value("preflight", Json()) != Json(k_form)) {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': it is no preflight of this form", path),
                  hint);
  }
  try {
    return seen_of(json);
  } catch (const Json::exception& error) {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': {}", path, error.what()), hint);
  }
}

std::string production_yaml(const Inspected& seen) {
  std::string text =
      "# estimates of the server's, as lockkeeper preflight saw them; for a scenario\nproduction:\n  rows:";
  std::vector<std::pair<std::string, std::int64_t>> rows;
  for (const TableSize& table : seen.tables) {
    if (table.rows) rows.emplace_back(table.table, *table.rows);
  }
  std::ranges::sort(rows);
  if (rows.empty()) text += " {}";
  for (const auto& [table, number] : rows) {
    // A JSON string is a YAML string.
    text +=
        fmt::format("\n    {}: {}", Json(table).dump(-1, ' ', false, Json::error_handler_t::replace), number);
  }
  return text + "\n";
}

}  // namespace lockkeeper::app
