#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/app.h"
#include "app/inspection_options.h"
#include "app/site_report.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

using engine::postgres::IndexUse;
using engine::postgres::Inspected;
using engine::postgres::Inspection;
using engine::postgres::TableSize;
using engine::postgres::Trouble;
using Json = nlohmann::ordered_json;

constexpr std::size_t k_lines_of_a_kind = 20;
constexpr double k_told_from = 0.1;  // of a table's size or rows

struct IndexChange {
  IndexUse now;
  bool is_new = false;
  std::int64_t since = 0;  ///< scans since before
};

struct TableChange {
  TableSize now;
  std::optional<TableSize> before;
};

struct Postflight {
  Inspected seen;
  bool has_before = false;
  bool counted_anew = false;         ///< the counters were reset in between
  std::vector<IndexChange> indexes;  ///< all of them
  std::vector<TableChange> tables;   ///< new or changed ones
  std::vector<std::string> gone;     ///< tables
  std::vector<Trouble> fresh;        ///< not there before
  std::vector<Trouble> known;
};

bool differs_much(const std::optional<std::int64_t>& before, const std::optional<std::int64_t>& now) {
  if (!before || !now) return before.has_value() != now.has_value();
  const auto change = static_cast<double>(std::abs(*now - *before));
  return change > 0 && change >= k_told_from * static_cast<double>(std::max(*before, *now));
}

void compare_tables(Postflight& postflight, const Inspected& before) {
  std::map<std::string, TableSize> old;
  for (const TableSize& table : before.tables) old.emplace(table.table, table);
  for (const TableSize& table : postflight.seen.tables) {
    const auto was = old.find(table.table);
    if (was == old.end()) {
      postflight.tables.push_back({table, std::nullopt});
      continue;
    }
    if (differs_much(was->second.bytes, table.bytes) || differs_much(was->second.rows, table.rows))
      postflight.tables.push_back({table, was->second});
    old.erase(was);
  }
  for (const auto& [name, table] : old) postflight.gone.push_back(name);
}

void compare_indexes(Postflight& postflight, const Inspected& before) {
  std::map<std::string, std::int64_t> old;
  for (const IndexUse& index : before.indexes) old.emplace(index.index, index.scans);
  for (const IndexUse& index : postflight.seen.indexes) {
    const auto was = old.find(index.index);
    const std::int64_t scans = was == old.end() ? 0 : was->second;
    const bool anew = index.scans < scans;
    postflight.counted_anew = postflight.counted_anew || anew;
    postflight.indexes.push_back(
        {index, postflight.has_before && was == old.end(), anew ? index.scans : index.scans - scans});
  }
}

/// Sessions and statements come and go: those of now are new, whatever stood in front before.
bool is_of_a_moment(const Trouble& trouble) {
  return trouble.subject.starts_with("pid ");
}

Postflight compared(Inspected seen, const std::optional<Inspected>& before) {
  Postflight postflight;
  postflight.seen = std::move(seen);
  postflight.has_before = before.has_value();
  std::set<std::pair<std::string, std::string>> known;
  if (before) {
    compare_tables(postflight, *before);
    for (const Trouble& trouble : before->troubles) {
      if (!is_of_a_moment(trouble)) known.emplace(trouble.kind, trouble.subject);
    }
    postflight.counted_anew = before->server.counted_since != postflight.seen.server.counted_since;
  }
  compare_indexes(postflight, before.value_or(Inspected()));
  for (const Trouble& trouble : postflight.seen.troubles) {
    (known.contains({trouble.kind, trouble.subject}) ? postflight.known : postflight.fresh)
        .push_back(trouble);
  }
  return postflight;
}

std::vector<std::string> first_lines(std::vector<std::string> lines) {
  const std::size_t all = lines.size();
  if (all <= k_lines_of_a_kind) return lines;
  lines.resize(k_lines_of_a_kind);
  lines.push_back(fmt::format("    and {} more: --output json has all", all - k_lines_of_a_kind));
  return lines;
}

std::vector<std::string> index_lines(const Postflight& postflight) {
  std::vector<std::string> used;
  std::vector<std::string> unused;
  for (const IndexChange& index : postflight.indexes) {
    const std::string name =
        fmt::format("{} on {}{}", index.now.index, index.now.table, index.is_new ? ", new" : "");
    if (index.since > 0 || index.is_new) {
      used.push_back(fmt::format("    {}: {}{}", name, counted(index.since, "scan"),
                                 postflight.has_before ? " since" : ""));
    }
    if (index.now.scans == 0 && !index.now.is_constraint)
      unused.push_back(fmt::format("    {}, {}", name, bytes_text(index.now.bytes)));
  }
  const std::string note = postflight.counted_anew ? " (the counters were reset in between)" : "";
  std::vector<std::string> lines = {fmt::format(
      "  indexes used{}: {}{}", postflight.has_before ? " since, or new" : "", used.size(), note)};
  for (auto& line : first_lines(std::move(used))) lines.push_back(std::move(line));
  lines.push_back(fmt::format(
      "  indexes never used{}: {}",
      postflight.seen.server.counted_since.empty() ? "" : " since " + postflight.seen.server.counted_since,
      unused.size()));
  for (auto& line : first_lines(std::move(unused))) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> table_change_lines(const Postflight& postflight) {
  if (!postflight.has_before) return {};
  std::vector<std::string> lines;
  for (const TableChange& table : postflight.tables) {
    if (!table.before) {
      lines.push_back(fmt::format("    {}: new, {}, {}", table.now.table, bytes_text(table.now.bytes),
                                  rows_text(table.now.rows)));
      continue;
    }
    lines.push_back(fmt::format("    {}: was {}, {}; is {}, {}", table.now.table,
                                bytes_text(table.before->bytes), rows_text(table.before->rows),
                                bytes_text(table.now.bytes), rows_text(table.now.rows)));
  }
  for (const std::string& name : postflight.gone) lines.push_back(fmt::format("    {}: gone", name));
  std::vector<std::string> all = {fmt::format("  tables changed by a tenth or more: {}", lines.size())};
  for (auto& line : first_lines(std::move(lines))) all.push_back(std::move(line));
  return all;
}

bool fresh_stands(const Postflight& postflight) {
  return std::ranges::any_of(postflight.fresh, &Trouble::stands);
}

std::string postflight_text(const Postflight& postflight) {
  const auto& server = postflight.seen.server;
  std::vector<std::string> lines = {
      fmt::format("{} · postgres {} · as {} · read only", server.database, server.version, server.role)};
  const auto add = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  add(index_lines(postflight));
  add(table_change_lines(postflight));
  add(trouble_lines(postflight.fresh));
  if (!postflight.known.empty()) {
    lines.emplace_back("  as before:");
    add(trouble_lines(postflight.known));
  }
  add(unseen_lines(postflight.seen.unseen));
  lines.emplace_back(!fresh_stands(postflight) ? "nothing that was seen is wrong"
                     : postflight.has_before   ? "something is wrong that was not before"
                                               : "something is wrong");
  return readable_text(lines);
}

Json troubles_json(const std::vector<Trouble>& troubles, bool are_new) {
  Json list = Json::array();
  for (const Trouble& trouble : troubles) {
    list.push_back({{"kind", trouble.kind},
                    {"subject", trouble.subject},
                    {"detail", trouble.detail},
                    {"stands_in_the_way", trouble.stands},
                    {"new", are_new}});
  }
  return list;
}

Json size_json(const TableSize& table) {
  return {{"rows", table.rows ? Json(*table.rows) : Json()},
          {"bytes", table.bytes ? Json(*table.bytes) : Json()}};
}

std::string postflight_json(const Postflight& postflight) {
  Json json = {{"postflight", 1},
               {"server",
                {{"version", postflight.seen.server.version}, {"database", postflight.seen.server.database}}},
               {"counted_anew", postflight.counted_anew},
               {"gone", postflight.gone}};
  for (const char* list : {"indexes", "tables", "unseen"}) json[list] = Json::array();
  for (const IndexChange& index : postflight.indexes) {
    json["indexes"].push_back({{"index", index.now.index},
                               {"table", index.now.table},
                               {"scans", index.now.scans},
                               {"since", index.since},
                               {"new", index.is_new}});
  }
  for (const TableChange& table : postflight.tables) {
    json["tables"].push_back({{"table", table.now.table},
                              {"before", table.before ? size_json(*table.before) : Json()},
                              {"now", size_json(table.now)}});
  }
  json["troubles"] = troubles_json(postflight.fresh, true);
  for (Json& trouble : troubles_json(postflight.known, false)) json["troubles"].push_back(std::move(trouble));
  for (const auto& unseen : postflight.seen.unseen)
    json["unseen"].push_back({{"what", unseen.what}, {"reason", unseen.reason}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

ExitCode postflight_ending(const Postflight& postflight) {
  if (std::ranges::any_of(postflight.seen.unseen, &engine::postgres::Unseen::timed_out))
    return ExitCode::environment;
  return fresh_stands(postflight) ? ExitCode::findings : ExitCode::pass;
}

}  // namespace

Result<ExitCode> postflight_command(const std::vector<std::string>& arguments) {
  po::options_description options = inspection_options();
  options.add_options()("before", po::value<std::string>()->value_name("FILE"),
                        "what preflight --save wrote before the release");
  const auto parsed = parse("postflight", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const bool prints = parsed->has("print");
  if (parsed->positional.size() > 1 || (parsed->positional.empty() && !prints)) {
    return failed(FailureKind::usage, "postflight takes one URL",
                  "lockkeeper postflight postgresql://inspector@host/shop --before before.json");
  }
  const auto output = output_of(*parsed);
  if (!output) return failed(output);
  const auto inspected =
      inspection_of(*parsed, parsed->positional.empty() ? "" : parsed->positional.front(), "postflight");
  if (!inspected) return failed(inspected);
  if (prints) {
    print_statements(*inspected, 0, engine::postgres::WithSchema::no);
    return ExitCode::pass;
  }
  std::optional<Inspected> before;
  if (parsed->has("before")) {
    auto read = read_preflight(parsed->text("before"));
    if (!read) return failed(read);
    before = std::move(*read);
  }
  auto inspection = Inspection::open(*inspected);
  if (!inspection) return failed(inspection);
  auto seen = inspection->look();
  if (!seen) return failed(seen);
  const Postflight postflight = compared(std::move(*seen), before);
  fmt::print("{}", *output == Output::json ? postflight_json(postflight) : postflight_text(postflight));
  return postflight_ending(postflight);
}

}  // namespace lockkeeper::app
