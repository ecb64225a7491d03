#include "app/drift.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/run_directory.h"
#include "check/describe.h"
#include "engine/attributes.h"
#include "rehearsal/ground.h"

namespace lockkeeper::app {

namespace {

constexpr std::array<std::string_view, 17> k_of_the_site = {"database",
                                                            "setting",
                                                            "role",
                                                            "membership",
                                                            "tablespace",
                                                            "parameter",
                                                            "privileges",
                                                            "default privileges",
                                                            "large object",
                                                            "subscription",
                                                            "user mapping",
                                                            "publication",
                                                            "publication table",
                                                            "publication schema",
                                                            "security label",
                                                            "event trigger",
                                                            "comment"};

std::string without_owners(const std::string& attributes) {
  if (attributes.empty()) return attributes;
  nlohmann::ordered_json kept = nlohmann::ordered_json::object();
  for (const auto& [name, value] : engine::parse_attributes(attributes)) {
    if (name != "owner" && name != "privileges") kept[name] = value;
  }
  return kept.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// What migrations make, whoever owns it; without the tool's own tables.
engine::State comparable(const engine::State& state, const std::set<std::string>& own_tables) {
  engine::State result;
  for (const engine::Object& object : state.objects) {
    if (std::ranges::find(k_of_the_site, object.kind) != k_of_the_site.end()) continue;
    if (own_tables.contains(object.identity) || own_tables.contains(object.parent)) continue;
    engine::Object copy = object;
    copy.attributes = without_owners(object.attributes);
    result.objects.push_back(std::move(copy));
  }
  return result;
}

std::set<std::string> own_tables_of(const history::History& history, const Applied& applied) {
  std::set<std::string> tables;
  if (history.bookkeeping)
    tables.insert(history.bookkeeping->tables.begin(), history.bookkeeping->tables.end());
  if (!applied.table.empty()) tables.insert(applied.table);
  return tables;
}

/// The history as if the others had never been written.
history::History only_applied(const history::History& history, const Applied& applied) {
  history::History part = history;
  part.migrations.clear();
  for (const std::size_t index : applied.in) part.migrations.push_back(history.migrations[index]);
  return part;
}

}  // namespace

std::vector<std::string> difference_lines(const std::vector<record::ObjectDifference>& objects) {
  std::map<std::string, std::vector<record::ObjectDifference>> relations;
  for (const auto& object : objects)
    relations[object.parent.empty() ? object.identity : object.parent].push_back(object);
  std::vector<std::string> lines;
  for (const auto& [relation, differences] : relations) {
    for (auto& line : check::object_lines(differences, check::Later::after_up))
      lines.push_back(std::move(line));
  }
  return lines;
}

Result<Drift> find_drift(const engine::State& there, const scenario::Scenario& scenario,
                         const history::History& history, const Applied& applied, int major,
                         const Parsed& parsed, const ServerOptions& servers) {
  const auto store = open_store(parsed);
  if (!store) return failed(store);
  sweep_dead_runs(store->directory() / "runs");
  const auto directory = RunDirectory::create(store->directory() / "runs");
  if (!directory) return failed(directory);
  const RunPlaces places{directory->path(), {}, store->directory() / "versions"};
  // Versions write views and defaults in different words.
  const auto wanted = servers.pg_bin || servers.pg_version ? std::nullopt : std::optional(major);
  const auto engine = make_engine(servers, wanted, places);
  if (!engine) return failed(engine);
  const history::History part = only_applied(history, applied);
  history::Trial trial;
  trial.first = part.migrations.size();
  rehearsal::Options options;
  options.work_directory = directory->path();
  options.store = &*store;
  rehearsal::Ground ground(**engine, scenario, part, trial, options);
  if (const auto ready = ground.prepare(); !ready) return failed(ready);
  const auto own_tables = own_tables_of(history, applied);
  const engine::State made = comparable(ground.base_state(), own_tables);
  const auto difference = engine::compare_apart(made, comparable(there, own_tables));
  if (auto failure = ground.settle()) return tl::unexpected(std::move(*failure));
  Drift drift;
  drift.built_on = fmt::format("{} {}", (*engine)->server().engine, (*engine)->server().version);
  auto parted = check::part_order(difference.objects);
  drift.asides = std::move(parted.order);
  for (auto& object : parted.real) {
    const bool is_aside = object.kind == "extension" && object.change != record::Change::lost;
    (is_aside ? drift.asides : drift.objects).push_back(std::move(object));
  }
  return drift;
}

}  // namespace lockkeeper::app
