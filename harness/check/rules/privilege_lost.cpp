#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::AttributeChange;
using record::Change;
using record::ObjectDifference;

/// The entries of an access list as a state writes it: "app=r/owner report=r/owner", a role's name quoted
/// where it holds a space.
std::set<std::string> grants_of(const std::string& list) {
  std::set<std::string> grants;
  std::string grant;
  bool quoted = false;
  for (const char c : list + " ") {
    if (c == '"') quoted = !quoted;
    if (c == ' ' && !quoted) {
      if (!grant.empty()) grants.insert(grant);
      grant.clear();
    } else {
      grant += c;
    }
  }
  return grants;
}

bool is_loss(const AttributeChange& attribute) {
  if (attribute.name == "owner") return true;
  if (attribute.name == "comment") return attribute.after.empty();
  if (attribute.name != "privileges") return false;
  const auto before = grants_of(attribute.before);
  const auto after = grants_of(attribute.after);
  return !std::includes(after.begin(), after.end(), before.begin(), before.end());
}

/// An index's definition from USING on (or from ON, where the engine knows one kind alone): what it is,
/// whatever it is called.
std::string shape_of(const std::string& definition) {
  auto at = definition.find(" USING ");
  if (at == std::string::npos) at = definition.find(" ON ");
  return at == std::string::npos ? definition : definition.substr(at);
}

/// What an object is now, where it is new or came with a table that was renamed.
std::string definition_of_newcomer(const ObjectDifference& object) {
  if (object.change == Change::added) return object.definition;
  const auto value = [&](std::string_view name) {
    const auto at = std::ranges::find(object.attributes, name, &AttributeChange::name);
    return at == object.attributes.end() ? std::string() : at->after;
  };
  return value("parent").empty() ? "" : value("definition");
}

/// The rebuilt table may have the same index under a new name.
bool has_successor(const ObjectDifference& lost, const std::vector<ObjectDifference>& objects) {
  return std::any_of(objects.begin(), objects.end(), [&](const ObjectDifference& other) {
    const std::string definition = definition_of_newcomer(other);
    return !definition.empty() && other.kind == lost.kind && other.parent == lost.parent &&
           !lost.definition.empty() && shape_of(definition) == shape_of(lost.definition);
  });
}

bool is_word_at(const std::string& text, std::size_t at, std::size_t size) {
  const auto is_part = [&](std::size_t i) {
    const auto c = static_cast<unsigned char>(text[i]);
    return std::isalnum(c) != 0 || c == '_' || c == '$' || c >= 0x80;
  };
  return (at == 0 || !is_part(at - 1)) && (at + size >= text.size() || !is_part(at + size));
}

bool has_word(const std::string& text, const std::string& word) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if (is_word_at(text, at, word.size())) return true;
  }
  return false;
}

/// An index over a column that the rebuilt table lacks cannot be made again as it was.
bool is_of_lost_column(const ObjectDifference& lost, const std::vector<ObjectDifference>& objects) {
  return std::any_of(objects.begin(), objects.end(), [&](const ObjectDifference& column) {
    return lost.kind == "index" && column.kind == "column" && column.change == Change::lost &&
           column.parent == lost.parent &&
           has_word(shape_of(lost.definition), column.identity.substr(column.parent.size() + 1));
  });
}

bool is_dropped_by_name(const record::MigrationRecord& migration, const ObjectDifference& object) {
  return migration.forward && statement_naming(*migration.forward, {object.identity, ""}) != nullptr;
}

std::set<std::string> recreated_objects(const std::vector<ObjectDifference>& objects) {
  std::set<std::string> result;
  for (const ObjectDifference& object : objects) {
    if (object.recreated) result.insert(object.identity);
  }
  return result;
}

struct Loss {
  Named object;
  std::string what;
  std::string evidence;
};

std::vector<Loss> losses_of(const record::MigrationRecord& migration) {
  const auto& objects = migration.forward_change.objects;
  const auto recreated = recreated_objects(objects);
  std::vector<Loss> losses;
  for (const ObjectDifference& object : objects) {
    const bool made_again = object.recreated || object.parent_recreated || recreated.contains(object.parent);
    if (!made_again) continue;
    for (const AttributeChange& attribute : object.attributes) {
      if (object.change != Change::altered || !is_loss(attribute)) continue;
      losses.push_back({{object.recreated ? object.identity : object.parent, ""},
                        fmt::format("{} of {} {}", attribute.name, object.kind, object.identity),
                        fmt::format("{} {}: {} was {}, is {}", object.kind, object.identity, attribute.name,
                                    attribute_text(attribute.name, attribute.before),
                                    attribute_text(attribute.name, attribute.after))});
    }
    const bool hangs_on = object.kind == "index" || object.kind == "policy" || object.kind == "trigger";
    if (object.change == Change::lost && hangs_on && !has_successor(object, objects) &&
        !is_of_lost_column(object, objects) && !is_dropped_by_name(migration, object)) {
      losses.push_back(
          {{object.parent, ""},
           fmt::format("{} {}", object.kind, object.identity),
           fmt::format("lost {} {}: {}", object.kind, object.identity, abridged(object.definition, 200))});
    }
  }
  return losses;
}

void find_privilege_lost(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    const std::vector<Loss> losses = losses_of(migration);
    if (losses.empty()) continue;
    std::vector<std::string> what;
    std::vector<Named> objects;
    for (const Loss& loss : losses) {
      what.push_back(loss.what);
      objects.push_back(loss.object);
    }
    record::Finding finding =
        finding_of(k_privilege_lost, migration, record::Side::up,
                   fmt::format("an object that up makes again lost what it had: {}", join(what, ", ")));
    blame_naming(finding, migration.forward, objects);
    for (const Loss& loss : losses) finding.evidence.push_back(loss.evidence);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_privilege_lost{
    .id = "privilege-lost",
    .group = "schema",
    .level = record::Level::error,
    .summary =
        "a recreated object no longer has the privileges, owner, comment, indexes or triggers that it had",
    .why =
        "DROP and CREATE make another object of the same name. The application's role may not read the new "
        "view, and "
        "the first to tell is a user with an error page.",
    .advice =
        "use CREATE OR REPLACE, which keeps them, or repeat GRANT, OWNER TO, COMMENT, CREATE INDEX and "
        "CREATE TRIGGER after "
        "CREATE",
    .bad = R"(-- up: what was granted on the view is gone
DROP VIEW active_users;
CREATE VIEW active_users AS SELECT id, email, name FROM users WHERE active;)",
    .good = R"(-- up
CREATE OR REPLACE VIEW active_users AS SELECT id, email, name FROM users WHERE active;)",
    .find = find_privilege_lost,
};

}  // namespace lockkeeper::check
