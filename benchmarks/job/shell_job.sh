#!/bin/sh
# What people write today to try their migrations: shell_job.sh BIN CLIENTS WORK DUMP MIGRATIONS
set -eu
bin=$1 clients=$2 work=$3 dump=$4 migrations=$5
sockets=$work/s
export PGHOST="$sockets" PGPORT=5432 PGUSER=postgres PGDATABASE=job
mkdir -m 0700 "$sockets"
trap '"$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1' EXIT

"$bin/initdb" -D "$work/data" -U postgres -A trust >/dev/null
"$bin/pg_ctl" -D "$work/data" -l "$work/log" -w -o "-c listen_addresses='' -c unix_socket_directories='$sockets'" start >/dev/null
"$clients/createdb" job
"$clients/pg_restore" -d job "$dump"

run() { "$clients/psql" -X -q -1 -v ON_ERROR_STOP=1 -f "$1"; }
# psql prints the notices; the differences are there to be read.
"$clients/pg_dump" -s >"$work/before.sql"
for up in "$migrations"/*.up.sql; do
  run "$up"
  "$clients/pg_dump" -s >"$work/after.sql"
  run "${up%.up.sql}.down.sql"
  "$clients/pg_dump" -s >"$work/restored.sql"
  diff "$work/before.sql" "$work/restored.sql" >>"$work/differences" || true
  run "$up"
  mv "$work/after.sql" "$work/before.sql"
done
"$bin/pg_ctl" -D "$work/data" -m fast -w stop >/dev/null
trap - EXIT
