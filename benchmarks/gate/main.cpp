#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "base/interrupt.h"
#include "benchmarks/gate/proof.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::gate_proof {

namespace {

namespace po = boost::program_options;

constexpr int k_quick = 10;  // as many times less

struct Asked {
  Settings settings;
  bool help = false;
};

po::options_description options(Asked& asked, std::string& load, double& budget) {
  po::options_description all("usage: ./dev bench gate [OPTIONS]\n\noptions");
  auto add = all.add_options();
  add("seed", po::value(&asked.settings.seed)->default_value(asked.settings.seed), "all others come from it");
  add("load", po::value(&load)->default_value("other"),
      "what a neighbour does meanwhile: other (one core always, the others in bursts), both (all cores "
      "always), none");
  add("budget", po::value(&budget)->default_value(5), "seconds for a query");
  add("quick", "a tenth of all comparisons, to see that it runs");
  add("help", "this text");
  return all;
}

Result<Asked> read(int argc, char** argv) {
  Asked asked;
  std::string load;
  double budget = 0;
  const auto all = options(asked, load, budget);
  try {
    po::variables_map given;
    po::store(po::command_line_parser(argc, argv).options(all).positional({}).run(), given);
    po::notify(given);
    asked.help = given.contains("help");
    if (asked.help) std::cout << all;
    if (given.contains("quick")) {
      for (int* const count : {&asked.settings.simulated, &asked.settings.nulls, &asked.settings.injections})
        *count = std::max(1, *count / k_quick);
    }
  } catch (const po::error& error) {
    return failed(FailureKind::usage, error.what(), "./dev bench gate --help");
  }
  const auto wanted = load_of(load);
  if (!wanted) return failed(wanted);
  asked.settings.load = *wanted;
  if (budget <= 0)
    return failed(FailureKind::usage, "the budget has to be above 0", "./dev bench gate --help");
  asked.settings.budget = std::chrono::milliseconds(std::max(1, static_cast<int>(budget * 1000)));
  return asked;
}

int exit_code(const Failure& failure) {
  fmt::print(stderr, "{}\n", lockkeeper::to_string(failure));
  switch (failure.kind) {
    case FailureKind::usage:
      return 2;
    case FailureKind::interrupted:
      return 130;
    case FailureKind::environment:
    case FailureKind::nothing:
      break;
  }
  return 3;
}

int run(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == k_neighbour_option) return be_neighbour(argv[2]);
  watch_signals();
  engine::postgres::forget_session_environment();
  const auto asked = read(argc, argv);
  if (!asked) return exit_code(asked.error());
  if (asked->help) return 0;
  const auto proof = prove(asked->settings);
  if (!proof) return exit_code(proof.error());
  fmt::print("{}", tables(asked->settings, *proof));
  return std::ranges::all_of(promises(asked->settings, *proof), &Promise::held) ? 0 : 1;
}

}  // namespace

}  // namespace lockkeeper::gate_proof

int main(int argc, char** argv) {
  return lockkeeper::gate_proof::run(argc, argv);
}
