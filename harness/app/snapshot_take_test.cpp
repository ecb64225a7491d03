#include <csignal>
#include <fstream>
#include <regex>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/program_test.h"
#include "base/text.h"
#include "engine/decompress.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"
#include "engine/postgres/fixture.h"
#include "engine/sqlite/database.h"

namespace lockkeeper::app::testing {

namespace {

using engine::postgres::Connection;
using engine::postgres::DisposableServer;
using engine::sqlite::Database;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// What a sample has to keep: a chain within a table, a cycle of tables, keys of several columns in another
// order, partitions with other columns, names that want quotes, and values that COPY has to write in its own
// way.
constexpr const char* k_shop = R"sql(
CREATE SCHEMA "Odd";
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TABLE regions (id int PRIMARY KEY, name text);
INSERT INTO regions SELECT n, 'region ' || n FROM generate_series(1, 60) n;
CREATE TABLE people (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(100) UNIQUE NOT NULL, name text, phone text,
  born date NOT NULL, boss bigint REFERENCES people, region int NOT NULL REFERENCES regions,
  shouted text GENERATED ALWAYS AS (upper(name)) STORED);
INSERT INTO people (email, name, phone, born, boss, region)
SELECT 'real' || n || '@corp.test', 'Realname ' || n, '+49 30 ' || 1000 + n, date '1970-01-01' + n,
       CASE WHEN n > 40 THEN n - 40 END, 1 + n % 60 FROM generate_series(1, 400) n;
CREATE TABLE logins (email varchar(100) NOT NULL REFERENCES people (email), day int, PRIMARY KEY (day, email));
INSERT INTO logins SELECT 'real' || n || '@corp.test', n FROM generate_series(1, 400) n;
CREATE TABLE "Card" (no int, owner text, number text, tags text[], doc jsonb, raw bytea, m mood, price numeric,
                     seen timestamptz, PRIMARY KEY (owner, no));
INSERT INTO "Card" SELECT n % 3, 'owner ' || n / 3, '4111-' || n, ARRAY['a,"b', E'c\\d', NULL],
  jsonb_build_object('tab', E'x\ty', 'n', n), '\x00ff5c0a', 'ok', n / 7.0, timestamptz '2020-01-01 UTC' + n * interval '1 h'
FROM generate_series(1, 300) n;
CREATE TABLE "Odd"."Pay ""q"" ment" (id serial PRIMARY KEY, card int, holder text,
  FOREIGN KEY (holder, card) REFERENCES "Card" (owner, no));
INSERT INTO "Odd"."Pay ""q"" ment" (card, holder) SELECT n % 3, 'owner ' || n / 3 FROM generate_series(1, 300) n;
CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
INSERT INTO a SELECT n, n FROM generate_series(1, 300) n;
INSERT INTO b SELECT n, 1 + n % 300 FROM generate_series(1, 300) n;
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE TABLE events (id int, at date, person bigint REFERENCES people, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2021 (person bigint, gone int, at date NOT NULL, id int NOT NULL);
ALTER TABLE events_2021 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2021 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO events SELECT n, date '2020-01-01' + n, 1 + n % 400 FROM generate_series(0, 700) n;
CREATE TABLE notes (id int PRIMARY KEY, event int, day date, FOREIGN KEY (event, day) REFERENCES events);
INSERT INTO notes SELECT n, 700 - n, date '2020-01-01' + (700 - n) FROM generate_series(0, 700) n;
CREATE TABLE log (person bigint REFERENCES people, line text);
INSERT INTO log SELECT 1 + n % 400, 'line ' || n FROM generate_series(1, 3000) n;
CREATE MATERIALIZED VIEW by_region AS SELECT region, count(*) FROM people GROUP BY region;
CREATE TABLE nothing ();
)sql";

constexpr const char* k_waiting =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockkeeper snapshot' AND "
    "wait_event_type = "
    "'Lock'";

constexpr const char* k_masks =
    "columns:\n"
    "  public.people.email: hash\n"
    "  public.logins.email: hash\n"
    "  public.people.name: keep_last 2\n"
    "  '*.*.phone': null\n"
    "  'public.Card.number': 'keep_last 4'\n"
    "  public.people.born: constant 2000-01-01\n";

std::string content_of(const fs::path& file) {
  auto stream = engine::FileStream::open(file);
  if (!stream) throw std::runtime_error(to_string(stream.error()));
  std::string text;
  std::vector<char> buffer(65536);
  while (true) {
    const auto got = (*stream)->read(buffer.data(), buffer.size());
    if (!got) throw std::runtime_error(to_string(got.error()));
    if (*got == 0) return text;
    text.append(buffer.data(), *got);
  }
}

/// A fixture without what is another one in every run: its time, and the word that pg_dump makes up for psql.
std::string comparable(const fs::path& file) {
  static const std::regex k_changing(R"(-- taken by .*|\\(un)?restrict .*)");
  return std::regex_replace(content_of(file), k_changing, "");
}

class SnapshotTake : public ::testing::Test {
 protected:
  SnapshotTake() {
    m_server.ensure("shop");
    ask("shop", k_shop);
  }

  std::vector<std::string> ask(const std::string& database, const std::string& sql) const {
    return m_server.ask(database, sql);
  }
  std::string url(const std::string& database = "shop") const { return m_server.connection(database); }
  Start here() const { return {m_folder.path()}; }
  fs::path file(const std::string& name) const { return m_folder.path() / name; }

  /// What is in the folder but for the directory that takes the place of our home.
  std::set<std::string> left() const {
    auto listing = m_folder.listing();
    listing.erase("home");
    return listing;
  }

  Outcome take(const std::vector<std::string>& arguments, std::string from = {}) const {
    std::vector<std::string> all = {"snapshot", "take", from.empty() ? url() : std::move(from)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_program(all, here());
  }
  void take_well(const std::vector<std::string>& arguments) const {
    const Outcome outcome = take(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.said();
  }
  /// Into a new database, as a rehearsal loads it.
  void load(const std::string& name, const std::string& database) const {
    m_server.ensure(database);
    engine::postgres::FixtureRequest request;
    request.path = file(name).string();
    request.connection = url(database);
    const auto loaded = engine::postgres::load_fixture(engine::postgres::find_tools({}), request);
    ASSERT_TRUE(loaded) << to_string(loaded.error());
  }
  /// Rows as their primary keys and all columns make them, for whatever is in both.
  std::string digest(const std::string& database, const std::string& table) const {
    return ask(database,
               fmt::format("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t", table))
        .at(0);
  }
  std::string foreign_keys(const std::string& database) const {
    return ask(database, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated").at(0);
  }

  DisposableServer m_server;
  Folder m_folder;
};

// ── Whole

TEST_F(SnapshotTake, a_whole_one_has_all_rows_in_each_form) {
  for (const char* name : {"whole.dump", "whole.sql", "whole.sql.gz", "whole.sql.zst"}) {
    const Outcome outcome = take({"-o", name, "--unmasked-ok"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.said();
    EXPECT_THAT(outcome.output, HasSubstr(fmt::format("wrote {}: 11 tables, whole, ", name)));
    struct stat status {};
    ASSERT_EQ(::stat(file(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const std::string database = "copy_" + std::to_string(std::hash<std::string>()(name) % 100000);
    load(name, database);
    for (const char* table :
         {"people", "\"Card\"", "events", "log", "by_region", "\"Odd\".\"Pay \"\"q\"\" ment\""})
      EXPECT_EQ(digest("shop", table), digest(database, table)) << name << " " << table;
    EXPECT_EQ(foreign_keys("shop"), foreign_keys(database));
  }
  EXPECT_THAT(content_of(file("whole.sql")), HasSubstr("-- taken by lockkeeper snapshot at "));
  EXPECT_EQ(left().size(), 4U);
}

// ── Samples

TEST_F(SnapshotTake, a_sample_has_whatever_its_foreign_keys_lead_to) {
  take_well({"-o", "sample.sql", "--rows", "4", "--unmasked-ok"});
  load("sample.sql", "copy");

  EXPECT_EQ(foreign_keys("shop"), foreign_keys("copy"));
  // The oldest and the newest, and the chain of bosses above the newest.
  EXPECT_THAT(ask("copy", "SELECT id FROM people WHERE id IN (1, 2, 399, 400, 360, 40) ORDER BY id"),
              ElementsAre("1", "2", "40", "360", "399", "400"));
  EXPECT_THAT(ask("copy", "SELECT count(*) < 400 FROM people"), ElementsAre("t"));
  EXPECT_THAT(ask("copy", "SELECT count(*) < 100 AND count(*) >= 4 FROM events"), ElementsAre("t"));
  EXPECT_THAT(ask("copy", "SELECT count(*) FROM events_2021 WHERE person IS NOT NULL"),
              Not(ElementsAre("0")));
  EXPECT_THAT(ask("copy", "SELECT count(*) FROM log"), ElementsAre("4"));
  EXPECT_THAT(ask("copy", "SELECT count(*) < 300 FROM b"), ElementsAre("f"))
      << "the cycle leads through all of it";
  // Every row is one of the source's.
  for (const char* table : {"people", "\"Card\"", "events", "notes"}) {
    const auto rows = ask("shop", fmt::format("SELECT t::text FROM {} t", table));
    const std::set<std::string> known(rows.begin(), rows.end());
    for (const std::string& row : ask("copy", fmt::format("SELECT t::text FROM {} t", table)))
      EXPECT_TRUE(known.contains(row)) << table << " " << row;
  }
  EXPECT_THAT(ask("copy", "SELECT last_value::text || is_called FROM people_id_seq"), ElementsAre("400true"));
  EXPECT_THAT(ask("copy", "SELECT last_value::text FROM \"Odd\".\"Pay \"\"q\"\" ment_id_seq\""),
              ElementsAre("300"));
}

TEST_F(SnapshotTake, a_sample_is_the_same_from_the_same_rows) {
  take_well({"-o", "one.sql", "--percent", "3", "--unmasked-ok"});
  take_well({"-o", "two.sql", "--percent", "3", "--unmasked-ok"});
  EXPECT_EQ(comparable(file("one.sql")), comparable(file("two.sql")));
}

TEST_F(SnapshotTake, a_sample_is_a_fixture_for_a_check) {
  take_well(
      {"-o", "sample.sql.zst", "--rows", "3", "--mask", m_folder.write("masks.yaml", k_masks).string()});
  m_folder.write("m/0001_more.up.sql", "ALTER TABLE people ADD COLUMN note text;\n");
  m_folder.write("m/0001_more.down.sql", "ALTER TABLE people DROP COLUMN note;\n");
  const Checked checked = check({"m", "--fixture", "sample.sql.zst"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
}

TEST_F(SnapshotTake, a_sample_that_was_cut_off_afterwards_is_no_fixture) {
  take_well({"-o", "sample.sql", "--rows", "3", "--unmasked-ok"});
  const std::string whole = content_of(file("sample.sql"));
  m_folder.write("half.sql", whole.substr(0, whole.find("\\.\n")));
  write_good_history(m_folder);
  const Checked checked = check({"migrations", "--fixture", "half.sql"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 2) << checked.outcome.said();
  EXPECT_THAT(checked.outcome.output, HasSubstr("the dump is cut off"));
}

TEST_F(SnapshotTake, what_is_excluded_takes_its_foreign_keys_and_views_along) {
  ask("shop", "COMMENT ON CONSTRAINT logins_email_fkey ON logins IS 'kept in step'");
  const Outcome dumped = take({"-o", "less.dump", "--exclude-table", "people", "--unmasked-ok"});
  EXPECT_EQ(dumped.exit_code, 2);
  EXPECT_THAT(dumped.errors, HasSubstr("3 foreign keys lead to what is excluded"));

  const Outcome outcome = take({"-o", "less.sql", "--exclude-table", "public.peop*", "--unmasked-ok"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_THAT(outcome.output, HasSubstr("left out: foreign key logins_email_fkey of public.logins"));
  EXPECT_THAT(outcome.output, HasSubstr("left out: view public.by_region, made from what is left out"));
  load("less.sql", "copy");
  EXPECT_EQ(digest("shop", "logins"), digest("copy", "logins"));

  const Outcome unknown = take({"-o", "x.sql", "--exclude-table", "poeple"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.errors,
              HasSubstr("--exclude-table 'poeple': no table is named so (did you mean 'people'?)"));
}

// ── Masks

TEST_F(SnapshotTake, masked_values_never_come_into_the_file) {
  m_folder.write("masks.yaml", k_masks);
  for (const std::vector<std::string>& amount : {std::vector<std::string>{}, {"--rows", "7"}}) {
    std::vector<std::string> arguments = {"-o", "masked.sql", "--force", "--mask", "masks.yaml"};
    arguments.insert(arguments.end(), amount.begin(), amount.end());
    const Outcome outcome = take(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.said();
    const std::string text = content_of(file("masked.sql"));
    for (const char* secret : {"corp.test", "Realname", "REALNAME", "+49", "4111-", "1970-"})
      EXPECT_EQ(text.find(secret), std::string::npos) << secret;
    EXPECT_THAT(text, HasSubstr("-- masked: public.people.email (hash)\n"));
    const std::string database = amount.empty() ? "all" : "some";
    load("masked.sql", database);
    EXPECT_THAT(ask(database,
                    "SELECT count(*) = (SELECT count(*) FROM logins) FROM people JOIN logins USING (email)"),
                ElementsAre("t"));
    EXPECT_THAT(ask(database, "SELECT DISTINCT phone FROM people"), ElementsAre("NULL"));
    EXPECT_THAT(ask(database, "SELECT DISTINCT born FROM people"), ElementsAre("2000-01-01"));
    EXPECT_THAT(ask(database, "SELECT shouted FROM people ORDER BY id LIMIT 1"), ElementsAre("******** 1"));
    EXPECT_THAT(ask(database, "SELECT number FROM \"Card\" ORDER BY owner, no LIMIT 1"),
                ElementsAre("**11-1"));
    EXPECT_EQ(foreign_keys("shop"), foreign_keys(database));
  }
}

TEST_F(SnapshotTake, addresses_stay_unique_and_nulls_stay_null) {
  ask("shop",
      "ALTER TABLE logins DROP CONSTRAINT logins_email_fkey; CREATE UNIQUE INDEX ON people (lower(email));"
      "ALTER TABLE regions ADD email text");
  m_folder.write("masks.yaml", "columns: {'*.*.email': email, public.people.phone: null}\n");
  take_well({"-o", "masked.sql", "--mask", "masks.yaml"});
  load("masked.sql", "copy");
  EXPECT_THAT(
      ask("copy",
          "SELECT count(DISTINCT email) FROM people WHERE email ~ '^user-[0-9a-f]{32}@example\\.invalid$'"),
      ElementsAre("400"));
  EXPECT_THAT(ask("copy", "SELECT count(email) FROM regions"), ElementsAre("0"));
}

TEST_F(SnapshotTake, hashes_are_others_in_each_run_unless_the_salt_is_given) {
  m_folder.write("masks.yaml", k_masks);
  m_folder.write("salt", "one salt that is long enough\n");
  const auto taken = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"-o", "masked.sql", "--force", "--rows", "2", "--mask", "masks.yaml"});
    take_well(more);
    return comparable(file("masked.sql"));
  };
  EXPECT_NE(taken({}), taken({}));
  const std::string salted = taken({"--salt-file", "salt"});
  EXPECT_EQ(salted, taken({"--salt-file", "salt"}));
  EXPECT_EQ(salted.find("one salt"), std::string::npos);
  m_folder.write("short", "abc");
  EXPECT_EQ(take({"-o", "x.sql", "--mask", "masks.yaml", "--salt-file", "short"}).exit_code, 2);
}

struct BadRule {
  const char* line;
  const char* error;
};

TEST_F(SnapshotTake, a_rule_that_cannot_be_is_shown_at_its_place) {
  for (const BadRule& bad : {
           BadRule{"public.people.emial: hash",
                   "2:3: error: unknown column 'public.people.emial' (did you mean 'public.people.email'?)"},
           BadRule{"public.people.name: hsah", "2:23: error: unknown rule 'hsah' (did you mean 'hash'?)"},
           BadRule{"people.name: hash", "2:3: error: 'people.name' is no schema.table.column"},
           BadRule{"'*.*.nick': hash", "2:3: error: '*.*.nick' matches no column"},
           BadRule{"public.events_2020.person: null",
                   "2:3: error: 'public.events_2020.person' is a column of a partition"},
           BadRule{"public.people.born: null",
                   "2:3: error: cannot mask 'public.people.born' by null: it is NOT NULL"},
           BadRule{"public.people.born: constant no-day",
                   "2:3: error: cannot mask 'public.people.born' by constant: invalid input syntax"},
           BadRule{"public.people.born: hash",
                   "2:3: error: cannot mask 'public.people.born' by hash: its type is date, not text"},
           BadRule{"public.people.shouted: hash",
                   "2:3: error: cannot mask 'public.people.shouted' by hash: it is generated"},
           BadRule{"public.people.email: keep_last 3",
                   "2:3: error: cannot mask 'public.people.email' by keep_last 3: it is part of a key"},
           BadRule{"public.people.email: email",
                   "2:3: error: cannot mask 'public.people.email' by email: foreign key 'logins_email_fkey' "
                   "leads over it"},
           BadRule{"public.logins.email: hash",
                   "2:3: error: cannot mask 'public.logins.email' by hash: foreign key 'logins_email_fkey' "
                   "leads over it"},
           BadRule{"public.events.at: constant 2020-05-05", "it decides in which partition a row lies"},
       }) {
    m_folder.write("bad.yaml", fmt::format("columns:\n  {}\n", bad.line));
    const Outcome outcome = take({"-o", "x.sql", "--mask", "bad.yaml"});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.said();
    EXPECT_THAT(outcome.errors, HasSubstr(bad.error)) << bad.line;
  }
  EXPECT_EQ(left(), std::set<std::string>{"bad.yaml"});
}

// ── What is asked of whoever takes it

TEST_F(SnapshotTake, what_looks_personal_is_not_written_unless_that_is_said) {
  const Outcome refused = take({"-o", "x.sql"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("3 names look like personal data or a secret, and are not masked: "
                                        "public.logins.email, public.people.email, public.people.phone"));
  EXPECT_THAT(refused.errors, HasSubstr("hint: mask them (--mask FILE)"));
  EXPECT_EQ(left(), std::set<std::string>{});
  const Outcome meant = take({"-o", "x.sql", "--unmasked-ok"});
  EXPECT_EQ(meant.exit_code, 0);
  EXPECT_THAT(meant.errors, HasSubstr("warning: 3 names look like"));
}

TEST_F(SnapshotTake, a_file_that_exists_is_replaced_only_when_told) {
  m_folder.write("x.sql", "mine");
  const Outcome refused = take({"-o", "x.sql", "--unmasked-ok"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.errors,
            "error: cannot write 'x.sql': it exists\nhint: name another file, or replace it: --force\n");
  EXPECT_EQ(content_of(file("x.sql")), "mine");
  take_well({"-o", "x.sql", "--unmasked-ok", "--force"});
  EXPECT_THAT(content_of(file("x.sql")), HasSubstr("PostgreSQL database dump complete"));
}

TEST_F(SnapshotTake, nothing_is_written_on_the_server) {
  const char* k_next = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
  const auto before = ask("shop", k_next);
  m_folder.write("masks.yaml", k_masks);
  take_well({"-o", "a.sql", "--rows", "5", "--mask", "masks.yaml"});
  take_well({"-o", "b.dump", "--unmasked-ok"});
  // Whoever writes is given a number.
  EXPECT_EQ(ask("shop", k_next), before);
}

TEST_F(SnapshotTake, who_changes_a_table_is_waited_for_ten_seconds_at_most) {
  auto holder = Connection::open(url());
  ASSERT_TRUE(holder);
  ASSERT_TRUE(holder->rows("BEGIN; LOCK TABLE log IN ACCESS EXCLUSIVE MODE"));
  Running running({"snapshot", "take", url(), "-o", "x.sql", "--unmasked-ok"}, here());
  while (ask("postgres", k_waiting).at(0) == "0")
    ASSERT_FALSE(running.wait_for(std::chrono::milliseconds(5)));
  const Outcome outcome = running.finish();
  EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
  EXPECT_THAT(outcome.errors,
              HasSubstr("cannot read 'public.log': canceling statement due to lock timeout (55P03)"));
  EXPECT_EQ(left(), std::set<std::string>{});
}

TEST_F(SnapshotTake, a_signal_or_a_lost_server_leaves_no_half_file) {
  for (const bool killed : {false, true}) {
    auto holder = Connection::open(url());
    ASSERT_TRUE(holder);
    // Sequences are read behind the rows, so the file is begun when this holds the run back.
    ASSERT_TRUE(holder->rows("BEGIN; ALTER SEQUENCE people_id_seq RENAME TO another"));
    Running running({"snapshot", "take", url(), "-o", "x.sql", "--rows", "9", "--unmasked-ok"}, here());
    while (ask("postgres", k_waiting).at(0) == "0")
      ASSERT_FALSE(running.wait_for(std::chrono::milliseconds(5)));
    EXPECT_EQ(left().size(), 1U) << "the draft";
    if (killed)
      m_server.server().kill();
    else
      running.send(SIGTERM);
    const Outcome outcome = running.finish();
    EXPECT_EQ(outcome.exit_code, killed ? 3 : 130) << outcome.said();
    EXPECT_EQ(left(), std::set<std::string>{});
  }
}

TEST_F(SnapshotTake, a_full_disk_leaves_no_half_file) {
  for (const char* name : {"x.sql", "x.sql.zst", "x.dump"}) {
    Start limited = here();
    limited.wrapper = {"/usr/bin/prlimit", "--fsize=9000"};
    const Outcome outcome = run_program({"snapshot", "take", url(), "-o", name, "--unmasked-ok"}, limited);
    EXPECT_EQ(outcome.exit_code, 3) << outcome.said();
    EXPECT_THAT(outcome.errors, HasSubstr("File too large")) << name;
    EXPECT_THAT(outcome.errors, HasSubstr("hint: free some space there")) << name;
    EXPECT_EQ(left(), std::set<std::string>{});
  }
}

TEST_F(SnapshotTake, whoever_may_not_read_a_table_is_told_which) {
  ask("shop",
      "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA \"Odd\" TO reader; GRANT SELECT ON ALL TABLES IN "
      "SCHEMA public, \"Odd\" TO reader;"
      "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, \"Odd\" TO reader; REVOKE SELECT ON log FROM reader");
  const std::string as_reader = *engine::postgres::with_parameter(url(), "user", "reader");
  const Outcome refused = take({"-o", "x.sql", "--unmasked-ok"}, as_reader);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.errors,
            "error: cannot read public.log: permission denied\n"
            "hint: GRANT SELECT on it, or leave it out: --exclude-table 'public.log'\n");
  const Outcome without =
      take({"-o", "x.sql", "--rows", "2", "--unmasked-ok", "--exclude-table", "public.log"}, as_reader);
  EXPECT_EQ(without.exit_code, 0) << without.said();
  ask("shop", "GRANT SELECT ON log TO reader; ALTER TABLE log ENABLE ROW LEVEL SECURITY");
  const Outcome hidden = take({"-o", "y.sql", "--rows", "2", "--unmasked-ok"}, as_reader);
  EXPECT_EQ(hidden.exit_code, 2) << hidden.said();
  EXPECT_THAT(hidden.errors, HasSubstr("row-level security policy for table \"log\""));
}

TEST_F(SnapshotTake, a_refused_session_is_a_mistake_and_no_server_is_none) {
  // Not the default of PostgreSQL 13.
  ask("postgres", "SET password_encryption = 'scram-sha-256'; CREATE ROLE guarded LOGIN PASSWORD 'another'");
  const fs::path rules = m_server.server().place().data / "pg_hba.conf";
  const std::string before = content_of(rules);
  std::ofstream(rules, std::ios::trunc) << "local all guarded scram-sha-256\n" << before;
  ask("postgres", "SELECT pg_reload_conf()");
  const auto with = [&](const std::string& keyword, const std::string& value, const std::string& in) {
    return *engine::postgres::with_parameter(in, keyword, value);
  };
  const std::string guarded = with("password", "S3kret-word", with("user", "guarded", url()));
  // The server reads its rules again when it comes to it.
  Outcome wrong = take({"-o", "x.sql"}, guarded);
  for (int i = 0; i < 100 && wrong.errors.find("password authentication failed") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    wrong = take({"-o", "x.sql"}, guarded);
  }
  EXPECT_EQ(wrong.exit_code, 2) << wrong.said();
  EXPECT_EQ(wrong.said().find("S3kret-word"), std::string::npos);
  const Outcome right =
      take({"-o", "x.sql", "--rows", "1", "--exclude-table", "*"}, with("password", "another", guarded));
  EXPECT_EQ(right.exit_code, 0) << right.said();
  EXPECT_EQ(content_of(file("x.sql")).find("another"), std::string::npos);

  EXPECT_EQ(take({"-o", "y.sql"}, with("dbname", "nope", url())).exit_code, 2);
  EXPECT_EQ(take({"-o", "y.sql"}, with("host", "/nowhere", url())).exit_code, 3);
  const Outcome unread = take({"-o", "y.sql"}, "postgresql://me:S3kret-word@[::1/shop");
  EXPECT_EQ(unread.exit_code, 2);
  EXPECT_EQ(unread.errors.find("S3kret-word"), std::string::npos) << unread.errors;
}

// ── SQLite

class SnapshotTakeSqlite : public ::testing::Test {
 protected:
  SnapshotTakeSqlite() {
    auto opened = Database::open(m_folder.path() / "shop.db", Database::Mode::create);
    if (!opened) throw std::runtime_error(opened.error().message);
    // Open as long as the test, so that the rows lie in the log.
    m_writer = std::make_unique<Database>(std::move(*opened));
    execute("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT, filler TEXT)");
    execute(
        "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 500) "
        "INSERT INTO t SELECT id, 'me@corp.test', hex(zeroblob(200)) FROM n");
  }
  void execute(const std::string& sql) {
    if (const auto error = m_writer->execute(sql)) throw std::runtime_error(error->message);
  }
  Outcome take(const std::vector<std::string>& arguments,
               const std::vector<std::string>& wrapper = {}) const {
    std::vector<std::string> all = {"snapshot", "take", "shop.db"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Start start{m_folder.path()};
    start.wrapper = wrapper;
    return run_program(all, start);
  }

  Folder m_folder;
  std::unique_ptr<Database> m_writer;
};

TEST_F(SnapshotTakeSqlite, a_copy_has_what_lies_in_the_log_and_waits_for_no_writer) {
  execute("BEGIN IMMEDIATE; DELETE FROM t");
  const Outcome outcome = take({"-o", "copy.db", "--unmasked-ok"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.said();
  auto copy = Database::open(m_folder.path() / "copy.db", Database::Mode::read_only);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->value("SELECT count(*) FROM t").value_or(""), "500");
  EXPECT_EQ(copy->value("PRAGMA integrity_check").value_or(""), "ok");
  execute("ROLLBACK");
}

TEST_F(SnapshotTakeSqlite, it_is_refused_where_it_cannot_be_or_is_not_meant) {
  const Outcome personal = take({"-o", "copy.db"});
  EXPECT_EQ(personal.exit_code, 2);
  EXPECT_EQ(personal.errors,
            "error: cannot write 'copy.db': 1 name looks like personal data or a secret, and is not masked: "
            "t.email\n"
            "hint: say that they may be written as they are: --unmasked-ok\n");
  const Outcome masked = take({"-o", "copy.db", "--mask", "masks.yaml"});
  EXPECT_EQ(masked.exit_code, 2);
  EXPECT_THAT(masked.errors, HasSubstr("error: --mask: an SQLite database is copied whole and as it is"));
  const Outcome full = take({"-o", "copy.db", "--unmasked-ok"}, {"/usr/bin/prlimit", "--fsize=40960"});
  EXPECT_EQ(full.exit_code, 3) << full.said();
  EXPECT_THAT(full.errors, HasSubstr("hint: free some space there"));
  EXPECT_FALSE(m_folder.listing().contains("copy.db"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
