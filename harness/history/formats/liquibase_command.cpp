#include "history/formats/liquibase_command.h"

#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "history/outside_tool.h"

namespace lockkeeper::history::formats::liquibase {

namespace {

namespace fs = std::filesystem;

/// npm's package has the program deep in it, and its own command is another one.
std::optional<fs::path> program_for(const fs::path& project) {
  std::error_code error;
  for (fs::path at = fs::weakly_canonical(fs::absolute(project, error), error); !error;
       at = at.parent_path()) {
    const fs::path program = at / "node_modules" / "liquibase" / "dist" / "liquibase" / "liquibase";
    std::error_code ignored;
    if (fs::is_regular_file(program, ignored)) return program;
    if (at == at.root_path() || at.empty()) break;
  }
  return node_program(project, "liquibase");
}

}  // namespace

bool undoes_itself(const std::string& change) {
  static const std::set<std::string> k_changes = {"addCheckConstraint", "addColumn",
                                                  "addDefaultValue",    "addForeignKeyConstraint",
                                                  "addLookupTable",     "addNotNullConstraint",
                                                  "addPrimaryKey",      "addUniqueConstraint",
                                                  "createIndex",        "createSequence",
                                                  "createTable",        "createView",
                                                  "disableTrigger",     "dropNotNullConstraint",
                                                  "enableTrigger",      "renameColumn",
                                                  "renameSequence",     "renameTable",
                                                  "renameTrigger",      "renameView",
                                                  "setColumnRemarks",   "setTableRemarks",
                                                  "tagDatabase"};
  return k_changes.contains(change);
}

Result<ToolCommand> command_of_liquibase(const Project& project, record::Side side) {
  const fs::path changelog(project.changelog);
  const auto program = program_for(changelog.parent_path());
  if (!program) {
    return not_installed(
        "liquibase",
        "changes that are not SQL are run by Liquibase itself: put it into PATH (with Java), or run "
        "'npm install liquibase' in the project");
  }
  const char* const verb = side == record::Side::up ? "update-count" : "rollback-count";
  ToolCommand tool;
  tool.name = "liquibase";
  tool.shown = fmt::format("liquibase {} --count=1", verb);
  tool.connects = true;
  auto& command = tool.command;
  command.argv = {program->string(), "--show-banner=false",
                  "--changelog-file=" + changelog.filename().string(),
                  "--search-path=" + lockkeeper::join(project.search_paths, ","),
                  project.dialect == sql::Dialect::sqlite
                      ? "--url=jdbc:sqlite:{database}"
                      : "--url=jdbc:postgresql://{host}:{port}/{database}?sslmode=disable"};
  if (!project.properties.empty()) command.argv.push_back("--defaults-file=" + project.properties);
  command.argv.insert(command.argv.end(), {verb, "--count=1"});
  command.environment = {{"LIQUIBASE_DUPLICATE_FILE_MODE", "WARN"},
                         {"LIQUIBASE_ANALYTICS_ENABLED", "false"},
                         // Half the time that it takes to start.
                         {"JAVA_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}};
  // What the properties say of a connection is another database's; a file has no users.
  if (project.dialect == sql::Dialect::postgres) {
    command.environment["LIQUIBASE_COMMAND_USERNAME"] = "{user}";
    command.environment["LIQUIBASE_COMMAND_PASSWORD"] = "{password}";
  }
  command.directory = changelog.parent_path();
  return tool;
}

}  // namespace lockkeeper::history::formats::liquibase
