#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/identity.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

constexpr std::string_view k_prefix = "drop cascades to ";

/// The kinds of object that a state lists, as the server names them (getObjectDescription in
/// objectaddress.c).
constexpr std::array<std::string_view, 17> k_kinds{"default value for column ",
                                                   "materialized view ",
                                                   "foreign table ",
                                                   "event trigger ",
                                                   "constraint ",
                                                   "sequence ",
                                                   "function ",
                                                   "procedure ",
                                                   "aggregate ",
                                                   "trigger ",
                                                   "policy ",
                                                   "column ",
                                                   "table ",
                                                   "index ",
                                                   "view ",
                                                   "type ",
                                                   "rule "};

/// What one notice says was taken: "constraint orders_user_id_fkey on table orders". One object stands in the
/// message; of several the message only counts, and the detail has a line for each.
std::vector<std::string> taken(const record::Notice& notice) {
  std::vector<std::string> result;
  if (!notice.message.starts_with(k_prefix)) return result;
  if (notice.detail.empty()) return {notice.message.substr(k_prefix.size())};
  for (const std::string& line : split(notice.detail, '\n')) {
    if (line.starts_with(k_prefix)) {
      result.push_back(line.substr(k_prefix.size()));
    } else if (!trimmed(line).empty()) {
      result.push_back(trimmed(line));
    }
  }
  return result;
}

/// The object's own name: `on table …` and `of table …` say where it stood. None for kinds that a state lists
/// otherwise.
std::optional<std::string> own_name(const std::string& description) {
  for (const std::string_view kind : k_kinds) {
    if (!description.starts_with(kind)) continue;
    std::string rest = description.substr(kind.size());
    for (const std::string_view where : {" on ", " of "}) {
      if (const auto at = rest.rfind(where); at != std::string::npos) rest.resize(at);
    }
    return bare_name(rest);
  }
  return std::nullopt;
}

bool is_named(const record::SideRun& run, const std::string& name) {
  return std::any_of(run.statements.begin(), run.statements.end(),
                     [&](const record::StatementRecord& statement) { return names(statement.text, name); });
}

/// Gone, changed or made anew by the side. What the side itself had made before is not in the difference.
bool is_missed(const record::StateDifference& difference, const std::string& name) {
  return std::any_of(difference.objects.begin(), difference.objects.end(), [&](const auto& object) {
    const bool existed = object.change == record::Change::lost || object.change == record::Change::altered;
    return existed && lower(bare_name(object.identity)) == lower(name);
  });
}

struct Taken {
  const record::StatementRecord* statement = nullptr;
  std::vector<std::string> objects;
};

Taken silently_taken(const record::SideRun& run, const record::StateDifference& difference) {
  Taken result;
  for (const record::StatementRecord& statement : run.statements) {
    for (const record::Notice& notice : statement.notices) {
      for (const std::string& description : taken(notice)) {
        const auto name = own_name(description);
        // A kind that the state names otherwise (a cast, an operator) is believed on up, where it did exist
        // before.
        const bool missed = name ? is_missed(difference, *name) : run.side == record::Side::up;
        if (!missed || (name && is_named(run, *name))) continue;
        if (result.statement == nullptr) result.statement = &statement;
        result.objects.push_back(description);
      }
    }
  }
  return result;
}

void report(const record::MigrationRecord& migration, const std::optional<record::SideRun>& run,
            const record::StateDifference& difference, std::vector<record::Finding>& findings) {
  // After an error the transaction has put back what CASCADE took.
  if (!run || run->error) return;
  const Taken found = silently_taken(*run, difference);
  if (found.objects.empty()) return;
  record::Finding finding =
      finding_of(k_cascade_dropped, migration, run->side,
                 fmt::format("CASCADE took {} that {} does not name: {}",
                             counted(static_cast<std::int64_t>(found.objects.size()), "object"),
                             run->side == record::Side::up ? "up" : "down", join(found.objects, ", ")));
  blame(finding, *found.statement);
  for (const std::string& object : found.objects) finding.evidence.push_back("drop cascades to " + object);
  findings.push_back(std::move(finding));
}

/// DROP TABLE deletes the table's rows first where foreign keys are on, and ON DELETE CASCADE goes on from
/// there: in a rebuild nobody means that.
void report_rows(const record::MigrationRecord& migration, const std::optional<record::SideRun>& run,
                 std::vector<record::Finding>& findings) {
  if (!run || run->error) return;
  for (const record::StatementRecord& statement : run->statements) {
    if (statement.cascaded.empty() || !lower(statement.text).starts_with("drop")) continue;
    std::vector<std::string> taken;
    for (const record::CascadedRows& rows : statement.cascaded)
      taken.push_back(fmt::format("{} of {}", counted(rows.rows, "row"), rows.table));
    record::Finding finding = finding_of(
        k_cascade_dropped, migration, run->side,
        fmt::format("DROP TABLE took rows of other tables by ON DELETE CASCADE: {}", join(taken, ", ")));
    blame(finding, statement);
    for (const record::StatementRecord& before : run->statements) {
      for (const record::Notice& notice : before.notices) {
        if (notice.severity == "WARNING")
          finding.evidence.push_back(
              fmt::format("{}:{}: {}", before.location.line, before.location.column, notice.message));
      }
    }
    finding.advice =
        "turn foreign keys off before the transaction begins (PRAGMA foreign_keys is without effect inside), "
        "in a tool "
        "that lets a migration run without one, and run PRAGMA foreign_key_check at the end";
    findings.push_back(std::move(finding));
  }
}

void find_cascade_dropped(const record::Run& run, const scenario::Scenario&,
                          std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    report(migration, migration.forward, migration.forward_change, findings);
    report(migration, migration.back, migration.back_difference, findings);
    report_rows(migration, migration.forward, findings);
    report_rows(migration, migration.back, findings);
  }
}

}  // namespace

constinit const Rule k_cascade_dropped{
    .id = "cascade-dropped",
    .group = "schema",
    .level = record::Level::error,
    .summary =
        "CASCADE took objects, or a dropped table the rows of others, that the migration does not name",
    .why =
        "CASCADE silences the one question that the server asks. A view of the reporting team, a trigger or "
        "a foreign "
        "key goes with it, in whichever database happens to have it.",
    .advice =
        "drop without CASCADE, and drop (or alter) each dependent object by name before it; what shall stay "
        "is "
        "created again in the same migration",
    .bad = R"(-- up: the view active_users goes too
ALTER TABLE users DROP COLUMN active CASCADE;)",
    .good = R"(-- up
DROP VIEW active_users;
ALTER TABLE users DROP COLUMN active;
CREATE VIEW active_users AS SELECT id, email FROM users WHERE deleted_at IS NULL;)",
    .find = find_cascade_dropped,
};

}  // namespace lockkeeper::check
