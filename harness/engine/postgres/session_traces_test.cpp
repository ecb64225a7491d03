#include "engine/postgres/session_traces.h"

#include <gtest/gtest.h>

namespace lockkeeper::engine::postgres {
namespace {

TEST(SessionTraces, ordinary_migrations_leave_none) {
  for (const char* sql :
       {"ALTER TABLE t ADD COLUMN a int DEFAULT 5;", "UPDATE t SET a = 5, payload = 'x';", "",
        "SET LOCAL lock_timeout = '2s'; SET search_path TO a, b;", "ALTER TABLE t SET (fillfactor = 70)",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE SET NULL",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "CREATE FUNCTION f() RETURNS int AS 'SELECT 1' LANGUAGE 'sql'"}) {
    EXPECT_FALSE(may_leave_traces(sql)) << sql;
  }
}

TEST(SessionTraces, what_discard_all_does_not_undo_is_noticed) {
  for (const char* sql :
       {"SET app.tenant = '5'", "set local \"app\".tenant to 5", "SET SESSION app . tenant = 5",
        "SELECT set_config('app.tenant', '5', false)", "SELECT setseed(0.5)", "LOAD 'auto_explain'",
        "DO $$ BEGIN EXECUTE 'SET ' || name; END $$", "DO $$ BEGIN EXECUTE format('SET %s = 1', n); END $$",
        "CREATE EXTENSION plperl", "DO $$ $_SHARED{x} = 1; $$ LANGUAGE plperl",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"}) {
    EXPECT_TRUE(may_leave_traces(sql)) << sql;
  }
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
