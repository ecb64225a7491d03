#include "history/formats/sqitch.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/faults.h"
#include "history/formats/sqitch_config.h"
#include "history/formats/sqitch_plan.h"
#include "history/formats/sqitch_registry.h"
#include "history/pairing.h"
#include "sql/psql_script.h"

namespace lockkeeper::history::formats::sqitch {

namespace {

namespace fs = std::filesystem;
using record::Side;

constexpr const char* k_config = "sqitch.conf";
constexpr const char* k_plan = "sqitch.plan";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// Where a project's files are. sqitch is started in `root`, the directory of sqitch.conf.
struct Project {
  fs::path root;
  Config config;

  fs::path at(const std::string& relative) const { return (root / relative).lexically_normal(); }
  fs::path top() const { return at(config.of_target("top_dir")); }
  fs::path plan_file() const {
    const std::string named = config.of_target("plan_file");
    return named.empty() ? (top() / k_plan).lexically_normal() : at(named);
  }
  /// kind: deploy, revert, verify
  fs::path scripts(const std::string& kind) const {
    const std::string named = config.of_target(kind + "_dir");
    return named.empty() ? (top() / kind).lexically_normal() : at(named);
  }
  fs::path reworked_scripts(const std::string& kind) const {
    if (const std::string own = config.of_target(fmt::format("reworked_{}_dir", kind)); !own.empty())
      return at(own);
    const std::string reworked = config.of_target("reworked_dir");
    const std::string named = config.of_target(kind + "_dir");
    return ((reworked.empty() ? top() : at(reworked)) / (named.empty() ? kind : named)).lexically_normal();
  }
  std::string extension() const {
    const std::string named = config.of_target("extension");
    return "." + (named.empty() ? "sql" : named);
  }
};

bool same(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::weakly_canonical(a, error) == fs::weakly_canonical(b, error);
}

/// The nearest sqitch.conf above the folder, as a path from the folder, if its plan lies in the folder.
Result<std::optional<Project>> project_above(const Folder& folder) {
  const auto above = folder.above(k_config);
  if (!above) return std::optional<Project>();
  std::error_code error;
  const fs::path up = fs::relative(fs::path(*above).parent_path(), folder.path(), error);
  auto config = Config::read(*above);
  if (!config) return failed(config);
  Project project{(fs::path(folder.path()) / up).lexically_normal(), std::move(*config)};
  if (!same(project.plan_file().parent_path(), folder.path()) || !is_file(project.plan_file()))
    return std::optional<Project>();
  return std::optional(std::move(project));
}

Result<Project> project_of(const Folder& folder) {
  if (folder.has(k_config)) {
    auto config = Config::read(folder.path_of(k_config));
    if (!config) return failed(config);
    return Project{folder.path(), std::move(*config)};
  }
  auto above = project_above(folder);
  if (!above) return failed(above);
  if (*above) return std::move(**above);
  return Project{folder.path(), {}};
}

/// A change as a migration, and where its scripts are.
class Loader {
 public:
  Loader(const Folder& folder, Project project)
      : m_folder(folder), m_project(std::move(project)), m_faults(folder.path()) {
    m_history.directory = folder.path();
  }

  Result<History> load();

 private:
  Result<void> read_plan();
  void take(std::size_t index);
  std::string version_of(const Change& change);
  std::string script_name(const Change& change) const;
  fs::path script(const std::string& kind, const Change& change, const std::string& name) const;
  void leave_others();
  void leave_below(const fs::path& directory);
  void leave(const fs::path& file, std::string_view reason) {
    m_history.not_taken.push_back(fmt::format(
        "{}: {}", file.lexically_relative(fs::path(m_folder.path()).lexically_normal()).string(), reason));
  }
  std::map<std::string, std::string> variables(Side side) const;

  const Folder& m_folder;
  Project m_project;
  Faults m_faults;
  History m_history;
  std::shared_ptr<Plan> m_plan = std::make_shared<Plan>();
  std::map<std::string, int> m_instances;        ///< so far, of each name
  std::map<std::string, std::size_t> m_indexes;  ///< by version
  std::set<std::string> m_known;                 ///< files that are spoken of
};

Result<void> Loader::read_plan() {
  const std::string path = m_project.plan_file().string();
  const auto text = read_file(path);
  if (!text) {
    return failed(FailureKind::usage,
                  fmt::format("sqitch refuses '{}': {}", m_folder.path(), text.error().message),
                  "a project is sqitch.conf and the plan that it names, sqitch.plan where it names none");
  }
  if (const auto source = sql::Source::from_text(path, *text); !source) return failed(source);
  m_known.insert(path);
  *m_plan = parse_plan(path, *text, m_faults);
  return {};
}

/// The change's name, and which instance of it, counted so that reworking a change gives no other one another
/// version; no name holds a '#'.
std::string Loader::version_of(const Change& change) {
  const int instance = ++m_instances[change.name];
  return instance == 1 ? change.name : fmt::format("{}#{}", change.name, instance);
}

/// Of a reworked change the first of its tags for which there is a deploy script (Plan/Change.pm).
std::string Loader::script_name(const Change& change) const {
  if (change.rework_tags.empty()) return change.name + m_project.extension();
  for (const std::string& tag : change.rework_tags) {
    std::string name = fmt::format("{}@{}{}", change.name, tag, m_project.extension());
    if (is_file(m_project.reworked_scripts("deploy") / name)) return name;
  }
  return fmt::format("{}@{}{}", change.name, change.rework_tags.front(), m_project.extension());
}

fs::path Loader::script(const std::string& kind, const Change& change, const std::string& name) const {
  return (change.rework_tags.empty() ? m_project.scripts(kind) : m_project.reworked_scripts(kind)) / name;
}

std::map<std::string, std::string> Loader::variables(Side side) const {
  std::map<std::string, std::string> all;
  const std::string target = m_project.config.value("core.target");
  for (const std::string& section : {std::string("core.variables"), std::string("deploy.variables"),
                                     std::string(side == Side::up ? "" : "revert.variables"),
                                     fmt::format("engine.{}.variables", m_project.config.engine_key()),
                                     fmt::format("target.{}.variables", target)}) {
    for (auto& [name, value] : m_project.config.section(section)) all[name] = value;
  }
  const std::string registry = m_project.config.of_target("registry");
  all["registry"] = registry.empty() ? "sqitch" : registry;
  return all;
}

/// The sqlite3 shell reads the file with -bail, in a session of its own; a transaction is what the script
/// says (lib/App/Sqitch/Engine/sqlite.pm: run_file).
Result<sql::Script> sqlite_script(std::shared_ptr<const sql::Source> source) {
  auto part = sql::statement_by_statement(source, sql::all_of(*source), record::TransactionShape::autocommit);
  if (!part) return failed(part);
  part->shape_reason = "sqitch has sqlite3 read the script";
  sql::Script script;
  script.parts.push_back(std::move(*part));
  return script;
}

void Loader::take(std::size_t index) {
  const Change& change = m_plan->changes[index];
  const std::string name = script_name(change);
  Migration migration;
  migration.version = version_of(change);
  migration.up_path = script("deploy", change, name).string();
  migration.hash_what_is_sent = true;
  m_known.insert(migration.up_path);
  if (!is_file(migration.up_path)) {
    m_faults.add(fmt::format("{}:{}", m_project.plan_file().string(), change.line),
                 fmt::format("sqitch refuses change '{}': its deploy script '{}' does not exist", change.name,
                             migration.up_path),
                 "write the script, or take the change out of the plan");
  }
  const std::string revert = script("revert", change, name).string();
  m_known.insert(revert);
  if (is_file(revert)) migration.down_path = revert;
  const std::string verify = script("verify", change, name).string();
  m_known.insert(verify);
  if (is_file(verify)) leave(verify, "a verify script: what it says of a deploy is not rehearsed");
  migration.read = [root = m_project.root, of_up = variables(Side::up), of_down = variables(Side::down)](
                       const Migration& of, Side side) -> Result<sql::Script> {
    const bool up = side == Side::up;
    auto source = read_source(up ? of.up_path : of.down_path.value_or(""), of.dialect);
    if (!source) return failed(source);
    if (of.dialect == sql::Dialect::sqlite) return sqlite_script(std::move(*source));
    return script_of(sql::psql_script(std::move(*source), {up ? of_up : of_down, root}));
  };
  m_indexes[migration.version] = index;
  m_history.migrations.push_back(std::move(migration));
}

void Loader::leave_below(const fs::path& directory) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const fs::path file = at->path().lexically_normal();
    std::error_code ignored;
    if (at->is_directory(ignored) || !m_known.insert(file.string()).second) continue;
    leave(file, "no change of the plan has a script of this name");
  }
}

/// Scripts that no change has, and what else lies in the folder.
void Loader::leave_others() {
  std::set<fs::path> directories;
  for (const char* kind : {"deploy", "revert", "verify"}) {
    directories.insert(m_project.scripts(kind));
    directories.insert(m_project.reworked_scripts(kind));
  }
  for (const fs::path& directory : directories) leave_below(directory);
  const auto is_ours = [&](const fs::path& path) {
    return m_known.contains(path.string()) ||
           std::ranges::any_of(
               directories,
               [&](const fs::path& one) { return (one / "").string().starts_with((path / "").string()); }) ||
           (m_project.plan_file().string().starts_with((path / "").string()));
  };
  for (const Entry& entry : m_folder.entries()) {
    if (entry.name == k_config || is_ours(fs::path(m_folder.path_of(entry.name)).lexically_normal()))
      continue;
    m_history.not_taken.push_back(left_file(entry, "no script of the plan"));
  }
  std::ranges::sort(m_history.not_taken);
}

Result<History> Loader::load() {
  const std::string engine = m_project.config.engine();
  if (!engine.empty() && engine != "pg" && engine != "sqlite") {
    return failed(FailureKind::usage,
                  fmt::format("migrations '{}': sqitch.conf has the engine '{}'", m_folder.path(), engine),
                  "only sqitch projects for PostgreSQL (engine = pg) and SQLite are rehearsed");
  }
  if (const auto read = read_plan(); !read) return failed(read);
  for (std::size_t index = 0; index < m_plan->changes.size(); ++index) take(index);
  if (!m_faults.empty()) return std::move(m_faults).failure();
  leave_others();
  m_history.keeps_session = false;  // each script has a psql of its own (lib/App/Sqitch/Engine/pg.pm: _run)
  m_history.habits.when_edited =
      "sqitch deploys a change once: databases that have it keep what it was; 'sqitch rework' makes a new "
      "instance of it";
  // An earlier change gives all behind it other ids, and a plan without the id of what a database has last is
  // refused (lib/App/Sqitch/Engine.pm: _sync_plan).
  m_history.habits.late = Habits::Late::refused;
  // On SQLite its registry is a file of its own, sqitch.db beside the database.
  if (engine == "sqlite") return std::move(m_history);
  m_history.bookkeeping = bookkeeping(
      m_plan, m_project.config,
      [indexes = m_indexes](const Migration& migration) { return indexes.at(migration.version); });
  return std::move(m_history);
}

std::optional<sql::Dialect> dialect_of(const Folder& folder) {
  const auto project = project_of(folder);
  if (!project) return std::nullopt;
  const std::string engine = project->config.engine();
  if (engine == "sqlite") return sql::Dialect::sqlite;
  return engine == "pg" ? std::optional(sql::Dialect::postgres) : std::nullopt;
}

Fit fits(const Folder& folder) {
  if (folder.has(k_config)) return {Fit::How::sure, k_config, dialect_of(folder)};
  if (folder.has(k_plan)) return {Fit::How::sure, k_plan, dialect_of(folder)};
  const auto above = project_above(folder);
  if (!above || !*above) return {};
  return {Fit::How::sure,
          fmt::format("'{}' names its plan", ((*above)->root / k_config).lexically_normal().string()),
          dialect_of(folder)};
}

Result<History> load(const Folder& folder) {
  auto project = project_of(folder);
  if (!project) return failed(project);
  return Loader(folder, std::move(*project)).load();
}

}  // namespace

Format format() {
  return {"sqitch", "sqitch.plan with deploy/<change>.sql and revert/<change>.sql", fits, load, true};
}

}  // namespace lockkeeper::history::formats::sqitch
