#pragma once

#include "check/rule.h"

/// Every rule, each in the file of its name; check/rule.cpp registers them.
namespace lockkeeper::check {

extern const Rule k_up_fails;
extern const Rule k_down_fails;
extern const Rule k_again_fails;
extern const Rule k_down_missing;
extern const Rule k_schema_not_restored;
extern const Rule k_again_differs;
extern const Rule k_data_not_restored;
extern const Rule k_data_changed;
extern const Rule k_chain_broken;
extern const Rule k_not_deterministic;
extern const Rule k_sequence_moved;
extern const Rule k_column_order_changed;
extern const Rule k_leaves_transaction_open;
extern const Rule k_session_setting_leaks;
extern const Rule k_rollback_blocked;
extern const Rule k_rollback_loses_writes;
extern const Rule k_not_atomic;
extern const Rule k_not_resumable;
extern const Rule k_retry_hides_damage;
extern const Rule k_not_rerunnable;
extern const Rule k_blocks_reads;
extern const Rule k_blocks_writes;
extern const Rule k_lock_queue;
extern const Rule k_lock_held_on;
extern const Rule k_table_rewrite;
extern const Rule k_deadlock_prone;
extern const Rule k_dry_run_changes;
extern const Rule k_dry_run_untrue;
extern const Rule k_constraint_not_validated;
extern const Rule k_constraint_violated;
extern const Rule k_index_invalid;
extern const Rule k_index_duplicate;
extern const Rule k_foreign_key_without_index;
extern const Rule k_cascade_dropped;
extern const Rule k_identifier_truncated;
extern const Rule k_privilege_lost;
extern const Rule k_old_query_breaks;
extern const Rule k_old_write_breaks;
extern const Rule k_query_fails;
extern const Rule k_query_result_changed;
extern const Rule k_index_not_used;
extern const Rule k_plan_regressed;
extern const Rule k_query_slower;
extern const Rule k_query_not_decided;
extern const Rule k_claim_not_met;
extern const Rule k_version_duplicate;
extern const Rule k_version_out_of_order;
extern const Rule k_several_heads;
extern const Rule k_parent_missing;
extern const Rule k_history_edited;
extern const Rule k_invariant_broken;
extern const Rule k_expectation_not_met;
extern const Rule k_backup_unreadable;
extern const Rule k_restore_fails;
extern const Rule k_restore_differs;
extern const Rule k_restore_too_slow;

}  // namespace lockkeeper::check
