#include "app/inspection_options.h"

#include <chrono>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

constexpr int k_longest_statement_seconds = 3600;

}  // namespace

po::options_description inspection_options() {
  po::options_description options("how it looks");
  options.add_options()("statement-timeout", po::value<int>()->value_name("SECONDS")->default_value(5),
                        "longest that one statement may take there")(
      "superuser-ok", "look as a superuser too, whom nothing but the transaction keeps from writing")(
      "output", po::value<std::string>()->value_name("FORM")->default_value("text"), "text or json")(
      "print", "list every statement that would be run, and connect to nothing")("help,h", "this help");
  return options;
}

Result<Output> output_of(const Parsed& parsed) {
  const std::string form = parsed.text("output");
  if (form == "text") return Output::text;
  if (form == "json") return Output::json;
  return failed(
      FailureKind::usage,
      fmt::format("--output: unknown form '{}'{}", abridged(form, 40), did_you_mean(form, {"text", "json"})),
      "it is text or json");
}

Result<engine::postgres::InspectionOptions> inspection_of(const Parsed& parsed, const std::string& url,
                                                          const std::string& command) {
  const int seconds = parsed.values["statement-timeout"].as<int>();
  if (seconds < 1 || seconds > k_longest_statement_seconds) {
    return failed(FailureKind::usage, "--statement-timeout takes a number of seconds from 1 to 3600",
                  "nothing is asked without a limit of time");
  }
  engine::postgres::InspectionOptions options;
  options.url = url;
  options.application_name = "lockkeeper " + command;
  options.statement_timeout = std::chrono::seconds(seconds);
  if (parsed.has("superuser-ok")) options.superuser = engine::postgres::Superuser::accepted;
  return options;
}

void print_statements(const engine::postgres::InspectionOptions& options, int major,
                      engine::postgres::WithSchema schema) {
  fmt::print("-- every statement that may be run, in order; what stands in «» is found on the way\n");
  if (schema == engine::postgres::WithSchema::yes)
    fmt::print("-- the schema is read as of PostgreSQL {}; --pg-version N shows it for another\n", major);
  std::string_view before;
  for (const auto& statement : engine::postgres::inspection_statements(options, major, schema)) {
    if (statement.what != before) fmt::print("\n-- {}\n", statement.what);
    before = statement.what;
    fmt::print("{};\n", statement.sql);
  }
}

}  // namespace lockkeeper::app
