#include "engine/postgres/tool_runner.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/run_directory.h"
#include "base/secrets.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/postgres/pass_through.h"
#include "engine/postgres/statement_text.h"
#include "engine/tool_process.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;

/// How long the server may work on what a tool sent before it ended.
constexpr std::chrono::seconds k_patience{10};
/// An error with which a tool failed is among the last statements (rolling back and closing follow it), or is
/// what the tool says.
constexpr std::size_t k_last_statements = 5;

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

/// What the server said, if that is why it failed, else what the tool said.
record::SqlError error_of(const ToolEnd& end, const Seen& seen) {
  const bool is_late = seen.last_error && seen.last_error_at + k_last_statements >= seen.statements.size();
  const bool is_told = seen.last_error && end.output.find(seen.last_error->message) != std::string::npos;
  if (!end.in_time || (!is_late && !is_told)) return error_of_program(end);
  record::SqlError error = *seen.last_error;
  if (error.detail.empty()) error.detail = end.said.empty() ? end.failure : end.failure + ":\n" + end.said;
  return error;
}

/// A tool that works elsewhere: on a database that is not ours to change.
Result<void> expect_visit(const ToolRequest& request, const ToolEnd& end, const Seen& seen) {
  if (!request.must_connect || !end.failure.empty() || !seen.backends.empty()) return {};
  return tl::unexpected<Failure>(never_came(request));
}

}  // namespace

Result<SideOutcome> run_tool(const ToolRequest& request, const std::string& connection,
                             const std::filesystem::path& run_directory) {
  const auto directory = ToolDirectory::create(run_directory);
  if (!directory) return failed(directory);
  const auto pass_through = PassThrough::start(
      connection, directory->path(), request.observe,
      request.stop ? std::optional(request.stop->before) : std::nullopt, request.kill_server);
  if (!pass_through) return failed(pass_through);
  const PassThroughAddress& address = (*pass_through)->address();
  const Places places = {
      {"{url}", address.url()},        {"{host}", address.host}, {"{port}", std::to_string(address.port)},
      {"{socket}", address.sockets},   {"{user}", address.user}, {"{password}", address.password},
      {"{database}", address.database}};
  const Command command = completed_command(request, places,
                                            {{"DATABASE_URL", "{url}"},
                                             {"PGHOST", "{host}"},
                                             {"PGPORT", "{port}"},
                                             {"PGUSER", "{user}"},
                                             {"PGPASSWORD", "{password}"},
                                             {"PGDATABASE", "{database}"},
                                             {"PGSSLMODE", "disable"},
                                             {"PGGSSENCMODE", "disable"}},
                                            "PG*");
  const Secrets secrets = Secrets::of_environment(command.environment).with(address.password);
  const auto start = std::chrono::steady_clock::now();
  const auto end = run_program(request, command, secrets);
  if (!end) return failed(end);
  auto seen = (*pass_through)->finish(end->in_time ? k_patience : std::chrono::milliseconds(0));
  if (!seen) return failed(seen);
  if (const auto came = expect_visit(request, *end, *seen); !came) return failed(came);

  SideOutcome outcome;
  record::SideRun& side = outcome.run;
  side.side = request.side;
  side.shape = record::TransactionShape::own_transactions;
  side.shape_reason = fmt::format("{} runs it", request.name);
  side.duration = end->duration;
  if (!end->failure.empty()) {
    side.error = error_of(*end, *seen);
    mask(secrets, *side.error);
    side.error_location = request.location;
  }
  side.left_transaction_open = seen->left_transaction_open && !side.error;
  side.statements = std::move(seen->statements);
  for (record::StatementRecord& statement : side.statements) {
    mask(secrets, statement);
    statement.location = request.location;
  }
  outcome.output = end->output;
  if (seen->stopped)
    outcome.stopped_at = std::chrono::duration_cast<record::Microseconds>(*seen->stopped - start);
  outcome.touched = std::move(seen->touched);
  if (request.observe == Observe::no) outcome.touched.everything = true;
  return outcome;
}

}  // namespace lockkeeper::engine::postgres
