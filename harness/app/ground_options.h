#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/program_options.hpp>

#include "app/options.h"
#include "engine/engine.h"
#include "engine/postgres/postgres.h"
#include "history/history.h"
#include "scenario/scenario.h"
#include "snapshot/store.h"

namespace lockkeeper::app {

/// Which server and which store a command works with: the options that several commands share.
struct ServerOptions {
  std::optional<std::filesystem::path> pg_bin;
  std::optional<int> pg_version;
  std::string server_url;
};

void add_server_options(boost::program_options::options_description& options);
Result<ServerOptions> server_options(const Parsed& parsed);

void add_store_options(boost::program_options::options_description& options);
Result<snapshot::Store> open_store(const Parsed& parsed);

/// The binaries that the options and the scenario's version ask for; an environment failure that says what
/// was found and what to install where there are none. `versions`: as find_binaries() takes it.
Result<engine::postgres::Binaries> choose_binaries(const ServerOptions& options, std::optional<int> major,
                                                   const std::filesystem::path& versions);

/// What a run may use: directories of its own, the second of which may be empty, and a file of the store.
struct RunPlaces {
  std::filesystem::path run_directory;
  std::filesystem::path memory_directory;
  std::filesystem::path versions;  ///< empty: none
};

/// The same on files of SQLite's: what its tool sets in a session, and what the scenario says instead.
Result<std::unique_ptr<engine::Engine>> make_file_engine(const ServerOptions& options,
                                                         const scenario::Scenario& scenario,
                                                         const history::History& history,
                                                         const RunPlaces& places);

/// An engine for one run.
Result<std::unique_ptr<engine::Engine>> make_engine(const ServerOptions& options, std::optional<int> major,
                                                    const RunPlaces& places);

}  // namespace lockkeeper::app
