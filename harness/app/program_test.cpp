#include "app/program_test.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::app::testing {

namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Our environment with the setup's changes, and nothing in it that steers sessions or colours.
std::vector<std::string> environment_of(const Start& setup) {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (!name.starts_with("PG") && !name.starts_with("LOCKKEEPER_")) values[name] = text.substr(equals + 1);
  }
  values["LOCKKEEPER_STORE"] = setup.store.string();
  values["HOME"] = (setup.directory / "home").string();
  for (const auto& [name, value] : setup.environment) values[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : values) {
    if (value != "-") result.push_back(fmt::format("{}={}", name, value));
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// Runs in the child between fork and exec: nothing but system calls.
[[noreturn]] void become(const char* directory, const char* out, const char* err, char* const* argv,
                         char* const* env) {
  ::setsid();
  const int in = ::open("/dev/null", O_RDONLY);
  const int output = ::open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int errors = ::open(err, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (in >= 0 && output >= 0 && errors >= 0 && ::chdir(directory) == 0) {
    ::dup2(in, 0);
    ::dup2(output, 1);
    ::dup2(errors, 2);
    ::execve(argv[0], argv, env);
  }
  ::_exit(127);
}

bool is_run_of(const std::string& name, pid_t pid) {
  return name.starts_with(fmt::format("run-{}-", pid));
}

fs::path memory_disk() {
  return "/dev/shm";
}

}  // namespace

std::string Outcome::said() const {
  return fmt::format("exit code {}, signal {}\n--- output\n{}--- errors\n{}---\n", exit_code, signal, output,
                     errors);
}

Folder::Folder() {
  std::string path = "/tmp/lockkeeper-e2e-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr || ::chmod(path.c_str(), 0755) != 0) {
    throw std::runtime_error("cannot make a temporary directory");
  }
  m_path = path;
}

Folder::~Folder() {
  std::error_code error;
  fs::remove_all(m_path, error);
}

fs::path Folder::write(const std::string& file, const std::string& text) const {
  const fs::path path = m_path / file;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::set<std::string> Folder::listing() const {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(m_path)) {
    found.insert(fs::relative(entry.path(), m_path).string());
  }
  return found;
}

std::string text_too_long_for_memory() {
  constexpr std::size_t k_size = 33UL << 20;
  constexpr std::size_t k_line = 1UL << 20;
  std::string text;
  while (text.size() < k_size) text += "--" + std::string(k_line, ' ') + "\n";
  return text;
}

const fs::path& shared_store() {
  static const Folder folder;
  static const fs::path store = folder.path() / "store";
  return store;
}

fs::path program() {
  return fs::path(LOCKKEEPER_BINARY_DIR) / "lockkeeper";
}

Running::Running(const std::vector<std::string>& arguments, const Start& setup) : m_deadline(setup.deadline) {
  fs::create_directories(setup.directory / "home");
  std::vector<std::string> words = setup.wrapper;
  words.push_back(setup.executable.string());
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environment_of(setup);
  const auto argv = pointers(words);
  const auto env = pointers(environment);
  const std::string out = (m_folder.path() / "out").string();
  const std::string err = (m_folder.path() / "err").string();
  m_pid = ::fork();
  if (m_pid == 0) become(setup.directory.c_str(), out.c_str(), err.c_str(), argv.data(), env.data());
}

Running::~Running() {
  if (m_status || m_pid <= 0) return;
  ::kill(m_pid, SIGKILL);
  ::waitpid(m_pid, nullptr, 0);
}

void Running::send(int signal) const {
  if (!m_status) ::kill(m_pid, signal);
}

bool Running::handles(int signal) {
  const auto until = Clock::now() + m_deadline;
  while (Clock::now() < until && !wait_for(std::chrono::milliseconds(1))) {
    // proc(5): SigCgt is the mask of signals that are caught, in hexadecimal digits.
    const std::string status = text_of(fmt::format("/proc/{}/status", m_pid));
    const auto at = status.find("SigCgt:");
    if (at == std::string::npos) continue;
    const auto mask = std::strtoull(status.c_str() + at + 7, nullptr, 16);
    if ((mask >> (signal - 1) & 1U) != 0) return true;
  }
  return false;
}

bool Running::wait_for(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (!m_status) {
    int status = 0;
    if (::waitpid(m_pid, &status, WNOHANG) == m_pid) m_status = status;
    if (m_status || Clock::now() >= until) break;
    ::poll(nullptr, 0, 1);
  }
  return m_status.has_value();
}

Outcome Running::finish() {
  if (!wait_for(m_deadline)) {
    ADD_FAILURE() << "no end within " << m_deadline.count() << " s:\n" << read("out") << read("err");
    send(SIGKILL);
    wait_for(std::chrono::seconds(5));
  }
  Outcome outcome;
  outcome.pid = m_pid;
  const int status = m_status.value_or(0);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.output = read("out");
  outcome.errors = read("err");
  return outcome;
}

std::string Running::output_so_far() const {
  return read("out");
}

std::string Running::read(const char* name) const {
  return text_of(m_folder.path() / name);
}

Outcome run_program(const std::vector<std::string>& arguments, const Start& setup) {
  return Running(arguments, setup).finish();
}

nlohmann::json Checked::finding(const std::string& rule) const {
  for (const auto& run : record.at("runs")) {
    for (const auto& finding : run.at("findings")) {
      if (finding.at("rule") == rule) return finding;
    }
  }
  return nullptr;
}

std::vector<std::string> Checked::rules() const {
  std::vector<std::string> rules;
  for (const auto& run : record.at("runs")) {
    for (const auto& finding : run.at("findings")) rules.push_back(finding.at("rule"));
  }
  return rules;
}

namespace {

Checked judged(const char* command, std::vector<std::string> arguments, const Start& setup) {
  const Folder reports;
  // For the tests that run it as somebody else.
  ::chmod(reports.path().c_str(), 0777);
  const fs::path file = reports.path() / "record.json";
  arguments.insert(arguments.begin(), command);
  arguments.push_back("--report");
  arguments.push_back("json=" + file.string());
  // Rows of our own making are a matter of tests of their own.
  if (std::find(arguments.begin(), arguments.end(), "--seed-rows") == arguments.end()) {
    arguments.push_back("--seed-rows");
    arguments.push_back("0");
  }
  Checked checked;
  checked.outcome = run_program(arguments, setup);
  checked.record = nlohmann::json::parse(text_of(file), nullptr, false);
  if (checked.record.is_discarded()) {
    ADD_FAILURE() << "no record in " << file << ":\n" << checked.outcome.said();
    checked.record = {{"verdict", "none"}, {"runs", nlohmann::json::array({nlohmann::json::object()})}};
    checked.record["runs"][0] = {
        {"scenario", ""}, {"migrations", nlohmann::json::array()}, {"findings", nlohmann::json::array()}};
  } else {
    EXPECT_EQ(schema_error(checked.record), "");
  }
  EXPECT_EQ(remains(setup.store, checked.outcome.pid), "") << checked.outcome.said();
  return checked;
}

}  // namespace

Checked check(std::vector<std::string> arguments, const Start& setup) {
  return judged("check", std::move(arguments), setup);
}

Checked release(std::vector<std::string> arguments, const Start& setup) {
  return judged("release", std::move(arguments), setup);
}

Checked bench(std::vector<std::string> arguments, const Start& setup) {
  return judged("bench", std::move(arguments), setup);
}

std::string schema_error(const nlohmann::json& document) {
  static const nlohmann::json schema_document =
      nlohmann::json::parse(text_of(fs::path(LOCKKEEPER_SOURCE_DIR) / "harness/report/record.schema.json"));
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_document), schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) return {};
  std::string text;
  for (const auto& error : results) text += join(error.context, "") + ": " + error.description + "\n";
  return text;
}

std::vector<pid_t> processes_below(const fs::path& directory) {
  std::vector<pid_t> found;
  const std::string inside = directory.string();
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [stopped, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || stopped != name.data() + name.size()) continue;
    std::error_code unreadable;
    const std::string cwd = fs::read_symlink(entry->path() / "cwd", unreadable).string();
    if (!unreadable && (cwd == inside || cwd.starts_with(inside + "/"))) found.push_back(pid);
  }
  return found;
}

std::string remains(const fs::path& store, pid_t pid) {
  std::string found;
  std::error_code error;
  std::vector<fs::path> parents = {store / "runs"};
  for (const auto& entry : fs::directory_iterator(memory_disk(), error)) {
    if (entry.path().filename().string().starts_with("lockkeeper-")) parents.push_back(entry.path());
  }
  for (const fs::path& parent : parents) {
    for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
      if (!is_run_of(entry->path().filename().string(), pid)) continue;
      found += fmt::format("directory {}\n", entry->path().string());
      for (const pid_t left : processes_below(entry->path()))
        found += fmt::format("process {} in it\n", left);
    }
    error.clear();
  }
  // A process keeps its working directory when that is removed; the kernel then says "(deleted)" after it.
  const std::string runs = (store / "runs").string() + fmt::format("/run-{}-", pid);
  for (const pid_t left : processes_below(store)) {
    const std::string cwd = fs::read_symlink(fmt::format("/proc/{}/cwd", left), error).string();
    if (cwd.starts_with(runs)) found += fmt::format("process {} in {}\n", left, cwd);
  }
  return found;
}

void write_good_history(const Folder& folder, const std::string& under) {
  folder.write(under + "/0001_users.up.sql",
               "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);\n"
               "INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 20) n;\n");
  folder.write(under + "/0001_users.down.sql", "DROP TABLE users;\n");
  folder.write(under + "/0002_email.up.sql", "ALTER TABLE users ADD COLUMN email text;\n");
  folder.write(under + "/0002_email.down.sql", "ALTER TABLE users DROP COLUMN email;\n");
}

}  // namespace lockkeeper::app::testing
