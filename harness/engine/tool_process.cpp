#include "engine/tool_process.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_last_lines = 20;
constexpr std::size_t k_output_limit = 64 * 1024;

/// What the tool said last, on both streams as it came.
class Output {
 public:
  void take(std::string_view text) {
    m_text += text;
    if (m_text.size() > 2 * k_output_limit) m_text.erase(0, m_text.size() - k_output_limit);
  }
  std::string masked(const Secrets& secrets) const {
    std::string text = secrets.masked(m_text);
    while (const auto wrong = first_invalid_utf8(text)) text[*wrong] = '?';
    return text;
  }
  std::string last_lines(const Secrets& secrets) const {
    const std::string text = masked(secrets);
    const auto lines = split(trimmed(text), '\n');
    const std::size_t skipped = lines.size() > k_last_lines ? lines.size() - k_last_lines : 0;
    return join({lines.begin() + static_cast<std::ptrdiff_t>(skipped), lines.end()}, "\n");
  }

 private:
  std::string m_text;
};

/// How a program ended that did not succeed; empty where it did.
std::string failure_of(const ToolRequest& request, const Result<Finished>& finished) {
  if (!finished) return fmt::format("{} did not end within {}", request.name, human(request.deadline));
  if (finished->ok()) return {};
  return finished->signal != 0 ? fmt::format("{} was {}", request.name, finished->status())
                               : fmt::format("{} ended with {}", request.name, finished->status());
}

}  // namespace

std::string with_places(std::string text, const Places& places) {
  for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at)) {
    const auto place = std::ranges::find_if(
        places, [&](const auto& each) { return text.compare(at, each.first.size(), each.first) == 0; });
    if (place == places.end()) {
      ++at;
      continue;
    }
    text.replace(at, place->first.size(), place->second);
    at += place->second.size();
  }
  return text;
}

Command completed_command(const ToolRequest& request, const Places& places,
                          const std::map<std::string, std::string>& given, const std::string& unset) {
  Command command = request.command;
  command.environment.insert(given.begin(), given.end());
  for (auto& [name, value] : command.environment) value = with_places(std::move(value), places);
  for (std::string& argument : command.argv) argument = with_places(std::move(argument), places);
  command.unset.push_back(unset);
  command.run_as.reset();
  return command;
}

Result<ToolEnd> run_program(const ToolRequest& request, const Command& command, const Secrets& secrets) {
  Output output;
  RunOptions options;
  options.deadline = request.deadline;
  options.output_limit = 0;
  options.watch_output = [&](std::string_view text) { output.take(text); };
  options.watch_errors = options.watch_output;
  options.leftovers = Leftovers::end;
  const auto start = Clock::now();
  const auto finished = run(command, options);
  ToolEnd end;
  end.duration = std::chrono::duration_cast<record::Microseconds>(Clock::now() - start);
  end.in_time = finished || request.deadline.count() == 0 || end.duration < request.deadline;
  if (!finished && (end.in_time || interrupted())) return failed(finished);
  end.failure = failure_of(request, finished);
  end.said = output.last_lines(secrets);
  end.output = output.masked(secrets);
  return end;
}

Failure never_came(const ToolRequest& request) {
  return failed(FailureKind::environment,
                fmt::format("{} ended well, but never came to the database that it was to work on",
                            request.name),
                "let the project's settings read the connection from DATABASE_URL, PGHOST and the like, or "
                "name the "
                "variables that they read in the scenario: migrations: {tool: {environment: …}}",
                request.location)
      .value();
}

record::SqlError error_of_program(const ToolEnd& end) {
  const std::string last =
      end.said.substr(end.said.rfind('\n') + 1);  // the cause, where it is a trace of Python's
  return {"", last.empty() || !end.in_time ? end.failure : end.failure + ": " + last, end.said, "", ""};
}

}  // namespace lockkeeper::engine
