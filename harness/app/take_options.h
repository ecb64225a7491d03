#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/options.h"
#include "base/secrets.h"
#include "engine/postgres/closure.h"

namespace lockkeeper::app {

/// The options of `lockkeeper snapshot take`.
boost::program_options::options_description take_options();

/// What --rows or --percent say; none: all rows.
Result<std::optional<engine::postgres::SampleAmount>> amount_of(const Parsed& parsed);

/// What --timeout says.
Result<std::chrono::seconds> timeout_of(const Parsed& parsed);

/// The salt of --salt-file, else a new one.
Result<std::string> salt_of(const Parsed& parsed);

/// A usage failure where something is in the output's place that may not be replaced.
Result<void> expect_free(const std::filesystem::path& output, const Parsed& parsed);

/// Refuses to write what looks personal unless that is meant; where masks were written, only warns of the
/// rest. `or_else` begins the hint with what else could be done: "mask them, or "; may be empty.
Result<void> answer_for(const std::vector<std::string>& personal, const Parsed& parsed,
                        const std::string& or_else);

bool is_packed(const std::filesystem::path& output);  ///< .gz, .zst
bool is_sql(const std::filesystem::path& output);     ///< .sql, also packed

/// A URL of PostgreSQL or "keyword=value …"?
bool is_connection(const std::string& source);

/// The password as it stands in a connection string, be that readable or not: messages quote what they
/// refuse.
Secrets secrets_of(const std::string& url);

}  // namespace lockkeeper::app
