#include "check/locks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/identity.h"
#include "sql/kind.h"

namespace lockkeeper::check {

namespace {

using record::Microseconds;
using record::SideRun;
using record::StatementRecord;

/// 16 pages: from about there on the planner takes an index where one serves.
constexpr std::int64_t k_small_bytes = 16 * 8192;
/// Below this a statement's time is that of its beginning and end, not of its rows.
constexpr std::int64_t k_enough_rows = 1000;
/// So many rows changed are work, whatever the table.
constexpr std::int64_t k_many_rows = 1000;
constexpr std::size_t k_most_lines = 8;

/// What a statement is by its first word, as far as its scans are to be read by it.
enum class Form { changes_rows, anything, definition };

Form form_of(std::string_view text) {
  static constexpr std::array<std::string_view, 4> k_changes = {"UPDATE", "DELETE", "INSERT", "MERGE"};
  static constexpr std::array<std::string_view, 6> k_anything = {"SELECT", "WITH",    "DO",
                                                                 "CALL",   "EXECUTE", "COPY"};
  const std::string head = sql::headline(text);
  const auto begins = [&](std::string_view word) {
    return head.starts_with(word) && (head.size() == word.size() || head[word.size()] == ' ');
  };
  if (std::any_of(k_changes.begin(), k_changes.end(), begins)) return Form::changes_rows;
  if (head.empty() || std::any_of(k_anything.begin(), k_anything.end(), begins)) return Form::anything;
  return Form::definition;
}

/// Would it read all of the table however large it were?
bool grows(const StatementRecord& statement, const record::Scan& scan, Form form) {
  if (form == Form::definition || scan.bytes >= k_small_bytes) return true;
  const std::int64_t rows = scan.rows.value_or(0);
  if (form == Form::anything) {
    // One of the scans may have looked for the few rows that were changed.
    const bool few = scan.rows_changed > 0 && 2 * scan.rows_changed < rows;
    return scan.rows_read >= rows && scan.sequential_scans > (few ? 1 : 0);
  }
  return 2 * statement.rows_changed.value_or(0) >= rows;
}

/// The statements of one transaction, in order.
using Transaction = std::vector<const StatementRecord*>;

std::vector<Transaction> transactions_of(const SideRun& run) {
  std::map<std::int64_t, Transaction> by_number;
  for (const StatementRecord& statement : run.statements) {
    if (statement.locks_observed || statement.locks_sampled)
      by_number[statement.transaction].push_back(&statement);
  }
  std::vector<Transaction> transactions;
  for (auto& [number, statements] : by_number) transactions.push_back(std::move(statements));
  return transactions;
}

Microseconds time_from(const Transaction& transaction, const StatementRecord* first) {
  Microseconds time{0};
  for (auto at = std::find(transaction.begin(), transaction.end(), first); at != transaction.end(); ++at)
    time += (*at)->duration;
  return time;
}

/// The same statement of up's second run; null where there is none like it.
const StatementRecord* twin_of(const StatementRecord* statement, const SideRun& run, const SideRun* second) {
  const auto index = static_cast<std::size_t>(statement - run.statements.data());
  if (second == nullptr || index >= second->statements.size()) return nullptr;
  const StatementRecord& twin = second->statements[index];
  return twin.text == statement->text && !twin.error ? &twin : nullptr;
}

/// Sorting grows with n log n: https://www.postgresql.org/docs/current/btree.html#BTREE-IMPLEMENTATION
bool sorts(const StatementRecord& statement) {
  const std::string head = sql::headline(statement.text);
  return head.find("INDEX") != std::string::npos || head.starts_with("CLUSTER") ||
         names(statement.text, "unique") || names(statement.text, "primary");
}

enum class Known { no, yes, too_few_rows };

/// Adds what the statement would take at production's size.
Known add_expected(const StatementRecord& statement, const StatementRecord* twin,
                   const std::vector<Work>& work, const scenario::Scenario& scenario, Estimate& estimate) {
  Microseconds least = statement.duration;
  Microseconds most = statement.duration;
  if (twin != nullptr) {
    least = std::min(least, twin->duration);
    most = std::max(most, twin->duration);
  }
  double factor = 1;
  double growth = 1;
  Known known = Known::no;
  for (const Work& one : work) {
    if (one.statement != &statement) continue;
    const auto production = rows_in_production(scenario, one.relation);
    if (!production) continue;
    const double times = static_cast<double>(*production) / static_cast<double>(one.rows);
    const bool few = one.rows < k_enough_rows && times > 1;
    if (known != Known::too_few_rows) known = few ? Known::too_few_rows : Known::yes;
    factor = std::max(factor, times);
    if (one.rows > 2 && *production > one.rows && sorts(statement)) {
      growth = std::max(
          growth, std::log2(static_cast<double>(*production)) / std::log2(static_cast<double>(one.rows)));
    }
  }
  const auto scaled = [](Microseconds time, double by) {
    return Microseconds(static_cast<std::int64_t>(static_cast<double>(time.count()) * by));
  };
  estimate.least += scaled(least, factor);
  estimate.most += scaled(most, factor * growth);
  return known;
}

/// The whole of one side's transactions, seen by one kind of lock.
class Stalls {
 public:
  Stalls(const SideRun& run, const SideRun* second, Stops whom, const scenario::Scenario& scenario)
      : m_run(run), m_second(second), m_whom(whom), m_scenario(scenario) {}

  std::vector<Stall> find() {
    std::vector<Stall> found;
    for (const Transaction& transaction : transactions_of(m_run)) {
      begin();
      for (const StatementRecord* statement : transaction) take(*statement);
      for (Stall& stall : m_stalls) {
        if (finish(stall, transaction)) add(std::move(stall), found);
      }
    }
    return found;
  }

 private:
  void begin() {
    m_locked.clear();
    m_stronger.clear();
    m_stalls.clear();
  }

  void take(const StatementRecord& statement) {
    std::vector<std::string> newly;
    for (const record::LockTaken& lock : statement.locks) {
      const Stops stopped = stops(lock);
      if (stopped == m_whom && m_locked.emplace(lock.relation, &statement).second)
        newly.push_back(lock.relation);
      if (m_whom == Stops::writers && stopped == Stops::everybody)
        m_stronger.emplace(lock.relation, &statement);
    }
    // Where nobody gets in at all, that is what is told.
    std::erase_if(newly, [&](const std::string& relation) { return m_stronger.contains(relation); });
    const bool definition = form_of(statement.text) == Form::definition;
    for (Work& work : work_of(statement)) {
      if (m_stronger.contains(work.relation)) continue;
      const auto held = m_locked.find(work.relation);
      if (held != m_locked.end()) {
        stall_of(*held->second, work.relation).work.push_back(work);
      } else if (definition && !newly.empty()) {
        // A foreign key's other table, the view that is refreshed.
        stall_of(statement, newly.front()).work.push_back(work);
      }
    }
  }

  /// Two tables that one statement works on may have been locked by different ones.
  static void add(Stall stall, std::vector<Stall>& found) {
    const auto same = std::find_if(found.begin(), found.end(), [&](const Stall& known) {
      return known.work.front().statement == stall.work.front().statement;
    });
    if (same == found.end()) {
      found.push_back(std::move(stall));
      return;
    }
    for (std::string& relation : stall.relations) same->relations.push_back(std::move(relation));
    same->work.insert(same->work.end(), stall.work.begin(), stall.work.end());
    same->held = std::max(same->held, stall.held);
    same->too_few_rows = same->too_few_rows || stall.too_few_rows;
    if (stall.expected && (!same->expected || same->expected->most < stall.expected->most))
      same->expected = stall.expected;
  }

  Stall& stall_of(const StatementRecord& locked, const std::string& relation) {
    auto found = std::find_if(m_stalls.begin(), m_stalls.end(),
                              [&](const Stall& stall) { return stall.locked == &locked; });
    if (found == m_stalls.end()) {
      found = m_stalls.insert(found, Stall{});
      found->locked = &locked;
    }
    if (std::find(found->relations.begin(), found->relations.end(), relation) == found->relations.end())
      found->relations.push_back(relation);
    return *found;
  }

  /// False where production is known to have too few rows for this to matter.
  bool finish(Stall& stall, const Transaction& transaction) const {
    for (const record::LockTaken& lock : stall.locked->locks) {
      if (stops(lock) != m_whom) continue;
      const auto& known = stall.relations;
      if (lock.relation == known.front()) stall.mode = lock.mode;
      // What a definition locks beside, it locks for as long.
      const bool listed = std::find(known.begin(), known.end(), lock.relation) != known.end();
      if (!listed && !m_stronger.contains(lock.relation) && form_of(stall.locked->text) == Form::definition &&
          stall.work.front().statement == stall.locked)
        stall.relations.push_back(lock.relation);
    }
    stall.held = time_from(transaction, stall.locked);
    bool any = false;
    Estimate estimate;
    for (auto at = std::find(transaction.begin(), transaction.end(), stall.locked); at != transaction.end();
         ++at) {
      const Known known = add_expected(**at, twin_of(*at, m_run, m_second), stall.work, m_scenario, estimate);
      any = any || known != Known::no;
      stall.too_few_rows = stall.too_few_rows || known == Known::too_few_rows;
    }
    if (!any) return true;
    const bool all_known = std::all_of(stall.work.begin(), stall.work.end(), [&](const Work& work) {
      return rows_in_production(m_scenario, work.relation).has_value();
    });
    if (all_known && estimate.most <= m_scenario.longest_wait) return false;
    if (!stall.too_few_rows) stall.expected = estimate;
    return true;
  }

  const SideRun& m_run;
  const SideRun* m_second;
  Stops m_whom;
  const scenario::Scenario& m_scenario;
  std::map<std::string, const StatementRecord*> m_locked;
  std::map<std::string, const StatementRecord*> m_stronger;
  std::vector<Stall> m_stalls;
};

std::string work_text(const Work& work) {
  return fmt::format("{} all {} of {}", work.rewrites ? "rewrites" : "reads", counted(work.rows, "row"),
                     work.relation);
}

std::string short_place(const StatementRecord& statement) {
  return fmt::format("{}:{} '{}'", statement.location.line, statement.location.column,
                     abridged(statement.text, 80));
}

std::string estimate_text(const Estimate& estimate) {
  if (human(estimate.least) == human(estimate.most)) return human(estimate.least);
  return fmt::format("{} to {}", human(estimate.least), human(estimate.most));
}

/// What to do instead, by what the statement does.
std::string advice_for(const Rule& rule, const Stall& stall) {
  const StatementRecord& worked = *stall.work.front().statement;
  const std::string head = sql::headline(worked.text);
  if (form_of(worked.text) == Form::changes_rows) {
    return "change the rows in a transaction of its own that holds no such lock, some thousand rows at a "
           "time";
  }
  if (head.starts_with("CREATE INDEX") || head.starts_with("CREATE UNIQUE"))
    return "CREATE INDEX CONCURRENTLY, in a migration of its own that runs outside of a transaction";
  if (head.starts_with("REINDEX")) return "REINDEX … CONCURRENTLY, outside of a transaction";
  if (head.starts_with("REFRESH"))
    return "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view";
  if (names(worked.text, "references"))
    return "add the foreign key NOT VALID, and VALIDATE CONSTRAINT in a later migration (another "
           "transaction)";
  if (names(worked.text, "attach"))
    return "add a CHECK that says what the partition's bounds say, NOT VALID; validate it in a transaction "
           "of "
           "its own; then attach";
  if (names(worked.text, "check") || names(worked.text, "validate"))
    return "add the constraint NOT VALID, and VALIDATE CONSTRAINT in a later migration (another transaction)";
  if (names(worked.text, "not") && names(worked.text, "null") && names(worked.text, "set"))
    return "add CHECK (column IS NOT NULL) NOT VALID, validate it in a transaction of its own, then SET NOT "
           "NULL, which takes its word, then drop the check";
  if (names(worked.text, "unique") || names(worked.text, "primary"))
    return "CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX";
  if (names(worked.text, "type"))
    return "add a column of the new type, fill it in batches, change over, drop the old one";
  return std::string(rule.advice);
}

std::vector<std::string> stall_lines(const Stall& stall, const scenario::Scenario& scenario) {
  std::vector<std::string> lines;
  const Work& first = stall.work.front();
  if (first.statement != stall.locked)
    lines.push_back("locked since " + short_place(*stall.locked));
  else if (!first.rewrites && form_of(first.statement->text) == Form::anything)
    lines.emplace_back("no server tells what came first inside it: the lock, or the reading");
  for (std::size_t i = 1; i < stall.work.size() && i < k_most_lines; ++i) {
    lines.push_back(fmt::format("{} {}", short_place(*stall.work[i].statement), work_text(stall.work[i])));
  }
  if (stall.work.size() > k_most_lines)
    lines.push_back(fmt::format("and {} more", stall.work.size() - k_most_lines));
  for (const Work& work : stall.work) {
    const auto rows = rows_in_production(scenario, work.relation);
    if (!rows) continue;
    lines.push_back(fmt::format(
        "production has {} in {}: {}", counted(*rows, "row"), work.relation,
        stall.expected
            ? fmt::format("about {}, from the time per row measured here", estimate_text(*stall.expected))
            : fmt::format("{} here are too few to go by", counted(work.rows, "row"))));
    break;
  }
  if (stall.expected && scenario.production.writes_per_second) {
    const auto waiting = [&](Microseconds time) {
      return grouped(
          std::int64_t(std::chrono::duration<double>(time).count() * *scenario.production.writes_per_second));
    };
    lines.push_back(fmt::format("{} to {} writes of the application would come meanwhile",
                                waiting(stall.expected->least), waiting(stall.expected->most)));
  }
  return lines;
}

/// "CREATE INDEX", "UPDATE", "DO"
std::string title_of(const StatementRecord& statement) {
  const std::string head = sql::headline(statement.text);
  if (head.empty()) return "the statement";
  return form_of(statement.text) == Form::definition ? head : head.substr(0, head.find(' '));
}

std::string text_of(const StatementRecord& statement, const Work& work) {
  return fmt::format("{} {}", title_of(statement), work_text(work));
}

/// Why a statement is slow work, empty where it is none; what is done on `except` is told of elsewhere.
std::string slowness(const StatementRecord& statement, const std::string& except,
                     const scenario::Scenario& scenario) {
  for (const Work& work : work_of(statement)) {
    if (work.relation == except) return "";
    const auto production = rows_in_production(scenario, work.relation);
    if (production && *production < k_many_rows) continue;
    return text_of(statement, work);
  }
  if (statement.rows_changed.value_or(0) >= k_many_rows)
    return fmt::format("{} writes {}", sql::headline(statement.text),
                       counted(*statement.rows_changed, "row"));
  if (statement.duration > scenario.longest_wait)
    return fmt::format("{} takes {}", title_of(statement), human(statement.duration));
  return "";
}

}  // namespace

Stops stops(const record::LockTaken& lock) {
  if (lock.kind == "index") return Stops::nobody;
  const std::string_view mode = lock.mode;
  if (mode == "AccessExclusiveLock") return Stops::everybody;
  const bool writers = mode == "ShareLock" || mode == "ShareRowExclusiveLock" || mode == "ExclusiveLock";
  return writers ? Stops::writers : Stops::nobody;
}

std::optional<Estimate> expected_time(const SideRun& run, const scenario::Scenario& scenario) {
  Estimate estimate;
  bool known = false;
  for (const StatementRecord& statement : run.statements) {
    const Known one = add_expected(statement, nullptr, work_of(statement), scenario, estimate);
    if (one == Known::too_few_rows) return std::nullopt;
    known = known || one == Known::yes;
  }
  return known ? std::optional(estimate) : std::nullopt;
}

std::optional<std::int64_t> rows_in_production(const scenario::Scenario& scenario,
                                               std::string_view relation) {
  for (const auto& [table, rows] : scenario.production.rows) {
    if (same_identity(table, relation) ||
        (table.find('.') == std::string::npos && table == bare_name(relation)))
      return rows;
  }
  return std::nullopt;
}

std::vector<Work> work_of(const StatementRecord& statement) {
  using record::StorageChange;
  std::vector<Work> work;
  const Form form = form_of(statement.text);
  for (const record::Rewrite& rewrite : statement.rewrites) {
    const bool whole = rewrite.how == StorageChange::rewritten || rewrite.how == StorageChange::refreshed;
    // An index has no rows of its own here: the scan of its table tells of it.
    if (whole && rewrite.rows.value_or(0) > 0)
      work.push_back({&statement, rewrite.relation, true, *rewrite.rows});
  }
  for (const record::Scan& scan : statement.scans) {
    const auto same = [&](const Work& known) { return known.relation == scan.relation; };
    if (std::any_of(work.begin(), work.end(), same)) continue;
    // Of a tool's own bookkeeping, and of what is new, nobody knows any.
    if (scan.rows.value_or(0) > 0 && grows(statement, scan, form))
      work.push_back({&statement, scan.relation, false, *scan.rows});
  }
  return work;
}

std::vector<Stall> stalls_of(const record::MigrationRecord& migration, record::Side side, Stops whom,
                             const scenario::Scenario& scenario) {
  const auto& run = side == record::Side::up ? migration.forward : migration.back;
  if (!run) return {};
  const bool twice = side == record::Side::up && migration.again.has_value();
  return Stalls(*run, twice ? &*migration.again : nullptr, whom, scenario).find();
}

std::vector<Held> held_on(const SideRun& run, const scenario::Scenario& scenario) {
  std::vector<Held> found;
  for (const Transaction& transaction : transactions_of(run)) {
    Held held;
    std::vector<Held::Lock> locks;
    for (const StatementRecord* statement : transaction) {
      for (const Held::Lock& lock : locks) {
        const std::string why = slowness(*statement, lock.relation, scenario);
        if (why.empty()) continue;
        const auto told = [&](const Held::Lock& known) { return known.relation == lock.relation; };
        if (std::any_of(held.locks.begin(), held.locks.end(), told)) continue;
        if (held.slow == nullptr) {
          held.slow = statement;
          held.why = why;
        }
        held.locks.push_back(lock);
      }
      for (const record::LockTaken& lock : statement->locks) {
        if (stops(lock) != Stops::nobody) locks.push_back({statement, lock.relation, lock.mode});
      }
    }
    if (held.slow == nullptr) continue;
    held.held = time_from(transaction, held.locks.front().statement);
    found.push_back(std::move(held));
  }
  return found;
}

void report_stalls(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule, Stops whom,
                   std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Side side : {record::Side::up, record::Side::down}) {
      for (const Stall& stall : stalls_of(migration, side, whom, scenario)) {
        const Work& work = stall.work.front();
        record::Finding finding = finding_of(
            rule, migration, side,
            fmt::format("nobody can {} {} while {}: {} for {} here",
                        whom == Stops::everybody ? "read or write" : "write to", some_of(stall.relations),
                        text_of(*work.statement, work), stall.mode, human(stall.held)));
        if (stall.expected) finding.message += ", " + estimate_text(*stall.expected) + " in production";
        blame(finding, *work.statement);
        finding.evidence = stall_lines(stall, scenario);
        finding.advice = advice_for(rule, stall);
        // A way back is taken in an emergency, in which a stop is often the smaller evil.
        if (side == record::Side::down) finding.level = std::min(finding.level, record::Level::warning);
        findings.push_back(std::move(finding));
      }
    }
  }
}

void report_file_locks(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule,
                       Stops whom, std::vector<record::Finding>& findings) {
  const bool readers = whom == Stops::everybody;
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      const record::FileLock* longest = nullptr;
      for (const record::FileLock& lock : side.run->file_locks) {
        if (lock.stops_readers != readers || lock.held <= scenario.longest_wait) continue;
        if (longest == nullptr || longest->held < lock.held) longest = &lock;
      }
      if (longest == nullptr) continue;
      record::Finding finding =
          finding_of(rule, migration, side.side,
                     fmt::format("{} lets nobody else {} for {} (at most {} are allowed){}", side.name,
                                 readers ? "read or write" : "write", human(longest->held),
                                 human(scenario.longest_wait), longest->sampled ? ", sampled" : ""));
      if (longest->location) finding.location = longest->location;
      if (!longest->text.empty()) finding.evidence.push_back("since " + abridged(longest->text, 200));
      findings.push_back(std::move(finding));
    }
  }
}

void report_traffic(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule, Stops whom,
                    std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (!migration.traffic) continue;
    const record::ProbeWait* longest = nullptr;
    std::int64_t too_long = 0;
    for (const record::ProbeWait& wait : migration.traffic->waits) {
      if (wait.writes != (whom == Stops::writers) || wait.waited <= scenario.longest_wait) continue;
      // Nobody was in its way: the machine was busy.
      if (wait.mode.empty()) continue;
      ++too_long;
      if (longest == nullptr || longest->waited < wait.waited) longest = &wait;
    }
    if (longest == nullptr) continue;
    record::Finding finding =
        finding_of(rule, migration, record::Side::up,
                   fmt::format("while up ran, {} waited {} (at most {} are allowed), behind {}",
                               !longest->query.empty()
                                   ? "query '" + longest->query + "'"
                                   : (longest->writes ? "a write of " : "a read of ") + longest->table,
                               human(longest->waited), human(scenario.longest_wait), longest->mode));
    finding.statement = abridged(longest->statement, 120);
    if (longest->location) finding.location = longest->location;
    finding.evidence.push_back(
        fmt::format("{} of {} probes waited longer; before up began the longest took {}", too_long,
                    migration.traffic->probes, human(migration.traffic->longest_before)));
    findings.push_back(std::move(finding));
  }
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t k_most = 3;
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + std::ptrdiff_t(std::min(names.size(), k_most)));
  if (names.size() == 2) return join(shown, " and ");
  const std::string text = join(shown, ", ");
  return names.size() <= k_most ? text : fmt::format("{} and {} more", text, names.size() - k_most);
}

}  // namespace lockkeeper::check
