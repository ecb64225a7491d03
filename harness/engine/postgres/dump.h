#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "engine/output_file.h"
#include "engine/postgres/binaries.h"
#include "engine/postgres/sample_source.h"

namespace lockkeeper::engine::postgres {

enum class Owners { keep, leave_out };
enum class Privileges { keep, leave_out };

/// pg_dump on a database of which a session of ours holds the snapshot.
class Dump {
 public:
  /// The newest pg_dump found, which must not be older than the server. `session` is the one that read
  /// `source` and outlives the object.
  static Result<Dump> prepare(const Connection& session, const SampleSource& source, Owners owners,
                              Privileges privileges);

  using Progress = std::function<void(const std::string&)>;
  /// All of the database: pg_dump's custom format, written by it.
  Result<void> write_archive(const std::filesystem::path& file, const Progress& progress) const;
  /// All of the database as SQL.
  Result<void> write_sql(OutputFile& out, const Progress& progress) const;

  /// The schema as SQL, in the part that comes before the rows and the one that comes after them, without
  /// foreign keys onto what is excluded and without users' passwords on foreign servers. `directory` is a
  /// private one for what lies between.
  struct Schema {
    std::string before;
    std::string after;
  };
  Result<Schema> schema(const std::filesystem::path& directory) const;

 private:
  Dump(const SampleSource& source, Tools tools, std::map<std::string, std::string> environment,
       std::vector<std::string> options);
  Result<void> run_dump(const std::vector<std::string>& arguments, const RunOptions& options) const;
  Result<std::string> restore(std::vector<std::string> arguments) const;

  const SampleSource* m_source;
  Tools m_tools;
  std::map<std::string, std::string> m_environment;
  std::vector<std::string> m_options;  ///< of pg_dump, always
};

/// Can these tools dump a server of this version? An environment failure that says what to install.
Result<void> expect_tools_for(const Tools& tools, int server_major);

}  // namespace lockkeeper::engine::postgres
