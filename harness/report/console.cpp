#include "report/console.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "report/console_text.h"
#include "report/escape.h"
#include "report/release_text.h"

namespace lockkeeper::report {

struct Console::State {
  std::ostream& out;
  Paint paint;
  Detail detail;
  std::mutex mutex;
  std::size_t runs_ahead = 1;
  std::size_t runs_started = 0;
  bool progress_in_sight = false;

  bool several() const { return std::max(runs_ahead, runs_started) > 1; }

  /// Wipes a line of progress off the terminal before anything lasting is written.
  void wipe() {
    if (progress_in_sight) out << "\r\x1b[2K";
    progress_in_sight = false;
  }

  void print(const std::vector<std::string>& lines) {
    wipe();
    for (const std::string& line : lines) out << harmless_in_workflows(line) << '\n';
    out.flush();
  }
};

Console::Console(std::ostream& out, Colour colour, Detail detail)
    : m_state(new State{out, Paint(colour), detail, {}, 1, 0, false}) {}

void Console::runs_ahead(std::size_t count) {
  const std::lock_guard lock(m_state->mutex);
  m_state->runs_ahead = count;
}

void Console::run_started(const record::Run& run, std::size_t on_trial) {
  const std::lock_guard lock(m_state->mutex);
  ++m_state->runs_started;
  if (m_state->detail != Detail::quiet) m_state->print(header_lines(run, on_trial, m_state->paint));
}

void Console::migration_done(const record::Run& run, const record::MigrationRecord& migration) {
  const std::lock_guard lock(m_state->mutex);
  if (m_state->detail == Detail::quiet) return;
  const std::string prefix = m_state->several() ? run.scenario : "";
  m_state->print(migration_lines(migration, prefix, m_state->paint, m_state->detail));
}

void Console::step_done(const record::Run& run, const record::ReleaseStep& step) {
  const std::lock_guard lock(m_state->mutex);
  // Roads are compared with each other at the end.
  if (m_state->detail == Detail::quiet || step.name.starts_with("road: ")) return;
  const std::string prefix = m_state->several() ? run.scenario + ": " : "";
  m_state->print({prefix + readable(step_line(step))});
}

void Console::progress(const std::string& scenario, const std::string& what) {
  const std::lock_guard lock(m_state->mutex);
  const bool terminal = m_state->paint.colours();
  if (m_state->detail == Detail::quiet || (!terminal && m_state->detail != Detail::verbose)) return;
  const std::string line = progress_line(m_state->several() ? scenario : "", what, m_state->paint);
  if (m_state->detail == Detail::verbose) return m_state->print({line});
  // On a terminal it lasts only until something happens.
  m_state->wipe();
  m_state->out << line << std::flush;
  m_state->progress_in_sight = true;
}

void Console::run_finished(const record::Run& run) {
  const std::lock_guard lock(m_state->mutex);
  m_state->print(outcome_lines(run, m_state->several(), m_state->paint, m_state->detail));
}

void Console::finished(const record::Record& record) {
  const std::lock_guard lock(m_state->mutex);
  m_state->print(last_lines(record, m_state->paint));
}

}  // namespace lockkeeper::report
