#include "history/formats/liquibase.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/files_below.h"
#include "history/formats/liquibase_command.h"
#include "history/formats/liquibase_formatted.h"
#include "history/formats/liquibase_sql.h"
#include "history/formats/liquibase_tree.h"
#include "history/lines.h"
#include "history/settings_file.h"

namespace lockkeeper::history::formats::liquibase {

namespace {

namespace fs = std::filesystem;
using record::Side;
using Down = FormattedChangeSet::Down;

/// SQL of one side: of a file, all of it or a change set in it, or text of its own.
struct Sql {
  enum class Kind { formatted_up, formatted_down, file, text, of_liquibase };
  Kind kind = Kind::file;
  std::string file;
  std::size_t begin = 0;  ///< of the formatted change set in the file, in bytes
  std::size_t end = 0;
  int line = 0;
  std::string text;
  Sending sending;
};

struct ChangeSet {
  std::string author;
  std::string id;
  std::string path;  ///< as Liquibase shows it
  std::vector<Sql> up;
  std::vector<Sql> down;
  bool has_down = false;
  bool in_transaction = true;
  bool runs_when_changed = false;
  bool undoes_itself = true;  ///< all its changes do, where there is no rollback
  std::string digest;
  std::string place;  ///< for shape_reason
  std::shared_ptr<const Parameters> parameters;

  std::string shown() const { return fmt::format("{}::{}::{}", path, id, author); }
};

Result<std::string> read_range(const Sql& sql) {
  std::ifstream file(sql.file, std::ios::binary);
  std::string text(sql.end - sql.begin, '\0');
  file.seekg(static_cast<std::streamoff>(sql.begin));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file) {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': it is shorter than it was", sql.file),
                  "run again");
  }
  return text;
}

/// The text that a side sends, at its lines in the file.
Result<sql::Source> source_of(const Sql& sql, const Parameters& parameters, sql::Dialect dialect) {
  if (sql.kind == Sql::Kind::text)
    return sql::Source::from_text(sql.file, expanded(sql.text, parameters), sql.line, dialect);
  if (sql.kind == Sql::Kind::file) {
    auto source = sql::Source::read(sql.file, dialect);
    if (!source || parameters.empty()) return source;
    return sql::Source::from_text(sql.file, expanded(source->text(), parameters), 1, dialect);
  }
  const auto text = read_range(sql);
  if (!text) return failed(text);
  Parameters known = parameters;
  const auto sets = read_formatted(*text, sql.file, sql.line, known);
  if (!sets) return failed(sets);
  if (sets->empty()) return sql::Source::from_text(sql.file, "", sql.line, dialect);
  const FormattedChangeSet& set = sets->front();
  if (sql.kind == Sql::Kind::formatted_up)
    return sql::Source::from_text(sql.file, set.up, set.line + 1, dialect);
  return sql::Source::from_text(sql.file, set.down_text, set.down_line, dialect);
}

/// All in one part: the changes of a change set share its transaction.
Result<sql::Script> read_side(const ChangeSet& set, Side side, sql::Dialect dialect) {
  sql::Part whole;
  whole.shape =
      set.in_transaction ? record::TransactionShape::one_transaction : record::TransactionShape::autocommit;
  if (!set.in_transaction) whole.shape_reason = fmt::format("runInTransaction:false at {}", set.place);
  whole.begins_again = set.in_transaction;
  whole.pipelines = !set.in_transaction;
  std::size_t messages = 0;
  for (const Sql& sql : side == Side::up ? set.up : set.down) {
    auto source = source_of(sql, *set.parameters, dialect);
    if (!source) return failed(source);
    auto part = part_of(std::make_shared<const sql::Source>(std::move(*source)), sql.sending, whole.shape);
    if (!part) return failed(part);
    join(whole, std::move(*part), messages);
  }
  sql::Script script;
  script.parts.push_back(std::move(whole));
  return script;
}

Migration migration_of(ChangeSet set) {
  Migration migration;
  migration.version = set.shown();
  migration.up_path = set.up.empty() ? "" : set.up.front().file;
  migration.up_line = set.up.empty() ? 0 : set.up.front().line;
  for (std::size_t i = 1; i < set.up.size(); ++i) migration.further_files.push_back(set.up[i].file);
  if (set.has_down) {
    migration.down_path = set.down.empty() ? migration.up_path : set.down.front().file;
    migration.down_line = set.down.empty() ? migration.up_line : set.down.front().line;
  }
  migration.up_digest = set.digest;
  migration.runs_when_changed = set.runs_when_changed;
  for (const auto& [name, value] : *set.parameters)
    migration.up_settings += fmt::format("{}={}:{};", name, value.size(), value);
  migration.read = [set = std::move(set)](const Migration& of, Side side) {
    return read_side(set, side, of.dialect);
  };
  return migration;
}

std::shared_ptr<const Bookkeeping> books_of_sqlite(std::map<std::string, std::string> keys) {
  auto books = std::make_shared<Bookkeeping>();
  books->tables = {"DATABASECHANGELOG", "DATABASECHANGELOGLOCK"};
  books->create =
      "CREATE TABLE IF NOT EXISTS DATABASECHANGELOG (ID TEXT NOT NULL, AUTHOR TEXT NOT NULL, FILENAME TEXT "
      "NOT "
      "NULL, DATEEXECUTED TEXT NOT NULL, ORDEREXECUTED INTEGER NOT NULL, EXECTYPE TEXT NOT NULL, MD5SUM "
      "TEXT, "
      "DESCRIPTION TEXT, COMMENTS TEXT, TAG TEXT, LIQUIBASE TEXT, CONTEXTS TEXT, LABELS TEXT, DEPLOYMENT_ID "
      "TEXT); "
      "CREATE TABLE IF NOT EXISTS DATABASECHANGELOGLOCK (ID INTEGER NOT NULL PRIMARY KEY, LOCKED INTEGER NOT "
      "NULL, "
      "LOCKGRANTED TEXT, LOCKEDBY TEXT); INSERT OR IGNORE INTO DATABASECHANGELOGLOCK (ID, LOCKED) VALUES (1, "
      "0)";
  books->note = [keys = std::move(keys)](const Migration& migration, Side side) {
    const std::string& key = keys.at(migration.version);
    if (side == Side::down)
      return fmt::format("DELETE FROM DATABASECHANGELOG WHERE (ID, AUTHOR, FILENAME) = ({})", key);
    return fmt::format(
        "INSERT INTO DATABASECHANGELOG (ID, AUTHOR, FILENAME, DATEEXECUTED, ORDEREXECUTED, EXECTYPE, "
        "DESCRIPTION) "
        "SELECT {}, CURRENT_TIMESTAMP, coalesce(max(ORDEREXECUTED), 0) + 1, 'EXECUTED', 'sql' FROM "
        "DATABASECHANGELOG",
        key);
  };
  return books;
}

std::shared_ptr<const Bookkeeping> bookkeeping(std::map<std::string, std::string> keys,
                                               sql::Dialect dialect) {
  auto books = std::make_shared<Bookkeeping>();
  if (dialect == sql::Dialect::sqlite) return books_of_sqlite(std::move(keys));
  books->tables = {"public.databasechangelog", "public.databasechangeloglock"};
  books->create =
      "CREATE TABLE IF NOT EXISTS public.databasechangelog (id varchar(255) NOT NULL, author varchar(255) "
      "NOT "
      "NULL, filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL, orderexecuted integer NOT "
      "NULL, "
      "exectype varchar(10) NOT NULL, md5sum varchar(35), description varchar(255), comments varchar(255), "
      "tag "
      "varchar(255), liquibase varchar(20), contexts varchar(255), labels varchar(255), deployment_id "
      "varchar(10)); CREATE TABLE IF NOT EXISTS public.databasechangeloglock (id integer NOT NULL, locked "
      "boolean "
      "NOT NULL, lockgranted timestamp, lockedby varchar(255), CONSTRAINT databasechangeloglock_pkey PRIMARY "
      "KEY "
      "(id)); INSERT INTO public.databasechangeloglock (id, locked) VALUES (1, false) ON CONFLICT DO NOTHING";
  books->note = [keys = std::move(keys)](const Migration& migration, Side side) {
    const std::string& key = keys.at(migration.version);
    if (side == Side::down)
      return fmt::format("DELETE FROM public.databasechangelog WHERE (id, author, filename) = ({})", key);
    return fmt::format(
        "INSERT INTO public.databasechangelog (id, author, filename, dateexecuted, orderexecuted, exectype, "
        "description) SELECT {}, now(), coalesce(max(orderexecuted), 0) + 1, 'EXECUTED', 'sql' FROM "
        "public.databasechangelog",
        key);
  };
  return books;
}

/// What liquibase.properties in or above the folder says.
struct Properties {
  std::string file;
  std::string changelog;
  Parameters parameters;
};

Properties properties_for(const Folder& folder) {
  Properties properties;
  const auto file = folder.above("liquibase.properties");
  const auto text = file ? read_file(*file) : Result<std::string>("");
  if (!file || !text) return properties;
  properties.file = *file;
  for (const auto& [key, value] : read_properties(*text)) {
    const std::string name = lower(key.substr(key.rfind('.') + 1));
    if (name == "changelogfile" || name == "changelog-file") properties.changelog = value;
    if (key.starts_with("parameter.")) properties.parameters[key.substr(10)] = value;
  }
  return properties;
}

std::string real(const std::string& path) {
  std::error_code ignored;
  return fs::weakly_canonical(path, ignored).string();
}

/// Relative to the folder where it lies below it.
std::string shown_in(const std::string& folder, const std::string& path) {
  const std::string relative = fs::path(real(path)).lexically_relative(real(folder)).string();
  return relative.empty() || relative.starts_with("..") ? path : relative;
}

/// How an include is found.
struct Include {
  std::string path;
  bool relative = false;  ///< to the changelog that it stands in
  bool must_exist = true;
};

class Reading {
 public:
  explicit Reading(const Folder& folder)
      : m_folder(folder),
        m_properties(properties_for(folder)),
        m_parameters(m_properties.parameters),
        m_faults(folder.path()) {
    m_history.directory = folder.path();
  }
  Result<History> read();

 private:
  Result<std::optional<std::string>> root();
  std::optional<std::string> one_of(const std::vector<std::string>& roots) const;
  std::string shown(const std::string& path) const { return shown_in(m_folder.path(), path); }
  std::optional<std::string> found(const Include& include, const std::string& from) const;
  Result<void> include_file(const std::string& path, int depth);
  Result<void> include_folder(const std::string& path, int depth);
  Result<void> include_tree(const std::string& path, int depth);
  Result<void> include_node(const Node& node, const std::string& from, int depth);
  void take_property(const Node& node, const std::string& from);
  void take_change_set(const Node& node, const std::string& from);
  std::optional<Sql> sql_of(const Node& node, const std::string& from);
  void take_down(const Node& node, const std::string& from, ChangeSet& set);
  Result<void> take_sql(const std::string& path);
  void take_formatted(const std::string& path, FormattedChangeSet& set, std::size_t offset,
                      std::string_view text);
  void take_raw(const std::string& path);
  void take_other_down(const FormattedChangeSet& formatted, ChangeSet& set);
  void leave(const ChangeSet& set, const std::string& reason) {
    m_history.not_taken.push_back(fmt::format("{}: {}", set.shown(), reason));
  }
  void add(ChangeSet set) {
    set.parameters = std::make_shared<const Parameters>(m_parameters);
    m_sets.push_back(std::move(set));
  }
  void refuse_twins();
  void leave_it_to_liquibase();
  void leave_others();

  const Folder& m_folder;
  Properties m_properties;
  Parameters m_parameters;
  Faults m_faults;
  History m_history;
  std::vector<ChangeSet> m_sets;
  std::set<std::string> m_included;  ///< real paths
  std::optional<std::string> m_root;
  bool m_is_run_by_liquibase = false;  ///< some change is not SQL: then it runs all of them
};

/// Beside the changelog, or below a folder that a search path would name: ours and those above it up to the
/// root of its repository, and there what a build makes the class path of.
std::optional<std::string> Reading::found(const Include& include, const std::string& from) const {
  std::string name = include.path;
  if (name.starts_with("classpath:")) name = name.substr(10);
  while (!include.relative && name.starts_with('/') && !fs::exists(name)) name.erase(0, 1);
  std::error_code ignored;
  if (include.relative || fs::path(name).is_absolute()) {
    const fs::path path = fs::path(from).parent_path() / name;
    return fs::exists(path, ignored) ? std::optional(path.string()) : std::nullopt;
  }
  for (fs::path at = real(m_folder.path()); !at.empty(); at = at.parent_path()) {
    for (const fs::path& base : {at, at / "src/main/resources"}) {
      if (fs::exists(base / name, ignored)) return (base / name).string();
    }
    if (fs::exists(at / ".git", ignored) || at == at.root_path()) break;
  }
  // The folder may stand alone, taken out of its repository: db/changes/a.sql is then a.sql in it.
  for (std::size_t slash = 0; (slash = name.find('/')) != std::string::npos;) {
    name.erase(0, slash + 1);
    if (!name.empty() && fs::exists(fs::path(m_folder.path()) / name, ignored)) return m_folder.path_of(name);
  }
  return std::nullopt;
}

bool truth(const Node& node, const std::string& key, bool otherwise) {
  const auto found = node.attributes.find(key);
  return found == node.attributes.end() ? otherwise : lower(found->second) == "true";
}

std::string attribute(const Node& node, const std::string& key) {
  const auto found = node.attributes.find(key);
  return found == node.attributes.end() ? "" : found->second;
}

void Reading::take_property(const Node& node, const std::string& from) {
  if (!is_for_postgres(attribute(node, "dbms"))) return;
  if (const std::string file = attribute(node, "file"); !file.empty()) {
    const auto path = found({file, truth(node, "relativeToChangelogFile", false)}, from);
    const auto text = path ? read_file(*path) : Result<std::string>("");
    for (const auto& [key, value] : text ? read_properties(*text) : SettingsFile{})
      m_parameters.emplace(key, value);
    return;
  }
  m_parameters.emplace(attribute(node, "name"), expanded(attribute(node, "value"), m_parameters));
}

/// All that a change says, so that another text is another one.
std::string text_of_node(const Node& node) {
  std::string text = node.name;
  for (const auto& [name, value] : node.attributes)
    text += fmt::format("|{}={}:{}", name, value.size(), value);
  text += "|" + node.text;
  for (const Node& child : node.children) text += "(" + text_of_node(child) + ")";
  return text;
}

/// The SQL of a change, or that Liquibase alone can make SQL of it; nothing, and a fault, where its file is
/// missing.
std::optional<Sql> Reading::sql_of(const Node& node, const std::string& from) {
  Sql sql;
  sql.sending.split = truth(node, "splitStatements", true);
  sql.sending.strip = truth(node, "stripComments", false);
  if (const std::string delimiter = attribute(node, "endDelimiter"); !delimiter.empty())
    sql.sending.delimiter = delimiter;
  if (node.name == "sql" || node.name.empty()) {
    sql.kind = Sql::Kind::text;
    sql.file = from;
    sql.line = node.line;
    sql.text = attribute(node, "sql").empty() ? node.text : attribute(node, "sql");
    return sql;
  }
  if (node.name == "sqlFile") {
    const std::string name = expanded(attribute(node, "path"), m_parameters);
    if (const auto path = found({name, truth(node, "relativeToChangelogFile", false)}, from)) {
      sql.file = *path;
      m_included.insert(real(*path));
      return sql;
    }
    m_faults.add(from, fmt::format("Liquibase refuses '{}': sqlFile '{}' is not there", from, name),
                 "restore the file");
    return std::nullopt;
  }
  m_is_run_by_liquibase = true;
  sql.kind = Sql::Kind::of_liquibase;
  sql.file = from;
  sql.line = node.line;
  sql.text = text_of_node(node);
  return sql;
}

void Reading::take_down(const Node& node, const std::string& from, ChangeSet& set) {
  set.has_down = true;
  for (const Node& child : node.children) {
    if (child.name == "comment" ||
        (child.name == "sql" && child.children.empty() && node.attributes.contains("sql")))
      continue;
    if (auto sql = sql_of(child, from)) set.down.push_back(std::move(*sql));
  }
  const std::string text = attribute(node, "sql").empty() ? node.text : attribute(node, "sql");
  if (!trimmed(text).empty() && set.down.empty()) {
    Node inner = node;
    inner.name = "sql";
    if (auto sql = sql_of(inner, from)) set.down.push_back(std::move(*sql));
  }
}

/// A change set of a root.
void Reading::take_change_set(const Node& node, const std::string& from) {
  static const std::set<std::string> k_no_changes = {
      "comment",   "validCheckSum",    "preConditions", "modifySql",       "",       "id",
      "author",    "context",          "contextFilter", "labels",          "dbms",   "runOnChange",
      "runAlways", "runInTransaction", "failOnError",   "logicalFilePath", "ignore", "objectQuotingStrategy",
      "created",   "runOrder",         "runWith",       "tagDatabase",     "empty"};
  ChangeSet set;
  set.author = expanded(attribute(node, "author"), m_parameters);
  set.id = expanded(attribute(node, "id"), m_parameters);
  set.path = attribute(node, "logicalFilePath").empty() ? shown(from) : attribute(node, "logicalFilePath");
  set.in_transaction = truth(node, "runInTransaction", true);
  set.runs_when_changed = truth(node, "runOnChange", false) || truth(node, "runAlways", false);
  set.place = fmt::format("{}:1", node.line);
  if (!is_for_postgres(attribute(node, "dbms")))
    return leave(set, fmt::format("for another dbms, {}", attribute(node, "dbms")));
  if (truth(node, "ignore", false)) return leave(set, "ignore is true");
  for (const Node& child : node.children) {
    if (child.name == "rollback") {
      take_down(child, from, set);
    } else if (child.name == "preConditions") {
      leave(set, "its preconditions are taken to hold; Liquibase asks the database");
    } else if (!k_no_changes.contains(child.name)) {
      if (!is_for_postgres(attribute(child, "dbms"))) continue;
      set.undoes_itself = set.undoes_itself && undoes_itself(child.name);
      if (auto sql = sql_of(child, from)) set.up.push_back(std::move(*sql));
    }
  }
  if (set.up.empty()) return leave(set, "it changes nothing");
  Hasher hasher;
  for (const Sql& sql : set.up) {
    const bool in_the_changelog = sql.kind == Sql::Kind::text || sql.kind == Sql::Kind::of_liquibase;
    if (!in_the_changelog) return add(std::move(set));
    hasher.add_field(sql.text);
  }
  set.digest = hasher.hex();
  add(std::move(set));
}

Result<void> Reading::include_node(const Node& node, const std::string& from, int depth) {
  if (node.name == "property") take_property(node, from);
  if (node.name == "changeSet") take_change_set(node, from);
  if (node.name == "preConditions") {
    m_history.not_taken.push_back(
        fmt::format("{}: its preconditions are taken to hold; Liquibase asks the database", shown(from)));
  }
  if (node.name != "include" && node.name != "includeAll") return {};
  const bool all = node.name == "includeAll";
  const Include include{expanded(attribute(node, all ? "path" : "file"), m_parameters),
                        truth(node, "relativeToChangelogFile", false),
                        truth(node, all ? "errorIfMissingOrEmpty" : "errorIfMissing", true)};
  const auto path = found(include, from);
  if (path) return all ? include_folder(*path, depth) : include_file(*path, depth);
  if (include.must_exist) {
    m_faults.add(
        from,
        fmt::format("Liquibase refuses '{}': '{}' that it includes at line {} is not there", from,
                    include.path, node.line),
        "restore the file; a path is relative to the search path, or with relativeToChangelogFile to the "
        "changelog");
  }
  return {};
}

Result<void> Reading::include_tree(const std::string& path, int depth) {
  const auto tree = read_changelog(path);
  if (!tree) return failed(tree);
  for (const Node& node : tree->children) {
    if (const auto included = include_node(node, path, depth); !included) return included;
  }
  return {};
}

Result<void> Reading::include_file(const std::string& path, int depth) {
  constexpr int k_deepest = 50;
  if (depth > k_deepest) {
    return failed(FailureKind::usage,
                  fmt::format("Liquibase refuses '{}': changelogs include each other", path),
                  "take one of the includes out", Location{path, 0, 0});
  }
  m_included.insert(real(path));
  return lower(path).ends_with(".sql") ? take_sql(path) : include_tree(path, depth + 1);
}

Result<void> Reading::include_folder(const std::string& path, int depth) {
  const auto below = files_below(path);
  if (!below) return failed(below);
  for (const FileBelow& file : below->files) {
    const std::string full = (fs::path(path) / file.path).string();
    if (!file.name.ends_with(".sql") && !may_be_changelog(full)) continue;
    if (real(full) == (m_root ? real(*m_root) : "")) continue;
    if (const auto included = include_file(full, depth + 1); !included) return included;
  }
  return {};
}

/// A .sql file that is no formatted changelog is one change set, sent as it stands.
void Reading::take_raw(const std::string& path) {
  ChangeSet set;
  set.author = "includeAll";
  set.id = "raw";
  set.path = shown(path);
  Sql sql;
  sql.file = path;
  sql.sending = {false, false, std::nullopt};
  set.up.push_back(std::move(sql));
  add(std::move(set));
}

void Reading::take_other_down(const FormattedChangeSet& formatted, ChangeSet& set) {
  const auto other = std::ranges::find_if(m_sets, [&](const ChangeSet& one) {
    return one.id == formatted.other_id && one.author == formatted.other_author;
  });
  if (other != m_sets.end()) {
    set.down = other->up;
    set.has_down = true;
    return;
  }
  m_faults.add(
      set.up.front().file,
      fmt::format("Liquibase refuses '{}': the rollback of '{}' names change set '{}:{}', which is not there",
                  set.up.front().file, set.shown(), formatted.other_author, formatted.other_id),
      "name one that stands before it");
}

void Reading::take_formatted(const std::string& path, FormattedChangeSet& formatted, std::size_t offset,
                             std::string_view text) {
  ChangeSet set;
  set.author = formatted.author;
  set.id = formatted.id;
  set.path = formatted.path.empty() ? shown(path) : formatted.path;
  set.in_transaction = formatted.in_transaction;
  set.runs_when_changed = formatted.runs_when_changed;
  set.place = fmt::format("{}:1", formatted.line);
  if (!is_for_postgres(formatted.dbms))
    return leave(set, fmt::format("for another dbms, {}", formatted.dbms));
  if (formatted.ignored) return leave(set, "ignore:true");
  if (!formatted.runs_with.empty() && lower(formatted.runs_with) != "jdbc") {
    m_faults.add(path,
                 fmt::format("'{}': '{}' runs with {}, a program that Liquibase calls", path, set.shown(),
                             formatted.runs_with),
                 "take runWith out for the rehearsal");
    return;
  }
  Sql up{Sql::Kind::formatted_up, path, formatted.begin + offset, formatted.end + offset,
         formatted.line,          "",   formatted.sending};
  set.up.push_back(up);
  set.digest = hash_hex(text.substr(formatted.begin, formatted.end - formatted.begin));
  set.has_down = formatted.down == Down::nothing || formatted.down == Down::sql;
  if (formatted.down == Down::sql) {
    up.kind = Sql::Kind::formatted_down;
    up.sending = formatted.down_sending;
    set.down.push_back(up);
  }
  if (formatted.down == Down::other_change_set) take_other_down(formatted, set);
  for (const std::string& precondition : formatted.preconditions) {
    leave(set, fmt::format("its precondition is taken to hold; Liquibase asks the database, onFail:{}: {}",
                           formatted.on_fail, abridged(precondition, 80)));
  }
  if (!formatted.stops_on_error)
    leave(set, "failOnError:false lets Liquibase go on after an error; here the error is one");
  add(std::move(set));
}

Result<void> Reading::take_sql(const std::string& path) {
  const auto source = read_source(path, m_folder.dialect());
  if (!source) {
    m_faults.add(path, source.error().message, source.error().hint);
    return {};
  }
  const std::string_view text = (*source)->text();
  if (!is_formatted(text)) {
    if (stripped(text).empty()) {
      m_history.not_taken.push_back(fmt::format("{}: empty", shown(path)));
    } else {
      take_raw(path);
    }
    return {};
  }
  auto sets = read_formatted(text, path, 1, m_parameters);
  if (!sets) {
    m_faults.add(sets.error().location ? to_string(*sets.error().location) : path, sets.error().message,
                 sets.error().hint);
    return {};
  }
  if (sets->empty()) m_history.not_taken.push_back(fmt::format("{}: no change set in it", shown(path)));
  std::error_code ignored;
  // A byte order mark is no part of the text.
  const std::size_t offset = static_cast<std::size_t>(fs::file_size(path, ignored)) - text.size();
  for (FormattedChangeSet& set : *sets) take_formatted(path, set, offset, text);
  return {};
}

/// The one that the properties name, else the one that no other includes.
std::optional<std::string> Reading::one_of(const std::vector<std::string>& roots) const {
  if (!m_properties.changelog.empty()) {
    const fs::path wanted = fs::path(m_properties.changelog).filename();
    for (const std::string& root : roots) {
      if (fs::path(root).filename() == wanted) return root;
    }
  }
  if (roots.size() == 1) return roots.front();
  std::vector<std::string> left;
  for (const std::string& root : roots) {
    const std::string name = fs::path(root).filename().string();
    const auto names_it = [&](const std::string& other) {
      const auto text = other == root ? Result<std::string>("") : read_file(other);
      return text && text->find(name) != std::string::npos;
    };
    if (std::ranges::none_of(roots, names_it)) left.push_back(root);
  }
  return left.size() == 1 ? std::optional(left.front()) : std::nullopt;
}

Result<std::optional<std::string>> Reading::root() {
  std::vector<std::string> roots;
  for (const Entry& entry : m_folder.entries()) {
    const std::string path = m_folder.path_of(entry.name);
    if (!entry.is_directory && may_be_changelog(path)) roots.push_back(path);
  }
  if (roots.empty()) return std::optional<std::string>();
  if (auto root = one_of(roots)) return root;
  return failed(FailureKind::usage,
                fmt::format("migrations '{}': both '{}' and '{}' may be the root changelog", m_folder.path(),
                            fs::path(roots[0]).filename().string(), fs::path(roots[1]).filename().string()),
                "name it in liquibase.properties: changeLogFile=…");
}

void Reading::refuse_twins() {
  std::set<std::string> known;
  for (const ChangeSet& set : m_sets) {
    if (known.insert(set.shown()).second) continue;
    const std::string& file = set.up.front().file;
    m_faults.add_duplicate(file, set.shown(), shown(file), shown(file));
  }
}

void Reading::leave_others() {
  const auto below = files_below(m_folder.path());
  if (!below) return;
  m_history.not_taken.insert(m_history.not_taken.end(), below->skipped.begin(), below->skipped.end());
  for (const FileBelow& file : below->files) {
    const std::string path = (fs::path(m_folder.path()) / file.path).string();
    if (m_included.contains(real(path)) || file.name == "liquibase.properties") continue;
    m_history.not_taken.push_back(fmt::format(
        "{}: {}", file.path, m_root ? "not included by " + shown(*m_root) : "neither SQL nor a changelog"));
  }
  std::ranges::sort(m_history.not_taken);
}

Result<sql::Script> read_no_sql(const Migration&, Side) {
  return sql::Script{};
}

/// Where includes may be relative to: the changelog's folder, and those above it up to the root of the
/// repository.
std::vector<std::string> search_paths(const std::string& changelog) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (fs::path at = fs::path(real(changelog)).parent_path(); !at.empty(); at = at.parent_path()) {
    paths.push_back(at.string());
    if (fs::is_directory(at / "src/main/resources", ignored))
      paths.push_back((at / "src/main/resources").string());
    if (fs::exists(at / ".git", ignored) || at == at.root_path()) break;
  }
  // Without a repository around it the file system's root is nobody's search path.
  if (paths.back() == "/") paths.resize(1);
  return paths;
}

void Reading::leave_it_to_liquibase() {
  const Project project{m_root ? real(*m_root) : "", m_properties.file, search_paths(m_root ? *m_root : ""),
                        m_folder.dialect()};
  for (Migration& migration : m_history.migrations) {
    migration.read = read_no_sql;
    migration.command = [project](const Migration&, Side side) {
      return command_of_liquibase(project, side);
    };
  }
  m_history.keeps_session = false;
  m_history.bookkeeping = books_of_program(m_history.bookkeeping->tables);
}

Result<History> Reading::read() {
  auto chosen = root();
  if (!chosen) return failed(chosen);
  m_root = *chosen;
  const auto included = m_root ? include_file(*m_root, 0) : include_folder(m_folder.path(), 0);
  if (!included) return failed(included);
  refuse_twins();
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  m_history.habits.late = Habits::Late::applied;
  m_history.habits.when_edited = "Liquibase refuses to update databases that have it: its checksum differs";
  std::map<std::string, std::string> keys;
  for (ChangeSet& set : m_sets) {
    if (m_is_run_by_liquibase) set.has_down = set.has_down || set.undoes_itself;
    keys[set.shown()] = fmt::format("{}, {}, {}", literal(set.id), literal(set.author), literal(set.path));
    m_history.migrations.push_back(migration_of(std::move(set)));
  }
  m_history.bookkeeping = bookkeeping(std::move(keys), m_folder.dialect());
  if (m_is_run_by_liquibase && !m_root) {
    return failed(
        FailureKind::usage,
        fmt::format("migrations '{}': Liquibase itself runs changes that are not SQL, and no changelog here "
                    "includes them all",
                    m_folder.path()),
        "name the folder of the root changelog, or the changelog itself in liquibase.properties: "
        "changeLogFile=…");
  }
  if (m_is_run_by_liquibase) leave_it_to_liquibase();
  leave_others();
  return std::move(m_history);
}

Fit fits(const Folder& folder) {
  const std::string file = folder.first_with_line("--liquibase formatted sql");
  const std::string spaced = file.empty() ? folder.first_with_line("-- liquibase formatted sql") : file;
  if (!spaced.empty()) return {Fit::How::sure, fmt::format("'--liquibase formatted sql' in {}", spaced)};
  for (const Entry& entry : folder.entries()) {
    if (!entry.is_directory && may_be_changelog(folder.path_of(entry.name)))
      return {Fit::How::sure, fmt::format("databaseChangeLog in {}", entry.name)};
  }
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  return Reading(folder).read();
}

}  // namespace

Format format() {
  return {"liquibase",
          "SQL files with '--liquibase formatted sql', or a databaseChangeLog that includes them", fits, load,
          true};
}

}  // namespace lockkeeper::history::formats::liquibase
