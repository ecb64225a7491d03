#include "engine/postgres/closure.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/sample_session.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr std::size_t k_batch = 10'000;
/// Of a table without a key: what is no larger is taken whole, since no order says which rows matter.
constexpr std::int64_t k_small_table = 1000;
constexpr std::size_t k_tidy_above = 1'000'000;

/// "(12,3)"
std::uint64_t place_of(std::string_view tid) {
  std::uint64_t block = 0;
  std::uint64_t pointer = 0;
  const auto [comma, error] = std::from_chars(tid.data() + 1, tid.data() + tid.size(), block);
  std::from_chars(comma + 1, tid.data() + tid.size(), pointer);
  return error == std::errc{} ? block << 16U | pointer : 0;
}

void sort_unique(std::vector<std::uint64_t>& places) {
  std::ranges::sort(places);
  places.erase(std::unique(places.begin(), places.end()), places.end());
}

/// Children of old-style inheritance are tables of their own; partitions are reached through their table.
std::string from(const SourceTable& table) {
  return (table.partitioned ? "" : "ONLY ") + table.quoted;
}

}  // namespace

std::string tid_array(const std::uint64_t* first, const std::uint64_t* last) {
  std::string text = "{";
  for (; first != last; ++first)
    fmt::format_to(std::back_inserter(text), "{}\"({},{})\"", text.size() > 1 ? "," : "", *first >> 16U,
                   *first & 0xFFFFU);
  return text + "}";
}

std::string key_order(const SourceTable& table, Direction direction) {
  std::vector<std::string> columns;
  for (const std::string& column : table.key)
    columns.push_back(fmt::format("t.{}{}", column, direction == Direction::down ? " DESC" : ""));
  return join(columns, ", ");
}

Closure::Closure(Connection& session, const SampleSource& source) : m_session(&session), m_source(&source) {
  for (std::size_t table = 0; table < source.tables.size(); ++table) {
    const auto& leaves = source.tables[table].leaves;
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) m_leaves[leaves[leaf].oid] = {table, leaf};
    m_chosen.emplace_back(leaves.size());
  }
  m_new = m_chosen;
  m_found = m_chosen;
  m_whole.resize(source.tables.size());
}

std::size_t Closure::rows_of(std::size_t table) const {
  std::size_t rows = 0;
  for (const Places& places : m_chosen[table]) rows += places.size();
  return rows;
}

Result<std::size_t> Closure::counted_if_few() const {
  std::size_t rows = 0;
  for (const auto* places : {&m_chosen, &m_found}) {
    for (const auto& leaves : *places) {
      for (const Places& leaf : leaves) rows += leaf.size();
    }
  }
  if (rows <= k_most_sampled) return rows;
  return failed(FailureKind::usage,
                fmt::format("cannot take a sample: it would have {} rows, over {}",
                            grouped(static_cast<std::int64_t>(rows)), grouped(k_most_sampled)),
                "begin with fewer rows, or take the whole database");
}

Result<Closure> Closure::find(Connection& session, const SampleSource& source, const SampleAmount& amount,
                              const std::function<void(const std::string&)>& progress) {
  Closure closure(session, source);
  for (std::size_t table = 0; table < source.tables.size(); ++table) {
    progress(fmt::format("choosing rows of {}", source.tables[table].written()));
    if (const auto begun = closure.begin(table, amount); !begun) return failed(begun);
    if (const auto few = closure.counted_if_few(); !few) return failed(few);
  }
  while (closure.settle()) {
    const auto rows = closure.counted_if_few();
    if (!rows) return failed(rows);
    progress(fmt::format("following foreign keys from {}", counted(static_cast<std::int64_t>(*rows), "row")));
    for (const SourceForeignKey& key : source.foreign_keys) {
      if (const auto followed = closure.follow(key); !followed) return failed(followed);
    }
  }
  return closure;
}

/// From both ends of the key, so that a sample has rows of the oldest kind and of the newest.
Result<void> Closure::begin(std::size_t table, const SampleAmount& amount) {
  const SourceTable& source = m_source->tables[table];
  std::int64_t wanted = amount.rows;
  if (amount.percent > 0) {
    const auto counted_rows = m_session->ask(fmt::format("SELECT count(*) FROM {}", from(source)));
    if (!counted_rows) return failed(counted_rows);
    if (!counted_rows->sqlstate.empty())
      return tl::unexpected<Failure>(
          source_failure(fmt::format("count the rows of '{}'", source.written()), *counted_rows));
    const double all = std::stod(counted_rows->rows.at(0).at(0).value_or("0"));
    wanted = static_cast<std::int64_t>(std::ceil(all * amount.percent / 100));
  }
  if (source.key.empty()) {
    const auto small = choose(table, "", std::max(wanted, k_small_table) + 1);
    if (!small) return failed(small);
    m_whole[table] = static_cast<std::int64_t>(*small) <= std::max(wanted, k_small_table);
    if (m_whole[table]) return {};
    for (Places& places : m_found[table]) places.clear();
    const auto first = choose(table, "", wanted);
    return first ? Result<void>() : Result<void>(failed(first));
  }
  const auto first = choose(table, key_order(source, Direction::up), (wanted + 1) / 2);
  if (!first) return failed(first);
  const auto last = choose(table, key_order(source, Direction::down), wanted / 2);
  if (!last) return failed(last);
  std::size_t rows = 0;
  for (Places& places : m_found[table]) {
    sort_unique(places);
    rows += places.size();
  }
  // Both ends have met.
  m_whole[table] = static_cast<std::int64_t>(rows) < wanted;
  return {};
}

/// Adds the first rows in this order to what is found; returns how many there were.
Result<std::size_t> Closure::choose(std::size_t table, const std::string& order, std::int64_t limit) {
  const SourceTable& source = m_source->tables[table];
  std::size_t rows = 0;
  const auto answered =
      m_session->each_row(fmt::format("SELECT t.tableoid, t.ctid FROM {} t{}{} LIMIT {}", from(source),
                                      order.empty() ? "" : " ORDER BY ", order, limit),
                          [&](Connection::Values values) {
                            ++rows;
                            // A partition that is a foreign table is none of our leaves: its rows are another
                            // server's.
                            const auto leaf = m_leaves.find(values[0]);
                            if (leaf != m_leaves.end())
                              m_found[leaf->second.first][leaf->second.second].push_back(place_of(values[1]));
                          });
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty())
    return tl::unexpected<Failure>(
        source_failure(fmt::format("choose rows of '{}'", source.written()), *answered));
  return rows;
}

/// Finds the parents of what is new in the child's table.
Result<void> Closure::follow(const SourceForeignKey& key) {
  if (m_whole[key.parent]) return {};
  const SourceTable& child = m_source->tables[key.child];
  const SourceTable& parent = m_source->tables[key.parent];
  for (std::size_t leaf = 0; leaf < child.leaves.size(); ++leaf) {
    const Places& places = m_new[key.child][leaf];
    for (std::size_t from_row = 0; from_row < places.size(); from_row += k_batch) {
      const std::size_t to_row = std::min(places.size(), from_row + k_batch);
      const auto answered =
          m_session->ask(fmt::format("SELECT DISTINCT p.tableoid, p.ctid FROM ONLY {} c JOIN {} p ON {} "
                                     "WHERE c.ctid = ANY ($1::pg_catalog.tid[])",
                                     child.leaves[leaf].quoted, from(parent), key.join),
                         {tid_array(places.data() + from_row, places.data() + to_row)});
      if (!answered) return failed(answered);
      if (!answered->sqlstate.empty()) {
        return tl::unexpected<Failure>(source_failure(
            fmt::format("follow foreign key '{}' of '{}'", key.name, child.written()), *answered));
      }
      for (const auto& row : answered->rows) {
        const auto found = m_leaves.find(row[0].value_or(""));
        if (found == m_leaves.end()) continue;
        Places& into = m_found[found->second.first][found->second.second];
        into.push_back(place_of(row[1].value_or("(0,0)")));
        // Many children have one parent, each batch of them names it again.
        if (into.size() % k_tidy_above == 0) sort_unique(into);
      }
    }
  }
  return {};
}

/// Makes what was found, and was not chosen before, chosen and new; false where nothing was.
bool Closure::settle() {
  bool any = false;
  for (std::size_t table = 0; table < m_found.size(); ++table) {
    for (std::size_t leaf = 0; leaf < m_found[table].size(); ++leaf) {
      Places& found = m_found[table][leaf];
      Places& chosen = m_chosen[table][leaf];
      sort_unique(found);
      Places& fresh = m_new[table][leaf];
      fresh.clear();
      std::ranges::set_difference(found, chosen, std::back_inserter(fresh));
      found.clear();
      const auto middle = static_cast<std::ptrdiff_t>(chosen.size());
      chosen.insert(chosen.end(), fresh.begin(), fresh.end());
      std::inplace_merge(chosen.begin(), chosen.begin() + middle, chosen.end());
      any = any || !fresh.empty();
    }
  }
  return any;
}

}  // namespace lockkeeper::engine::postgres
