#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "sql/script.h"
#include "sql/source.h"

namespace lockkeeper::sql {

/// How psql is started by the tool that runs files through it.
struct PsqlStart {
  std::map<std::string, std::string> variables;  ///< --set NAME=VALUE
  std::filesystem::path directory;               ///< that it works in: what \i names lies below
};

/// What psql (https://www.postgresql.org/docs/current/app-psql.html) sends of a file run with --file,
/// --no-psqlrc and ON_ERROR_STOP=1: statement by statement, in no transaction but the file's own. \set,
/// \unset, \if and its kin, \i, \ir, \g, \q and variables do what they do there, output settings nothing; \!,
/// \copy, \gset, \gexec, \connect and whatever else depends on the server or the machine is a usage failure
/// with its place. Statements keep their places in the files they stand in, interpolated or not.
Result<Part> psql_script(std::shared_ptr<const Source> source, const PsqlStart& start);

}  // namespace lockkeeper::sql
