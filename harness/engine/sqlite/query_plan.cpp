#include "engine/sqlite/query_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace lockkeeper::engine::sqlite {

namespace {

using record::PlanNode;

/// Removes the word from the text's beginning; false where it does not stand there.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// "INDEX i (a=?)": an automatic index has no name.
void read_index(std::string_view text, PlanNode& node) {
  node.detail = text;
  const bool covers = take(text, "COVERING ");
  if (!take(text, "INDEX ")) return;
  const std::size_t end = text.find(" (");
  node.index = text.substr(0, end);
  const std::string_view terms = end == std::string_view::npos ? "" : text.substr(end + 1);
  node.detail = covers ? "COVERING INDEX" : "";
  if (!terms.empty()) node.detail.append(node.detail.empty() ? "" : " ").append(terms);
}

/// What stands behind SCAN and its like: "t USING INDEX i (a=?) LEFT-JOIN". A table with an alias is called
/// by that.
void read_source(std::string_view text, PlanNode& node) {
  constexpr std::string_view k_left = " LEFT-JOIN";
  if (text.ends_with(k_left)) {
    node.join = "Left";
    text.remove_suffix(k_left.size());
  }
  if (text == "CONSTANT ROW" || text.ends_with(" CONSTANT ROWS")) {
    node.detail = text;
    return;
  }
  std::size_t end = text.size();
  for (const char* mark : {" USING ", " VIRTUAL TABLE", " ("}) end = std::min(end, text.find(mark));
  node.relation = text.substr(0, end);
  if (end == text.size()) return;
  text.remove_prefix(end + 1);
  if (take(text, "USING ")) {
    read_index(text, node);
  } else {
    node.detail = text;
  }
}

/// The words are no interface (https://www.sqlite.org/eqp.html); these are of wherecode.c, select.c and
/// expr.c since 3.36. What is not known keeps its words as its kind.
PlanNode node_of(std::string_view line) {
  constexpr std::array<std::string_view, 6> k_of_a_source = {
      "SEARCH ", "SCAN ", "CO-ROUTINE ", "MATERIALIZE ", "BLOOM FILTER ON ", "RIGHT-JOIN "};
  PlanNode node;
  for (const std::string_view kind : k_of_a_source) {
    std::string_view rest = line;
    if (!take(rest, kind)) continue;
    node.kind = kind.substr(0, kind.size() - 1);
    read_source(rest, node);
    return node;
  }
  constexpr std::string_view k_in = " FOR IN-OPERATOR";
  if (std::string_view rest = line; rest.ends_with(k_in) && take(rest, "USING INDEX ")) {
    node.kind = "USING INDEX FOR IN-OPERATOR";
    node.index = rest.substr(0, rest.size() - k_in.size());
    return node;
  }
  // "LIST SUBQUERY 5": numbers are given in the order of the text.
  const std::size_t number = line.find_last_not_of("0123456789") + 1;
  if (number < line.size() && number > 1 && line[number - 1] == ' ') {
    node.detail = line.substr(number);
    line = line.substr(0, number - 1);
  }
  node.kind = line;
  return node;
}

/// Is what it scans read whole? Modules say by convention with number 0 and no text that they use no index.
bool reads_all(const PlanNode& node) {
  return node.kind == "SCAN" && node.index.empty() && !node.relation.empty() &&
         !node.relation.starts_with('(') && (node.detail.empty() || node.detail == "VIRTUAL TABLE INDEX 0:");
}

}  // namespace

record::QueryPlan plan_of(const std::vector<Database::Row>& lines) {
  record::QueryPlan plan;
  plan.nodes.emplace_back().kind = "QUERY PLAN";
  std::map<std::string, int> depths;  // by the id of a line
  std::set<std::string> made;         // subqueries and common tables, which are scanned by their names
  for (const Database::Row& row : lines) {
    if (row.size() < 4) continue;
    const std::string line = row[3].value_or("");
    const int depth = depths[row[1].value_or("")];
    depths[row[0].value_or("")] = depth + 1;
    plan.text +=
        (plan.text.empty() ? "" : "\n") + std::string(static_cast<std::size_t>(2 * depth), ' ') + line;
    PlanNode node = node_of(line);
    node.depth = depth + 1;
    if (!node.index.empty()) plan.indexes.push_back(node.index);
    if (node.kind == "CO-ROUTINE" || node.kind == "MATERIALIZE") made.insert(node.relation);
    plan.nodes.push_back(std::move(node));
  }
  for (const PlanNode& node : plan.nodes) {
    if (reads_all(node) && !made.contains(node.relation)) plan.sequential_scans.push_back(node.relation);
  }
  return plan;
}

}  // namespace lockkeeper::engine::sqlite
