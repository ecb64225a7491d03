#pragma once

#include "record/record.h"

/// A record in which no member has its default, for tests that must notice a forgotten one.
namespace lockkeeper::record {

inline StateDifference full_difference() {
  return {{{"column",
            "public.users.email",
            "public.users",
            Change::altered,
            true,
            true,
            {{"nullable", "true", "false"}},
            "email text"}},
          {{DataChange::column_values, "public.users", "email", 10, 9, 1, 2, 3, "id=17"}}};
}

inline SqlError full_error() {
  return {"23505", "duplicate key", "Key (id)=(1)", "drop it", "PL/pgSQL line 3"};
}

inline StatementRecord full_statement() {
  return {"ALTER TABLE users …",
          {"migrations/0001_x.up.sql", 3, 1},
          Microseconds(1234),
          42,
          true,
          true,
          7,
          {{"public.users", "table", "AccessExclusiveLock"}},
          {{"public.users", StorageChange::truncated, 10, 8192}},
          {{"public.users", 2, 10, 20, 5, 16384}},
          {{"NOTICE", "00000", "relation exists, skipping", "detail"}},
          18'446'744'073u,
          17'000'000u,
          full_error(),
          {{"public.orders", 3}}};
}

inline SideRun full_side(Side side) {
  return {side,
          TransactionShape::autocommit,
          "CREATE INDEX CONCURRENTLY at 3:1",
          Microseconds(9876),
          {full_statement()},
          full_error(),
          Location{"migrations/0001_x.up.sql", 4, 2},
          true,
          {{"search_path", "public", "\"$user\", public"}},
          {{true, Microseconds(12), Microseconds(345), "DROP TABLE users",
            Location{"migrations/0001_x.up.sql", 4, 2}, true}}};
}

inline MigrationRecord full_migration() {
  MigrationRecord migration;
  migration.version = "0001";
  migration.name = "x";
  migration.up = {"migrations/0001_x.up.sql", 1, 1};
  migration.down = Location{"migrations/0001_x.down.sql", 1, 1};
  migration.down_is_empty = true;
  migration.format_has_down = false;
  migration.forward = full_side(Side::up);
  migration.back = full_side(Side::down);
  migration.again = full_side(Side::up);
  migration.skipped = {{Stage::again, "the up failed"}};
  migration.forward_change = full_difference();
  migration.back_difference = full_difference();
  migration.again_difference = full_difference();
  migration.down_did_nothing = true;
  migration.up_not_deterministic = full_difference();
  migration.down_not_deterministic = full_difference();
  migration.sequence_moves = {{"public.users_id_seq", "unused", "7"}};
  migration.schema_facts = {
      {SchemaFactKind::foreign_key_without_index, "a_fkey", "public.a", "b_id", "public.old.a_fkey", true}};
  migration.dry_run =
      DryRun{"script --dry-run", "would create x", full_side(Side::up).error, full_difference(), true};
  migration.dry_run_after = migration.dry_run;
  migration.unannounced = {"table x"};
  migration.second_run = migration.forward;
  migration.second_run_difference = full_difference();
  migration.interruptions = {{Side::down, StopKind::database_locked, "DROP TABLE users",
                              Location{"migrations/0001_x.up.sql", 4, 2}, full_error(), Microseconds(5000),
                              full_difference(), full_difference(), true, full_error(),
                              Location{"migrations/0001_x.up.sql", 5, 1}, full_difference()}};
  migration.writes = {{"public.users",
                       "NULL in nick",
                       "INSERT INTO users …",
                       "id=7",
                       "no value is known",
                       full_error(),
                       "ALTER TABLE users …",
                       Location{"migrations/0001_x.down.sql", 2, 1},
                       "the row is gone",
                       {{"delete the row", "DELETE FROM users …", full_error()}}}};
  migration.queues = {{"public.users", Microseconds(500'000), "AccessExclusiveLock", "ALTER TABLE users …",
                       Location{"migrations/0001_x.up.sql", 2, 1}, Microseconds(480'000), full_error(),
                       full_difference(), full_error()}};
  migration.traffic =
      Traffic{Microseconds(90'000),
              20,
              Microseconds(300),
              {{"public.users", "upcoming", true, Microseconds(5'000), Microseconds(80'000),
                "ALTER TABLE users …", "AccessExclusiveLock", Location{"migrations/0001_x.up.sql", 2, 1}}}};
  migration.claims_rerunnable = true;
  migration.change_class = ChangeClass::high_risk;
  migration.change_reasons = {"drops column public.users.nick"};
  migration.declarations = {{"data-changed", "a clean-up", "2027-06-30", {"migrations/0001_x.up.sql", 2, 1}}};
  return migration;
}

inline Finding full_finding() {
  Finding finding{"down-fails",
                  Level::warning,
                  "0001",
                  Side::down,
                  "DROP TABLE x",
                  {},
                  "the down stops",
                  {},
                  {},
                  {},
                  {},
                  {}};
  finding.location = Location{"migrations/0001_x.down.sql", 3, 14};
  finding.evidence = {"SQLSTATE 2BP01"};
  finding.advice = "drop the view first";
  finding.allowed = true;
  finding.reason = "known";
  finding.expected = true;
  return finding;
}

inline ToolRun full_tool_run() {
  return {"pg_dump …", Microseconds(7), true, "exit code 1", 2, {"no space left"}};
}

inline Release full_release() {
  Release release;
  release.from = "0001";
  release.to = "0002";
  release.environment = "production";
  release.database = "clinic";
  release.rows = {{"public.users", 7}};
  release.database_bytes = 8;
  release.free_bytes = 9;
  release.steps = {{"pre-checks", Microseconds(1), Microseconds(2), false, {"an orphan"}}};
  release.forewarnings = {"an index is INVALID"};
  release.checks = {{"orphans", true, true, "0"}};
  release.backups = {{"nightly",
                      BackupForm::command,
                      "nightly.dump",
                      full_tool_run(),
                      10,
                      "e3b0",
                      full_tool_run(),
                      11,
                      {"public.users"},
                      full_tool_run(),
                      full_difference(),
                      {"setting database"},
                      {{"cut to half its size", "pg_restore --list", "unexpected end of file"}},
                      "rows are missing",
                      full_tool_run(),
                      full_tool_run()}};
  release.written = {{"public.users", 3}};
  release.roads = {{RoadKind::restore_over,
                    "restore of nightly",
                    "nightly",
                    true,
                    {full_tool_run()},
                    Microseconds(5),
                    TimeRange{Microseconds(6), Microseconds(7)},
                    full_error(),
                    "0002",
                    Location{"m/2", 1, 1},
                    full_difference(),
                    {{"public.users", 3, 2}},
                    "the connection was cut",
                    false,
                    full_tool_run(),
                    full_difference()}};
  release.failures = {{"0002",
                       StopKind::database_locked,
                       "ALTER TABLE x",
                       Location{"m/2", 1, 1},
                       full_error(),
                       full_difference(),
                       "restore of nightly",
                       {full_tool_run()},
                       full_error(),
                       full_difference()}};
  release.downtime = Microseconds(8);
  release.downtime_in_production = TimeRange{Microseconds(9), Microseconds(10)};
  release.checklist = {{"backup taken", "backups", Mark::done, "12 MB"}};
  release.decision = Decision::go_with_risks;
  release.risks = {"blocks-reads"};
  return release;
}

inline QueryPlan full_plan() {
  return {{"a_idx"},  {"a"},
          "Seq Scan", {{1, "Seq Scan", "a", "a_idx", "Left", "filter x", 20.5, 21, 2, 42, 8}},
          43,         44};
}

inline QueryObservation full_query() {
  QueryObservation query;
  query.name = "upcoming";
  query.parameters = "42, 'x'";
  query.writes = true;
  query.base_error = full_error();
  query.head_error = full_error();
  query.base_plan = full_plan();
  query.head_plan = full_plan();
  query.same_result = false;
  query.ambiguous_result = true;
  query.not_deterministic = true;
  query.difference = "row 1: (1) on base, (2) on head";
  query.base_rows = 20;
  query.head_rows = 21;
  query.undecided = "the tables that it reads are empty";
  query.timing = {TimeVerdict::not_decided,
                  "time is over",
                  1.05,
                  50,
                  7,
                  1,
                  1.5,
                  0.30000000000000004,
                  0.25,
                  0.5,
                  0.2,
                  0.1,
                  0.3,
                  0.001,
                  1,
                  4711,
                  {{7, 1.5, 0.25}}};
  return query;
}

inline Run full_run() {
  Run run;
  run.scenario = "vet-clinic";
  run.scenario_file = "scenarios/vet-clinic.yaml";
  run.format = "plain";
  run.history_facts = {
      {HistoryFactKind::edited, "2", {"m/2_b.up.sql", 1, 1}, "otherwise on main", "not run"}};
  run.together = {true, Microseconds(7), "2", SqlError{"55P04", "unsafe use", "detail", "hint", "context"},
                  Location{"m/2", 1, 1}};
  run.server = {
      "postgres", "15.20", "/usr/lib/postgresql/15/bin", {{"fsync", "off"}, {"max_wal_size", "4GB"}}};
  run.fixtures = {"fixtures/schema.sql"};
  run.base_rows = 100;
  run.made_rows = 10;
  run.applied = 3;
  run.migrations = {full_migration()};
  run.chain = {true,
               "why not",
               "0001",
               {{"0001", full_side(Side::down)}},
               {{"0001", full_side(Side::up)}},
               full_difference(),
               full_difference()};
  run.invariants = {{"tenants", Moment::after_down, "0001", "3, x; 4, y", full_error()}};
  run.expectations = {{1, "column a.b nullable", true, true, "not null", "23502", true, "nullable", "42P01"}};
  run.queries_alone = true;
  run.queries = {full_query()};
  run.index_costs = {{"a_idx", "a", true, true, 8192, Microseconds(40), {"upcoming"}, {"b_idx"}}};
  run.sizes = {{"table a", 8192, 16384, 0.3}};
  run.old_uses = {{OldUseKind::write, "orders", "INSERT INTO orders …", Location{"s.yaml", 4, 5},
                   full_error(), full_error(), false, 20, 21, "0001", "upcoming", full_error()}};
  run.release = full_release();
  run.not_taken = {"README.md (no version)"};
  run.remarks = {"no table holds a row"};
  run.failure = Failure{FailureKind::nothing, "no migration", "add one", Location{"migrations", 1, 2}};
  run.timings = {Microseconds(5), Microseconds(6), Microseconds(7), true};
  run.findings = {full_finding()};
  run.stale = {{"data-changed", "0001", "old", {"s.yaml", 9, 3}}};
  run.missing_expected = {{"up-fails", "0001", "must", {"s.yaml", 12, 3}}};
  run.gate = Level::warning;
  run.verdict = Verdict::fail;
  run.reproduce = "lockkeeper check scenarios/vet-clinic.yaml --only 0001";
  run.kept = "psql -h /run/x";
  return run;
}

inline Record full_record() {
  Record record;
  record.lockkeeper_version = "0.1.0";
  record.started_at = "2026-11-21T08:00:00Z";
  record.host = "runner-7";
  record.runs = {full_run()};
  record.verdict = Verdict::fail;
  return record;
}

}  // namespace lockkeeper::record
