#include "history/formats/alembic.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/lines.h"
#include "history/outside_tool.h"
#include "history/pairing.h"
#include "history/python_file.h"

namespace lockkeeper::history::formats::alembic {

namespace {

namespace fs = std::filesystem;
using record::Side;

// Alembic's own command line, on a configuration whose URL is ours.
constexpr std::string_view k_driver =
    "import sys\n"
    "from alembic.config import CommandLine, Config\n"
    "line = CommandLine(prog='alembic')\n"
    "options = line.parser.parse_args(sys.argv[2:])\n"
    "config = Config(file_=options.config, ini_section=options.name, cmd_opts=options)\n"
    "scheme = (config.get_main_option('sqlalchemy.url') or '').split(':')[0]\n"
    "url = sys.argv[1]\n"
    "if scheme.startswith('postgres'):\n"
    "    url = scheme.replace('postgres+', 'postgresql+') + url[url.index(':'):]\n"
    "config.set_main_option('sqlalchemy.url', url.replace('%', '%%'))\n"
    "line.run_cmd(config, options)\n";

/// Where the parts of a project lie.
struct Project {
  fs::path ini;
  fs::path scripts;                 ///< with env.py
  std::vector<fs::path> locations;  ///< of revisions
};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The values of the section [alembic], %(here)s put in.
std::map<std::string, std::string> options_of(const fs::path& ini) {
  std::map<std::string, std::string> options;
  const auto text = read_file(ini);
  bool ours = false;
  Lines lines(text ? std::string_view(*text) : std::string_view());
  while (lines.next()) {
    const std::string_view line = stripped(lines.line().text);
    if (line.starts_with('[')) ours = line == "[alembic]";
    const std::size_t at = line.find_first_of("=:");
    if (!ours || line.starts_with('#') || line.starts_with(';') || at == std::string_view::npos) continue;
    std::string value(stripped(line.substr(at + 1)));
    const std::string here = "%(here)s";
    for (std::size_t place = value.find(here); place != std::string::npos; place = value.find(here)) {
      value.replace(place, here.size(), fs::absolute(ini).parent_path().string());
    }
    options[std::string(stripped(line.substr(0, at)))] = value;
  }
  return options;
}

fs::path beside(const fs::path& ini, const std::string& path) {
  return (fs::absolute(ini).parent_path() / path).lexically_normal();
}

/// Of the paths that alembic.ini names: separated by white space, commas or colons.
std::vector<fs::path> locations_of(const fs::path& ini, const std::map<std::string, std::string>& options,
                                   const fs::path& scripts) {
  std::vector<fs::path> locations;
  const auto named = options.find("version_locations");
  if (named != options.end()) {
    std::string list = named->second;
    std::replace_if(
        list.begin(), list.end(), [](char c) { return c == ',' || c == ':' || c == ';' || c == '\t'; }, ' ');
    for (const std::string& path : split(list, ' ')) {
      if (!path.empty()) locations.push_back(beside(ini, path));
    }
  }
  if (locations.empty()) locations.push_back(scripts / "versions");
  return locations;
}

std::optional<Project> project_of(const Folder& folder) {
  const auto ini = folder.above("alembic.ini");
  if (!ini) return std::nullopt;
  const auto options = options_of(*ini);
  const auto location = options.find("script_location");
  if (location == options.end()) return std::nullopt;
  Project project;
  project.ini = fs::absolute(*ini).lexically_normal();
  project.scripts = beside(*ini, location->second);
  project.locations = locations_of(*ini, options, project.scripts);
  std::error_code ignored;
  fs::path here = fs::weakly_canonical(fs::absolute(folder.path()), ignored);
  if (!here.has_filename()) here = here.parent_path();
  const auto is_here = [&](const fs::path& path) { return fs::weakly_canonical(path, ignored) == here; };
  const bool inside = is_here(project.ini.parent_path()) || is_here(project.scripts) ||
                      std::any_of(project.locations.begin(), project.locations.end(), is_here);
  return inside ? std::optional(std::move(project)) : std::nullopt;
}

/// One revision as its file says.
struct Revision {
  std::string id;
  std::string summary;
  std::string path;
  std::vector<std::string> parents;
  std::vector<std::string> depends_on;
  std::vector<std::string> labels;
  int line = 1;
};

class Graph {
 public:
  explicit Graph(const Folder& folder) : m_faults(folder.path()) { m_history.directory = folder.path(); }

  void read(const fs::path& location);
  Result<History> finish(const Project& project) &&;

 private:
  void take(const fs::path& path);
  fs::path shown(const fs::path& path) const;
  void check_values(const fs::path& path, const PythonFile& file);
  std::optional<std::string> resolved(const std::string& name) const;
  void resolve(std::vector<std::string>& names, const Revision& revision);
  std::vector<std::string> ordered();
  void find_heads();
  Migration migration(const Revision& revision, const Project& project) const;

  History m_history;
  Faults m_faults;
  std::map<std::string, Revision> m_revisions;
};

/// As the user named the folder: absolute, or from where we are.
fs::path Graph::shown(const fs::path& path) const {
  return fs::path(m_history.directory).is_absolute() ? path : path.lexically_proximate(fs::current_path());
}

void Graph::check_values(const fs::path& path, const PythonFile& file) {
  for (const char* name : {"revision", "down_revision", "depends_on"}) {
    const auto value = file.values.find(name);
    if (value == file.values.end() || value->second.is_plain) continue;
    m_faults.add(
        fmt::format("{}:{}:1", path.string(), value->second.line),
        fmt::format("'{}' is neither a text nor a list of texts: only Python could say what it is", name),
        "write the revision's identifier itself");
  }
}

void Graph::take(const fs::path& path) {
  const auto text = read_file(path);
  const auto file = text ? read_python(path.string(), *text) : Result<PythonFile>(failed(text));
  if (!file) {
    m_faults.add(file.error().location ? to_string(*file.error().location) : path.string(),
                 file.error().message, file.error().hint);
    return;
  }
  const fs::path folder = fs::absolute(m_history.directory).lexically_normal();
  const std::string relative = fs::absolute(path).lexically_normal().lexically_relative(folder).string();
  const auto id = file->values.find("revision");
  if (id == file->values.end() || id->second.texts.size() != 1) {
    m_history.not_taken.push_back(fmt::format("{}: no revision = '…' in it", relative));
    return;
  }
  check_values(path, *file);
  const auto texts = [&](const char* name) {
    const auto value = file->values.find(name);
    return value == file->values.end() ? std::vector<std::string>() : value->second.texts;
  };
  Revision revision{id->second.texts[0], file->summary,          path.string(),  texts("down_revision"),
                    texts("depends_on"), texts("branch_labels"), id->second.line};
  const auto [known, added] = m_revisions.emplace(revision.id, revision);
  if (!added) {
    m_faults.add_duplicate(path.string(), revision.id, fs::path(known->second.path).filename().string(),
                           path.filename().string());
  }
}

void Graph::read(const fs::path& location) {
  const auto entries = list(location.string());
  if (!entries) return m_faults.add(location.string(), entries.error().message, entries.error().hint);
  for (const Entry& entry : *entries) {
    if (entry.is_directory || !entry.name.ends_with(".py")) {
      if (entry.name != "__pycache__") m_history.not_taken.push_back(left_file(entry, "not a .py file"));
    } else if (entry.name != "__init__.py") {
      take(shown(location / entry.name));
    }
  }
}

/// An identifier, a unique beginning of one, or a branch's label.
std::optional<std::string> Graph::resolved(const std::string& name) const {
  if (m_revisions.contains(name)) return name;
  std::optional<std::string> found;
  for (const auto& [id, revision] : m_revisions) {
    const bool labelled =
        std::find(revision.labels.begin(), revision.labels.end(), name) != revision.labels.end();
    if (labelled) return id;
    if (name.size() < 4 || !id.starts_with(name)) continue;
    if (found) return std::nullopt;
    found = id;
  }
  return found;
}

void Graph::resolve(std::vector<std::string>& names, const Revision& revision) {
  for (std::string& name : names) {
    if (const auto id = resolved(name)) {
      name = *id;
      continue;
    }
    const std::string message =
        fmt::format("revision '{}' follows '{}', which is not there", revision.id, name);
    m_history.facts.push_back({record::HistoryFactKind::parent_missing, revision.id,
                               Location{revision.path, revision.line, 1}, message,
                               "alembic stops before it has done anything"});
  }
}

/// Parents first; of those that may come next, the one whose file was first in its folder.
std::vector<std::string> Graph::ordered() {
  std::map<std::string, std::size_t> waiting;
  std::map<std::string, std::vector<std::string>> followers;
  std::set<std::pair<std::string, std::string>> ready;
  for (const auto& [id, revision] : m_revisions) {
    std::set<std::string> before(revision.parents.begin(), revision.parents.end());
    before.insert(revision.depends_on.begin(), revision.depends_on.end());
    waiting[id] = before.size();
    for (const std::string& one : before) followers[one].push_back(id);
    if (before.empty()) ready.emplace(revision.path, id);
  }
  std::vector<std::string> order;
  while (!ready.empty()) {
    const std::string id = ready.begin()->second;
    ready.erase(ready.begin());
    order.push_back(id);
    for (const std::string& follower : followers[id]) {
      if (--waiting[follower] == 0) ready.emplace(m_revisions.at(follower).path, follower);
    }
  }
  for (const auto& [id, count] : waiting) {
    if (count == 0) continue;
    const Revision& revision = m_revisions.at(id);
    m_faults.add(fmt::format("{}:{}:1", revision.path, revision.line),
                 fmt::format("revision '{}' comes before itself: its parents go in a circle", id),
                 "correct down_revision in one of them");
  }
  return order;
}

/// Heads that no label tells apart: "upgrade head" does not know which is meant.
void Graph::find_heads() {
  std::set<std::string> followed;
  for (const auto& [id, revision] : m_revisions)
    followed.insert(revision.parents.begin(), revision.parents.end());
  std::vector<std::string> heads;
  for (const auto& [id, revision] : m_revisions) {
    if (!followed.contains(id)) heads.push_back(id);
  }
  if (heads.size() < 2) return;
  const Revision& last = m_revisions.at(heads.back());
  m_history.facts.push_back({record::HistoryFactKind::several_heads, last.id,
                             Location{last.path, last.line, 1},
                             fmt::format("the history has {} heads: {}", heads.size(), join(heads, ", ")),
                             "'alembic upgrade head' refuses to choose between them"});
}

/// The interpreter that the installed alembic belongs to.
Result<std::string> interpreter() {
  const auto program = find_in_path("alembic");
  if (!program) {
    return not_installed(
        "alembic", "install it: apt install alembic python3-psycopg2, or activate the project's environment");
  }
  const auto text = read_file(*program);
  const std::string first = text ? trimmed(text->substr(0, text->find('\n'))) : "";
  const std::string python = first.starts_with("#!") ? trimmed(first.substr(2)) : "";
  return python.empty() || python.find(' ') != std::string::npos ? std::string("python3") : python;
}

Result<ToolCommand> command(const Project& project, const std::vector<std::string>& words) {
  const auto python = interpreter();
  if (!python) return failed(python);
  ToolCommand tool;
  tool.name = "alembic";
  tool.shown = "alembic " + join(words, " ");
  tool.command.argv = {*python, "-c", std::string(k_driver), "{url}", "-c", project.ini.string()};
  tool.command.argv.insert(tool.command.argv.end(), words.begin(), words.end());
  tool.command.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
  tool.command.directory = project.ini.parent_path();
  return tool;
}

Migration Graph::migration(const Revision& revision, const Project& project) const {
  Migration migration;
  migration.version = revision.id;
  migration.name = revision.summary;
  migration.up_path = revision.path;
  migration.down_path = revision.path;
  migration.read = [](const Migration& one, Side) { return comments_in_code(one, "#"); };
  const std::string parent = revision.parents.empty() ? "base" : revision.parents.front();
  migration.command = [project, parent](const Migration& one, Side side) {
    if (side == Side::up) return command(project, {"upgrade", one.version});
    return command(project, {"downgrade", one.version + "@" + parent});
  };
  return migration;
}

Result<History> Graph::finish(const Project& project) && {
  for (auto& [id, revision] : m_revisions) {
    resolve(revision.parents, revision);
    resolve(revision.depends_on, revision);
  }
  const bool whole = m_history.facts.empty();
  const std::vector<std::string> order = whole ? ordered() : std::vector<std::string>();
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  if (!whole) {
    const auto& fact = m_history.facts.front();
    m_history.refused = Failure{FailureKind::usage, fact.detail,
                                "bring the missing revision back, or correct down_revision", fact.location};
    for (const auto& [id, revision] : m_revisions)
      m_history.migrations.push_back(migration(revision, project));
    return std::move(m_history);
  }
  find_heads();
  for (const std::string& id : order) {
    const Revision& revision = m_revisions.at(id);
    auto& brought = m_history.brings[id] = revision.parents;
    brought.insert(brought.end(), revision.depends_on.begin(), revision.depends_on.end());
    m_history.migrations.push_back(migration(revision, project));
  }
  return std::move(m_history);
}

Fit fits(const Folder& folder) {
  const auto project = project_of(folder);
  if (!project || !is_file(project->scripts / "env.py")) return {};
  return {Fit::How::sure, project->ini.string()};
}

Result<History> load(const Folder& folder) {
  const auto project = project_of(folder);
  Graph graph(folder);
  for (const fs::path& location : project->locations) graph.read(location);
  auto history = std::move(graph).finish(*project);
  if (!history) return history;
  history->bookkeeping = books_of_program({"public.alembic_version"});
  const auto environment = read_file(project->scripts / "env.py");
  const bool each = environment && environment->find("transaction_per_migration") != std::string::npos;
  history->all_in_one = !each;
  history->habits.when_edited = "alembic does not notice: databases that have it keep what it was";
  history->habits.late = Habits::Late::no_matter;
  return history;
}

}  // namespace

Format format() {
  return {"alembic", "versions/*.py beside env.py, with an alembic.ini above", fits, load, true};
}

}  // namespace lockkeeper::history::formats::alembic
