#include "app/reporting.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

Result<report::Colour> colour_of(const Parsed& parsed, int descriptor) {
  const std::string when = parsed.has("colour") ? parsed.text("colour") : "auto";
  if (when == "always") return report::Colour::yes;
  if (when == "never") return report::Colour::no;
  if (when != "auto") {
    return failed(FailureKind::usage, fmt::format("--colour: unknown word '{}'", when),
                  "it is auto, always or never");
  }
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  const bool wanted = (no_colour == nullptr || *no_colour == '\0') && ::isatty(descriptor) != 0;
  return wanted ? report::Colour::yes : report::Colour::no;
}

}  // namespace

po::options_description output_options() {
  po::options_description options("what it says");
  options.add_options()("report", po::value<std::vector<std::string>>()->value_name("FORM=FILE"),
                        "write a report: json, markdown, junit, benchmark (times of queries) or log (of a "
                        "release); - is standard "
                        "output (may be repeated)")("quiet,q", "only findings and the verdict")(
      "verbose,v", "all evidence, progress, files not taken")(
      "colour", po::value<std::string>()->value_name("WHEN"), "auto, always or never")("help,h", "this help");
  return options;
}

Result<Reporting> Reporting::from(const Parsed& parsed) {
  Reporting reporting;
  bool standard_output = false;
  for (const std::string& text : parsed.texts("report")) {
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    std::vector<std::string> names;
    for (const auto& form : report::all_forms()) names.emplace_back(form.name);
    const report::Form* form = report::form_named(name);
    if (form == nullptr) {
      return failed(FailureKind::usage,
                    fmt::format("--report: unknown form '{}'{}", name, did_you_mean(name, names)),
                    "write FORM=FILE with one of: " + join(names, ", "));
    }
    if (equals == std::string::npos || equals + 1 == text.size()) {
      return failed(FailureKind::usage, fmt::format("--report {}: no file given", name),
                    "write --report json=FILE");
    }
    const std::string path = text.substr(equals + 1);
    const auto folder = std::filesystem::absolute(path).parent_path();
    std::error_code error;
    if (path != "-" &&
        (!std::filesystem::is_directory(folder, error) || ::access(folder.c_str(), W_OK) != 0)) {
      return failed(FailureKind::usage,
                    fmt::format("--report: cannot write '{}': no such directory, or closed to us", path),
                    "name a file in a directory that is there and that you may write");
    }
    if (std::filesystem::is_directory(path, error)) {
      return failed(FailureKind::usage, fmt::format("--report: cannot write '{}': it is a directory", path),
                    fmt::format("write --report {}=FILE", name));
    }
    standard_output = standard_output || path == "-";
    reporting.m_files.push_back({form, path});
  }
  auto& stream = standard_output ? std::cerr : std::cout;
  const auto colour = colour_of(parsed, standard_output ? STDERR_FILENO : STDOUT_FILENO);
  if (!colour) return failed(colour);
  const auto detail = parsed.has("verbose") ? report::Detail::verbose
                      : parsed.has("quiet") ? report::Detail::quiet
                                            : report::Detail::normal;
  reporting.m_console = std::make_shared<report::Console>(stream, *colour, detail);
  return reporting;
}

bool Reporting::write_files(const record::Record& record) const {
  bool all = true;
  for (const File& file : m_files) {
    if (file.path == "-") continue;
    if (const auto written = write_file(file.path, file.form->render(record)); !written) {
      fmt::print(stderr, "{}\n", to_string(written.error()));
      all = false;
    }
  }
  return all;
}

void Reporting::write_standard_output(const record::Record& record) const {
  for (const File& file : m_files) {
    if (file.path == "-") std::cout << file.form->render(record) << std::flush;
  }
}

}  // namespace lockkeeper::app
