#include "check/rule.h"

#include <algorithm>
#include <array>

#include "check/rules/rules.h"

namespace lockkeeper::check {

std::span<const Rule> all_rules() {
  static const std::array k_rules{
      // round trip
      k_up_fails,
      k_down_fails,
      k_again_fails,
      k_down_missing,
      k_schema_not_restored,
      k_again_differs,
      k_data_not_restored,
      k_data_changed,
      k_chain_broken,
      k_not_deterministic,
      k_sequence_moved,
      k_column_order_changed,
      k_leaves_transaction_open,
      k_session_setting_leaks,
      // later rollback
      k_rollback_blocked,
      k_rollback_loses_writes,
      // interruption
      k_not_atomic,
      k_not_resumable,
      k_retry_hides_damage,
      k_not_rerunnable,
      // locks and traffic
      k_blocks_reads,
      k_blocks_writes,
      k_lock_queue,
      k_lock_held_on,
      k_table_rewrite,
      k_deadlock_prone,
      // dry run
      k_dry_run_changes,
      k_dry_run_untrue,
      // schema
      k_constraint_not_validated,
      k_constraint_violated,
      k_index_invalid,
      k_index_duplicate,
      k_foreign_key_without_index,
      k_cascade_dropped,
      k_identifier_truncated,
      k_privilege_lost,
      // compatibility
      k_old_query_breaks,
      k_old_write_breaks,
      // queries
      k_query_fails,
      k_query_result_changed,
      k_index_not_used,
      k_plan_regressed,
      k_query_slower,
      k_claim_not_met,
      k_query_not_decided,
      // history
      k_version_duplicate,
      k_version_out_of_order,
      k_several_heads,
      k_parent_missing,
      k_history_edited,
      // expectations
      k_invariant_broken,
      k_expectation_not_met,
      // backup
      k_backup_unreadable,
      k_restore_fails,
      k_restore_differs,
      k_restore_too_slow,
  };
  return k_rules;
}

const Rule* rule_named(std::string_view id) {
  const auto rules = all_rules();
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.id == id; });
  return found == rules.end() ? nullptr : &*found;
}

std::vector<std::string> rule_ids() {
  std::vector<std::string> ids;
  for (const Rule& rule : all_rules()) ids.emplace_back(rule.id);
  return ids;
}

}  // namespace lockkeeper::check
