#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/postgres/sample_source.h"
#include "scenario/mask.h"

namespace lockkeeper::engine::postgres {

/// How masked columns are read: by the server, so that their values never come to us.
class Masking {
 public:
  /// Holds the rules against the columns. Usage failures at the rule's place: it matches no column, two
  /// patterns contradict each other, or the column cannot take what the rule makes (its type, NOT NULL, a
  /// key).
  static Result<Masking> plan(Connection& session, const SampleSource& source,
                              const std::vector<scenario::MaskRule>& rules);

  /// Makes the salt known to the session; hashes need it. The statements that use it do not show it.
  Result<void> set_salt(Connection& session, const std::string& salt) const;

  /// What the SELECT list says for a column of the table's number `table`, which is called t there.
  std::string expression(std::size_t table, const SourceColumn& column) const;
  bool masks(std::size_t table, const std::string& column) const { return m_rules.contains({table, column}); }
  bool any() const { return !m_rules.empty(); }
  /// "public.users.email (email)", in the order of the tables.
  std::vector<std::string> described(const SampleSource& source) const;

 private:
  Result<void> expect_references_hold(const SampleSource& source) const;

  std::map<std::pair<std::size_t, std::string>, scenario::MaskRule> m_rules;  ///< by table and column
};

}  // namespace lockkeeper::engine::postgres
