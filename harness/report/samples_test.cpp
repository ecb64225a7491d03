#include "report/samples_test.h"

namespace lockkeeper::report {

namespace {

using record::Microseconds;
using record::Side;

record::SideRun side(Side which, int microseconds) {
  record::SideRun run;
  run.side = which;
  run.duration = Microseconds(microseconds);
  return run;
}

record::SideRun failed_side(Side which, int microseconds, record::SqlError error) {
  record::SideRun run = side(which, microseconds);
  run.error = std::move(error);
  return run;
}

record::MigrationRecord migration(std::string version, std::string name, int up, int down, int again) {
  record::MigrationRecord result;
  const std::string stem = "migrations/" + version + "_" + name;
  result.version = std::move(version);
  result.name = std::move(name);
  result.up = {stem + ".up.sql", 1, 1};
  result.down = Location{stem + ".down.sql", 1, 1};
  result.forward = side(Side::up, up);
  result.back = side(Side::down, down);
  result.again = side(Side::up, again);
  return result;
}

record::StatementRecord index_statement() {
  record::StatementRecord statement;
  statement.text = "CREATE INDEX \"Appointment_tenantId_idx\"\n  ON \"Appointment\" (\"tenantId\")";
  statement.location = {"migrations/0001_appointment_indexes.up.sql", 3, 1};
  statement.duration = Microseconds(9'400);
  statement.locks_observed = true;
  statement.locks = {{"public.\"Appointment\"", "table", "ShareLock"}};
  statement.scans = {{"public.\"Appointment\"", 1, 0, 0, 0, 0}};
  statement.notices = {{"NOTICE", "42P07", "relation already exists, skipping", ""}};
  statement.wal_bytes = 2'400'000;
  return statement;
}

record::Finding finding(std::string rule, record::Level level, std::string migration, std::string message) {
  record::Finding result;
  result.rule = std::move(rule);
  result.level = level;
  result.migration = std::move(migration);
  result.message = std::move(message);
  return result;
}

record::QueryObservation query() {
  record::QueryObservation result;
  result.name = "upcoming appointments";
  result.base_rows = result.head_rows = 20;
  result.timing = {record::TimeVerdict::within,
                   "",
                   1.05,
                   0,
                   40,
                   0,
                   12.2,
                   0.81,
                   0.7,
                   0.95,
                   0.066,
                   0.06,
                   0.08,
                   0.01,
                   1,
                   7,
                   {{20, 12.4, 0.81}, {20, 12.1, 0.79}}};
  result.base_plan.sequential_scans = {"Appointment"};
  result.base_plan.buffers = 1225;
  result.head_plan.indexes = {"Appointment_tenantId_idx"};
  result.head_plan.buffers = 78;
  return result;
}

record::ChainRecord chain(const std::vector<std::string>& versions) {
  record::ChainRecord result;
  result.ran = true;
  for (const std::string& version : versions) {
    result.back.insert(result.back.begin(), {version, side(Side::down, 4'100)});
    result.again.push_back({version, side(Side::up, 6'200)});
  }
  return result;
}

record::Run vet_clinic() {
  record::Run run;
  run.scenario = "vet-clinic indexes";
  run.scenario_file = "scenarios/vet-clinic.yaml";
  run.format = "plain";
  run.server = {"postgres", "15.20", "/usr/lib/postgresql/15/bin", {{"fsync", "off"}}};
  run.fixtures = {"fixtures/vet-clinic/schema.sql", "fixtures/vet-clinic/data.sql"};
  run.base_rows = 100'512;
  run.applied = 41;
  run.migrations = {migration("0001", "appointment_indexes", 12'400, 3'100, 11'900),
                    migration("0002", "cash_drawer_set_null", 2'400, 2'200, 2'300)};
  run.migrations[0].forward->statements = {index_statement()};
  run.chain = chain({"0001", "0002"});
  run.invariants = {{"tenants", record::Moment::base, "", "12", {}},
                    {"tenants", record::Moment::after_up, "0001", "12", {}},
                    {"no orphaned pets", record::Moment::base, "", "0", {}}};
  run.expectations = {
      {0, "column pagamentos.cliente_id nullable", true, false, "not null", "", true, "", ""}};
  run.queries = {query()};
  run.timings = {Microseconds(1'240'000), Microseconds(310'000), Microseconds(140'000), true};
  run.verdict = record::Verdict::pass;
  return run;
}

record::Record record_of(std::vector<record::Run> runs, record::Verdict verdict) {
  record::Record result;
  result.lockkeeper_version = "0.1.0";
  result.started_at = "2026-11-21T08:00:00Z";
  result.host = "runner-7";
  result.runs = std::move(runs);
  result.verdict = verdict;
  return result;
}

record::Finding not_restored() {
  auto result = finding("schema-not-restored", record::Level::error, "0002",
                        "the down leaves 14 objects otherwise than they were");
  result.side = Side::down;
  result.location = Location{"migrations/0002_add_email.down.sql", 3, 1};
  result.statement = "ALTER TABLE users DROP COLUMN email";
  for (int i = 1; i <= 16; ++i)
    result.evidence.push_back("index public.users_" + std::to_string(i) + "_idx is lost: CREATE INDEX …");
  result.advice = "let the down put back what the up removed, or declare the loss with a reason";
  return result;
}

record::Finding down_fails() {
  auto result =
      finding("down-fails", record::Level::error, "0003",
              "the down stops: cannot drop table orders because other objects depend on it (SQLSTATE 2BP01)");
  result.side = Side::down;
  result.location = Location{"migrations/0003_orders.down.sql", 1, 1};
  result.statement = "DROP TABLE orders";
  result.evidence = {"detail: view open_orders depends on table orders",
                     "hint: Use DROP … CASCADE to drop the dependent objects too."};
  result.advice = "drop what depends on the object first, in the reverse order of the up";
  return result;
}

record::Finding allowed() {
  auto result = finding("data-changed", record::Level::note, "0002",
                        "up removes 3 rows of public.users that were there before");
  result.side = Side::up;
  result.location = Location{"migrations/0002_add_email.up.sql", 7, 1};
  result.evidence = {"public.users: 100,000 rows before, 99,997 after, for example id=17"};
  result.advice = "keep the rows";
  result.allowed = true;
  result.reason = "test accounts, agreed with support";
  return result;
}

std::vector<record::Finding> failing_findings() {
  auto later = not_restored();
  later.migration = "0003";
  later.location = Location{"migrations/0003_orders.down.sql", 1, 1};
  later.statement.clear();
  later.evidence = {"function public.touch() is altered", "definition: BEGIN\n  RETURN NEW;\nEND"};
  auto missing = finding("down-missing", record::Level::note, "0004", "there is no way back");
  auto constraint = finding("constraint-not-validated", record::Level::warning, "0004",
                            "constraint public.a_check stays NOT VALID");
  constraint.location = Location{"migrations/0004_checks.up.sql", 2, 1};
  constraint.advice = "ALTER TABLE … VALIDATE CONSTRAINT in a migration of its own";
  auto broken =
      finding("chain-broken", record::Level::error, "0003", "taken back as a whole, the trial stops at 0003");
  broken.side = Side::down;
  auto slow = finding("query-slower", record::Level::error, "",
                      "query 'upcoming appointments' is 1.8× slower on head, at most 1.1× is allowed");
  slow.evidence = {"base 12.2 ms, head 22.0 ms"};
  return {not_restored(), allowed(), down_fails(), later, missing, constraint, broken, slow};
}

record::Run failing_run() {
  record::Run run = vet_clinic();
  run.scenario = "shop";
  run.applied = 0;
  run.timings.from_snapshot = false;
  run.migrations = {migration("0001", "users", 8'100, 2'900, 7'700),
                    migration("0002", "add_email", 21'000, 1'900, 20'400),
                    migration("0003", "orders", 5'200, 900, 0), migration("0004", "checks", 3'300, 0, 0)};
  run.migrations[1].back_difference.objects.push_back({"index",
                                                       "public.users_1_idx",
                                                       "public.users",
                                                       record::Change::lost,
                                                       false,
                                                       false,
                                                       {},
                                                       "CREATE INDEX …"});
  run.migrations[2].back = failed_side(Side::down, 900, {"2BP01", "cannot drop table orders", "", "", ""});
  run.migrations[2].again.reset();
  run.migrations[2].skipped = {{record::Stage::again, "the down failed"}};
  run.migrations[3].down.reset();
  run.migrations[3].back.reset();
  run.migrations[3].again.reset();
  run.migrations[3].skipped = {{record::Stage::back, "no down side"}, {record::Stage::again, "no down side"}};
  run.chain = chain({"0003"});
  run.chain.again.clear();
  run.chain.stops_at = "0004";
  run.chain.back[0].run.error = record::SqlError{"2BP01", "cannot drop table orders", "", "", ""};
  run.queries[0].timing.head_median = 22.0;
  run.queries[0].timing.ratio = 1.8;
  run.queries[0].timing.ratio_low = 1.7;
  run.queries[0].timing.ratio_high = 1.9;
  run.findings = failing_findings();
  run.stale = {{"data-changed", "0001", "old", {"scenarios/shop.yaml", 14, 5}}};
  run.not_taken = {"migrations/README.md (no version)"};
  run.reproduce = "lockkeeper check scenarios/shop.yaml --only 0002 --keep";
  run.kept = "psql -h /run/lockkeeper/x/s -d lockkeeper";
  run.verdict = record::Verdict::fail;
  return run;
}

record::Run failed_early(FailureKind kind, std::string message, std::string hint) {
  record::Run run = vet_clinic();
  run.scenario = "tattoo-studio";
  run.base_rows = 0;
  run.timings.from_snapshot = false;
  run.migrations.resize(1);
  run.migrations[0].back.reset();
  run.migrations[0].again.reset();
  run.chain = {};
  run.invariants.clear();
  run.expectations.clear();
  run.queries.clear();
  run.remarks = {"no table holds a row: what depends on data was not tried; give the scenario a fixture"};
  run.failure = Failure{kind, std::move(message), std::move(hint), {}};
  run.reproduce = "lockkeeper check scenarios/tattoo-studio.yaml";
  run.verdict = record::Verdict::error;
  return run;
}

}  // namespace

record::Record passing_record() {
  return record_of({vet_clinic()}, record::Verdict::pass);
}

record::Record failing_record() {
  return record_of({failing_run()}, record::Verdict::fail);
}

record::Record error_record() {
  return record_of(
      {failed_early(
          FailureKind::environment,
          "server 'postgres 15.20': the connection was lost\nserver closed the connection unexpectedly",
          "look into the server's log, or run again with --keep")},
      record::Verdict::error);
}

record::Record interrupted_record() {
  return record_of({failed_early(FailureKind::interrupted, "interrupted by SIGINT", "")},
                   record::Verdict::error);
}

record::Record expected_record() {
  record::Run run = failing_run();
  run.scenario = "negative/down-fails";
  run.findings = {down_fails()};
  run.findings[0].expected = true;
  run.stale.clear();
  run.not_taken.clear();
  run.queries.clear();
  run.kept.clear();
  run.verdict = record::Verdict::pass;
  return record_of({std::move(run)}, record::Verdict::pass);
}

record::Record several_record() {
  record::Run missing = expected_record().runs[0];
  missing.missing_expected = {{"up-fails", "0001", "", {"scenarios/negative/down-fails.yaml", 9, 3}}};
  missing.verdict = record::Verdict::fail;
  return record_of({vet_clinic(), failing_run(), error_record().runs[0], std::move(missing)},
                   record::Verdict::error);
}

record::Record hostile_record() {
  record::Run run = vet_clinic();
  const std::string hostile =
      "::error::x\x1b[2J|`a` <script>alert(1)</script>\r\n@org/team #1 \xE2\x80\xAE"
      "lru https://evil.example \xFF ]]> *b* ##[set-env]";
  run.scenario = hostile;
  run.migrations.resize(1);
  run.migrations[0].version = "1|<b>";
  run.migrations[0].name = hostile;
  run.chain = {};
  run.chain.skipped_reason = hostile;
  run.invariants = {{hostile, record::Moment::base, "", hostile, {}}};
  run.expectations = {{0, hostile, false, false, "", "", false, hostile, ""}};
  run.queries[0].name = hostile;
  run.queries[0].head_plan.indexes = {hostile};
  auto first = finding(hostile, record::Level::error, "1|<b>", hostile);
  first.location = Location{hostile, 3, 1};
  first.statement = hostile;
  first.evidence = {hostile, "````\n</details>", "::stop-commands::x"};
  first.advice = hostile;
  auto second = first;
  second.allowed = true;
  second.reason = hostile;
  second.location.reset();
  second.migration.clear();
  run.findings = {first, second};
  run.stale = {{hostile, hostile, hostile, {hostile, 1, 1}}};
  run.remarks = {hostile};
  run.not_taken = {hostile};
  run.reproduce = "lockkeeper check $'x\x1b[2J'\n```";
  run.kept = hostile;
  run.verdict = record::Verdict::fail;
  return record_of({std::move(run)}, record::Verdict::fail);
}

record::Record release_record() {
  record::Run run = vet_clinic();
  run.chain = {};
  run.queries.clear();
  record::Release release;
  release.from = "0000";
  release.to = "0001";
  release.environment = "production";
  release.database = "clinic";
  release.rows = {{"public.\"Appointment\"", 20'000}};
  release.database_bytes = 37'000'000;
  release.free_bytes = 80'000'000'000;
  const record::ToolRun dump{"pg_dump --format=custom --file=custom.dump clinic",
                             Microseconds(300'000),
                             false,
                             "exit code 0",
                             0,
                             {}};
  const record::ToolRun restore{
      "pg_restore --dbname=clinic custom.dump", Microseconds(290'000), false, "exit code 0", 0, {}};
  const record::ToolRun over{"psql -f plain.sql clinic",
                             Microseconds(96'000),
                             false,
                             "exit code 0",
                             2,
                             {"relation \"Appointment\" already exists", "relation \"Pet\" already exists"}};
  release.steps = {{"pre-checks",
                    Microseconds(1'000),
                    Microseconds(407'000),
                    true,
                    {"tried on a copy: 1 migration went up"}},
                   {"backup custom",
                    Microseconds(408'000),
                    Microseconds(518'000),
                    true,
                    {dump.command + ": 1.8 MB in 300 ms", "with a full disk it ends with exit code 1"}},
                   {"backup copy while somebody writes",
                    Microseconds(0),
                    Microseconds(0),
                    false,
                    {"500 rows not in it that had been committed before it began"}}};
  record::Backup backup;
  backup.name = "custom";
  backup.file = "custom.dump";
  backup.made = dump;
  backup.bytes = 1'800'000;
  backup.sha256 = "72ea666f";
  backup.listed =
      record::ToolRun{"pg_restore --list custom.dump", Microseconds(9'000), false, "exit code 0", 0, {}};
  backup.entries = 85;
  backup.restored = restore;
  backup.damages = {{"cut to half its size", "the restore", "could not read from input file: end of file"},
                    {"one bit flipped", "", ""}};
  release.backups = {backup};
  release.written = {{"public.\"CashDrawer\"", 1}};
  record::Road downs;
  downs.name = "the migrations' downs";
  downs.named = true;
  downs.duration = Microseconds(80'000);
  downs.error = record::SqlError{"23502", "column \"openedById\" contains null values", "", "", ""};
  downs.stopped_at = "0001";
  record::Road fresh;
  fresh.kind = record::RoadKind::restore_fresh;
  fresh.name = "restore of custom into a new database";
  fresh.backup = "custom";
  fresh.named = true;
  fresh.runs = {restore};
  fresh.duration = Microseconds(437'000);
  fresh.in_production = record::TimeRange{Microseconds(240'000'000), Microseconds(420'000'000)};
  fresh.lost = {{"public.\"CashDrawer\"", 1, 1}};
  fresh.broken_by = "its connection was ended half-way";
  fresh.again = restore;
  record::Road plain = fresh;
  plain.kind = record::RoadKind::restore_over;
  plain.name = "restore of plain over the migrated database";
  plain.named = false;
  plain.runs = {over};
  plain.broken_by.clear();
  plain.again.reset();
  plain.lost.clear();
  plain.in_production.reset();
  release.roads = {downs, fresh, plain};
  record::FailedRelease failure;
  failure.migration = "0001";
  failure.before = "CREATE INDEX …";
  failure.answer = fresh.name;
  failure.runs = {restore};
  release.failures = {failure};
  release.downtime = Microseconds(132'000);
  release.downtime_in_production = record::TimeRange{Microseconds(60'000'000), Microseconds(90'000'000)};
  release.checklist = {
      {"a backup is taken", "backups", record::Mark::done, dump.command},
      {"the way back works", "roads", record::Mark::failed, "does not lead back: the migrations' downs"},
      {"the front desk books an appointment", "", record::Mark::open, ""}};
  release.decision = record::Decision::no_go;
  release.risks = {
      "restore of custom into a new database: what is written after the backup is lost (1 row here)"};
  run.release = release;
  record::Write write;
  write.table = "public.\"CashDrawer\"";
  write.what = "a row with NULL in \"openedById\"";
  write.key = "id=7";
  write.stops_down = downs.error;
  write.rescues = {{"delete such rows", "DELETE FROM public.\"CashDrawer\" WHERE …", std::nullopt}};
  run.migrations.front().writes = {write};
  auto first =
      finding("restore-fails", record::Level::error, "", "the way back 'the migrations' downs' fails");
  first.location = Location{"scenarios/vet-clinic.yaml", 12, 7};
  run.findings = {first};
  run.reproduce = "lockkeeper release scenarios/vet-clinic.yaml";
  run.verdict = record::Verdict::fail;
  return record_of({std::move(run)}, record::Verdict::fail);
}

std::vector<Sample> all_samples() {
  return {{"passing", passing_record()},   {"failing", failing_record()},
          {"error", error_record()},       {"interrupted", interrupted_record()},
          {"expected", expected_record()}, {"several", several_record()},
          {"hostile", hostile_record()},   {"release", release_record()}};
}

}  // namespace lockkeeper::report
