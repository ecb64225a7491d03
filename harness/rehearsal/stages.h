#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "history/history.h"
#include "record/record.h"
#include "scenario/scenario.h"

/// What a course and a release check both do with one instance.
namespace lockkeeper::rehearsal {

/// True where only the order of columns differs.
bool only_column_order(const record::StateDifference& difference);

engine::Touched everything();

/// Was it a signal that made something fail? It may show as another failure, a session cut off say.
bool by_interrupt(const Failure& failure);

/// A migration of which only its files are known: where it stands, and what it declares.
record::MigrationRecord described(const history::History& history, const history::Migration& migration);

/// What a side met grows with the rows that were there, which the state before it knows.
void count_rows_met(record::SideRun& run, const engine::State& before);

/// The dry run that the program of a migration has: what it said, and what it changed all the same. The state
/// that it leaves is read whole: nothing vouches for what it did not touch.
Result<record::DryRun> dry_run(engine::Instance& instance, const history::Migration& migration,
                               const engine::State& before);

/// The scenario's expectations at the head, and at the base where they ask for it.
Result<std::vector<record::ExpectationObservation>> ask_expectations(const scenario::Scenario& scenario,
                                                                     engine::Instance& base,
                                                                     engine::Instance& head);

/// What a new schema lets in and the one before did not; longer values of one change come first: a row in a
/// table that is gone anyway tells least.
std::vector<engine::WriteWish> wishes_of(const record::StateDifference& change, const engine::State& before,
                                         const engine::State& after);

/// Evenly spread over [0, count), first and last among them.
std::vector<std::size_t> spread(std::size_t count, std::size_t most);

/// After how many of its statements a program is stopped: before the last one that writes, which is mostly
/// the one that notes that the migration is done, and where all is tried also half-way and behind it.
std::vector<std::size_t> places_of(const record::SideRun& run, record::Depth depth);

}  // namespace lockkeeper::rehearsal
