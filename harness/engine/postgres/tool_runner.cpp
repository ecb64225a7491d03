#include "engine/postgres/tool_runner.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/run_directory.h"
#include "base/secrets.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/pass_through.h"
#include "engine/postgres/statement_text.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// How long the server may work on what a tool sent before it ended.
constexpr std::chrono::seconds k_patience{10};
/// An error with which a tool failed is among the last statements; rolling back and closing follow it.
constexpr std::size_t k_last_statements = 5;
constexpr std::size_t k_last_lines = 20;
constexpr std::size_t k_output_limit = 64 * 1024;

/// A directory that is ours alone.
class ToolDirectory {
 public:
  static Result<ToolDirectory> create(const fs::path& run_directory) {
    if (!run_directory.empty()) {
      auto made = make_socket_directory(run_directory, unused_name(run_directory));
      if (!made) return failed(made);
      return ToolDirectory(std::move(*made));
    }
    std::string path = "/tmp/lockkeeper-tool-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return failed(FailureKind::environment,
                    fmt::format("cannot make '{}': {}", path, std::strerror(errno)));
    }
    return ToolDirectory(path);
  }
  ToolDirectory(ToolDirectory&& other) noexcept : m_path(std::exchange(other.m_path, {})) {}
  ToolDirectory& operator=(ToolDirectory&&) = delete;
  ToolDirectory(const ToolDirectory&) = delete;
  ToolDirectory& operator=(const ToolDirectory&) = delete;
  // What stays behind lies in the run's directory, whose owner removes it.
  ~ToolDirectory() {
    if (!m_path.empty()) static_cast<void>(remove_tree(m_path));
  }
  const fs::path& path() const { return m_path; }

 private:
  explicit ToolDirectory(fs::path path) : m_path(std::move(path)) {}
  /// Two instances may run tools at the same time.
  static fs::path unused_name(const fs::path& run_directory) {
    static std::atomic<int> next{0};
    return run_directory / fmt::format("t{}", ++next);
  }
  fs::path m_path;
};

std::string with_address(std::string text, const PassThroughAddress& address) {
  const std::vector<std::pair<std::string_view, std::string>> places = {
      {"{url}", address.url()},        {"{host}", address.host}, {"{port}", std::to_string(address.port)},
      {"{socket}", address.sockets},   {"{user}", address.user}, {"{password}", address.password},
      {"{database}", address.database}};
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

Command completed_command(const ToolRequest& request, const PassThroughAddress& address) {
  Command command = request.command;
  const std::map<std::string, std::string> given = {
      {"DATABASE_URL", "{url}"}, {"PGHOST", "{host}"},         {"PGPORT", "{port}"},
      {"PGUSER", "{user}"},      {"PGPASSWORD", "{password}"}, {"PGDATABASE", "{database}"},
      {"PGSSLMODE", "disable"},  {"PGGSSENCMODE", "disable"}};
  command.environment.insert(given.begin(), given.end());
  for (auto& [name, value] : command.environment) value = with_address(std::move(value), address);
  for (std::string& argument : command.argv) argument = with_address(std::move(argument), address);
  command.unset.push_back("PG*");
  command.run_as.reset();
  return command;
}

/// What the tool said last, on both streams as it came.
class Output {
 public:
  void take(std::string_view text) {
    m_text += text;
    if (m_text.size() > 2 * k_output_limit) m_text.erase(0, m_text.size() - k_output_limit);
  }
  std::string last_lines(const Secrets& secrets) const {
    std::string text = secrets.masked(m_text);
    while (const auto wrong = first_invalid_utf8(text)) text[*wrong] = '?';
    const auto lines = split(trimmed(text), '\n');
    const std::size_t skipped = lines.size() > k_last_lines ? lines.size() - k_last_lines : 0;
    return join({lines.begin() + static_cast<std::ptrdiff_t>(skipped), lines.end()}, "\n");
  }

 private:
  std::string m_text;
};

void mask(const Secrets& secrets, record::SqlError& error) {
  for (std::string* text : {&error.message, &error.detail, &error.hint, &error.context})
    *text = secrets.masked(std::move(*text));
}

void mask(const Secrets& secrets, record::StatementRecord& statement) {
  statement.text = shortened(secrets.masked(std::move(statement.text)), k_text_limit);
  for (record::Notice& notice : statement.notices) {
    notice.message = secrets.masked(std::move(notice.message));
    notice.detail = secrets.masked(std::move(notice.detail));
  }
  if (statement.error) mask(secrets, *statement.error);
}

/// How a program ended that did not succeed; empty where it did.
std::string failure_of(const ToolRequest& request, const Result<Finished>& finished) {
  if (!finished) return fmt::format("{} did not end within {}", request.name, human(request.deadline));
  if (finished->ok()) return {};
  return finished->signal != 0 ? fmt::format("{} was {}", request.name, finished->status())
                               : fmt::format("{} ended with {}", request.name, finished->status());
}

/// What the server said, if that is why it failed, else what the tool said.
record::SqlError error_of(const std::string& failure, bool in_time, const Seen& seen,
                          const std::string& said) {
  const bool is_of_server =
      in_time && seen.last_error && seen.last_error_at + k_last_statements >= seen.statements.size();
  if (!is_of_server) {
    const std::string last = said.substr(said.rfind('\n') + 1);  // the cause, where it is a trace of Python's
    return {"", last.empty() || !in_time ? failure : failure + ": " + last, said, "", ""};
  }
  record::SqlError error = *seen.last_error;
  if (error.detail.empty()) error.detail = said.empty() ? failure : failure + ":\n" + said;
  return error;
}

/// A tool that works elsewhere: on a database that is not ours to change.
Result<void> expect_visit(const ToolRequest& request, const Result<Finished>& finished, const Seen& seen) {
  if (!request.must_connect || !finished || !finished->ok() || !seen.backends.empty()) return {};
  return failed(
      FailureKind::environment,
      fmt::format("{} ended well, but never came to the database that it was to work on", request.name),
      "let the project's settings read the connection from DATABASE_URL, PGHOST and the like, or name the "
      "variables that they read in the scenario: migrations: {tool: {environment: …}}",
      request.location);
}

}  // namespace

Result<SideOutcome> run_tool(const ToolRequest& request, const std::string& connection,
                             const std::filesystem::path& run_directory) {
  const auto directory = ToolDirectory::create(run_directory);
  if (!directory) return failed(directory);
  const auto pass_through = PassThrough::start(connection, directory->path(), request.observe);
  if (!pass_through) return failed(pass_through);
  const PassThroughAddress& address = (*pass_through)->address();
  const Command command = completed_command(request, address);
  const Secrets secrets = Secrets::of_environment(command.environment).with(address.password);

  Output output;
  RunOptions options;
  options.deadline = request.deadline;
  options.output_limit = 0;
  options.watch_output = [&](std::string_view text) { output.take(text); };
  options.watch_errors = options.watch_output;
  options.leftovers = Leftovers::end;
  const auto start = Clock::now();
  const auto finished = run(command, options);
  const auto duration = std::chrono::duration_cast<record::Microseconds>(Clock::now() - start);
  const bool in_time = finished || request.deadline.count() == 0 || duration < request.deadline;
  if (!finished && (in_time || interrupted())) return failed(finished);
  auto seen = (*pass_through)->finish(finished ? k_patience : std::chrono::milliseconds(0));
  if (!seen) return failed(seen);

  if (const auto came = expect_visit(request, finished, *seen); !came) return failed(came);

  SideOutcome outcome;
  record::SideRun& side = outcome.run;
  side.side = request.side;
  side.shape = record::TransactionShape::own_transactions;
  side.shape_reason = fmt::format("{} runs it", request.name);
  side.duration = duration;
  if (const std::string failure = failure_of(request, finished); !failure.empty()) {
    side.error = error_of(failure, in_time, *seen, output.last_lines(secrets));
    mask(secrets, *side.error);
    side.error_location = request.location;
  }
  side.left_transaction_open = seen->left_transaction_open && !side.error;
  side.statements = std::move(seen->statements);
  for (record::StatementRecord& statement : side.statements) {
    mask(secrets, statement);
    statement.location = request.location;
  }
  outcome.touched = std::move(seen->touched);
  if (request.observe == Observe::no) outcome.touched.everything = true;
  return outcome;
}

}  // namespace lockkeeper::engine::postgres
