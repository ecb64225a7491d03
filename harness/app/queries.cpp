#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/app.h"
#include "app/options.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "base/text.h"
#include "workload/query_files.h"

namespace lockkeeper::app {

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* k_usage = "lockkeeper queries import FILE... -o FOLDER";

po::options_description queries_options() {
  po::options_description options("options");
  options.add_options()("output,o", po::value<std::string>()->value_name("FOLDER"),
                        "the folder to write, one .sql file for each query")(
      "top", po::value<int>()->value_name("N")->default_value(20), "the N that take most time in all")(
      "min-calls", po::value<int>()->value_name("N")->default_value(1),
      "leave out what was called less often")("force", "write over files that are there")("help,h",
                                                                                          "this help");
  return options;
}

struct Imported {
  std::vector<workload::WrittenQuery> files;
  std::map<std::string, std::int64_t> left_out;  ///< by why
  bool has_values = false;                       ///< of calls, which may be personal
};

Result<Imported> import(const std::vector<std::string>& sources, const workload::Choice& choice) {
  Imported imported;
  workload::Statements statements;
  std::vector<std::string> names;
  bool any_log = false;
  for (const std::string& source : sources) {
    auto records = workload::Records::open(source);
    if (!records) return failed(records);
    const auto form = workload::form_of(*records);
    if (!form) return failed(form);
    any_log = any_log || *form == workload::Form::csvlog || *form == workload::Form::jsonlog;
    const auto read = workload::read_calls(
        *records, *form, [&](const workload::Call& call) { statements.add(call); }, imported.left_out);
    if (!read) return failed(read);
    names.push_back(fs::path(source).filename().string());
  }
  const auto chosen = statements.chosen(choice, imported.left_out);
  imported.files = workload::query_files(chosen, join(names, ", "));
  // A statement without parameters has its values in its text.
  imported.has_values =
      any_log && std::any_of(chosen.begin(), chosen.end(), [](const workload::Statement& statement) {
        return !statement.values.empty() || statement.facts.parameters.empty();
      });
  return imported;
}

/// Nothing is written where anything is in the way.
Result<void> expect_free(const fs::path& folder, const Imported& imported) {
  for (const auto& file : imported.files) {
    std::error_code ignored;
    const fs::path path = folder / file.file;
    if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) continue;
    return failed(FailureKind::usage,
                  fmt::format("cannot write '{}': the file is there already", path.string()),
                  "name another folder, or write over it with --force");
  }
  return {};
}

/// For its owner alone: values of a log may be personal.
Result<void> write_query(const fs::path& path, const std::string& text) {
  const fs::path draft = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  const Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return cannot("write", path);
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(file.get(), text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::unlink(draft.c_str());
      return cannot("write", path, error);
    }
    at += static_cast<std::size_t>(written);
  }
  if (::rename(draft.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(draft.c_str());
  return cannot("write", path, error);
}

void print_imported(const fs::path& folder, const Imported& imported) {
  std::size_t widest = 0;
  for (const auto& file : imported.files) widest = std::max(widest, file.file.size());
  for (const auto& file : imported.files) {
    fmt::print(
        "{:<{}}  {}{}\n", file.file, widest, file.said,
        file.missing == 0 ? "" : fmt::format("; no value known for ${}: give params by hand", file.missing));
  }
  for (const auto& [why, count] : imported.left_out) fmt::print("left out: {} ({})\n", grouped(count), why);
  const auto whole = std::count_if(imported.files.begin(), imported.files.end(),
                                   [](const auto& file) { return file.missing == 0; });
  fmt::print("{} in {}\n", counted(whole, "file"), folder.string());
}

Result<ExitCode> import_queries(const Parsed& parsed) {
  const std::vector<std::string> sources(parsed.positional.begin() + 1, parsed.positional.end());
  if (sources.empty()) return failed(FailureKind::usage, "queries import: a file is wanted", k_usage);
  if (!parsed.has("output"))
    return failed(FailureKind::usage, "queries import: say with -o where the queries are to be written",
                  k_usage);
  for (const char* option : {"top", "min-calls"}) {
    if (parsed.values[option].as<int>() < 1)
      return failed(FailureKind::usage, fmt::format("--{} takes a number from 1 up", option));
  }
  const fs::path folder = parsed.text("output");
  const auto imported = import(sources, {static_cast<std::size_t>(parsed.values["top"].as<int>()),
                                         parsed.values["min-calls"].as<int>()});
  if (!imported) return failed(imported);
  if (!parsed.has("force")) {
    if (const auto free = expect_free(folder, *imported); !free) return failed(free);
  }
  std::error_code error;
  if (!imported->files.empty()) fs::create_directories(folder, error);
  if (error) return cannot("create", folder, error.value(), FailureKind::usage);
  for (const auto& file : imported->files) {
    if (const auto written = write_query(folder / file.file, file.text); !written) return failed(written);
  }
  print_imported(folder, *imported);
  if (imported->has_values)
    fmt::print(stderr, "note: values from the log are written to the files, and may be personal\n");
  const bool any = std::any_of(imported->files.begin(), imported->files.end(),
                               [](const auto& file) { return file.missing == 0; });
  if (any) return ExitCode::pass;
  if (imported->files.empty())
    return failed(
        FailureKind::nothing, "no query was taken",
        "a log needs log_min_duration_statement or auto_explain, and English messages (lc_messages)");
  return failed(FailureKind::nothing, "no query was taken that can run as it is",
                "write their parameters into the .sql.todo files");
}

}  // namespace

Result<ExitCode> queries_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("queries", queries_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const std::string word = parsed->positional.empty() ? "" : parsed->positional.front();
  if (word == "import") return import_queries(*parsed);
  return failed(FailureKind::usage,
                word.empty()
                    ? "queries takes a word: import"
                    : fmt::format("queries: unknown word '{}'{}", word, did_you_mean(word, {"import"})),
                "lockkeeper queries --help");
}

}  // namespace lockkeeper::app
