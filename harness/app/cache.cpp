#include <ctime>

#include <fmt/format.h>

#include "app/app.h"
#include "app/ground_options.h"
#include "base/run_directory.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace {

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts)};
}

ExitCode list(const snapshot::Store& store) {
  std::uint64_t total = 0;
  for (const auto& entry : store.list()) {
    fmt::print("{:.12}  {:>8}  {}  {}\n", entry.key, human_bytes(entry.bytes), time_text(entry.last_used),
               entry.description);
    total += entry.bytes;
  }
  for (const auto& kept : kept_runs(store.directory() / "runs")) {
    fmt::print("kept database{}: {}\n", kept.running ? "" : " (not running)", kept.line);
  }
  fmt::print("{} in {}\n", human_bytes(total), store.directory().string());
  return ExitCode::pass;
}

Result<ExitCode> clear(const snapshot::Store& store) {
  for (const auto& kept : kept_runs(store.directory() / "runs")) {
    if (const auto gone = remove_kept_run(kept); !gone) return failed(gone);
    fmt::print("ended the kept database of {}\n", kept.line);
  }
  sweep_dead_runs(store.directory() / "runs");
  const auto freed = store.clear();
  if (!freed) return failed(freed);
  fmt::print("removed {}\n", human_bytes(*freed));
  return ExitCode::pass;
}

}  // namespace

Result<ExitCode> cache_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options("options");
  add_store_options(options);
  options.add_options()("limit", po::value<std::string>()->value_name("SIZE"),
                        "for prune: what may remain (default: the cache limit)")("help,h", "this help");
  const auto parsed = parse("cache", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const std::string what = parsed->positional.size() == 1 ? parsed->positional.front() : "";
  if (what != "list" && what != "prune" && what != "clear") {
    return failed(FailureKind::usage,
                  what.empty() ? "cache takes one word: list, prune or clear"
                               : fmt::format("cache: unknown word '{}'{}", what,
                                             did_you_mean(what, {"list", "prune", "clear"})),
                  "lockkeeper cache --help");
  }
  const auto limit = parse_bytes(parsed->has("limit") ? parsed->text("limit") : "10GB");
  if (!limit) return failed(limit);
  const auto store = open_store(*parsed);
  if (!store) return failed(store);
  if (what == "list") return list(*store);
  if (what == "clear") return clear(*store);
  const auto freed = store->prune(*limit);
  if (!freed) return failed(freed);
  fmt::print("removed {}\n", human_bytes(*freed));
  return ExitCode::pass;
}

}  // namespace lockkeeper::app
