#include "workload/statements.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "workload/secret.h"

namespace lockkeeper::workload {

namespace {

/// Of texts that were looked at already: parsing is what takes the time of a large log.
constexpr std::size_t k_remembered_bytes = 64UL * 1024 * 1024;
constexpr std::size_t k_most_variants = 20;
constexpr std::size_t k_remembered_sets = 1000;
constexpr std::size_t k_longest_set = 20'000;
constexpr std::size_t k_kept_sets = 5;
constexpr std::int64_t k_most_calls = 1'000'000'000'000'000'000;

std::size_t bytes_of(const Values& values) {
  std::size_t bytes = 0;
  for (const auto& value : values) bytes += value ? value->size() : 4;
  return bytes;
}

/// Why a statement is not to be written to a file; empty where it may be.
std::string unfit(const std::string& text) {
  if (holds_control(text)) return "with control characters in them";
  if (statement_holds_secret(text)) return "with what looks like a secret in them";
  return {};
}

/// Parameters whose values are secrets by where they stand.
bool takes_secrets(const sql::QueryFacts& facts) {
  return parameters_hold_secret(facts.text) ||
         std::any_of(facts.parameters.begin(), facts.parameters.end(),
                     [](const sql::ParameterUse& use) { return names_secret(use.column); });
}

}  // namespace

/// One text of a statement: another has other constants, or lists of another length.
struct Statements::Variant {
  struct Extreme {
    double ms = 0;
    Values values;
  };

  explicit Variant(sql::QueryFacts its_facts)
      : facts(std::move(its_facts)), secret_values(takes_secrets(facts)) {}

  sql::QueryFacts facts;
  bool secret_values;
  std::int64_t calls = 0;
  std::int64_t kept_back = 0;  ///< calls whose values look like secrets
  double slowest_ms = -1;
  std::optional<Extreme> slowest;
  std::optional<Extreme> fastest;
  std::map<Values, std::int64_t> sets;

  void take(const Call& call) {
    calls = std::min(calls + call.calls, k_most_calls);
    slowest_ms = std::max(slowest_ms, call.total_ms.value_or(0));
    if (!call.values || call.values->size() != facts.parameters.size() ||
        bytes_of(*call.values) > k_longest_set)
      return;
    if (secret_values || std::any_of(call.values->begin(), call.values->end(),
                                     [](const auto& value) { return value && holds_secret(*value); })) {
      ++kept_back;
      return;
    }
    if (sets.size() < k_remembered_sets || sets.contains(*call.values)) ++sets[*call.values];
    if (!call.total_ms) return;
    if (!slowest || *call.total_ms > slowest->ms) slowest = {*call.total_ms, *call.values};
    if (!fastest || *call.total_ms < fastest->ms) fastest = {*call.total_ms, *call.values};
  }

  std::vector<Values> kept() const {
    std::vector<Values> kept;
    const auto keep = [&](const Values& values) {
      if (kept.size() < k_kept_sets && std::find(kept.begin(), kept.end(), values) == kept.end())
        kept.push_back(values);
    };
    if (slowest) keep(slowest->values);
    if (fastest) keep(fastest->values);
    std::vector<std::pair<std::int64_t, Values>> frequent;
    for (const auto& [values, count] : sets) frequent.emplace_back(count, values);
    std::stable_sort(frequent.begin(), frequent.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [count, values] : frequent) keep(values);
    return kept;
  }
};

struct Statements::Group {
  struct Tally {
    std::int64_t calls = 0;
    std::optional<double> total_ms;
  };

  std::array<Tally, 3> tallies;  ///< by Call::Source
  std::map<std::string, Variant> with_parameters;
  std::optional<Variant> without;  ///< the one with the slowest call

  void take(const Call& call) {
    Tally& tally = tallies[static_cast<std::size_t>(call.source)];
    // However many lines a file has: a single one may say 10^15.
    tally.calls = std::min(tally.calls + call.calls, k_most_calls);
    if (call.total_ms) tally.total_ms = tally.total_ms.value_or(0) + *call.total_ms;
  }

  /// auto_explain and log_min_duration_statement tell of the same calls: whichever tells of more is taken.
  /// pg_stat_statements knows of every call.
  const Tally& tally() const {
    const auto of = [&](Call::Source source) -> const Tally& {
      return tallies[static_cast<std::size_t>(source)];
    };
    if (of(Call::Source::statistics).calls > 0) return of(Call::Source::statistics);
    const Tally& log = of(Call::Source::log);
    const Tally& plan = of(Call::Source::plan);
    return plan.calls > log.calls || (!log.total_ms && plan.total_ms) ? plan : log;
  }

  /// What came with values is preferred, then what needs none, then what has to be given some.
  const Variant& best() const {
    const Variant* best = nullptr;
    for (const auto& [text, variant] : with_parameters) {
      if (best == nullptr ||
          std::pair(!variant.sets.empty(), variant.calls) > std::pair(!best->sets.empty(), best->calls))
        best = &variant;
    }
    if (without && (best == nullptr || best->sets.empty())) return *without;
    return *best;
  }
};

Statements::Statements() = default;
Statements::~Statements() = default;

Statements::Known Statements::leave_out(const std::string& why, const std::string& which) {
  m_left_out[why].insert(which);
  return {};
}

Statements::Known Statements::look_at(const std::string& text) {
  auto facts = sql::query_facts(text);
  if (!facts) return leave_out(facts.error(), hash_hex(text));
  if (facts->verb == sql::QueryFacts::Verb::utility)
    return leave_out("utility statements and transaction control", facts->fingerprint);
  if (facts->on_catalogs_only) return leave_out("on the server's catalogs alone", facts->fingerprint);
  if (facts->touches_nothing) return leave_out("without a table", facts->fingerprint);
  if (const std::string why = unfit(text); !why.empty()) return leave_out(why, facts->fingerprint);
  auto& group = m_groups[facts->fingerprint];
  if (!group) group = std::make_unique<Group>();
  if (facts->parameters.empty()) {
    // Its text is kept where it turns out to be the slowest: add().
    if (!group->without) group->without.emplace(std::move(*facts));
    return {group.get(), nullptr};
  }
  const auto known = group->with_parameters.find(facts->text);
  if (known != group->with_parameters.end()) return {group.get(), &known->second};
  if (group->with_parameters.size() >= k_most_variants) return {group.get(), nullptr};
  const std::string key = facts->text;
  return {group.get(), &group->with_parameters.try_emplace(key, std::move(*facts)).first->second};
}

Statements::Known Statements::known(const std::string& text) {
  const auto found = m_by_text.find(text);
  if (found != m_by_text.end()) return found->second;
  const Known known = look_at(text);
  m_text_bytes += text.size() + 64;
  if (m_text_bytes > k_remembered_bytes) {
    m_by_text.clear();
    m_text_bytes = text.size() + 64;
  }
  m_by_text.emplace(text, known);
  return known;
}

void Statements::add(const Call& call) {
  const Known where = known(call.text);
  if (where.group == nullptr) return;
  where.group->take(call);
  if (where.variant != nullptr) {
    where.variant->take(call);
  } else if (where.group->without && call.total_ms.value_or(0) > where.group->without->slowest_ms) {
    auto facts = sql::query_facts(call.text);
    if (!facts || !facts->parameters.empty() || !unfit(call.text).empty()) return;
    where.group->without->facts = std::move(*facts);
    where.group->without->slowest_ms = call.total_ms.value_or(0);
  }
}

std::vector<Statement> Statements::chosen(const Choice& choice,
                                          std::map<std::string, std::int64_t>& left_out) const {
  for (const auto& [why, which] : m_left_out) left_out[why] += static_cast<std::int64_t>(which.size());
  std::vector<Statement> statements;
  for (const auto& [fingerprint, group] : m_groups) {
    for (const auto& [text, variant] : group->with_parameters) {
      if (variant.kept_back > 0)
        left_out["values of calls with what looks like a secret"] += variant.kept_back;
    }
    const Group::Tally& tally = group->tally();
    if (tally.calls < choice.min_calls) {
      ++left_out[fmt::format("called less often than --min-calls {}", choice.min_calls)];
      continue;
    }
    const Variant& best = group->best();
    statements.push_back({best.facts, tally.calls, tally.total_ms, best.kept()});
  }
  std::stable_sort(statements.begin(), statements.end(), [](const Statement& a, const Statement& b) {
    return std::pair(a.total_ms.value_or(0), a.calls) > std::pair(b.total_ms.value_or(0), b.calls);
  });
  if (statements.size() > choice.top) {
    left_out[fmt::format("beyond --top {}", choice.top)] +=
        static_cast<std::int64_t>(statements.size() - choice.top);
    statements.resize(choice.top);
  }
  return statements;
}

}  // namespace lockkeeper::workload
