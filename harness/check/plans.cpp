#include "check/plans.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::check {

namespace {

using record::PlanNode;
using record::QueryPlan;

// Another level of an index, another page at a range's end.
constexpr std::int64_t k_few_pages = 4;
constexpr std::int64_t k_many_pages = 64;

/// What makes two nodes the same one, their numbers apart.
std::string label_of(const PlanNode& node) {
  return fmt::format("{}\t{}\t{}\t{}", node.kind, node.relation, node.index, node.join);
}

/// For each node whether it is in the longest common sequence of both plans.
std::vector<bool> kept_nodes(const QueryPlan& plan, const QueryPlan& other) {
  const auto& a = plan.nodes;
  const auto& b = other.nodes;
  std::vector<std::vector<int>> length(a.size() + 1, std::vector<int>(b.size() + 1, 0));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      length[i][j] = label_of(a[i]) == label_of(b[j]) ? length[i + 1][j + 1] + 1
                                                      : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::vector<bool> kept(a.size(), false);
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (label_of(a[i]) == label_of(b[j])) {
      kept[i++] = true;
      ++j;
    } else if (length[i + 1][j] >= length[i][j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return kept;
}

std::string line_of(const PlanNode& node) {
  std::string line(static_cast<std::size_t>(2 * node.depth), ' ');
  line += node.kind;
  if (!node.join.empty() && node.join != "Inner") line += " " + node.join;
  if (!node.index.empty()) line += " using " + node.index;
  if (!node.relation.empty()) line += " on " + node.relation;
  std::vector<std::string> counts;
  if (node.loops > 0) {
    counts.push_back(node.rows_estimated > 0
                         ? fmt::format("rows {:.0f} of {:.0f} estimated", node.rows, node.rows_estimated)
                         : fmt::format("rows {:.0f}", node.rows));
    if (node.loops > 1) counts.push_back(fmt::format("{} times", grouped(node.loops)));
  } else if (node.rows_estimated > 0) {
    counts.emplace_back("never executed");
  }
  if (node.buffers > 0) counts.push_back(counted(node.buffers, "page"));
  if (node.spilled_kilobytes > 0)
    counts.push_back(fmt::format("{} kB on disk", grouped(node.spilled_kilobytes)));
  if (!counts.empty()) line += " (" + join(counts, ", ") + ")";
  if (!node.detail.empty()) line += ": " + abridged(node.detail, 120);
  return line;
}

/// How good a scan is where few rows are wanted; none for what scans no table.
std::optional<int> rank_of(const PlanNode& node) {
  static const std::map<std::string, int, std::less<>> k_ranks = {
      {"Index Only Scan", 0},  {"Index Scan", 1}, {"SEARCH", 1},
      {"Bitmap Heap Scan", 2}, {"Seq Scan", 3},   {"SCAN", 3}};
  const auto found = k_ranks.find(node.kind);
  if (node.relation.empty() || found == k_ranks.end()) return std::nullopt;
  return found->second;
}

/// The worst scan of each relation.
std::map<std::string, const PlanNode*> worst_scans(const QueryPlan& plan) {
  std::map<std::string, const PlanNode*> worst;
  for (const PlanNode& node : plan.nodes) {
    const auto rank = rank_of(node);
    if (!rank) continue;
    const PlanNode*& known = worst[node.relation];
    if (known == nullptr || *rank > *rank_of(*known)) known = &node;
  }
  return worst;
}

std::int64_t spilled(const QueryPlan& plan) {
  std::int64_t kilobytes = 0;
  for (const PlanNode& node : plan.nodes) kilobytes += node.spilled_kilobytes;
  return kilobytes;
}

}  // namespace

std::vector<std::string> tree_of(const QueryPlan& plan, const QueryPlan& other) {
  const auto kept = kept_nodes(plan, other);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < plan.nodes.size(); ++at)
    lines.push_back((kept[at] ? "  " : "≠ ") + line_of(plan.nodes[at]));
  return lines;
}

bool are_otherwise(const QueryPlan& plan, const QueryPlan& other) {
  const auto changed = [](const std::vector<bool>& kept) {
    return std::find(kept.begin(), kept.end(), false) != kept.end();
  };
  return changed(kept_nodes(plan, other)) || changed(kept_nodes(other, plan));
}

void add_trees(record::Finding& finding, const record::QueryObservation& observation) {
  const auto add = [&](std::string_view where, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) finding.evidence.push_back(fmt::format("{}: {}", where, line));
  };
  if (!observation.base_plan.nodes.empty() || !observation.head_plan.nodes.empty()) {
    add("base", tree_of(observation.base_plan, observation.head_plan));
    add("head", tree_of(observation.head_plan, observation.base_plan));
    return;
  }
  for (const std::string& line : split(observation.head_plan.text, '\n')) {
    if (!trimmed(line).empty()) finding.evidence.push_back(fmt::format("plan on head: {}", line));
  }
}

std::vector<std::string> regressions(const QueryPlan& base, const QueryPlan& head, double limit) {
  std::vector<std::string> reasons;
  const bool more = static_cast<double>(head.buffers) > limit * static_cast<double>(base.buffers) &&
                    head.buffers > base.buffers + k_few_pages;
  if (more)
    reasons.push_back(
        fmt::format("touches {}, {} on base", counted(head.buffers, "page"), grouped(base.buffers)));
  if (spilled(base) == 0 && spilled(head) > 0)
    reasons.push_back(
        fmt::format("sorts or hashes on disk ({} kB), in memory on base", grouped(spilled(head))));
  if (head.buffers < base.buffers) return reasons;
  const auto before = worst_scans(base);
  for (const auto& [relation, node] : worst_scans(head)) {
    const auto known = before.find(relation);
    if (known == before.end() || *rank_of(*node) <= *rank_of(*known->second)) continue;
    reasons.push_back(
        fmt::format("reads {} by {}, by {} on base", relation, node->kind, known->second->kind));
  }
  return reasons;
}

bool touches_far_more(const QueryPlan& base, const QueryPlan& head) {
  return head.buffers >= 4 * base.buffers && head.buffers >= base.buffers + k_many_pages;
}

}  // namespace lockkeeper::check
