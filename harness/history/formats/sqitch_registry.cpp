#include "history/formats/sqitch_registry.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/sha1.h"
#include "base/text.h"

namespace lockkeeper::history::formats::sqitch {

namespace {

std::string doubled(std::string_view text, char quote) {
  std::string result;
  for (const char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result;
}

std::string literal(std::string_view text) {
  std::string escaped = doubled(doubled(text, '\''), '\\');
  return fmt::format("{}'{}'", text.find('\\') == std::string_view::npos ? "" : "E", escaped);
}

std::string identifier(std::string_view name) {
  return fmt::format("\"{}\"", doubled(name, '"'));
}

/// As the server prints it in a name of two parts.
std::string shown(const std::string& name) {
  const bool plain = !name.empty() &&
                     name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
                     !(name[0] >= '0' && name[0] <= '9');
  return plain ? name : identifier(name);
}

std::string array(const std::vector<std::string>& texts) {
  std::vector<std::string> literals;
  literals.reserve(texts.size());
  for (const std::string& text : texts) literals.push_back(literal(text));
  return fmt::format("ARRAY[{}]::text[]", join(literals, ", "));
}

constexpr std::string_view k_tables = R"(
CREATE TABLE IF NOT EXISTS {0}.releases (version real PRIMARY KEY,
  installed_at timestamptz NOT NULL DEFAULT clock_timestamp(), installer_name text NOT NULL,
  installer_email text NOT NULL);
CREATE TABLE IF NOT EXISTS {0}.projects (project text PRIMARY KEY, uri text UNIQUE,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), creator_name text NOT NULL,
  creator_email text NOT NULL);
CREATE TABLE IF NOT EXISTS {0}.changes (change_id text PRIMARY KEY, script_hash text, change text NOT NULL,
  project text NOT NULL REFERENCES {0}.projects(project) ON UPDATE CASCADE, {1}, {2}, UNIQUE (project, script_hash));
CREATE TABLE IF NOT EXISTS {0}.tags (tag_id text PRIMARY KEY, tag text NOT NULL,
  project text NOT NULL REFERENCES {0}.projects(project) ON UPDATE CASCADE,
  change_id text NOT NULL REFERENCES {0}.changes(change_id) ON UPDATE CASCADE, {1}, {2}, UNIQUE (project, tag));
CREATE TABLE IF NOT EXISTS {0}.dependencies (
  change_id text NOT NULL REFERENCES {0}.changes(change_id) ON UPDATE CASCADE ON DELETE CASCADE, type text NOT NULL,
  dependency text NOT NULL, dependency_id text REFERENCES {0}.changes(change_id) ON UPDATE CASCADE,
  CONSTRAINT dependencies_check CHECK ((type = 'require' AND dependency_id IS NOT NULL)
    OR (type = 'conflict' AND dependency_id IS NULL)), PRIMARY KEY (change_id, dependency));
CREATE TABLE IF NOT EXISTS {0}.events (event text NOT NULL
  CONSTRAINT events_event_check CHECK (event IN ('deploy', 'revert', 'fail', 'merge')), change_id text NOT NULL,
  change text NOT NULL, project text NOT NULL REFERENCES {0}.projects(project) ON UPDATE CASCADE, {1},
  requires text[] NOT NULL DEFAULT '{{}}', conflicts text[] NOT NULL DEFAULT '{{}}', tags text[] NOT NULL DEFAULT '{{}}',
  {2}, PRIMARY KEY (change_id, committed_at));
)";

constexpr std::string_view k_note = "note text NOT NULL DEFAULT ''";
constexpr std::string_view k_who_and_when =
    "committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, "
    "committer_email text NOT NULL, planned_at timestamptz NOT NULL, planner_name text NOT NULL, "
    "planner_email text NOT NULL";

/// Writes the SQL that notes sides in one registry.
class Registry {
 public:
  Registry(std::shared_ptr<const Plan> plan, const Config& config) : m_plan(std::move(plan)) {
    const std::string name = config.of_target("registry");
    m_name = name.empty() ? "sqitch" : name;
    m_schema = identifier(m_name);
    const auto or_ours = [](const std::string& value, const char* ours) {
      return value.empty() ? std::string(ours) : value;
    };
    m_user = literal(or_ours(config.value("user.name"), "lockkeeper"));
    m_email = literal(or_ours(config.value("user.email"), "lockkeeper@localhost"));
  }

  std::vector<std::string> tables() const {
    std::vector<std::string> names;
    for (const char* table : {"releases", "projects", "changes", "tags", "dependencies", "events"})
      names.push_back(fmt::format("{}.{}", shown(m_name), table));
    return names;
  }

  std::string create() const {
    return fmt::format(
               "CREATE SCHEMA IF NOT EXISTS {0};\nCOMMENT ON SCHEMA {0} IS 'Sqitch database deployment "
               "metadata v1.1.';{1}",
               m_schema, fmt::format(fmt::runtime(k_tables), m_schema, k_note, k_who_and_when)) +
           fmt::format(
               "INSERT INTO {0}.releases (version, installer_name, installer_email) VALUES (1.1, {1}, {2}) "
               "ON "
               "CONFLICT DO NOTHING;\nINSERT INTO {0}.projects (project, uri, creator_name, creator_email) "
               "VALUES ({3}, {4}, {1}, {2}) ON CONFLICT DO NOTHING;",
               m_schema, m_user, m_email, literal(m_plan->project),
               m_plan->uri.empty() ? "NULL" : literal(m_plan->uri));
  }

  std::string deployed(std::size_t index, const std::string& script_hash) const {
    const Change& change = m_plan->changes[index];
    std::string sql = fmt::format(
        "INSERT INTO {}.changes (change_id, script_hash, change, project, {}) VALUES ({}, {}, {}, {}, {});",
        m_schema, k_columns, literal(change.id), script_hash.empty() ? "NULL" : literal(script_hash),
        literal(change.name), literal(m_plan->project), values(change.planned));
    for (const Dependency& one : change.dependencies) sql += depends(change, one, index);
    for (const Tag& tag : change.tags) {
      sql += fmt::format(
          "INSERT INTO {}.tags (tag_id, tag, project, change_id, {}) VALUES ({}, {}, {}, {}, {});", m_schema,
          k_columns, literal(tag.id), literal("@" + tag.name), literal(m_plan->project), literal(change.id),
          values(tag.planned));
    }
    return sql + event("deploy", change);
  }

  std::string reverted(std::size_t index) const {
    const Change& change = m_plan->changes[index];
    return fmt::format(
               "DELETE FROM {0}.tags WHERE change_id = {1};DELETE FROM {0}.changes WHERE change_id = {1};",
               m_schema, literal(change.id)) +
           event("revert", change);
  }

 private:
  static constexpr std::string_view k_columns =
      "note, committer_name, committer_email, planned_at, planner_name, planner_email";

  std::string values(const Planned& planned) const {
    return fmt::format("{}, {}, {}, {}, {}, {}", literal(planned.note), m_user, m_email, literal(planned.at),
                       literal(planned.name), literal(planned.email));
  }

  /// What another project's plan holds is not known here.
  std::string depends(const Change& change, const Dependency& one, std::size_t before) const {
    const auto required = one.project.empty() ? m_plan->find(one, before) : std::nullopt;
    if (!one.conflicts && !required) return {};
    return fmt::format(
        "INSERT INTO {}.dependencies (change_id, type, dependency, dependency_id) VALUES ({}, {}, {}, {});",
        m_schema, literal(change.id), one.conflicts ? "'conflict'" : "'require'", literal(one.text),
        one.conflicts ? "NULL" : literal(m_plan->changes[*required].id));
  }

  std::string event(std::string_view kind, const Change& change) const {
    std::vector<std::string> requires_these;
    std::vector<std::string> conflicts;
    std::vector<std::string> tags;
    for (const Dependency& one : change.dependencies)
      (one.conflicts ? conflicts : requires_these).push_back(one.text);
    for (const Tag& tag : change.tags) tags.push_back("@" + tag.name);
    return fmt::format(
        "INSERT INTO {}.events (event, change_id, change, project, requires, conflicts, tags, {}) VALUES "
        "('{}', {}, {}, {}, "
        "{}, {}, {}, {});",
        m_schema, k_columns, kind, literal(change.id), literal(change.name), literal(m_plan->project),
        array(requires_these), array(conflicts), array(tags), values(change.planned));
  }

  std::shared_ptr<const Plan> m_plan;
  std::string m_name;
  std::string m_schema;
  std::string m_user;
  std::string m_email;
};

}  // namespace

std::shared_ptr<const Bookkeeping> bookkeeping(std::shared_ptr<const Plan> plan, const Config& config,
                                               ChangeIndex index_of) {
  auto books = std::make_shared<Bookkeeping>();
  const Registry registry(std::move(plan), config);
  books->tables = registry.tables();
  books->create = registry.create();
  books->note = [registry, index_of = std::move(index_of)](const Migration& migration, record::Side side) {
    const std::size_t index = index_of(migration);
    if (side == record::Side::down) return registry.reverted(index);
    const auto script = read_file(migration.up_path);
    return registry.deployed(index, script ? sha1_hex(*script) : "");
  };
  return books;
}

}  // namespace lockkeeper::history::formats::sqitch
