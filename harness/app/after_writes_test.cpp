#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

/// Down behind what the new release has written, and rows of our own making, on real servers.
namespace lockkeeper::app::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class AfterWrites : public ::testing::Test {
 protected:
  AfterWrites() {
    m_folder.write("fixture.sql", R"(
      CREATE TYPE mood AS ENUM ('calm', 'angry');
      CREATE TABLE owners (id serial PRIMARY KEY, email text NOT NULL UNIQUE CHECK (email LIKE '%@%'));
      CREATE TABLE pets (id serial PRIMARY KEY, owner_id int NOT NULL REFERENCES owners, name varchar(10) NOT NULL,
        mood mood NOT NULL DEFAULT 'calm', legs int CHECK (legs IN (2, 4)), chip text UNIQUE);
      INSERT INTO owners (email) SELECT format('o%s@mail.example', i) FROM generate_series(1, 5) i;
      INSERT INTO pets (owner_id, name, legs, chip) SELECT i, 'Rex', 4, format('c%s', i) FROM generate_series(1, 5) i;
    )");
  }
  void write(const std::string& up, const std::string& down) const {
    m_folder.write("m/1_x.up.sql", up);
    m_folder.write("m/1_x.down.sql", down);
  }
  Checked checked(const std::string& more = "") const {
    m_folder.write("s.yaml", "scenario: s\nfixture: [fixture.sql]\nmigrations: m\n" + more);
    return check({"s.yaml"}, {m_folder.path()});
  }
  /// The one write of a passing run's only migration.
  json only_write(const Checked& result) const {
    const json& writes = result.run().at("migrations").at(0).at("writes");
    EXPECT_THAT(writes, SizeIs(1)) << result.outcome.said();
    return writes.empty() ? json() : writes[0];
  }

  Folder m_folder;
};

TEST_F(AfterWrites, null_stops_the_way_back_and_each_way_out_is_tried) {
  write("ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;",
        "ALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;");
  const Checked result = checked();
  EXPECT_EQ(result.outcome.exit_code, 1);
  const json finding = result.finding("rollback-blocked");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_THAT(
      finding.at("message").get<std::string>(),
      AllOf(HasSubstr("a row with NULL in owner_id in public.pets (id="), HasSubstr("SQLSTATE 23502")));
  EXPECT_EQ(finding.at("location").at("file"), "m/1_x.down.sql");
  const json write = only_write(result);
  ASSERT_THAT(write.at("rescues"), SizeIs(2));
  EXPECT_TRUE(write.at("rescues")[0].at("error").is_null()) << write;
  EXPECT_TRUE(write.at("rescues")[1].at("error").is_null()) << write;
}

TEST_F(AfterWrites, a_way_back_that_refuses_by_itself_is_a_warning) {
  write("ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;", R"(
    DO $$ BEGIN IF EXISTS (SELECT FROM pets WHERE owner_id IS NULL) THEN
      RAISE EXCEPTION 'pets without an owner'; END IF; END $$;
    ALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;)");
  const json finding = checked().finding("rollback-blocked");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("level"), "warning");
}

TEST_F(AfterWrites, what_only_the_old_schema_refused_is_written) {
  struct Case {
    std::string up;
    std::string down;
    std::string what;
    std::string sqlstate;
  };
  const std::vector<Case> cases{
      {"ALTER TABLE pets ALTER COLUMN name TYPE varchar(20);",
       "ALTER TABLE pets ALTER COLUMN name TYPE varchar(10);", "a row with a value in name that", "22001"},
      {"ALTER TABLE pets ALTER COLUMN legs TYPE bigint;", "ALTER TABLE pets ALTER COLUMN legs TYPE int;", "",
       ""},  // its check lets no such value in
      {"ALTER TABLE pets DROP CONSTRAINT pets_legs_check;",
       "ALTER TABLE pets ADD CONSTRAINT pets_legs_check CHECK (legs IN (2, 4));", "a row that CHECK",
       "23514"},
      {"ALTER TABLE pets DROP CONSTRAINT pets_legs_check; ALTER TABLE pets ADD CONSTRAINT pets_legs_check "
       "CHECK "
       "(legs IN (2, 4, 6));",
       "ALTER TABLE pets DROP CONSTRAINT pets_legs_check; ALTER TABLE pets ADD CONSTRAINT pets_legs_check "
       "CHECK "
       "(legs IN (2, 4));",
       "a row that CHECK", "23514"},
      {"ALTER TABLE pets DROP CONSTRAINT pets_chip_key;",
       "ALTER TABLE pets ADD CONSTRAINT pets_chip_key UNIQUE (chip);", "a second row with the same chip",
       "23505"},
      {"ALTER TABLE pets DROP CONSTRAINT pets_owner_id_fkey;",
       "ALTER TABLE pets ADD CONSTRAINT pets_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners;",
       "a row whose owner_id refers to none", "23503"},
  };
  for (const Case& one : cases) {
    write(one.up, one.down);
    const Checked result = checked();
    const json finding = result.finding("rollback-blocked");
    if (one.what.empty()) {
      EXPECT_TRUE(finding.is_null()) << one.up << finding;
      continue;
    }
    ASSERT_FALSE(finding.is_null()) << one.up << result.outcome.said();
    EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr(one.what));
    EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("SQLSTATE " + one.sqlstate));
  }
}

TEST_F(AfterWrites, a_new_label_that_the_way_back_turns_into_another_is_lost) {
  write("ALTER TYPE mood ADD VALUE 'curious';", R"(
    ALTER TABLE pets ALTER COLUMN mood DROP DEFAULT, ALTER COLUMN mood TYPE text;
    UPDATE pets SET mood = 'calm' WHERE mood = 'curious';
    DROP TYPE mood; CREATE TYPE mood AS ENUM ('calm', 'angry');
    ALTER TABLE pets ALTER COLUMN mood TYPE mood USING mood::mood, ALTER COLUMN mood SET DEFAULT 'calm';)");
  const json finding = checked().finding("rollback-loses-writes");
  ASSERT_FALSE(finding.is_null());
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("'curious' in mood has become 'calm'"));
}

TEST_F(AfterWrites, rows_that_the_way_back_deletes_are_lost) {
  write("ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;",
        "DELETE FROM pets WHERE owner_id IS NULL; ALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;");
  const Checked result = checked();
  EXPECT_TRUE(result.finding("rollback-blocked").is_null());
  EXPECT_THAT(result.finding("rollback-loses-writes").at("message").get<std::string>(),
              HasSubstr("the row is gone"));
}

TEST_F(AfterWrites, what_goes_with_a_new_table_or_column_is_in_the_record_and_no_finding) {
  write(
      "ALTER TABLE pets ADD COLUMN colour text; CREATE TABLE visits (pet_id int NOT NULL REFERENCES pets, "
      "day date "
      "NOT NULL, PRIMARY KEY (pet_id, day)); CREATE INDEX ON visits (pet_id);",
      "DROP TABLE visits; ALTER TABLE pets DROP COLUMN colour;");
  const Checked result = checked();
  EXPECT_THAT(result.rules(), IsEmpty()) << result.outcome.said();
  const json& writes = result.run().at("migrations")[0].at("writes");
  ASSERT_THAT(writes, SizeIs(2));
  EXPECT_EQ(writes[0].at("lost"), "the column is gone, and the value in colour");
  EXPECT_EQ(writes[1].at("lost"), "the table public.visits is gone, and the row");
}

TEST_F(AfterWrites, the_scenarios_own_writes_go_before_those_that_are_made) {
  write("ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;",
        "ALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;");
  const Checked stopped = checked("writes: [\"INSERT INTO pets (name) VALUES ('Stray')\"]\n");
  EXPECT_THAT(stopped.finding("rollback-blocked").at("message").get<std::string>(),
              HasSubstr("once somebody has written the scenario's write"));
  const Checked harmless = checked("writes: [\"INSERT INTO owners (email) VALUES ('new@mail.example')\"]\n");
  EXPECT_TRUE(harmless.finding("rollback-blocked").is_null()) << harmless.outcome.said();
  const Checked wrong = checked("writes: ['INSERT INTO nowhere VALUES (1)']\n");
  EXPECT_THAT(only_write(wrong).at("skipped").get<std::string>(), HasSubstr("SQLSTATE 42P01"));
}

TEST_F(AfterWrites, what_becomes_of_the_scenarios_own_writes_is_told) {
  struct Told {
    std::string up;
    std::string down;
    std::string write;
    std::string lost;
  };
  const std::string nullable = "ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;";
  const std::string not_null = "ALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;";
  const std::vector<Told> cases{
      {nullable, "DELETE FROM pets WHERE owner_id IS NULL; " + not_null,
       "INSERT INTO pets (name) VALUES ('Stray'), ('Lost')", "2 rows of 2 written is gone"},
      {"UPDATE pets SET chip = 'x' || chip;", "UPDATE pets SET chip = 'c' || id;",
       "UPDATE pets SET chip = 'new' WHERE id = 2", "the values written to chip are gone"},
      {"CREATE TABLE toys (id int); INSERT INTO toys VALUES (1);", "DROP TABLE toys;",
       "INSERT INTO toys VALUES (2)", "the table public.toys is gone, and the rows"},
      {"ALTER TABLE pets ADD COLUMN x int;", "ALTER TABLE pets DROP COLUMN x;", "UPDATE pets SET x = 7",
       "the column x is gone, and the values"},
      {"ALTER TABLE pets ADD COLUMN x int;", "ALTER TABLE pets DROP COLUMN x;",
       "UPDATE pets SET name = 'Max' WHERE id = 3", ""},
      {nullable, not_null, "INSERT INTO pets (name, owner_id) VALUES ('Max', 1)", ""},
      {nullable, not_null, "DELETE FROM pets WHERE id = 1", ""},
  };
  for (const Told& one : cases) {
    write(one.up, one.down);
    const Checked result = checked("writes: [\"" + one.write + "\"]\n");
    const json write = only_write(result);
    EXPECT_EQ(write.at("lost"), one.lost) << one.write << result.outcome.said();
    EXPECT_TRUE(write.at("stops_down").is_null()) << one.write;
    const bool goes_with_its_place = one.lost.starts_with("the table") || one.lost.starts_with("the column");
    EXPECT_EQ(result.finding("rollback-loses-writes").is_null(), one.lost.empty() || goes_with_its_place)
        << one.write;
  }
}

TEST_F(AfterWrites, sqlite_is_told_what_is_written) {
  m_folder.write(
      "fixture.sql",
      "CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO pets (name) VALUES "
      "('Rex');");
  write(
      "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p SELECT * FROM pets; DROP TABLE "
      "pets; "
      "ALTER TABLE p RENAME TO pets;",
      "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO p SELECT * FROM pets; DROP "
      "TABLE "
      "pets; ALTER TABLE p RENAME TO pets;");
  const std::string engine = "engine: sqlite\nwrites: [INSERT INTO pets (name) VALUES (NULL)]\n";
  const Checked stopped = checked(engine);
  const json finding = stopped.finding("rollback-blocked");
  ASSERT_FALSE(finding.is_null()) << stopped.outcome.said();
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("NOT NULL constraint failed: p.name"));
  m_folder.write(
      "m/1_x.down.sql",
      "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO p SELECT * FROM pets WHERE "
      "name IS NOT NULL; DROP TABLE pets; ALTER TABLE p RENAME TO pets;");
  const json lost = checked(engine).finding("rollback-loses-writes");
  ASSERT_FALSE(lost.is_null());
  EXPECT_THAT(lost.at("message").get<std::string>(), HasSubstr("1 row of 1 written is gone"));
}

TEST_F(AfterWrites, a_way_back_that_no_transaction_holds_is_driven_on_copies) {
  write(
      "ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;\nALTER TABLE pets ADD COLUMN x int;",
      "VACUUM pets;\nALTER TABLE pets DROP COLUMN x;\nALTER TABLE pets ALTER COLUMN owner_id SET NOT NULL;");
  const Checked result = checked();
  const json finding = result.finding("rollback-blocked");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_THAT(finding.at("message").get<std::string>(),
              HasSubstr("a row with NULL in owner_id in public.pets (id="));
  EXPECT_EQ(finding.at("location").at("line"), 3);
  const json& writes = result.run().at("migrations")[0].at("writes");
  ASSERT_THAT(writes, SizeIs(2)) << "each by itself, since together they stop it";
  for (const json& one : writes) {
    const bool is_null = one.at("what").get<std::string>().find("NULL in owner_id") != std::string::npos;
    EXPECT_EQ(one.at("stops_down").is_null(), !is_null) << one;
  }
}

TEST_F(AfterWrites, a_program_goes_back_behind_them_too) {
  m_folder.write("m/tool.sh", R"sh(#!/bin/sh
[ "$1" = list ] && echo 1 && exit
[ "$1" = up ] && verb=DROP || verb=SET
psql -Xq -v ON_ERROR_STOP=1 -c "ALTER TABLE pets ALTER COLUMN owner_id $verb NOT NULL" "$DATABASE_URL"
)sh");
  m_folder.write(
      "s.yaml",
      "scenario: s\nengine: postgres\nfixture: [fixture.sql]\nmigrations:\n  path: m\n  format: commands\n"
      "  tool: {list: [sh, tool.sh, list], up: [sh, tool.sh, up], down: [sh, tool.sh, down]}\n");
  const Checked result = check({"s.yaml"}, {m_folder.path()});
  const json finding = result.finding("rollback-blocked");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr("SQLSTATE 23502"));
}

TEST_F(AfterWrites, deferred_constraints_are_due_when_the_writer_commits) {
  write(
      "CREATE TABLE notes (id int PRIMARY KEY, pet_id int REFERENCES pets DEFERRABLE INITIALLY DEFERRED); "
      "CREATE "
      "INDEX ON notes (pet_id);",
      "ALTER TABLE notes DROP COLUMN pet_id; DROP TABLE notes;");
  EXPECT_THAT(checked().rules(), IsEmpty());
}

TEST_F(AfterWrites, nothing_of_it_stays) {
  write("ALTER TABLE pets ADD COLUMN colour text;", "ALTER TABLE pets DROP COLUMN colour;");
  const Checked result = checked(
      "invariants:\n  - {name: pets, sql: 'SELECT count(*), max(id) FROM pets', equals: "
      "'5, 5'}\n");
  EXPECT_THAT(result.rules(), IsEmpty()) << result.outcome.said();
}

TEST_F(AfterWrites, indexes_are_dropped_concurrently_outside_only) {
  write(
      "CREATE INDEX CONCURRENTLY IF NOT EXISTS pets_name ON pets (name);\nALTER TABLE pets ADD COLUMN x int;",
      "ALTER TABLE pets DROP COLUMN x;\nDROP INDEX CONCURRENTLY pets_name;");
  EXPECT_EQ(only_write(checked()).at("lost"), "the column is gone, and the value in x");
}

TEST_F(AfterWrites, a_way_back_that_ends_all_other_sessions_ends_no_run) {
  write(
      "ALTER TABLE pets ALTER COLUMN owner_id DROP NOT NULL;",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid() AND backend_type = 'client backend'; ALTER TABLE pets ALTER COLUMN owner_id SET NOT "
      "NULL;");
  m_folder.write("m/2_y.up.sql", "ALTER TABLE pets ADD COLUMN y int;");
  m_folder.write("m/2_y.down.sql", "ALTER TABLE pets DROP COLUMN y;");
  const Checked result = checked();
  EXPECT_EQ(result.outcome.exit_code, 1) << result.outcome.said();
  EXPECT_FALSE(result.finding("rollback-blocked").is_null());
  EXPECT_FALSE(result.run().at("migrations").at(1).at("again").is_null());
}

TEST_F(AfterWrites, quick_writes_nothing) {
  write("ALTER TABLE pets ADD COLUMN colour text;", "ALTER TABLE pets DROP COLUMN colour;");
  EXPECT_THAT(checked("depth: quick\n").run().at("migrations")[0].at("writes"), IsEmpty());
}

class MadeRows : public ::testing::Test {
 protected:
  void write(const std::string& version, const std::string& up, const std::string& down) const {
    m_folder.write("m/" + version + ".up.sql", up);
    m_folder.write("m/" + version + ".down.sql", down);
  }
  Checked checked(std::vector<std::string> arguments = {"--seed-rows", "5"}) const {
    arguments.insert(arguments.begin(), "m");
    return check(arguments, {m_folder.path()});
  }

  Folder m_folder;
};

TEST_F(MadeRows, a_history_without_a_fixture_meets_rows_that_obey_its_types_and_constraints) {
  write("1_tables", R"(
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE kind AS ENUM ('a', 'b');
    CREATE TABLE parents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code char(3) NOT NULL UNIQUE,
      state text NOT NULL CHECK (state IN ('open', 'closed')), born timestamptz NOT NULL DEFAULT now());
    CREATE TABLE children (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent_id uuid NOT NULL REFERENCES
      parents, kind kind NOT NULL, amount positive NOT NULL, doc jsonb NOT NULL, tags text[] NOT NULL, span
      int4range NOT NULL, addr inet NOT NULL, twice int GENERATED ALWAYS AS (amount * 2) STORED);
    CREATE INDEX ON children (parent_id);
    CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@]+@[^@]+[.][a-z]+$');
    CREATE TABLE "T'a""b" ("i d" serial PRIMARY KEY, mail email NOT NULL, code text NOT NULL CHECK (length(code) = 5),
      part numeric NOT NULL CHECK (part > 0.25 AND part < 0.75), tags text[] NOT NULL CHECK (cardinality(tags) > 0),
      letter "char" NOT NULL, hours timetz NOT NULL, place point NOT NULL, bits bit(3) NOT NULL);
    CREATE TABLE parted (id int, day date NOT NULL, kind text NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
    CREATE TABLE parted_z PARTITION OF parted FOR VALUES IN ('zebra');
    CREATE UNIQUE INDEX ON parents (lower(state), code);
    CREATE TABLE pairs (a uuid REFERENCES parents, b uuid REFERENCES parents, PRIMARY KEY (a, b));
    CREATE INDEX ON pairs (b);
    CREATE TABLE nodes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent_id bigint NOT NULL REFERENCES nodes);
    CREATE INDEX ON nodes (parent_id);
    CREATE TABLE leaves (a int NOT NULL, b text NOT NULL, c int NOT NULL, d text NOT NULL, PRIMARY KEY (a, b),
      FOREIGN KEY (c, d) REFERENCES leaves);
    CREATE INDEX ON leaves (c, d);)",
        "DROP TABLE nodes, leaves, pairs, children, parents, parted, \"T'a\"\"b\"; DROP TYPE kind; DROP "
        "DOMAIN positive, "
        "email;");
  write("2_count", R"(
    DO $$ BEGIN
      ASSERT (SELECT count(*) FROM parents) = 5, 'parents';
      ASSERT (SELECT count(*) FROM children) = 5, 'children';
      ASSERT (SELECT count(*) FROM pairs) > 0, 'pairs';
      ASSERT (SELECT count(*) FROM "T'a""b") = 5, 'quotes';
      ASSERT (SELECT count(*) FROM parted) >= 5, 'parted';
      ASSERT (SELECT count(*) FROM nodes) = 5, 'nodes';
      ASSERT (SELECT count(*) FROM leaves) = 5, 'leaves';
    END $$;
    ALTER TABLE children ADD COLUMN note text;)",
        "ALTER TABLE children DROP COLUMN note;");
  const Checked result = checked();
  EXPECT_THAT(result.rules(), IsEmpty()) << result.outcome.said();
  EXPECT_EQ(result.run().at("made_rows"), 5);
  EXPECT_THAT(result.run().at("remarks").dump(), Not(HasSubstr("no row could be made")));
  EXPECT_THAT(result.run().at("remarks").dump(), Not(HasSubstr("passes without them")));
}

TEST_F(MadeRows, are_there_before_a_single_migration_too_and_show_what_an_empty_table_hides) {
  write("1_t", "CREATE TABLE t (id int PRIMARY KEY, a int);", "DROP TABLE t;");
  write("2_n", "ALTER TABLE t ADD COLUMN b int NOT NULL DEFAULT 1; CREATE INDEX ON t (a);",
        "ALTER TABLE t DROP COLUMN b; DROP INDEX t_a_idx;");
  EXPECT_THAT(checked({"--last", "1", "--seed-rows", "5"}).rules(), Contains("blocks-reads"));
  EXPECT_THAT(checked({"--last", "1", "--seed-rows", "0"}).rules(), IsEmpty());
  EXPECT_EQ(checked({"--last", "1", "--seed-rows", "7"}).run().at("base_rows"), 7);
}

TEST_F(MadeRows, an_up_that_fails_on_them_alone_is_no_fault) {
  write("1_t", "CREATE TABLE t (id int PRIMARY KEY, a text);", "DROP TABLE t;");
  write("2_n", "ALTER TABLE t ALTER COLUMN a TYPE int USING a::int;",
        "ALTER TABLE t ALTER COLUMN a TYPE text;");
  const Checked result = checked();
  EXPECT_TRUE(result.finding("up-fails").is_null()) << result.outcome.said();
  EXPECT_THAT(result.run().at("remarks").dump(), HasSubstr("passes without them"));
  write("3_f", "SELECT 1 / 0;", "SELECT 1;");
  EXPECT_THAT(checked().rules(), Contains("up-fails"));
}

TEST_F(MadeRows, what_hangs_on_their_values_stops_no_merge) {
  write("1_t", "CREATE TABLE roles (id int PRIMARY KEY, name text);", "DROP TABLE roles;");
  write("2_n", "INSERT INTO roles VALUES (1, 'admin');", "DELETE FROM roles;");
  const Checked result = checked();
  const json finding = result.finding("data-not-restored");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_EQ(finding.at("level"), "warning");
  EXPECT_THAT(finding.at("evidence").dump(), HasSubstr("met on rows of lockkeeper's own making"));
}

TEST_F(MadeRows, a_number_below_none_is_refused) {
  write("1_t", "SELECT 1;", "SELECT 1;");
  const Outcome outcome = run_program({"check", "m", "--seed-rows", "-1"}, {m_folder.path()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("--seed-rows takes a number"));
}

}  // namespace
}  // namespace lockkeeper::app::testing
