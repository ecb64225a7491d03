#include "scenario/release_plan.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"

namespace lockkeeper::scenario {

namespace {

using record::BackupForm;
using Words = std::vector<std::string>;

/// Each is a session of its own.
constexpr int k_most_jobs = 32;

/// What a point of a checklist can rest on beside checks by their names: the steps of a release check.
const Words k_step_names = {"pre-checks", "disk space",   "backups",    "proofs", "dry run", "apply",
                            "downtime",   "verification", "operations", "writes", "roads",   "failures"};

/// "15 min" as milliseconds.
std::optional<std::chrono::milliseconds> read_span(Problems& problems, const Value& value,
                                                   const std::string& key) {
  const std::string text = trimmed(read_text(problems, value, key_named(key)));
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit = trimmed(std::string_view(end, text.data() + text.size()));
  const double factor = unit == "ms"    ? 1
                        : unit == "s"   ? 1000
                        : unit == "min" ? 60'000
                        : unit == "h"   ? 3'600'000
                                        : 0;
  constexpr double k_most = 1e12;
  if (error == std::errc() && factor > 0 && number > 0 && number * factor < k_most)
    return std::chrono::milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(number * factor)));
  problems.report(value.location, fmt::format("key '{}': '{}' is no span of time", key, abridged(text, 40)),
                  "write a number with ms, s, min or h: 15 min");
  return std::nullopt;
}

class PlanReader {
 public:
  PlanReader(Problems& problems, const Words& rules, const Words& checks)
      : m_problems(problems), m_rules(rules), m_checks(checks) {}

  ReleasePlan read(const Value& value) {
    const Fields fields(m_problems, value, "release",
                        {"environment", "from", "backups", "roads", "on_failure", "restore_within",
                         "downtime_at_most", "pre_checks", "operations", "checklist", "expect_findings"});
    if (const auto environment = fields.optional_text("environment")) m_plan.environment = *environment;
    m_plan.from = fields.optional_text("from");
    each(fields, "backups", &PlanReader::read_backup);
    m_plan.names_roads = fields.find("roads") != nullptr;
    each(fields, "roads", &PlanReader::read_road);
    if (const Value* answer = fields.find("on_failure")) read_answer(*answer);
    if (const Value* span = fields.find("restore_within"))
      m_plan.restore_within = read_span(m_problems, *span, "restore_within");
    if (const Value* span = fields.find("downtime_at_most"))
      m_plan.downtime_at_most = read_span(m_problems, *span, "downtime_at_most");
    read_checks(fields, "pre_checks", m_plan.pre_checks);
    read_checks(fields, "operations", m_plan.operations);
    each(fields, "checklist", &PlanReader::read_point);
    each(fields, "expect_findings", &PlanReader::read_expected);
    return std::move(m_plan);
  }

 private:
  void each(const Fields& fields, const std::string& key, void (PlanReader::*read_one)(const Value&)) {
    const Value* const list = fields.find(key);
    if (list == nullptr) return;
    for (const Value& item : items_of(m_problems, *list, key_named(key))) (this->*read_one)(item);
  }

  void read_backup(const Value& value) {
    ReleasePlan::Backup backup;
    backup.location = value.location;
    if (value.kind == Value::Kind::map) {
      const Fields fields(m_problems, value, "a backup",
                          {"name", "form", "jobs", "compress", "command", "restore"});
      backup.command = fields.text("command");
      backup.restore = fields.text("restore");
      const std::string form = fields.text("form");
      if (backup.command.empty() == form.empty())
        m_problems.report(value.location, "a backup: either 'form' or 'command' is wanted",
                          "write {form: custom}, or {name: nightly, command: 'pg_dump … > {file}'}");
      backup.form = backup.command.empty() ? form_named(form, value.location) : BackupForm::command;
      backup.name = fields.text("name");
      if (backup.name.empty()) backup.name = backup.command.empty() ? form : "own";
      backup.jobs = std::min(fields.count("jobs").value_or(1), k_most_jobs);
      if (const Value* level = fields.find("compress")) read_compression(*level, backup);
    } else {
      backup.name = read_text(m_problems, value, "a backup");
      backup.form = form_named(backup.name, value.location);
    }
    if (backup.name.find_first_of("/\\\n") != std::string::npos || backup.name.starts_with('.'))
      m_problems.report(value.location, fmt::format("backup '{}': no name for a file", abridged(backup.name)),
                        "use letters, digits and dashes");
    if (backup_named(backup.name))
      m_problems.report(value.location, fmt::format("backup '{}': stands here twice", abridged(backup.name)),
                        "give each a name of its own: {name: nightly, form: custom}");
    m_plan.backups.push_back(std::move(backup));
  }

  void read_compression(const Value& value, ReleasePlan::Backup& backup) {
    const std::string text = read_text(m_problems, value, key_named("compress"));
    if (text.size() == 1 && text[0] >= '0' && text[0] <= '9') {
      backup.compress = text[0] - '0';
      return;
    }
    m_problems.report(value.location, fmt::format("key 'compress': '{}' is no level", abridged(text, 20)),
                      "the levels are 0 (none) to 9");
  }

  BackupForm form_named(const std::string& name, const Location& location) {
    auto forms = record::names_of<BackupForm>();
    std::erase(forms, "command");
    const auto form = record::value_named<BackupForm>(name);
    if (form && *form != BackupForm::command) return *form;
    m_problems.report(location,
                      fmt::format("backup '{}': no such form{}", abridged(name), did_you_mean(name, forms)),
                      "the forms are " + join(forms, ", "));
    return BackupForm::custom;
  }

  bool backup_named(const std::string& name) const {
    return std::any_of(m_plan.backups.begin(), m_plan.backups.end(),
                       [&](const auto& backup) { return backup.name == name; });
  }

  ReleasePlan::Way way_of(const Value& value) {
    ReleasePlan::Way way;
    way.location = value.location;
    if (value.kind != Value::Kind::map) {
      if (const std::string word = read_text(m_problems, value, "a way back"); word != "downs")
        m_problems.report(
            value.location, fmt::format("way back '{}': not known", abridged(word)),
            "write downs, or {restore: BACKUP}, with over: true for one over the migrated database");
      return way;
    }
    const Fields fields(m_problems, value, "a way back", {"restore", "over", "open"});
    way.backup = fields.required_text("restore");
    way.over = fields.flag("over").value_or(false);
    way.open = fields.flag("open").value_or(false);
    if (!m_plan.backups.empty() && !way.backup.empty() && !backup_named(way.backup)) {
      Words names;
      for (const auto& backup : m_plan.backups) names.push_back(backup.name);
      m_problems.report(value.location,
                        fmt::format("way back '{}': no such backup{}", abridged(way.backup),
                                    did_you_mean(way.backup, names)),
                        "the backups are " + join(names, ", "));
    }
    return way;
  }
  void read_road(const Value& value) { m_plan.roads.push_back(way_of(value)); }
  void read_answer(const Value& value) { m_plan.on_failure = way_of(value); }

  void read_checks(const Fields& fields, const std::string& key, std::vector<Invariant>& checks) {
    const Value* const list = fields.find(key);
    if (list == nullptr) return;
    for (const Value& item : items_of(m_problems, *list, key_named(key))) {
      const Fields one(m_problems, item, "a check of " + key, {"name", "sql", "equals"});
      checks.push_back(
          {one.required_text("name"), one.required_text("sql"), one.optional_text("equals"), item.location});
    }
  }

  void read_point(const Value& value) {
    ReleasePlan::Point point;
    point.location = value.location;
    if (value.kind != Value::Kind::map) {
      point.text = read_text(m_problems, value, "a point of the checklist");
    } else {
      const Fields fields(m_problems, value, "a point of the checklist", {"point", "by"});
      point.text = fields.required_text("point");
      point.by = fields.text("by");
      if (!point.by.empty()) expect_step(point);
    }
    m_plan.checklist.push_back(std::move(point));
  }

  void expect_step(const ReleasePlan::Point& point) {
    Words known = k_step_names;
    known.insert(known.end(), m_checks.begin(), m_checks.end());
    for (const auto* checks : {&m_plan.pre_checks, &m_plan.operations}) {
      for (const Invariant& check : *checks) known.push_back(check.name);
    }
    if (std::find(known.begin(), known.end(), point.by) != known.end()) return;
    m_problems.report(
        point.location,
        fmt::format("by '{}': no such step or check{}", abridged(point.by), did_you_mean(point.by, known)),
        "the steps are " + join(k_step_names, ", ") +
            "; an invariant, a pre-check or an operation is named by its name");
  }

  void read_expected(const Value& value) {
    const Fields fields(m_problems, value, "an expected finding", {"rule", "migration"});
    const std::string rule = fields.required_text("rule");
    if (!rule.empty()) check_rule(m_problems, rule, value.location, m_rules);
    m_plan.expect_findings.push_back({rule, fields.text("migration"), value.location});
  }

  Problems& m_problems;
  const Words& m_rules;
  const Words& m_checks;
  ReleasePlan m_plan;
};

}  // namespace

ReleasePlan read_release_plan(Problems& problems, const Value& value, const std::vector<std::string>& rules,
                              const std::vector<std::string>& checks) {
  return PlanReader(problems, rules, checks).read(value);
}

}  // namespace lockkeeper::scenario
