#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sql/query_facts.h"
#include "workload/calls.h"

namespace lockkeeper::workload {

/// A statement of a workload with what was seen of its calls.
struct Statement {
  sql::QueryFacts facts;
  std::int64_t calls = 0;
  std::optional<double> total_ms;  ///< none where the source tells no times
  /// Values that it was called with, each once: of its slowest call, of its fastest, then the most frequent.
  std::vector<Values> values;
};

/// Which statements are kept.
struct Choice {
  std::size_t top = 20;
  std::int64_t min_calls = 1;
};

/// Gathers calls, those that differ in constants alone as one statement (libpg_query's fingerprint). Keeps of
/// each as much as is needed to write it down, however many calls there are.
class Statements {
 public:
  Statements();
  ~Statements();
  Statements(const Statements&) = delete;
  Statements& operator=(const Statements&) = delete;

  void add(const Call& call);

  /// What takes the most time in all first. What is left out is counted in `left_out` by why.
  std::vector<Statement> chosen(const Choice& choice, std::map<std::string, std::int64_t>& left_out) const;

 private:
  struct Group;
  struct Variant;
  struct Known {
    Group* group = nullptr;
    Variant* variant = nullptr;  ///< none: of no interest, counted alone
  };

  Known known(const std::string& text);
  Known look_at(const std::string& text);
  Known leave_out(const std::string& why, const std::string& which);

  std::map<std::string, std::unique_ptr<Group>> m_groups;  ///< by fingerprint
  std::unordered_map<std::string, Known> m_by_text;
  std::size_t m_text_bytes = 0;
  std::map<std::string, std::set<std::string>> m_left_out;
};

}  // namespace lockkeeper::workload
