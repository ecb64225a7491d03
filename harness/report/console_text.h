#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"
#include "report/console.h"

/// The lines of the console as pure functions, so that they can be tested and looked at without a run.
namespace lockkeeper::report {

/// Colours, or none.
class Paint {
 public:
  explicit Paint(Colour colour) : m_colour(colour) {}

  bool colours() const { return m_colour == Colour::yes; }
  std::string bold(std::string_view text) const { return in("1", text); }
  std::string dim(std::string_view text) const { return in("2", text); }
  std::string red(std::string_view text) const { return in("1;31", text); }
  std::string green(std::string_view text) const { return in("32", text); }
  std::string yellow(std::string_view text) const { return in("33", text); }
  std::string cyan(std::string_view text) const { return in("36", text); }

 private:
  std::string in(std::string_view code, std::string_view text) const;

  Colour m_colour;
};

/// The scenario, the server, what is on trial and what it starts from.
std::vector<std::string> header_lines(const record::Run& run, std::size_t on_trial, const Paint& paint);

/// One line, and each statement when verbose. `prefix` is the scenario's name where several run.
std::vector<std::string> migration_lines(const record::MigrationRecord& migration, std::string_view prefix,
                                         const Paint& paint, Detail detail);

std::string progress_line(std::string_view scenario, std::string_view what, const Paint& paint);

/// All that is known when a run is over; with its own verdict where there are several runs.
std::vector<std::string> outcome_lines(const record::Run& run, bool several, const Paint& paint,
                                       Detail detail);

/// The verdict over every run, how to bring the first failure back, and the databases left running.
std::vector<std::string> last_lines(const record::Record& record, const Paint& paint);

/// GitHub obeys lines that begin with "::" and "##[" anywhere in a line: a migration must not speak in our
/// name.
std::string harmless_in_workflows(std::string line);

}  // namespace lockkeeper::report
