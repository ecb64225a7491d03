#!/bin/sh
# What people write today to try migrations on SQLite: sqlite_job.sh WORK DATABASE MIGRATIONS
set -eu
work=$1 database=$2 migrations=$3
cp "$database" "$work/job.db"
run() { { echo 'BEGIN;'; cat "$1"; echo 'COMMIT;'; } | sqlite3 -bail "$work/job.db"; }

# The differences are there to be read.
sqlite3 "$work/job.db" .dump >"$work/before.sql"
for up in "$migrations"/*.up.sql; do
  run "$up"
  sqlite3 "$work/job.db" .dump >"$work/after.sql"
  run "${up%.up.sql}.down.sql"
  sqlite3 "$work/job.db" .dump >"$work/restored.sql"
  diff "$work/before.sql" "$work/restored.sql" >>"$work/differences" || true
  run "$up"
  sqlite3 "$work/job.db" .dump >"$work/again.sql"
  diff "$work/after.sql" "$work/again.sql" >>"$work/differences" || true
  mv "$work/after.sql" "$work/before.sql"
done
