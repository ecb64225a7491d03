#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/postgres/sample_source.h"

namespace lockkeeper::engine::postgres {

/// How many rows of each table a sample begins with: a number, or a part of them.
struct SampleAmount {
  std::int64_t rows = 0;
  double percent = 0;  ///< in place of `rows` where it is not 0
};

/// Most rows that a sample may hold. Of each a place of eight bytes is kept here, and up to as many again
/// while a step is under way: 160 MB at most.
constexpr std::size_t k_most_sampled = 10'000'000;

/// The rows of a sample: the first of every table, and all that their foreign keys lead to. Rows are known by
/// where they lie (ctid), which holds as long as the transaction's snapshot, has one size whatever the key,
/// and lets the server join children with parents without a key passing through here.
class Closure {
 public:
  /// `session` is in the transaction that read `source`. Failures: the server's, and a sample too large.
  static Result<Closure> find(Connection& session, const SampleSource& source, const SampleAmount& amount,
                              const std::function<void(const std::string&)>& progress);

  /// "block,line pointer" as 48 bits, sorted; by the number of the table and of its leaf.
  const std::vector<std::uint64_t>& rows(std::size_t table, std::size_t leaf) const {
    return m_chosen[table][leaf];
  }
  /// Are all of its rows in the sample, seen without counting them?
  bool is_whole(std::size_t table) const { return m_whole[table]; }
  std::size_t rows_of(std::size_t table) const;

 private:
  using Places = std::vector<std::uint64_t>;

  Closure(Connection& session, const SampleSource& source);
  Result<void> begin(std::size_t table, const SampleAmount& amount);
  Result<std::size_t> choose(std::size_t table, const std::string& order, std::int64_t limit);
  Result<void> follow(const SourceForeignKey& key);
  Result<std::size_t> counted_if_few() const;
  bool settle();

  Connection* m_session;
  const SampleSource* m_source;
  std::map<std::string, std::pair<std::size_t, std::size_t>> m_leaves;  ///< by OID: table and leaf
  std::vector<std::vector<Places>> m_chosen;
  std::vector<std::vector<Places>> m_new;    ///< chosen, their parents not looked for yet
  std::vector<std::vector<Places>> m_found;  ///< by the step under way
  std::vector<bool> m_whole;
};

/// Rows as an array of ctids in a statement: '{"(0,1)","(7,3)"}'.
std::string tid_array(const std::uint64_t* first, const std::uint64_t* last);

/// Columns as they order rows: "t.a, t.b", downwards "t.a DESC, t.b DESC".
enum class Direction { up, down };
std::string key_order(const SourceTable& table, Direction direction);

}  // namespace lockkeeper::engine::postgres
