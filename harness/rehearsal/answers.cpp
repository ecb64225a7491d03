#include "rehearsal/answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::rehearsal {

namespace {

using engine::QueryAnswer;
using Row = QueryAnswer::Row;
using Kind = AnswerDifference::Kind;

constexpr double k_tolerance = 1e-12;
constexpr double k_single_tolerance = 1e-5;
constexpr std::size_t k_longest_value = 60;

/// None of what has no place among numbers: NULL, NaN, and what is a text after all.
std::optional<double> number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || std::isnan(value)) return std::nullopt;
  return value;
}

bool are_near(const std::optional<std::string>& base, const std::optional<std::string>& head,
              double tolerance) {
  const auto a = number(base);
  const auto b = number(head);
  // Infinity is near to nothing: the tolerance would be endless too.
  if (!a || !b || std::isinf(*a) || std::isinf(*b)) return false;
  return std::abs(*a - *b) <= tolerance * std::max(std::abs(*a), std::abs(*b));
}

/// A kept row with the types of its values, where these have some.
struct TypedRow {
  const Row* values = nullptr;
  std::string_view types;

  const std::optional<std::string>& operator[](std::size_t at) const { return (*values)[at]; }
  std::size_t size() const { return values->size(); }
  char type(std::size_t at) const { return types.empty() ? ' ' : types[at]; }
};

std::vector<TypedRow> rows_of(const QueryAnswer& answer) {
  std::vector<TypedRow> rows;
  for (std::size_t at = 0; at < answer.kept.size(); ++at)
    rows.push_back({&answer.kept[at], at < answer.types.size() ? std::string_view(answer.types[at]) : ""});
  return rows;
}

/// A text is shown in quotes where the same digits might be a number.
std::string shown(const TypedRow& row) {
  std::vector<std::string> values;
  for (std::size_t at = 0; at < row.size(); ++at) {
    const std::string text = row[at] ? abridged(*row[at], k_longest_value) : "NULL";
    values.push_back(row.type(at) == 't' ? "'" + text + "'" : text);
  }
  return "(" + abridged(join(values, ", "), 300) + ")";
}

class Comparison {
 public:
  Comparison(const QueryAnswer& base, const QueryAnswer& head)
      : m_base(base), m_head(head), m_base_rows(rows_of(base)), m_head_rows(rows_of(head)) {
    const std::size_t columns = std::max(base.columns.size(), head.columns.size());
    m_floating.resize(columns);
    m_tolerance.resize(columns);
    for (std::size_t at = 0; at < columns; ++at) {
      const bool on_base = at < base.columns.size() && base.columns[at].floating;
      const bool on_head = at < head.columns.size() && head.columns[at].floating;
      const bool single = on_base && on_head && (base.columns[at].single || head.columns[at].single);
      m_floating[at] = on_base || on_head;
      m_tolerance[at] = on_base && on_head ? (single ? k_single_tolerance : k_tolerance) : 0;
    }
    for (const auto* rows : {&m_base_rows, &m_head_rows}) {
      for (const TypedRow& row : *rows) {
        for (std::size_t at = 0; at < row.types.size(); ++at)
          m_floating[at] = m_floating[at] || row.types[at] == 'f';
      }
    }
  }

  AnswerDifference compare(bool ordered) const {
    if (std::string difference = columns(); !difference.empty()) return {Kind::rows, std::move(difference)};
    if (m_base.changed != m_head.changed) {
      return {Kind::rows,
              fmt::format("{} written on base, {} on head", counted(m_base.changed.value_or(0), "row"),
                          grouped(m_head.changed.value_or(0)))};
    }
    if (m_base.rows == m_head.rows && m_base.in_order == m_head.in_order) return {};
    if (!m_base.whole || !m_head.whole) return compare_hashes(ordered);
    std::string in_order = first_in_order();
    if (m_base.rows == m_head.rows && in_order.empty()) return {};
    if (std::string alone = first_alone(); !alone.empty())
      return {Kind::rows, (ordered || m_base.rows == 1) && m_base.rows == m_head.rows ? std::move(in_order)
                                                                                      : std::move(alone)};
    return ordered ? AnswerDifference{Kind::order, std::move(in_order)} : AnswerDifference{};
  }

 private:
  std::string columns() const {
    const auto names = [](const QueryAnswer& answer) {
      std::vector<std::string> list;
      for (const auto& column : answer.columns) list.push_back(column.name);
      return list;
    };
    // Nothing is known of the columns of no rows.
    if (m_base.columns.empty() || m_head.columns.empty()) return {};
    if (names(m_base) != names(m_head))
      return fmt::format("columns {} on base, {} on head", join(names(m_base), ", "),
                         join(names(m_head), ", "));
    for (std::size_t at = 0; at < m_base.columns.size(); ++at) {
      const auto& before = m_base.columns[at];
      const auto& after = m_head.columns[at];
      if (before.kind != after.kind)
        return fmt::format("column {} holds a {} on base, a {} on head", before.name, before.kind,
                           after.kind);
    }
    return {};
  }

  bool same_value(const TypedRow& base, const TypedRow& head, std::size_t at) const {
    if (base.type(at) != head.type(at)) return false;
    if (base[at] == head[at]) return true;
    const double tolerance = base.type(at) == 'f' ? k_tolerance : m_tolerance[at];
    return tolerance > 0 && are_near(base[at], head[at], tolerance);
  }

  bool same(const TypedRow& base, const TypedRow& head) const {
    for (std::size_t at = 0; at < base.size(); ++at) {
      if (!same_value(base, head, at)) return false;
    }
    return true;
  }

  /// By the columns whose values are exact.
  bool is_clearly_before(const TypedRow& a, const TypedRow& b) const {
    for (std::size_t at = 0; at < a.size(); ++at) {
      if (!m_floating[at] && a[at] != b[at]) return a[at] < b[at];
    }
    return false;
  }

  /// Floating-point columns come last, by their value: a digit more or less moves no row far.
  bool is_before(const TypedRow& a, const TypedRow& b) const {
    if (is_clearly_before(a, b)) return true;
    if (is_clearly_before(b, a)) return false;
    for (std::size_t at = 0; at < a.size(); ++at) {
      if (!m_floating[at] || a[at] == b[at]) continue;
      const auto x = number(a[at]);
      const auto y = number(b[at]);
      if (x != y) return x < y;
      if (!x) return a[at] < b[at];
    }
    return false;
  }

  /// Pairs rows off, each with the first that is like it: where digits differ, the two need not stand at the
  /// same place.
  std::string first_alone() const {
    auto base = m_base_rows;
    auto head = m_head_rows;
    const auto by = [this](const TypedRow& a, const TypedRow& b) { return is_before(a, b); };
    std::ranges::sort(base, by);
    std::ranges::sort(head, by);
    std::vector<bool> taken(head.size(), false);
    std::size_t open = 0;  // the first of head that has no partner
    for (const TypedRow& row : base) {
      while (open < head.size() && taken[open]) ++open;
      if (open < head.size() && is_clearly_before(head[open], row)) break;
      std::size_t at = open;
      while (at < head.size() && !is_clearly_before(row, head[at]) && (taken[at] || !same(row, head[at])))
        ++at;
      if (at == head.size() || is_clearly_before(row, head[at])) return shown(row) + " on base alone";
      taken[at] = true;
    }
    while (open < head.size() && taken[open]) ++open;
    return open < head.size() ? shown(head[open]) + " on head alone" : std::string();
  }

  std::string first_in_order() const {
    for (std::size_t at = 0; at < std::min(m_base_rows.size(), m_head_rows.size()); ++at) {
      if (same(m_base_rows[at], m_head_rows[at])) continue;
      return fmt::format("row {}: {} on base, {} on head", at + 1, shown(m_base_rows[at]),
                         shown(m_head_rows[at]));
    }
    return {};
  }

  AnswerDifference compare_hashes(bool ordered) const {
    const bool same_rows = m_base.rows == m_head.rows && m_base.as_a_set == m_head.as_a_set;
    if (same_rows && (!ordered || m_base.nearly_in_order == m_head.nearly_in_order)) return {};
    std::string first = ordered ? first_in_order() : "";
    if (first.empty()) {
      const auto kept = static_cast<std::int64_t>(std::min(m_base.kept.size(), m_head.kept.size()));
      first = fmt::format("behind the first {}", counted(kept, "row"));
    }
    return {same_rows ? Kind::order : Kind::rows, std::move(first)};
  }

  const QueryAnswer& m_base;
  const QueryAnswer& m_head;
  std::vector<TypedRow> m_base_rows;
  std::vector<TypedRow> m_head_rows;
  std::vector<bool> m_floating;     ///< of either side: rows are not sorted by these first
  std::vector<double> m_tolerance;  ///< of columns that have a type
};

}  // namespace

AnswerDifference compare_answers(const QueryAnswer& base, const QueryAnswer& head, bool ordered) {
  return Comparison(base, head).compare(ordered);
}

Result<bool> hangs_on_plan(engine::QuerySession& session, const engine::Parameters& parameters,
                           const QueryAnswer& usual, bool ordered) {
  for (int way = 0;; ++way) {
    const auto answer = session.answer_otherwise(parameters, way);
    if (!answer) return failed(answer);
    if (!*answer) return false;
    // A plan that nobody wanted may take for ever: it says nothing then.
    if ((*answer)->error) continue;
    if (compare_answers(usual, **answer, ordered).kind != AnswerDifference::Kind::none) return true;
  }
}

}  // namespace lockkeeper::rehearsal
