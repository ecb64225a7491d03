#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string names_of(const std::vector<record::SettingChange>& settings) {
  std::vector<std::string> result;
  for (const record::SettingChange& setting : settings) result.push_back(setting.name);
  return join(result, ", ");
}

/// The statement that changed the setting: SET name, or set_config('name', …).
void blame_setter(record::Finding& finding, const record::SideRun& run, const std::string& setting) {
  if (const record::StatementRecord* statement = statement_naming(run, {"\"" + setting + "\"", ""})) {
    blame(finding, *statement);
  }
}

void find_session_setting_leaks(const record::Run& run, const scenario::Scenario&,
                                std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    std::set<record::Side> reported;
    for (const NamedRun& named : runs_of(migration)) {
      const auto& settings = named.run->leaked_settings;
      if (settings.empty() || !reported.insert(named.side).second) continue;
      record::Finding finding = finding_of(
          k_session_setting_leaks, migration, named.side,
          fmt::format("{} leaves {} changed in its session: {}", named.name,
                      counted(static_cast<std::int64_t>(settings.size()), "setting"), names_of(settings)));
      blame_setter(finding, *named.run, settings.front().name);
      for (const record::SettingChange& setting : settings) {
        finding.evidence.push_back(
            fmt::format("{}: was '{}', is '{}'", setting.name, setting.before, setting.after));
      }
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

constinit const Rule k_session_setting_leaks{
    .id = "session-setting-leaks",
    .group = "round trip",
    .level = record::Level::warning,
    .summary = "after the side a setting of the session stays changed for the next migration",
    .why =
        "Tools run all pending migrations on one connection. A search_path or a lock_timeout that one of "
        "them leaves "
        "behind decides where the next one creates its tables, or whether it fails; run one by one, nobody "
        "sees it.",
    .advice = "use SET LOCAL, which ends with the transaction, or RESET the setting at the end of the file",
    .bad = R"(-- up
SET search_path TO audit;
CREATE TABLE audit_log (id int);
-- down
DROP TABLE audit.audit_log;)",
    .good = R"(-- up
SET LOCAL search_path TO audit;
CREATE TABLE audit_log (id int);
-- down
DROP TABLE audit.audit_log;)",
    .find = find_session_setting_leaks,
};

}  // namespace lockkeeper::check
