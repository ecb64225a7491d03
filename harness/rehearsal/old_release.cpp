#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/identity.h"
#include "rehearsal/answers.h"
#include "rehearsal/course.h"

/// What the release before this one does, on the new schema: for as long as it takes to replace every
/// process, and after the new one has been taken back, both are at work.
namespace lockkeeper::rehearsal {

using engine::Instance;
using engine::QueryRequest;
using record::OldUse;
using record::OldUseKind;

namespace {

std::vector<std::vector<std::optional<std::string>>> in_order(const engine::Answer& answer) {
  auto rows = answer.rows;
  std::sort(rows.begin(), rows.end());
  return rows;
}

bool has_attribute(const engine::Object& object, std::string_view name, std::string_view value = "") {
  const std::string wanted =
      value.empty() ? fmt::format("\"{}\":", name) : fmt::format("\"{}\":\"{}\"", name, value);
  return object.attributes.find(wanted) != std::string::npos;
}

/// A table that has got columns which take no NULL, and rows to try them with.
struct Widened {
  std::string table;
  std::vector<std::string> old_columns;  ///< that it had before, has still, and takes values for
  std::vector<std::string> new_columns;
};

std::vector<Widened> widened(const engine::State& before, const engine::State& after) {
  std::set<std::string> columns;
  for (const engine::Object& object : before.objects) {
    if (object.kind == "table" || object.kind == "column") columns.insert(object.identity);
  }
  std::vector<Widened> tables;
  for (const auto& content : after.tables) {
    if (content.rows == 0 || !columns.contains(content.table)) continue;
    Widened one{content.table, {}, {}};
    for (const engine::Object& object : after.objects) {
      if (object.kind != "column" || object.parent != content.table) continue;
      const std::string name = check::name_within(object.identity);
      if (!columns.contains(object.identity)) {
        if (has_attribute(object, "nullable", "false")) one.new_columns.push_back(name);
      } else if (!has_attribute(object, "generated") && !has_attribute(object, "identity")) {
        one.old_columns.push_back(name);
      }
    }
    if (!one.new_columns.empty() && !one.old_columns.empty()) tables.push_back(std::move(one));
  }
  return tables;
}

/// That a column wants a value is found before anything that the copy's own values could break: PostgreSQL
/// (ExecConstraints) and SQLite (sqlite3GenerateConstraintChecks) look at NOT NULL first.
bool wants_value_for(const record::SqlError& error, const std::vector<std::string>& columns) {
  const bool not_null =
      error.sqlstate == "23502" || error.message.find("NOT NULL constraint failed") != std::string::npos;
  return not_null && std::any_of(columns.begin(), columns.end(), [&](const std::string& column) {
           return check::names(error.message, check::bare_name(column));
         });
}

}  // namespace

/// The first migration of the trial behind which it is so, as it is behind the last.
Result<std::string> Course::first_behind(const Broken& broken) {
  std::size_t first = 0;
  std::size_t last = m_trial.judged.size() - 1;
  while (first < last) {
    const std::size_t middle = (first + last) / 2;
    const auto instance = m_ground.at(m_trial.judged[middle] + 1);
    if (!instance) return failed(instance);
    const auto so = broken(**instance);
    if (!so) return failed(so);
    if (*so)
      last = middle;
    else
      first = middle + 1;
  }
  return m_history.migrations[m_trial.judged[last]].version;
}

/// An INSERT that names the columns which there were before, as every release before this one does.
Result<void> Course::insert_as_before(Passage& passage) {
  if (m_options.depth == record::Depth::quick) return {};
  const auto tables = widened(passage.before, passage.after);
  if (tables.empty()) return {};
  Instance* const instance = standing_at_end(passage);
  if (instance == nullptr) return {};
  for (const Widened& table : tables) {
    const std::string columns = join(table.old_columns, ", ");
    OldUse use;
    use.kind = OldUseKind::old_row;
    use.what = table.table;
    use.sql = fmt::format("INSERT INTO {0} ({1}) SELECT {1} FROM {0} LIMIT 1", table.table, columns);
    const auto answer = instance->try_query({use.sql, {}});
    if (!answer) return failed(answer);
    if (!answer->error || !wants_value_for(*answer->error, table.new_columns)) continue;
    use.error = answer->error;
    use.migration = passage.migration->version;
    m_run.old_uses.push_back(std::move(use));
  }
  return instance->restore_sequences(passage.after);
}

/// Views that were there and are there still. PostgreSQL keeps what they name from going, but not what their
/// functions do; SQLite keeps nothing.
Result<void> Course::observe_old_views(const BaseInstance& base) {
  std::set<std::string> views;
  for (const engine::Object& object : m_ground.base_state().objects) {
    if (object.kind == "view") views.insert(object.identity);
  }
  for (const engine::Object& object : m_state.objects) {
    if (object.kind != "view" || !views.contains(object.identity)) continue;
    const QueryRequest request{"SELECT * FROM " + object.identity, {}};
    const auto planned = m_instance->plan(request);
    if (!planned) return failed(planned);
    if (!planned->error) continue;
    const auto clean = base();
    if (!clean) return failed(clean);
    const auto before = (*clean)->plan(request);
    if (!before) return failed(before);
    if (before->error) continue;
    OldUse use;
    use.kind = OldUseKind::view;
    use.what = object.identity;
    use.sql = request.sql;
    use.error = planned->error;
    const auto first = first_behind([&](Instance& instance) -> Result<bool> {
      const auto there = instance.plan(request);
      if (!there) return failed(there);
      return there->error.has_value();
    });
    if (!first) return failed(first);
    use.migration = *first;
    m_run.old_uses.push_back(std::move(use));
  }
  return {};
}

Result<void> Course::observe_old_release(const BaseInstance& base) {
  if (!m_scenario.old_release) return {};
  const auto& release = *m_scenario.old_release;
  if (!release.unread.empty()) {
    m_run.remarks.push_back(
        fmt::format("what the release at {} runs is not known: {}", release.from, release.unread));
    return {};
  }
  for (const scenario::Query& query : release.queries) {
    if (m_options.progress) m_options.progress("old query " + query.name);
    if (const auto seen = observe_old_query(base, query); !seen) return seen;
  }
  for (const auto& write : release.writes) {
    if (const auto seen = observe_old_write(base, write); !seen) return seen;
  }
  return {};
}

namespace {

/// A query that the new release runs as well is looked at as a critical query.
bool runs_still(const scenario::Scenario& scenario, const scenario::Query& query) {
  return std::any_of(scenario.queries.begin(), scenario.queries.end(), [&](const scenario::Query& now) {
    return now.sql == query.sql && now.parameter_sets == query.parameter_sets &&
           now.parameters_from == query.parameters_from;
  });
}

/// Does the query, gone about in another way, give other rows (ties under LIMIT)?
Result<bool> is_ambiguous(Instance& instance, const QueryRequest& request) {
  const auto session = instance.open_query_session({});
  if (!session) return failed(session);
  const auto refused = (*session)->prepare(request.sql, engine::Access::write);
  if (!refused) return failed(refused);
  if (*refused) return false;
  const auto usual = (*session)->answer(request.parameters);
  if (!usual) return failed(usual);
  return hangs_on_plan(**session, request.parameters, *usual, false);
}

}  // namespace

Result<void> Course::observe_old_query(const BaseInstance& base, const scenario::Query& query) {
  if (runs_still(m_scenario, query)) return {};
  const auto parameters = query.first_parameters();
  if (!parameters) return {};
  const QueryRequest request{query.sql, *parameters};
  const auto clean = base();
  if (!clean) return failed(clean);
  const auto before = (*clean)->try_query(request);
  if (!before) return failed(before);
  const auto after = m_instance->try_query(request);
  if (!after) return failed(after);
  OldUse use;
  use.kind = OldUseKind::query;
  use.what = query.name;
  use.sql = query.sql;
  if (m_scenario.old_release->from.empty()) use.location = query.location;
  use.base_error = before->error;
  use.error = after->error;
  use.base_rows = static_cast<std::int64_t>(before->rows.size());
  use.head_rows = static_cast<std::int64_t>(after->rows.size());
  if (before->error) {
    m_run.remarks.push_back(
        fmt::format("old query '{}' fails on base already: {}", query.name, before->error->message));
  } else if (!after->error && query.same_result && in_order(*before) != in_order(*after)) {
    const auto ambiguous = is_ambiguous(**clean, request);
    if (!ambiguous) return failed(ambiguous);
    use.same_result = *ambiguous;
  }
  if (!before->error && (after->error || !use.same_result)) {
    const auto first = first_behind([&](Instance& instance) -> Result<bool> {
      const auto there = instance.try_query(request);
      if (!there) return failed(there);
      return there->error.has_value() || (!use.same_result && in_order(*there) != in_order(*before));
    });
    if (!first) return failed(first);
    use.migration = *first;
  }
  m_run.old_uses.push_back(std::move(use));
  return {};
}

/// What the old release writes must be let in, and the new release's queries must get on with it.
Result<void> Course::observe_old_write(const BaseInstance& base, const scenario::OldRelease::Write& write) {
  const QueryRequest request{write.sql, {}};
  const auto clean = base();
  if (!clean) return failed(clean);
  const auto before = (*clean)->try_query(request);
  if (!before) return failed(before);
  OldUse use;
  use.kind = OldUseKind::write;
  use.what = abridged(write.sql, 60);
  use.sql = write.sql;
  if (m_scenario.old_release->from.empty()) use.location = write.location;
  use.base_error = before->error;
  if (before->error) {
    m_run.remarks.push_back(
        fmt::format("old write '{}' fails on base already: {}", use.what, before->error->message));
    m_run.old_uses.push_back(std::move(use));
    return {};
  }
  Broken breaks = [&](Instance& instance) -> Result<bool> {
    const auto there = instance.try_query(request);
    if (!there) return failed(there);
    return there->error.has_value();
  };
  const auto after = m_instance->try_query(request);
  if (!after) return failed(after);
  use.error = after->error;
  for (const scenario::Query& query : m_scenario.queries) {
    if (use.error || use.query_error) break;
    const auto parameters = query.first_parameters();
    if (!parameters) continue;
    const auto alone = m_instance->try_query({query.sql, *parameters});
    if (!alone) return failed(alone);
    if (alone->error) continue;
    const auto behind = m_instance->try_query({query.sql, *parameters, {write.sql}});
    if (!behind) return failed(behind);
    if (!behind->error) continue;
    use.query = query.name;
    use.query_error = behind->error;
  }
  if (use.error) {
    const auto first = first_behind(breaks);
    if (!first) return failed(first);
    use.migration = *first;
  }
  m_run.old_uses.push_back(std::move(use));
  return {};
}

}  // namespace lockkeeper::rehearsal
