#include "sql/parameter_query.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::sql {

namespace {

using Kind = ParameterUse::Kind;
using Texts = std::vector<std::string>;

constexpr const char* k_limit = "20";

/// What the parameters that stand in one table need of it: one row, of the columns p1, p2, ….
class TablePart {
 public:
  TablePart(std::string alias, std::string table) : m_alias(std::move(alias)), m_table(std::move(table)) {}

  void add(int number, const ParameterUse& use) {
    if (use.kind == Kind::equal) {
      auto& numbers = m_equal[use.value];
      numbers.push_back(number);
      if (numbers.size() > 1) return;
    }
    m_uses.emplace_back(number, use);
  }

  std::string from(bool common) const { return "(" + row(common) + ") AS " + m_alias; }

  /// The value of a parameter, above the row.
  std::string value(int number, const ParameterUse& use) const {
    std::string own = fmt::format("{}.p{}", m_alias, number);
    if (use.kind != Kind::equal) return own;
    const std::vector<int>& numbers = m_equal.at(use.value);
    if (numbers.front() == number) return own;
    // Of IN ($1, $2) the others are further values that the column has, as far as there are some.
    const auto further = std::find(numbers.begin(), numbers.end(), number) - numbers.begin();
    return fmt::format(
        "coalesce((SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 "
        "OFFSET {2} LIMIT 1), {3}.p{4})",
        use.value, m_table, further, m_alias, numbers.front());
  }

 private:
  static bool is_grouped(Kind kind) {
    return kind == Kind::equal || kind == Kind::pattern || kind == Kind::list;
  }

  bool has(Kind kind, const std::string& value) const {
    return std::any_of(m_uses.begin(), m_uses.end(), [&](const auto& numbered) {
      return numbered.second.kind == kind && numbered.second.value == value;
    });
  }

  /// Where in the order of its values the end of a range lies: most of the rows are in it, or few.
  double share(const ParameterUse& use, bool common) const {
    const bool low = use.kind == Kind::low;
    if (has(low ? Kind::high : Kind::low, use.value)) {
      if (common) return low ? 0.1 : 0.9;
      return low ? 0.45 : 0.55;
    }
    if (common) return low ? 0.25 : 0.75;
    return low ? 0.95 : 0.05;
  }

  std::string text(const ParameterUse& use, bool common) const {
    switch (use.kind) {
      case Kind::pattern:
        return fmt::format("left({}::text, 3) || '%'", use.value);
      case Kind::list:
        return fmt::format("ARRAY[{}::text]::text", use.value);
      case Kind::low:
      case Kind::high:
        return fmt::format("(percentile_disc({}) WITHIN GROUP (ORDER BY {}))::text", share(use, common),
                           use.value);
      case Kind::assigned:
        return fmt::format("min({}::text)", use.value);
      default:
        return use.value + "::text";
    }
  }

  std::string row(bool common) const {
    const std::string direction = common ? "" : " DESC";
    Texts selected;
    Texts order = {common ? "count(*) DESC" : "count(*)"};
    Texts groups;
    Texts present;
    Texts ranges;
    bool inserts = true;
    const auto select = [&](bool grouped) {
      for (const auto& [number, use] : m_uses) {
        if (is_grouped(use.kind) != grouped) continue;
        selected.push_back(fmt::format("{} AS p{}", text(use, common), number));
        inserts = inserts && use.kind == Kind::inserted;
        const std::string some = fmt::format("count({}) > 0", use.value);
        const bool is_end = use.kind == Kind::low || use.kind == Kind::high;
        if (is_end && std::find(ranges.begin(), ranges.end(), some) == ranges.end()) ranges.push_back(some);
        if (!grouped) continue;
        groups.push_back(std::to_string(selected.size()));
        order.push_back(groups.back() + direction);
        present.push_back(use.value + " IS NOT NULL");
      }
    };
    select(true);  // first, since they are named by their places
    select(false);
    std::string sql = fmt::format("SELECT {} FROM {}", join(selected, ", "), m_table);
    if (inserts) {
      Texts places;
      for (std::size_t i = 1; i <= selected.size(); ++i) places.push_back(std::to_string(i) + direction);
      return sql + fmt::format(" ORDER BY {} LIMIT 1", join(places, ", "));
    }
    if (!present.empty()) sql += " WHERE " + join(present, " AND ");
    if (!groups.empty()) sql += " GROUP BY " + join(groups, ", ");
    // Without groups an empty table would yield a row of NULLs.
    if (ranges.empty() && groups.empty()) ranges.push_back("count(*) > 0");
    if (!ranges.empty()) sql += " HAVING " + join(ranges, " AND ");
    if (!groups.empty()) sql += " ORDER BY " + join(order, ", ") + " LIMIT 1";
    return sql;
  }

  std::string m_alias;
  std::string m_table;
  std::vector<std::pair<int, ParameterUse>> m_uses;
  std::map<std::string, std::vector<int>> m_equal;  ///< parameters by the column that they are compared with
};

}  // namespace

ParameterQuery parameter_query(const std::vector<ParameterUse>& parameters) {
  std::vector<TablePart> parts;
  std::map<int, std::size_t> part_of;  // by relation
  int number = 0;
  for (const ParameterUse& use : parameters) {
    ++number;
    if (use.kind == Kind::unknown) return {"", number};
    if (use.relation < 0) continue;
    const auto [at, is_new] = part_of.emplace(use.relation, parts.size());
    if (is_new) parts.emplace_back(fmt::format("t{}", parts.size() + 1), use.table);
    parts[at->second].add(number, use);
  }
  if (parameters.empty()) return {};
  Texts values;
  number = 0;
  for (const ParameterUse& use : parameters) {
    ++number;
    if (use.relation >= 0)
      values.push_back(parts[part_of.at(use.relation)].value(number, use));
    else
      values.push_back(use.kind == Kind::limit ? fmt::format("'{}'", k_limit) : "'0'");
  }
  std::string sql;
  for (const bool common : {true, false}) {
    Texts from;
    for (const TablePart& part : parts) from.push_back(part.from(common));
    if (!common) sql += "\nUNION ALL\n";
    sql += "SELECT " + join(values, ", ");
    if (from.empty()) break;
    sql += "\nFROM " + join(from, "\nCROSS JOIN ");
  }
  return {sql, 0};
}

}  // namespace lockkeeper::sql
