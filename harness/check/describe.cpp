#include "check/describe.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::check {

namespace {

using record::AttributeChange;
using record::Change;
using record::DataChange;
using record::DataDifference;
using record::ObjectDifference;

/// The difference that an object is part of: a column of a lost table needs no line of its own.
const ObjectDifference* whole_of(const ObjectDifference& object,
                                 const std::vector<ObjectDifference>& objects) {
  if (object.parent.empty() || object.change == Change::altered) return nullptr;
  const auto found = std::find_if(objects.begin(), objects.end(), [&](const ObjectDifference& other) {
    return other.identity == object.parent && other.change == object.change && &other != &object;
  });
  return found == objects.end() ? nullptr : &*found;
}

std::string plural(const std::string& kind, int count) {
  if (count == 1) return fmt::format("1 {}", kind);
  return kind.ends_with("x")   ? fmt::format("{} {}es", count, kind)
         : kind.ends_with("y") ? fmt::format("{} {}ies", count, kind.substr(0, kind.size() - 1))
                               : fmt::format("{} {}s", count, kind);
}

std::string parts_text(const ObjectDifference& whole, const std::vector<ObjectDifference>& objects) {
  std::map<std::string, int> kinds;
  for (const ObjectDifference& object : objects) {
    if (whole_of(object, objects) == &whole) ++kinds[object.kind];
  }
  std::vector<std::string> counts;
  for (const auto& [kind, count] : kinds) counts.push_back(plural(kind, count));
  return counts.empty() ? "" : fmt::format(" (with {})", join(counts, ", "));
}

std::string_view later_word(Later later) {
  return later == Later::after_down ? "left behind" : "new";
}

constexpr std::size_t k_value_limit = 200;  // characters of a value that stands alone
constexpr std::size_t k_pair_limit = 110;   // bytes of two values beside each other, so that both are seen
constexpr std::size_t k_window = 60;        // characters of each where they are longer
constexpr std::size_t k_lead = 24;          // bytes of what is equal, before the first difference

/// Where a window on the first difference begins: at a word, and never inside of a character.
std::size_t window_start(const std::string& before, const std::string& after) {
  const auto differs = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
  const auto at = static_cast<std::size_t>(differs.first - before.begin());
  if (at <= k_lead) return 0;
  std::size_t start = at - k_lead;
  const std::size_t space = before.find(' ', start);
  if (space != std::string::npos && space < at) return space + 1;
  while (start > 0 && (static_cast<unsigned char>(before[start]) & 0xC0U) == 0x80U) --start;
  return start;
}

std::string window(const std::string& text, std::size_t start) {
  return (start == 0 ? "" : "…") + abridged(std::string_view(text).substr(start), k_window);
}

/// "nullable was yes, is no"; of long values only the place where they part.
std::string change_text(const AttributeChange& attribute) {
  const std::string before = abridged(attribute.before, attribute.before.size());
  const std::string after = abridged(attribute.after, attribute.after.size());
  if (attribute.before == attribute.after) {
    return fmt::format("{} is {} as before, but behind other columns", attribute.name, attribute.after);
  }
  if (before == after && !before.empty()) {
    return fmt::format("{} differs in white space only: {}", attribute.name, abridged(before, k_window));
  }
  if (before.empty() || after.empty() || before.size() + after.size() <= k_pair_limit) {
    return fmt::format("{} was {}, is {}", attribute.name, attribute_text(attribute.name, attribute.before),
                       attribute_text(attribute.name, attribute.after));
  }
  const std::size_t start = window_start(before, after);
  return fmt::format("{} was {}, is {}", attribute.name, window(before, start), window(after, start));
}

std::string altered_line(const ObjectDifference& object) {
  std::vector<std::string> changes;
  for (const AttributeChange& attribute : object.attributes) changes.push_back(change_text(attribute));
  if (object.recreated) changes.emplace_back("dropped and made again");
  return fmt::format("{} {}: {}", object.kind, object.identity, join(changes, "; "));
}

std::string object_line(const ObjectDifference& object, const std::vector<ObjectDifference>& objects,
                        Later later) {
  if (object.change == Change::altered) return altered_line(object);
  const std::string_view word = object.change == Change::lost ? "lost" : later_word(later);
  const std::string definition = object.definition.empty() ? "" : ": " + abridged(object.definition, 300);
  return fmt::format("{} {} {}{}{}", word, object.kind, object.identity, parts_text(object, objects),
                     definition);
}

/// "3 of 10 rows are gone", as exactly as it is known.
std::vector<std::string> row_facts(const DataDifference& difference) {
  std::vector<std::string> facts;
  const auto lost = difference.rows_lost.value_or(
      std::max<std::int64_t>(0, difference.rows_before - difference.rows_after));
  const auto added = difference.rows_added.value_or(
      std::max<std::int64_t>(0, difference.rows_after - difference.rows_before));
  if (lost > 0) {
    facts.push_back(fmt::format("{} of {} {} gone", grouped(lost), counted(difference.rows_before, "row"),
                                lost == 1 ? "is" : "are"));
  }
  if (added > 0) facts.push_back(fmt::format("{} {} new", counted(added, "row"), added == 1 ? "is" : "are"));
  const auto changed = difference.rows_changed.value_or(0);
  if (changed > 0) {
    facts.push_back(
        fmt::format("{} {} other values", counted(changed, "row"), changed == 1 ? "holds" : "hold"));
  }
  return facts;
}

std::string what_changed(const DataDifference& difference) {
  const auto known = [&] { return join(row_facts(difference), ", "); };
  switch (difference.change) {
    case DataChange::table_rows:
      return fmt::format("table {}: {}", difference.table, known());
    case DataChange::column_values:
      return fmt::format("column {}.{}: {}", difference.table, difference.column,
                         known().empty() ? "values differ" : known());
    case DataChange::row_composition:
      return fmt::format("table {}: the same values stand in other rows together{}", difference.table,
                         known().empty() ? "" : ", " + known());
  }
  return difference.table;
}

std::string brief(const DataDifference& difference) {
  return difference.change == DataChange::column_values
             ? fmt::format("values of {}.{}", difference.table, difference.column)
             : fmt::format("rows of {}", difference.table);
}

}  // namespace

std::string attribute_text(const std::string& attribute, const std::string& value) {
  if (!value.empty()) return abridged(value, k_value_limit);
  if (attribute == "persistence") return "permanent";
  return attribute == "privileges" ? "the default" : "none";
}

Parted part_order(const std::vector<ObjectDifference>& objects) {
  Parted parted;
  for (const ObjectDifference& object : objects) {
    ObjectDifference order = object;
    ObjectDifference real = object;
    const auto is_position = [](const AttributeChange& a) { return a.name == "position"; };
    std::erase_if(order.attributes, [&](const AttributeChange& a) { return !is_position(a); });
    std::erase_if(real.attributes, is_position);
    if (object.change != Change::altered) {
      parted.real.push_back(object);
      continue;
    }
    if (!order.attributes.empty()) parted.order.push_back(order);
    if (!real.attributes.empty()) parted.real.push_back(real);
  }
  return parted;
}

std::vector<std::string> object_lines(const std::vector<ObjectDifference>& objects, Later later) {
  std::vector<std::string> lines;
  for (const ObjectDifference& object : objects) {
    if (whole_of(object, objects) == nullptr) lines.push_back(object_line(object, objects, later));
  }
  return lines;
}

std::string object_summary(const std::vector<ObjectDifference>& objects, Later later) {
  std::map<Change, int> counts;
  for (const ObjectDifference& object : objects) {
    if (whole_of(object, objects) == nullptr) ++counts[object.change];
  }
  std::vector<std::string> parts;
  const auto add = [&](Change change, std::string_view word) {
    if (counts[change] == 0) return;
    parts.push_back(parts.empty() ? fmt::format("{} {}", counted(counts[change], "object"), word)
                                  : fmt::format("{} {}", counts[change], word));
  };
  add(Change::added, later_word(later));
  add(Change::lost, "lost");
  add(Change::altered, "changed");
  return join(parts, ", ");
}

std::string data_line(const DataDifference& difference) {
  const std::string key =
      difference.sample_key.empty() ? "" : fmt::format(", for example {}", difference.sample_key);
  return what_changed(difference) + key;
}

std::vector<std::string> data_lines(const std::vector<DataDifference>& data) {
  std::vector<std::string> lines;
  for (const DataDifference& difference : data) lines.push_back(data_line(difference));
  return lines;
}

std::string data_summary(const std::vector<DataDifference>& data) {
  constexpr std::size_t k_named = 3;
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < std::min(data.size(), k_named); ++at) parts.push_back(brief(data[at]));
  if (data.size() > k_named) parts.push_back(fmt::format("{} more", data.size() - k_named));
  return join(parts, ", ");
}

}  // namespace lockkeeper::check
