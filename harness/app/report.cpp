#include <fmt/format.h>

#include "app/app.h"
#include "app/reporting.h"
#include "base/file.h"
#include "record/json.h"

namespace lockkeeper::app {

Result<ExitCode> report_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("report", output_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  if (parsed->positional.size() != 1) {
    return failed(FailureKind::usage, "report takes one record", "lockkeeper report run.json");
  }
  const auto reporting = Reporting::from(*parsed);
  if (!reporting) return failed(reporting);
  const auto text = read_file(parsed->positional.front());
  if (!text) return failed(text);
  const auto record = record::from_json(*text);
  if (!record) return failed(record);
  auto& console = reporting->console();
  console.runs_ahead(record->runs.size());
  for (const auto& run : record->runs) {
    console.run_started(run, run.migrations.size());
    for (const auto& migration : run.migrations) console.migration_done(run, migration);
    console.run_finished(run);
  }
  console.finished(*record);
  reporting->write_standard_output(*record);
  return reporting->write_files(*record) ? ExitCode::pass : ExitCode::environment;
}

}  // namespace lockkeeper::app
