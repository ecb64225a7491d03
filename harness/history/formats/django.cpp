#include "history/formats/django.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/lines.h"
#include "history/outside_tool.h"
#include "history/pairing.h"
#include "history/python_file.h"

namespace lockkeeper::history::formats::django {

namespace {

namespace fs = std::filesystem;
using record::Side;

constexpr std::string_view k_install =
    "install it: apt install python3-django python3-psycopg2, or make the project's environment in .venv "
    "beside "
    "manage.py";

// Whatever of other apps comes before this app's last migrations, unless it needs one of this app that is not
// in.
constexpr std::string_view k_bring_in_others =
    "from django.core.management import call_command\n"
    "from django.db import connection\n"
    "from django.db.migrations.executor import MigrationExecutor\n"
    "app = '@APP@'\n"
    "loader = MigrationExecutor(connection).loader\n"
    "graph, applied = loader.graph, set(loader.applied_migrations)\n"
    "for leaf in graph.leaf_nodes(app):\n"
    "    for key in graph.forwards_plan(leaf):\n"
    "        plan = [each for each in graph.forwards_plan(key) if each not in applied]\n"
    "        if plan and not any(each[0] == app for each in plan):\n"
    "            call_command('migrate', *key, interactive=False, verbosity=0)\n"
    "            applied.update(plan)\n";

// One alone, though others follow what it follows.
constexpr std::string_view k_take_one_back =
    "from django.db import connection\n"
    "from django.db.migrations.executor import MigrationExecutor\n"
    "executor = MigrationExecutor(connection)\n"
    "one = executor.loader.graph.nodes['@APP@', '@NAME@']\n"
    "executor.migrate(None, plan=[(one, True)])\n";

/// What is known of the project without running it.
struct Project {
  fs::path directory;  ///< of manage.py
  std::string app;
};

/// One migration as its file says.
struct Node {
  std::string name;
  std::string path;
  std::set<std::string> parents;
  std::set<std::string> children;
  std::vector<std::string> replaces;
  bool needs_others = false;
  int line = 1;
};

bool is_name_of_migration(const std::string& name) {
  return name.ends_with(".py") && name.front() != '_' && name.front() != '~';
}

/// AppConfig.label of apps.py, else the folder's name.
std::string label_of(const fs::path& app) {
  const fs::path apps = app / "apps.py";
  const auto text = read_file(apps);
  const auto file = text ? read_python(apps.string(), *text) : Result<PythonFile>(PythonFile{});
  if (file) {
    for (const auto& [name, values] : file->classes) {
      const auto label = values.find("label");
      if (label != values.end() && label->second.is_plain && label->second.texts.size() == 1)
        return label->second.texts.front();
    }
  }
  return app.filename().string();
}

std::optional<Project> project_of(const Folder& folder) {
  const auto manage = folder.above("manage.py");
  if (!manage) return std::nullopt;
  std::error_code ignored;
  fs::path here = fs::weakly_canonical(fs::absolute(folder.path()), ignored);
  if (!here.has_filename()) here = here.parent_path();
  return Project{fs::path(*manage).parent_path(), label_of(here.parent_path())};
}

/// The interpreter that has Django.
std::optional<std::string> interpreter(const fs::path& project) {
  std::error_code ignored;
  for (const char* environment : {".venv", "venv", "env"}) {
    const fs::path python = project / environment / "bin" / "python";
    if (fs::exists(python, ignored)) return python.string();
  }
  const auto program = find_in_path("django-admin");
  if (!program) return std::nullopt;
  const auto text = read_file(*program);
  const std::string first = text ? trimmed(text->substr(0, text->find('\n'))) : "";
  const std::string python = first.starts_with("#!") ? trimmed(first.substr(2)) : "";
  return python.empty() || python.find(' ') != std::string::npos ? "python3" : python;
}

Result<ToolCommand> manage(const Project& project, const std::vector<std::string>& words) {
  const auto python = interpreter(project.directory);
  if (!python) return not_installed("django-admin", std::string(k_install));
  ToolCommand tool;
  tool.name = "manage.py";
  tool.shown = "manage.py " + join(words, " ");
  tool.connects = true;
  tool.command.argv = {*python, "manage.py"};
  tool.command.argv.insert(tool.command.argv.end(), words.begin(), words.end());
  tool.command.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
  tool.command.directory = project.directory;
  return tool;
}

std::string filled_in(std::string_view code, const std::string& app, const std::string& name) {
  std::string text(code);
  for (const auto& [place, value] : {std::pair("@APP@", app), std::pair("@NAME@", name)}) {
    const std::size_t at = text.find(place);
    if (at != std::string::npos) text.replace(at, std::string_view(place).size(), value);
  }
  return text;
}

/// The migrations of the whole project, since those of other apps are brought in, and Django's own version.
Result<std::string> digest_of_others(const Project& project) {
  Hasher hasher;
  const auto python = interpreter(project.directory);
  if (!python) return not_installed("django-admin", std::string(k_install));
  RunOptions options;
  options.deadline = std::chrono::seconds(60);
  const auto version = run({.argv = {*python, "-c", "import django; print(django.get_version())"},
                            .environment = {},
                            .unset = {},
                            .directory = {},
                            .run_as = {}},
                           options);
  if (!version) return failed(version);
  if (!version->ok()) {
    return failed(
        FailureKind::environment,
        fmt::format("cannot run Django with '{}': {}", *python, abridged(trimmed(version->errors), 200)),
        std::string(k_install));
  }
  hasher.add_field(version->output);
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(project.directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with('.') || name == "node_modules" || name == "venv" || name == "env") {
      at.disable_recursion_pending();
    } else if (name.ends_with(".py") && at->path().parent_path().filename() == "migrations") {
      files.push_back(at->path());
    }
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const auto content = hash_of_file(file);
    if (!content) return failed(content);
    hasher.add_field(file.lexically_relative(project.directory).string()).add_field(*content);
  }
  return hasher.hex();
}

class Graph {
 public:
  Graph(const Folder& folder, Project project) : m_project(std::move(project)), m_faults(folder.path()) {
    m_history.directory = folder.path();
  }

  void read(const Folder& folder);
  Result<History> finish() &&;

 private:
  void take(const std::string& name, const std::string& path);
  void note_dependencies(Node& node, const std::map<std::string, PythonValue>& values);
  void refuse_replaced();
  bool link();
  std::vector<std::string> ordered();
  void find_leaves();
  std::string target_of_down(const Node& node) const;
  Migration migration(const Node& node) const;

  Project m_project;
  History m_history;
  Faults m_faults;
  std::map<std::string, Node> m_nodes;
  std::vector<std::pair<std::string, std::string>> m_run_before;
};

void Graph::read(const Folder& folder) {
  if (!folder.has("__init__.py")) {
    m_faults.add(folder.path(), "no __init__.py in it: Django takes the app to have no migrations",
                 "make an empty one");
  }
  for (const Entry& entry : folder.entries()) {
    if (entry.name == "__pycache__" || entry.name == "__init__.py") continue;
    if (entry.is_directory || !entry.name.ends_with(".py")) {
      m_history.not_taken.push_back(left_file(entry, "not a .py file"));
    } else if (!is_name_of_migration(entry.name)) {
      m_history.not_taken.push_back(left_file(entry, "Django passes over names that begin so"));
    } else {
      take(entry.name.substr(0, entry.name.size() - 3), folder.path_of(entry.name));
    }
  }
}

void Graph::take(const std::string& name, const std::string& path) {
  const auto text = read_file(path);
  const auto file = text ? read_python(path, *text) : Result<PythonFile>(failed(text));
  if (!file) {
    return m_faults.add(file.error().location ? to_string(*file.error().location) : path,
                        file.error().message, file.error().hint);
  }
  const bool is_migration = text->find("class Migration") != std::string::npos;
  if (!is_migration) {
    return m_faults.add(path, fmt::format("Django refuses '{}': no class Migration in it", path),
                        "move it out of the folder, or begin its name with _");
  }
  Node node;
  node.name = name;
  node.path = path;
  if (const auto found = file->classes.find("Migration"); found != file->classes.end())
    note_dependencies(node, found->second);
  m_nodes.emplace(name, std::move(node));
}

void Graph::note_dependencies(Node& node, const std::map<std::string, PythonValue>& values) {
  const auto tuples = [&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::vector<std::vector<std::string>>() : found->second.tuples;
  };
  const auto found = values.find("dependencies");
  if (found != values.end()) {
    node.line = found->second.line;
    const auto& names = found->second.names;
    const bool swappable = std::ranges::find(names, "swappable_dependency") != names.end();
    node.needs_others = swappable;
    if (!names.empty() && !swappable) {
      m_faults.add(fmt::format("{}:{}:1", node.path, node.line),
                   "'dependencies' is more than a list of pairs: only Python could say what it is",
                   "write the pairs ('app', 'name') themselves");
    }
  }
  for (const auto& pair : tuples("dependencies")) {
    if (pair.size() != 2) continue;
    if (pair[0] != m_project.app) node.needs_others = true;
    if (pair[0] == m_project.app && pair[1] != "__first__") node.parents.insert(pair[1]);
  }
  for (const auto& pair : tuples("run_before")) {
    if (pair.size() == 2 && pair[0] == m_project.app) m_run_before.emplace_back(node.name, pair[1]);
  }
  for (const auto& pair : tuples("replaces")) {
    if (pair.size() == 2 && pair[0] == m_project.app) node.replaces.push_back(pair[1]);
  }
}

/// With the replaced ones gone, one that replaces is like any other.
void Graph::refuse_replaced() {
  for (const auto& [name, node] : m_nodes) {
    for (const std::string& replaced : node.replaces) {
      if (!m_nodes.contains(replaced)) continue;
      m_faults.add(
          node.path,
          fmt::format("migration '{}': it replaces '{}', which is there too: which of them Django takes "
                      "depends on the database",
                      name, replaced),
          "rehearse them apart: a copy of the app without the ones that are replaced, or without this one");
      break;
    }
  }
}

/// False where something that is depended on is not there.
bool Graph::link() {
  for (const auto& [before, after] : m_run_before) {
    if (const auto node = m_nodes.find(after); node != m_nodes.end()) node->second.parents.insert(before);
  }
  bool whole = true;
  for (auto& [name, node] : m_nodes) {
    for (const std::string& parent : node.parents) {
      const auto found = m_nodes.find(parent);
      if (found != m_nodes.end()) {
        found->second.children.insert(name);
        continue;
      }
      whole = false;
      m_history.facts.push_back(
          {record::HistoryFactKind::parent_missing, name, Location{node.path, node.line, 1},
           fmt::format("migration '{}' depends on '{}', which is not there", name, parent),
           "Django stops before it has done anything"});
    }
  }
  return whole;
}

std::vector<std::string> Graph::ordered() {
  std::map<std::string, std::size_t> waiting;
  std::set<std::string> ready;
  for (const auto& [name, node] : m_nodes) {
    waiting[name] = node.parents.size();
    if (node.parents.empty()) ready.insert(name);
  }
  std::vector<std::string> order;
  while (!ready.empty()) {
    const std::string name = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(name);
    for (const std::string& child : m_nodes.at(name).children) {
      if (--waiting[child] == 0) ready.insert(child);
    }
  }
  for (const auto& [name, count] : waiting) {
    if (count == 0) continue;
    const Node& node = m_nodes.at(name);
    m_faults.add(fmt::format("{}:{}:1", node.path, node.line),
                 fmt::format("migration '{}' comes before itself: its dependencies go in a circle", name),
                 "correct dependencies in one of them");
  }
  return order;
}

void Graph::find_leaves() {
  std::vector<std::string> leaves;
  for (const auto& [name, node] : m_nodes) {
    if (node.children.empty()) leaves.push_back(name);
  }
  if (leaves.size() < 2) return;
  const Node& last = m_nodes.at(leaves.back());
  const std::string message = fmt::format("the app has {} leaves: {}", leaves.size(), join(leaves, ", "));
  const Location place{last.path, last.line, 1};
  m_history.facts.push_back({record::HistoryFactKind::several_heads, last.name, place, message,
                             "'manage.py migrate' refuses to go on for any app"});
  m_history.refused = Failure{FailureKind::usage, message, "run: manage.py makemigrations --merge", place};
}

/// What to go back to so that this one alone is taken back; none where nothing says so.
std::string Graph::target_of_down(const Node& node) const {
  for (const std::string& parent : node.parents) {
    const auto found = m_nodes.find(parent);
    if (found != m_nodes.end() && found->second.children.size() == 1) return parent;
  }
  const auto roots =
      std::ranges::count_if(m_nodes, [](const auto& one) { return one.second.parents.empty(); });
  return node.parents.empty() && roots == 1 ? "zero" : "";
}

Migration Graph::migration(const Node& node) const {
  Migration migration;
  migration.version = node.name;
  migration.up_path = node.path;
  migration.down_path = node.path;
  migration.read = [](const Migration& one, Side) { return comments_in_code(one, "#"); };
  const std::string target = target_of_down(node);
  migration.command = [project = m_project, target](const Migration& one, Side side) {
    if (side == Side::up) return manage(project, {"migrate", "--noinput", project.app, one.version});
    if (!target.empty()) return manage(project, {"migrate", "--noinput", project.app, target});
    auto tool = manage(project, {"shell", "-c", filled_in(k_take_one_back, project.app, one.version)});
    if (tool) tool->shown = fmt::format("manage.py shell: {}.{} back alone", project.app, one.version);
    return tool;
  };
  return migration;
}

Result<History> Graph::finish() && {
  refuse_replaced();
  const bool whole = link();
  const std::vector<std::string> order = whole ? ordered() : std::vector<std::string>();
  if (!m_faults.empty()) return std::move(m_faults).failure();
  if (!whole) {
    const auto& fact = m_history.facts.front();
    m_history.refused = Failure{FailureKind::usage, fact.detail,
                                "bring the missing migration back, or correct dependencies", fact.location};
    for (const auto& [name, node] : m_nodes) m_history.migrations.push_back(migration(node));
    return std::move(m_history);
  }
  find_leaves();
  bool needs_others = false;
  for (const std::string& name : order) {
    const Node& node = m_nodes.at(name);
    m_history.brings[name] = {node.parents.begin(), node.parents.end()};
    m_history.migrations.push_back(migration(node));
    needs_others = needs_others || node.needs_others;
  }
  if (needs_others) {
    m_history.preparation = Preparation{
        [project = m_project] {
          auto tool = manage(project, {"shell", "-c", filled_in(k_bring_in_others, project.app, "")});
          if (tool) tool->shown = fmt::format("bringing in what '{}' needs of other apps", project.app);
          return tool;
        },
        [project = m_project] { return digest_of_others(project); }};
  }
  return std::move(m_history);
}

Fit fits(const Folder& folder) {
  const auto manage_py = folder.above("manage.py");
  if (!manage_py) return {};
  for (const Entry& entry : folder.entries()) {
    if (entry.is_directory || !is_name_of_migration(entry.name)) continue;
    const auto text = read_file(folder.path_of(entry.name));
    if (text && text->find("migrations.Migration") != std::string::npos) return {Fit::How::sure, *manage_py};
  }
  return {};
}

Result<History> load(const Folder& folder) {
  Graph graph(folder, *project_of(folder));
  graph.read(folder);
  auto history = std::move(graph).finish();
  if (!history) return history;
  history->bookkeeping =
      books_of_program({"public.django_migrations", "public.django_content_type", "public.auth_permission"});
  history->habits.late = Habits::Late::no_matter;
  history->habits.when_edited = "Django does not notice: databases that have it keep what it was";
  return history;
}

}  // namespace

Format format() {
  return {"django", "<app>/migrations/<number>_<name>.py, with a manage.py above", fits, load, true};
}

}  // namespace lockkeeper::history::formats::django
