#include "check/change_class.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::check {

namespace {

using record::Change;
using record::ChangeClass;
using record::ObjectDifference;

bool is_table(const ObjectDifference& object) {
  return object.kind == "table" || object.kind == "partitioned table" || object.kind == "foreign table";
}

/// "column b TEXT" and "column a TEXT" are alike but for the name.
std::string without_name(const ObjectDifference& object) {
  std::string text = object.definition;
  const std::size_t at = text.find(' ', text.find(' ') + 1);
  return at == std::string::npos ? "" : text.substr(at);
}

class Classifier {
 public:
  explicit Classifier(record::MigrationRecord& migration)
      : m_migration(migration), m_objects(migration.forward_change.objects) {
    for (const ObjectDifference& object : m_objects) {
      if (is_table(object) && object.change == Change::added) m_new_tables.insert(object.identity);
      if (is_table(object) && object.change == Change::lost) m_lost_tables.insert(object.identity);
    }
  }

  void run() {
    if (!m_objects.empty()) raise(ChangeClass::safe, "");
    for (const ObjectDifference& object : m_objects) judge(object);
    for (const record::DataDifference& data : m_migration.forward_change.data) judge(data);
  }

 private:
  void raise(ChangeClass to, const std::string& reason) {
    if (to > m_migration.change_class) {
      m_migration.change_class = to;
      m_migration.change_reasons.clear();
    }
    const bool tells = to == m_migration.change_class && to > ChangeClass::safe && !reason.empty();
    auto& reasons = m_migration.change_reasons;
    if (tells && std::ranges::find(reasons, reason) == reasons.end()) reasons.push_back(reason);
  }

  /// What comes and goes with its table is said of the table.
  bool comes_with_table(const ObjectDifference& object) const {
    return m_new_tables.contains(object.parent) || m_lost_tables.contains(object.parent);
  }

  void judge(const ObjectDifference& object) {
    if (comes_with_table(object)) return;
    if (is_table(object)) {
      if (object.change == Change::lost) raise(ChangeClass::high_risk, "drops table " + object.identity);
    } else if (object.kind == "column") {
      judge_column(object);
    } else if (object.kind == "constraint") {
      judge_constraint(object);
    } else if (object.kind == "index") {
      const bool unique =
          object.change == Change::added && object.definition.find("UNIQUE") != std::string::npos;
      if (unique) raise(ChangeClass::risky, "adds unique index " + object.identity);
    } else if (object.change != Change::added) {
      raise(ChangeClass::risky, fmt::format("{} {} {}", object.change == Change::lost ? "drops" : "changes",
                                            object.kind, object.identity));
    }
  }

  bool is_renamed(const ObjectDifference& lost) const {
    return std::ranges::any_of(m_objects, [&](const ObjectDifference& other) {
      return other.kind == "column" && other.change == Change::added && other.parent == lost.parent &&
             !without_name(lost).empty() && without_name(other) == without_name(lost);
    });
  }

  void judge_column(const ObjectDifference& column) {
    if (column.change == Change::lost) {
      if (is_renamed(column)) {
        raise(ChangeClass::risky,
              fmt::format("renames column {}, or drops it for a new one", column.identity));
      } else {
        raise(ChangeClass::high_risk, "drops column " + column.identity);
      }
      return;
    }
    if (column.change == Change::added) {
      if (lower(column.definition).find(" not null") != std::string::npos)
        raise(ChangeClass::risky, fmt::format("adds column {} with NOT NULL", column.identity));
      return;
    }
    for (const record::AttributeChange& attribute : column.attributes) {
      if (attribute.name == "nullable" && attribute.after == "false")
        raise(ChangeClass::risky, "sets NOT NULL on " + column.identity);
      if (attribute.name == "type")
        raise(ChangeClass::risky, fmt::format("changes the type of {} from {} to {}", column.identity,
                                              attribute.before, attribute.after));
    }
  }

  void judge_constraint(const ObjectDifference& constraint) {
    std::string text = constraint.definition;
    for (const record::AttributeChange& attribute : constraint.attributes)
      text += " " + attribute.before + attribute.after;
    const auto has = [&](std::string_view words) { return text.find(words) != std::string::npos; };
    const char* const verb = constraint.change == Change::added  ? "adds"
                             : constraint.change == Change::lost ? "drops"
                                                                 : "changes";
    if (has("PRIMARY KEY")) {
      raise(ChangeClass::high_risk, fmt::format("{} primary key {}", verb, constraint.identity));
    } else if (has("FOREIGN KEY")) {
      raise(ChangeClass::high_risk, fmt::format("{} relationship {}", verb, constraint.identity));
    } else if (constraint.change != Change::lost) {
      raise(ChangeClass::risky, fmt::format("{} constraint {}", verb, constraint.identity));
    }
  }

  void judge(const record::DataDifference& data) {
    if (m_new_tables.contains(data.table) || m_lost_tables.contains(data.table)) return;
    const bool rows = data.change == record::DataChange::table_rows;
    if (rows && data.rows_after < data.rows_before)
      raise(ChangeClass::high_risk, "removes rows of " + data.table);
    else
      raise(ChangeClass::risky, (rows ? "adds rows to " : "changes rows of ") + data.table);
  }

  record::MigrationRecord& m_migration;
  const std::vector<ObjectDifference>& m_objects;
  std::set<std::string> m_new_tables;
  std::set<std::string> m_lost_tables;
};

}  // namespace

void classify(record::MigrationRecord& migration) {
  migration.change_class = ChangeClass::none;
  migration.change_reasons.clear();
  Classifier(migration).run();
}

}  // namespace lockkeeper::check
