#include "engine/postgres/masking.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

using scenario::MaskRule;

constexpr int k_hash_length = 32;
constexpr int k_shortest_email_hash = 12;
constexpr int k_email_around = 21;  ///< "user-" and "@example.invalid"

bool is_text(const SourceColumn& column) {
  return column.base_type == "text" || column.base_type == "varchar" || column.base_type == "bpchar" ||
         column.base_type == "citext";
}

tl::unexpected<Failure> refused_rule(const MaskRule& rule, const SourceTable& table,
                                     const SourceColumn& column, const std::string& cause,
                                     const std::string& hint) {
  return failed(
      FailureKind::usage,
      fmt::format("cannot mask '{}.{}' by {}: {}", table.written(), column.name, to_string(rule), cause),
      hint, rule.location);
}

/// What a value of the column has to be for the rule to be possible at all.
Result<void> expect_type_fits(const MaskRule& rule, const SourceTable& table, const SourceColumn& column) {
  using enum MaskRule::Kind;
  if (column.generated)
    return refused_rule(rule, table, column, "it is generated", "mask the columns that it is made from");
  if (rule.kind == null && column.required)
    return refused_rule(rule, table, column, "it is NOT NULL", "use constant, hash or email");
  if (rule.kind == null || rule.kind == constant) return {};
  if (!is_text(column)) {
    return refused_rule(rule, table, column, fmt::format("its type is {}, not text", column.type),
                        "use null or constant");
  }
  if (rule.kind == email && column.length > 0 && column.length < k_email_around + k_shortest_email_hash) {
    return refused_rule(rule, table, column,
                        fmt::format("an address takes {} characters or more, its type is {}",
                                    k_email_around + k_shortest_email_hash, column.type),
                        "use hash or constant");
  }
  return {};
}

/// A key stays one only where different values stay different.
Result<void> expect_key_fits(const MaskRule& rule, const SourceTable& table, const SourceColumn& column) {
  using enum MaskRule::Kind;
  if (column.partitioning)
    return refused_rule(rule, table, column, "it decides in which partition a row lies", "take its rule out");
  if (!column.unique) return {};
  if (rule.kind == constant || rule.kind == keep_last)
    return refused_rule(rule, table, column, "it is part of a key, and different values would become one",
                        "use hash");
  if (rule.kind != hash) return {};
  if (column.length > 0 && column.length < k_hash_length) {
    return refused_rule(
        rule, table, column,
        fmt::format("it is part of a key, and of the {} characters of a hash not all fit into {}",
                    k_hash_length, column.type),
        "take its rule out");
  }
  if (!column.deterministic)
    return refused_rule(rule, table, column, "its collation takes different texts for one key",
                        "take its rule out");
  return {};
}

Result<void> expect_constant_fits(Connection& session, const MaskRule& rule, const SourceTable& table,
                                  const SourceColumn& column) {
  if (rule.kind != MaskRule::Kind::constant) return {};
  // An error would end the transaction, and the snapshot with it.
  if (const auto set = session.rows("SAVEPOINT constant"); !set) return failed(set);
  const auto cast =
      session.ask(fmt::format("SELECT CAST({} AS {})", session.quoted_text(rule.constant), column.type));
  if (!cast) return failed(cast);
  if (const auto back = session.rows("ROLLBACK TO SAVEPOINT constant; RELEASE SAVEPOINT constant"); !back)
    return failed(back);
  if (cast->sqlstate.empty()) return {};
  return refused_rule(rule, table, column, cast->message,
                      fmt::format("write a value of type {}", column.type));
}

std::string salted_hash(const SourceColumn& column, int length) {
  std::string value = fmt::format("t.{}::pg_catalog.text", column.quoted);
  // Values that are equal to the type must have equal hashes.
  if (column.base_type == "citext") value = fmt::format("pg_catalog.lower({})", value);
  return fmt::format(
      "pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.current_setting("
      "'lockkeeper.salt') || {}, pg_catalog.getdatabaseencoding())), 'hex'), {})",
      value, length);
}

int fitting(int wanted, int room) {
  return room > 0 ? std::min(wanted, room) : wanted;
}

std::string quoted_constant(const std::string& text) {
  std::string quoted = "'";
  for (const char character : text) quoted += character == '\'' ? "''" : std::string(1, character);
  return quoted + "'";
}

/// The rule for a column: one that names it, else the pattern that matches; two that differ are a failure.
Result<const MaskRule*> rule_for(const std::vector<MaskRule>& rules, const SourceTable& table,
                                 const SourceColumn& column, std::vector<bool>& used) {
  const MaskRule* chosen = nullptr;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const MaskRule& rule = rules[i];
    if (!rule.matches(table.schema, table.name, column.name)) continue;
    used[i] = true;
    if (chosen == nullptr || (rule.is_exact() && !chosen->is_exact())) {
      chosen = &rule;
    } else if (rule.is_exact() == chosen->is_exact() &&
               (rule.kind != chosen->kind || rule.constant != chosen->constant ||
                rule.keep != chosen->keep)) {
      return refused_rule(rule, table, column,
                          fmt::format("'{}' already says {}", chosen->written, to_string(*chosen)),
                          "name the column itself: that goes before patterns");
    }
  }
  return chosen;
}

/// Why a rule matches nothing, as far as it can be told.
tl::unexpected<Failure> matches_nothing(const MaskRule& rule, const SampleSource& source) {
  std::vector<std::string> names;
  for (const SourceTable& table : source.tables) {
    for (const SourceLeaf& leaf : table.leaves) {
      if (!table.partitioned || leaf.written != rule.pattern[0] + "." + rule.pattern[1]) continue;
      return failed(FailureKind::usage, fmt::format("'{}' is a column of a partition", rule.written),
                    fmt::format("name the column of the table: {}.{}", table.written(), rule.pattern[2]),
                    rule.location);
    }
    for (const SourceColumn& column : table.columns) names.push_back(table.written() + "." + column.name);
  }
  return failed(FailureKind::usage,
                rule.is_exact()
                    ? fmt::format("unknown column '{}'{}", rule.written, did_you_mean(rule.written, names))
                    : fmt::format("'{}' matches no column", rule.written),
                "write schema.table.column as the catalog has them", rule.location);
}

/// A column of a foreign key, and its rule if it has one.
struct KeySide {
  const SourceTable& table;
  const SourceColumn& column;
  const MaskRule* rule = nullptr;
};

/// What was equal on both sides has to be so once it is masked.
Result<void> expect_same_values(const SourceForeignKey& key, const KeySide& child, const KeySide& parent) {
  if (child.rule == nullptr && parent.rule == nullptr) return {};
  const KeySide& ruled = child.rule != nullptr ? child : parent;
  const auto refuse = [&](const std::string& cause) {
    return refused_rule(
        *ruled.rule, ruled.table, ruled.column, cause,
        fmt::format("mask both '{}.{}' and '{}.{}' by hash, or neither", child.table.written(),
                    child.column.name, parent.table.written(), parent.column.name));
  };
  const auto hashed = [](const KeySide& side) {
    return side.rule != nullptr && side.rule->kind == MaskRule::Kind::hash;
  };
  if (!hashed(child) || !hashed(parent))
    return refuse(fmt::format("foreign key '{}' leads over it", key.name));
  const bool cut = child.column.length > 0 && child.column.length < k_hash_length;
  const bool alike = (child.column.base_type == "citext") == (parent.column.base_type == "citext");
  if (!cut && alike) return {};
  return refuse(fmt::format("the two sides of foreign key '{}' would get different hashes", key.name));
}

}  // namespace

Result<Masking> Masking::plan(Connection& session, const SampleSource& source,
                              const std::vector<MaskRule>& rules) {
  Masking masking;
  std::vector<bool> used(rules.size());
  for (std::size_t i = 0; i < source.tables.size(); ++i) {
    const SourceTable& table = source.tables[i];
    for (const SourceColumn& column : table.columns) {
      const auto rule = rule_for(rules, table, column, used);
      if (!rule) return failed(rule);
      if (*rule == nullptr) continue;
      if (const auto fits = expect_type_fits(**rule, table, column); !fits) return failed(fits);
      if (const auto fits = expect_key_fits(**rule, table, column); !fits) return failed(fits);
      if (const auto fits = expect_constant_fits(session, **rule, table, column); !fits) return failed(fits);
      masking.m_rules.emplace(std::pair(i, column.name), **rule);
    }
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!used[i]) return matches_nothing(rules[i], source);
  }
  if (const auto hold = masking.expect_references_hold(source); !hold) return failed(hold);
  return masking;
}

Result<void> Masking::expect_references_hold(const SampleSource& source) const {
  const auto side = [&](std::size_t table, const std::string& column) {
    const auto rule = m_rules.find({table, column});
    return KeySide{source.tables[table], *source.tables[table].column(column),
                   rule == m_rules.end() ? nullptr : &rule->second};
  };
  for (const SourceForeignKey& key : source.foreign_keys) {
    for (const auto& columns : key.columns) {
      const auto same =
          expect_same_values(key, side(key.child, columns.first), side(key.parent, columns.second));
      if (!same) return failed(same);
    }
  }
  return {};
}

Result<void> Masking::set_salt(Connection& session, const std::string& salt) const {
  const auto set = session.rows("SELECT set_config('lockkeeper.salt', $1, true)", {salt});
  return set ? Result<void>() : Result<void>(failed(set));
}

std::string Masking::expression(std::size_t table, const SourceColumn& column) const {
  const auto found = m_rules.find({table, column.name});
  if (found == m_rules.end()) return "t." + column.quoted;
  const MaskRule& rule = found->second;
  switch (rule.kind) {
    case MaskRule::Kind::null:
      return "NULL";
    case MaskRule::Kind::constant:
      return fmt::format("CAST({} AS {})", quoted_constant(rule.constant), column.type);
    case MaskRule::Kind::hash:
      return salted_hash(column, fitting(k_hash_length, column.length));
    case MaskRule::Kind::email:
      return fmt::format(
          "'user-' || {} || '@example.invalid'",
          salted_hash(column, fitting(k_hash_length, std::max(column.length - k_email_around, 0))));
    case MaskRule::Kind::keep_last: {
      // A value no longer than what may stay would stay whole.
      const std::string value = fmt::format("t.{}::pg_catalog.text", column.quoted);
      return fmt::format(
          "CASE WHEN pg_catalog.length({0}) > {1} THEN pg_catalog.repeat('*', pg_catalog.length({0}) - {1}) "
          "|| "
          "pg_catalog.right({0}, {1}) ELSE pg_catalog.repeat('*', pg_catalog.length({0})) END",
          value, rule.keep);
    }
  }
  return {};
}

std::vector<std::string> Masking::described(const SampleSource& source) const {
  std::vector<std::string> texts;
  for (const auto& [column, rule] : m_rules)
    texts.push_back(
        fmt::format("{}.{} ({})", source.tables[column.first].written(), column.second, to_string(rule)));
  return texts;
}

}  // namespace lockkeeper::engine::postgres
