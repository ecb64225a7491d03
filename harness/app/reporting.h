#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "app/options.h"
#include "record/record.h"
#include "report/console.h"
#include "report/report.h"

namespace lockkeeper::app {

/// --report, --quiet, --verbose, --colour.
boost::program_options::options_description output_options();

/// Where a run's results go: the console, and the files that were asked for.
class Reporting {
 public:
  /// A usage failure for a form that is not known or a file that cannot be written there.
  static Result<Reporting> from(const Parsed& parsed);

  report::Console& console() const { return *m_console; }
  /// Every report file, whole or not at all; says on the error stream which could not be written. Called
  /// after each run, so that a later failure does not lose what is known.
  bool write_files(const record::Record& record) const;
  /// What was asked for with FORM=-; once, at the end.
  void write_standard_output(const record::Record& record) const;

 private:
  struct File {
    const report::Form* form;
    std::string path;  ///< "-" is standard output
  };
  std::vector<File> m_files;
  std::shared_ptr<report::Console> m_console;
};

}  // namespace lockkeeper::app
