#pragma once

#include <type_traits>

#include "record/record.h"

/// The JSON of every struct of the record, said once for writing and for reading: `fields(archive, value)`
/// calls `archive(key, member)` for each member, in the order in which the JSON has them. Keys are public:
/// scripts rely on them.
namespace lockkeeper::record {

template <typename Archive, typename T>
using Of = std::conditional_t<Archive::k_writes, const T, T>;

template <typename Archive>
void fields(Archive& archive, Of<Archive, Location>& location) {
  archive("file", location.file);
  archive("line", location.line);
  archive("column", location.column);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Failure>& failure) {
  archive("kind", failure.kind);
  archive("message", failure.message);
  archive("hint", failure.hint);
  archive("location", failure.location);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SqlError>& error) {
  archive("sqlstate", error.sqlstate);
  archive("message", error.message);
  archive("detail", error.detail);
  archive("hint", error.hint);
  archive("context", error.context);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Notice>& notice) {
  archive("severity", notice.severity);
  archive("sqlstate", notice.sqlstate);
  archive("message", notice.message);
  archive("detail", notice.detail);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, LockTaken>& lock) {
  archive("relation", lock.relation);
  archive("kind", lock.kind);
  archive("mode", lock.mode);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Rewrite>& rewrite) {
  archive("relation", rewrite.relation);
  archive("how", rewrite.how);
  archive("rows", rewrite.rows);
  archive("bytes", rewrite.bytes);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Scan>& scan) {
  archive("relation", scan.relation);
  archive("sequential_scans", scan.sequential_scans);
  archive("rows", scan.rows);
  archive("rows_read", scan.rows_read);
  archive("rows_changed", scan.rows_changed);
  archive("bytes", scan.bytes);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, CascadedRows>& cascaded) {
  archive("table", cascaded.table);
  archive("rows", cascaded.rows);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, StatementRecord>& statement) {
  archive("text", statement.text);
  archive("location", statement.location);
  archive("duration_us", statement.duration);
  archive("rows_changed", statement.rows_changed);
  archive("locks_observed", statement.locks_observed);
  archive("locks_sampled", statement.locks_sampled);
  archive("transaction", statement.transaction);
  archive("locks", statement.locks);
  archive("rewrites", statement.rewrites);
  archive("scans", statement.scans);
  archive("notices", statement.notices);
  archive("wal_bytes", statement.wal_bytes);
  archive("temporary_bytes", statement.temporary_bytes);
  archive("error", statement.error);
  archive("cascaded", statement.cascaded);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SettingChange>& change) {
  archive("name", change.name);
  archive("before", change.before);
  archive("after", change.after);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, FileLock>& lock) {
  archive("stops_readers", lock.stops_readers);
  archive("at_us", lock.at);
  archive("held_us", lock.held);
  archive("text", lock.text);
  archive("location", lock.location);
  archive("sampled", lock.sampled);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SideRun>& run) {
  archive("side", run.side);
  archive("shape", run.shape);
  archive("shape_reason", run.shape_reason);
  archive("duration_us", run.duration);
  archive("statements", run.statements);
  archive("error", run.error);
  archive("error_location", run.error_location);
  archive("left_transaction_open", run.left_transaction_open);
  archive("leaked_settings", run.leaked_settings);
  archive("file_locks", run.file_locks);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, AttributeChange>& change) {
  archive("name", change.name);
  archive("before", change.before);
  archive("after", change.after);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ObjectDifference>& difference) {
  archive("kind", difference.kind);
  archive("identity", difference.identity);
  archive("parent", difference.parent);
  archive("change", difference.change);
  archive("recreated", difference.recreated);
  archive("parent_recreated", difference.parent_recreated);
  archive("attributes", difference.attributes);
  archive("definition", difference.definition);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, DataDifference>& difference) {
  archive("change", difference.change);
  archive("table", difference.table);
  archive("column", difference.column);
  archive("rows_before", difference.rows_before);
  archive("rows_after", difference.rows_after);
  archive("rows_lost", difference.rows_lost);
  archive("rows_added", difference.rows_added);
  archive("rows_changed", difference.rows_changed);
  archive("sample_key", difference.sample_key);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, StateDifference>& difference) {
  archive("objects", difference.objects);
  archive("data", difference.data);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SequenceMove>& move) {
  archive("sequence", move.sequence);
  archive("before", move.before);
  archive("after", move.after);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SchemaFact>& fact) {
  archive("kind", fact.kind);
  archive("object", fact.object);
  archive("table", fact.table);
  archive("detail", fact.detail);
  archive("formerly", fact.formerly);
  archive("settled", fact.settled);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Declaration>& declaration) {
  archive("rule", declaration.rule);
  archive("reason", declaration.reason);
  archive("until", declaration.until);
  archive("location", declaration.location);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Interruption>& interruption) {
  archive("side", interruption.side);
  archive("how", interruption.how);
  archive("before", interruption.before);
  archive("location", interruption.location);
  archive("error", interruption.error);
  archive("waited_us", interruption.waited);
  archive("left", interruption.left);
  archive("missing", interruption.missing);
  archive("retried", interruption.retried);
  archive("retry_error", interruption.retry_error);
  archive("retry_location", interruption.retry_location);
  archive("retry_difference", interruption.retry_difference);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Rescue>& rescue) {
  archive("what", rescue.what);
  archive("sql", rescue.sql);
  archive("error", rescue.error);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Write>& write) {
  archive("table", write.table);
  archive("what", write.what);
  archive("sql", write.sql);
  archive("key", write.key);
  archive("skipped", write.skipped);
  archive("stops_down", write.stops_down);
  archive("statement", write.statement);
  archive("location", write.location);
  archive("lost", write.lost);
  archive("rescues", write.rescues);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, QueueWait>& queue) {
  archive("table", queue.table);
  archive("open_us", queue.open);
  archive("mode", queue.mode);
  archive("statement", queue.statement);
  archive("location", queue.location);
  archive("others_us", queue.others);
  archive("error", queue.error);
  archive("left", queue.left);
  archive("retry_error", queue.retry_error);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ProbeWait>& wait) {
  archive("table", wait.table);
  archive("query", wait.query);
  archive("writes", wait.writes);
  archive("at_us", wait.at);
  archive("waited_us", wait.waited);
  archive("statement", wait.statement);
  archive("mode", wait.mode);
  archive("location", wait.location);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Traffic>& traffic) {
  archive("duration_us", traffic.duration);
  archive("probes", traffic.probes);
  archive("longest_before_us", traffic.longest_before);
  archive("waits", traffic.waits);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, StageSkipped>& skipped) {
  archive("stage", skipped.stage);
  archive("reason", skipped.reason);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, DryRun>& dry_run) {
  archive("command", dry_run.command);
  archive("output", dry_run.output);
  archive("error", dry_run.error);
  archive("change", dry_run.change);
  archive("bytes_changed", dry_run.bytes_changed);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, MigrationRecord>& migration) {
  archive("version", migration.version);
  archive("name", migration.name);
  archive("up", migration.up);
  archive("down", migration.down);
  archive("down_is_empty", migration.down_is_empty);
  archive("format_has_down", migration.format_has_down);
  archive("forward", migration.forward);
  archive("back", migration.back);
  archive("again", migration.again);
  archive("skipped", migration.skipped);
  archive("forward_change", migration.forward_change);
  archive("back_difference", migration.back_difference);
  archive("again_difference", migration.again_difference);
  archive("down_did_nothing", migration.down_did_nothing);
  archive("up_not_deterministic", migration.up_not_deterministic);
  archive("down_not_deterministic", migration.down_not_deterministic);
  archive("sequence_moves", migration.sequence_moves);
  archive("schema_facts", migration.schema_facts);
  archive("declarations", migration.declarations);
  archive("dry_run", migration.dry_run);
  archive("dry_run_after", migration.dry_run_after);
  archive("unannounced", migration.unannounced);
  archive("second_run", migration.second_run);
  archive("second_run_difference", migration.second_run_difference);
  archive("interruptions", migration.interruptions);
  archive("writes", migration.writes);
  archive("queues", migration.queues);
  archive("traffic", migration.traffic);
  archive("claims_rerunnable", migration.claims_rerunnable);
  archive("change_class", migration.change_class);
  archive("change_reasons", migration.change_reasons);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ChainRecord::Step>& step) {
  archive("version", step.version);
  archive("run", step.run);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ChainRecord>& chain) {
  archive("ran", chain.ran);
  archive("skipped_reason", chain.skipped_reason);
  archive("stops_at", chain.stops_at);
  archive("back", chain.back);
  archive("again", chain.again);
  archive("back_difference", chain.back_difference);
  archive("again_difference", chain.again_difference);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, InvariantObservation>& invariant) {
  archive("name", invariant.name);
  archive("moment", invariant.moment);
  archive("migration", invariant.migration);
  archive("value", invariant.value);
  archive("error", invariant.error);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ExpectationObservation>& expectation) {
  archive("index", expectation.index);
  archive("description", expectation.description);
  archive("before_known", expectation.before_known);
  archive("before_held", expectation.before_held);
  archive("before_found", expectation.before_found);
  archive("before_sqlstate", expectation.before_sqlstate);
  archive("after_held", expectation.after_held);
  archive("after_found", expectation.after_found);
  archive("after_sqlstate", expectation.after_sqlstate);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, PlanNode>& node) {
  archive("depth", node.depth);
  archive("kind", node.kind);
  archive("relation", node.relation);
  archive("index", node.index);
  archive("join", node.join);
  archive("detail", node.detail);
  archive("rows_estimated", node.rows_estimated);
  archive("rows", node.rows);
  archive("loops", node.loops);
  archive("buffers", node.buffers);
  archive("spilled_kilobytes", node.spilled_kilobytes);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, QueryPlan>& plan) {
  archive("indexes", plan.indexes);
  archive("sequential_scans", plan.sequential_scans);
  archive("text", plan.text);
  archive("nodes", plan.nodes);
  archive("buffers", plan.buffers);
  archive("wal_bytes", plan.wal_bytes);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SampleBlock>& block) {
  archive("samples", block.samples);
  archive("base_milliseconds", block.base_milliseconds);
  archive("head_milliseconds", block.head_milliseconds);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, QueryTiming>& timing) {
  archive("verdict", timing.verdict);
  archive("reason", timing.reason);
  archive("limit", timing.limit);
  archive("limit_milliseconds", timing.limit_milliseconds);
  archive("pairs", timing.pairs);
  archive("dropped", timing.dropped);
  archive("base_median", timing.base_median);
  archive("head_median", timing.head_median);
  archive("head_low", timing.head_low);
  archive("head_high", timing.head_high);
  archive("ratio", timing.ratio);
  archive("ratio_low", timing.ratio_low);
  archive("ratio_high", timing.ratio_high);
  archive("error_rate", timing.error_rate);
  archive("core", timing.core);
  archive("seed", timing.seed);
  archive("blocks", timing.blocks);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, QueryObservation>& query) {
  archive("name", query.name);
  archive("parameters", query.parameters);
  archive("writes", query.writes);
  archive("base_error", query.base_error);
  archive("head_error", query.head_error);
  archive("base_plan", query.base_plan);
  archive("head_plan", query.head_plan);
  archive("same_result", query.same_result);
  archive("ambiguous_result", query.ambiguous_result);
  archive("not_deterministic", query.not_deterministic);
  archive("difference", query.difference);
  archive("base_rows", query.base_rows);
  archive("head_rows", query.head_rows);
  archive("undecided", query.undecided);
  archive("timing", query.timing);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, IndexCost>& cost) {
  archive("index", cost.index);
  archive("table", cost.table);
  archive("dropped", cost.dropped);
  archive("on_new_table", cost.on_new_table);
  archive("bytes", cost.bytes);
  archive("build", cost.build);
  archive("used_by", cost.used_by);
  archive("supersedes", cost.supersedes);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, SizeObservation>& size) {
  archive("what", size.what);
  archive("base_bytes", size.base_bytes);
  archive("head_bytes", size.head_bytes);
  archive("at_most", size.at_most);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, OldUse>& use) {
  archive("kind", use.kind);
  archive("what", use.what);
  archive("sql", use.sql);
  archive("location", use.location);
  archive("base_error", use.base_error);
  archive("error", use.error);
  archive("same_result", use.same_result);
  archive("base_rows", use.base_rows);
  archive("head_rows", use.head_rows);
  archive("migration", use.migration);
  archive("query", use.query);
  archive("query_error", use.query_error);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, HistoryFact>& fact) {
  archive("kind", fact.kind);
  archive("migration", fact.migration);
  archive("location", fact.location);
  archive("detail", fact.detail);
  archive("consequence", fact.consequence);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, TogetherRecord>& together) {
  archive("ran", together.ran);
  archive("duration_us", together.duration);
  archive("stops_at", together.stops_at);
  archive("error", together.error);
  archive("error_location", together.error_location);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Finding>& finding) {
  archive("rule", finding.rule);
  archive("level", finding.level);
  archive("migration", finding.migration);
  archive("side", finding.side);
  archive("statement", finding.statement);
  archive("location", finding.location);
  archive("message", finding.message);
  archive("evidence", finding.evidence);
  archive("advice", finding.advice);
  archive("allowed", finding.allowed);
  archive("reason", finding.reason);
  archive("expected", finding.expected);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Unmatched>& unmatched) {
  archive("rule", unmatched.rule);
  archive("migration", unmatched.migration);
  archive("reason", unmatched.reason);
  archive("location", unmatched.location);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ServerInfo>& server) {
  archive("engine", server.engine);
  archive("version", server.version);
  archive("binaries", server.binaries);
  archive("settings", server.settings);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Timings>& timings) {
  archive("total_us", timings.total);
  archive("provision_us", timings.provision);
  archive("first_statement_us", timings.first_statement);
  archive("from_snapshot", timings.from_snapshot);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ToolRun>& tool_run) {
  archive("command", tool_run.command);
  archive("duration_us", tool_run.duration);
  archive("failed", tool_run.failed);
  archive("status", tool_run.status);
  archive("errors", tool_run.errors);
  archive("said", tool_run.said);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Damage>& damage) {
  archive("what", damage.what);
  archive("noticed_by", damage.noticed_by);
  archive("said", damage.said);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Backup>& backup) {
  archive("name", backup.name);
  archive("form", backup.form);
  archive("file", backup.file);
  archive("made", backup.made);
  archive("bytes", backup.bytes);
  archive("sha256", backup.sha256);
  archive("listed", backup.listed);
  archive("entries", backup.entries);
  archive("unlisted", backup.unlisted);
  archive("restored", backup.restored);
  archive("difference", backup.difference);
  archive("left_out", backup.left_out);
  archive("damages", backup.damages);
  archive("writer_fault", backup.writer_fault);
  archive("on_new_server", backup.on_new_server);
  archive("without_room", backup.without_room);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, LostRows>& lost_rows) {
  archive("table", lost_rows.table);
  archive("written", lost_rows.written);
  archive("lost", lost_rows.lost);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, TimeRange>& range) {
  archive("least_us", range.least);
  archive("most_us", range.most);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Road>& road) {
  archive("kind", road.kind);
  archive("name", road.name);
  archive("backup", road.backup);
  archive("named", road.named);
  archive("runs", road.runs);
  archive("duration_us", road.duration);
  archive("in_production", road.in_production);
  archive("error", road.error);
  archive("stopped_at", road.stopped_at);
  archive("location", road.location);
  archive("difference", road.difference);
  archive("lost", road.lost);
  archive("broken_by", road.broken_by);
  archive("noticed", road.noticed);
  archive("again", road.again);
  archive("again_difference", road.again_difference);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, FailedRelease>& failed_release) {
  archive("migration", failed_release.migration);
  archive("how", failed_release.how);
  archive("before", failed_release.before);
  archive("location", failed_release.location);
  archive("error", failed_release.error);
  archive("left", failed_release.left);
  archive("answer", failed_release.answer);
  archive("runs", failed_release.runs);
  archive("answer_error", failed_release.answer_error);
  archive("after", failed_release.after);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ReleaseStep>& release_step) {
  archive("name", release_step.name);
  archive("begun_us", release_step.begun);
  archive("duration_us", release_step.duration);
  archive("ok", release_step.ok);
  archive("evidence", release_step.evidence);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ChecklistPoint>& checklist_point) {
  archive("point", checklist_point.point);
  archive("by", checklist_point.by);
  archive("mark", checklist_point.mark);
  archive("evidence", checklist_point.evidence);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, ReleaseCheck>& check) {
  archive("name", check.name);
  archive("before", check.before);
  archive("held", check.held);
  archive("found", check.found);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, TableRows>& table_rows) {
  archive("table", table_rows.table);
  archive("rows", table_rows.rows);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Release>& release) {
  archive("from", release.from);
  archive("to", release.to);
  archive("environment", release.environment);
  archive("database", release.database);
  archive("rows", release.rows);
  archive("database_bytes", release.database_bytes);
  archive("free_bytes", release.free_bytes);
  archive("steps", release.steps);
  archive("forewarnings", release.forewarnings);
  archive("checks", release.checks);
  archive("backups", release.backups);
  archive("written", release.written);
  archive("roads", release.roads);
  archive("failures", release.failures);
  archive("downtime_us", release.downtime);
  archive("downtime_in_production", release.downtime_in_production);
  archive("checklist", release.checklist);
  archive("decision", release.decision);
  archive("risks", release.risks);
}

template <typename Archive>
void fields(Archive& archive, Of<Archive, Run>& run) {
  archive("scenario", run.scenario);
  archive("scenario_file", run.scenario_file);
  archive("format", run.format);
  archive("verdict", run.verdict);
  archive("gate", run.gate);
  archive("failure", run.failure);
  archive("reproduce", run.reproduce);
  archive("kept", run.kept);
  archive("findings", run.findings);
  archive("stale", run.stale);
  archive("missing_expected", run.missing_expected);
  archive("remarks", run.remarks);
  archive("not_taken", run.not_taken);
  archive("server", run.server);
  archive("timings", run.timings);
  archive("fixtures", run.fixtures);
  archive("base_rows", run.base_rows);
  archive("made_rows", run.made_rows);
  archive("applied", run.applied);
  archive("queries_alone", run.queries_alone);
  archive("migrations", run.migrations);
  archive("chain", run.chain);
  archive("together", run.together);
  archive("history_facts", run.history_facts);
  archive("invariants", run.invariants);
  archive("expectations", run.expectations);
  archive("queries", run.queries);
  archive("index_costs", run.index_costs);
  archive("sizes", run.sizes);
  archive("old_uses", run.old_uses);
  archive("release", run.release);
}

/// All but schema_version, which decides how the rest is to be read.
template <typename Archive>
void fields(Archive& archive, Of<Archive, Record>& record) {
  archive("lockkeeper_version", record.lockkeeper_version);
  archive("started_at", record.started_at);
  archive("host", record.host);
  archive("verdict", record.verdict);
  archive("runs", record.runs);
}

}  // namespace lockkeeper::record
