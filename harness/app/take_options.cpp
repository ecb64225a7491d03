#include "app/take_options.h"

#include <array>
#include <regex>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace fs = std::filesystem;
namespace po = boost::program_options;
namespace pg = engine::postgres;

namespace {

constexpr int k_usual_timeout = 3600;
constexpr int k_longest_timeout = 2'000'000;  // the server counts milliseconds in 31 bits
constexpr std::size_t k_shortest_salt = 16;

}  // namespace

po::options_description take_options() {
  po::options_description options("options");
  options.add_options()(
      "output,o", po::value<std::string>()->value_name("FILE"),
      "what to write: .sql, .sql.gz, .sql.zst, or any other name for pg_dump's custom format")(
      "rows", po::value<std::string>()->value_name("N"),
      "a sample: N rows of each table from both ends of its key, and all that foreign keys lead to")(
      "percent", po::value<std::string>()->value_name("P"), "the same with P percent of each table")(
      "mask", po::value<std::string>()->value_name("FILE"), "YAML that says what becomes of columns' values")(
      "salt-file", po::value<std::string>()->value_name("FILE"),
      "the salt of hashes, to have the same ones again (default: a new one each time)")(
      "exclude-table", po::value<std::vector<std::string>>()->value_name("PATTERN")->composing(),
      "leave out tables by name or schema.name, with * and ?")("no-owner", "leave out who owns what")(
      "no-privileges", "leave out GRANT and REVOKE")(
      "unmasked-ok", "write columns as they are though their names look personal or secret")(
      "force", "replace FILE where it exists")(
      "timeout", po::value<int>()->value_name("SECONDS")->default_value(k_usual_timeout),
      "how long one statement may take on the server")("help,h", "this help");
  return options;
}

Result<std::chrono::seconds> timeout_of(const Parsed& parsed) {
  const int seconds = parsed.values["timeout"].as<int>();
  if (seconds >= 1 && seconds <= k_longest_timeout) return std::chrono::seconds(seconds);
  return failed(FailureKind::usage,
                fmt::format("--timeout takes a number of seconds from 1 to {}", k_longest_timeout));
}

Result<std::string> salt_of(const Parsed& parsed) {
  if (parsed.has("salt-file")) {
    const auto text = read_file(parsed.text("salt-file"));
    if (!text) return failed(text);
    if (trimmed(*text).size() >= k_shortest_salt) return trimmed(*text);
    return failed(FailureKind::usage,
                  fmt::format("--salt-file '{}': a salt has {} characters or more", parsed.text("salt-file"),
                              k_shortest_salt),
                  "make one: head -c 32 /dev/urandom | base64 > FILE");
  }
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return failed(FailureKind::environment, "cannot make a salt: the system has no random bytes");
  std::string salt;
  for (const unsigned char byte : bytes) salt += fmt::format("{:02x}", byte);
  return salt;
}

Result<std::optional<pg::SampleAmount>> amount_of(const Parsed& parsed) {
  if (parsed.has("rows") && parsed.has("percent"))
    return failed(FailureKind::usage, "--rows and --percent exclude each other");
  const std::string name = parsed.has("rows") ? "rows" : "percent";
  if (!parsed.has(name)) return std::optional<pg::SampleAmount>();
  static const std::regex k_whole("[0-9]{1,9}");
  static const std::regex k_part("[0-9]{1,3}(\\.[0-9]{1,9})?");
  const std::string text = parsed.text(name);
  const bool fits = std::regex_match(text, name == "rows" ? k_whole : k_part);
  const double number = fits ? std::stod(text) : 0;
  if (number <= 0 || (name == "percent" && number > 100)) {
    return failed(FailureKind::usage,
                  fmt::format("--{} '{}': {} is wanted", name, text,
                              name == "rows" ? "a whole number from 1 on" : "a number over 0, up to 100"));
  }
  if (name == "rows") return pg::SampleAmount{static_cast<std::int64_t>(number), 0};
  return pg::SampleAmount{0, number};
}

Result<void> expect_free(const fs::path& output, const Parsed& parsed) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(output, error))) return {};
  const bool regular = fs::is_regular_file(fs::symlink_status(output, error));
  if (regular && parsed.has("force")) return {};
  return failed(FailureKind::usage, fmt::format("cannot write '{}': it exists", output.string()),
                regular ? "name another file, or replace it: --force" : "name another file");
}

/// Refuses to write what looks personal unless that is meant; where masks were written, only warns of the
/// rest.
Result<void> answer_for(const std::vector<std::string>& personal, const Parsed& parsed,
                        const std::string& or_else) {
  if (personal.empty()) return {};
  const std::string what =
      fmt::format("{} like personal data or a secret, and {} not masked: {}",
                  personal.size() == 1 ? "1 name looks" : fmt::format("{} names look", personal.size()),
                  personal.size() == 1 ? "is" : "are", join(personal, ", "));
  if (parsed.has("unmasked-ok") || parsed.has("mask")) {
    fmt::print(stderr, "warning: {}\n", what);
    return {};
  }
  return failed(FailureKind::usage, fmt::format("cannot write '{}': {}", parsed.text("output"), what),
                or_else + "say that they may be written as they are: --unmasked-ok");
}

bool is_packed(const fs::path& output) {
  const std::string ending = lower(output.extension().string());
  return ending == ".gz" || ending == ".zst" || ending == ".zstd";
}

bool is_sql(const fs::path& output) {
  return lower((is_packed(output) ? output.stem() : output).extension().string()) == ".sql";
}

bool is_connection(const std::string& source) {
  return source.starts_with("postgres://") || source.starts_with("postgresql://") ||
         (source.find('=') != std::string::npos && !fs::exists(source));
}

Secrets secrets_of(const std::string& url) {
  static const std::regex k_in_url("://[^/@]*?:([^@]*)@");
  static const std::regex k_in_words(R"re(password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+))re");
  auto secrets = Secrets::of_environment({}).with(pg::parameter_of(url, "password"));
  std::smatch match;
  for (const std::regex* pattern : {&k_in_url, &k_in_words}) {
    if (std::regex_search(url, match, *pattern)) secrets = std::move(secrets).with(match[1]);
  }
  return secrets;
}

}  // namespace lockkeeper::app
