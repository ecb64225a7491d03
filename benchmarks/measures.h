#pragma once

#include <benchmark/benchmark.h>

#include "benchmarks/ledger.h"
#include "benchmarks/workshop.h"

/// The measures, one file each. All run `state`'s rounds, in each round every side once, one after the other,
/// so that what else the machine does falls on all of them; both the time of our own side and a line for the
/// ledger come of it.
namespace lockkeeper::benchmarks {

/// Twenty small migrations over 100,000 rows: lockkeeper warm and cold, bare SQL, the shell job.
Result<void> measure_job(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// From process start to the first statement of a migration, warm, no fixture.
Result<void> measure_first_statement(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// Reading and comparing the catalog of 1,000 tables.
Result<void> measure_catalog(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// Hashing 1,000,000 rows.
Result<void> measure_content(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// An up that keeps nobody out, among the probes of --depth full.
Result<void> measure_traffic(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// Peak memory of the harness at 1,000 migrations and 1,000 tables, all of them on trial.
Result<void> measure_memory(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// The same history with its last fifty migrations on trial: the others only stand there.
Result<void> measure_memory_of_last(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// Twenty small migrations over 100,000 rows on SQLite: lockkeeper warm, and the shell job with .dump and
/// diff.
Result<void> measure_sqlite_job(benchmark::State& state, Workshop& workshop, Ledger& ledger);

/// A SQLite file of 100 MB out of the store, against cp; and its content, against .sha3sum.
Result<void> measure_sqlite_file(benchmark::State& state, Workshop& workshop, Ledger& ledger);

}  // namespace lockkeeper::benchmarks
