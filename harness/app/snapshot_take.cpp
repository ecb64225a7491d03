#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "app/app.h"
#include "app/take_options.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/output_file.h"
#include "engine/personal.h"
#include "engine/postgres/sample.h"
#include "engine/postgres/sample_session.h"
#include "engine/sqlite/file_copy.h"
#include "scenario/mask.h"

namespace lockkeeper::app {

namespace {

namespace fs = std::filesystem;
namespace pg = engine::postgres;

constexpr std::chrono::seconds k_between_lines{2};

/// A directory of our own, closed to others, gone with the object.
class PrivateDirectory {
 public:
  static Result<std::unique_ptr<PrivateDirectory>> create() {
    std::error_code error;
    std::string path = (fs::temp_directory_path(error) / "lockkeeper-snapshot-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr) return cannot("make a directory like", path);
    return std::unique_ptr<PrivateDirectory>(new PrivateDirectory(path));
  }
  ~PrivateDirectory() {
    std::error_code error;
    fs::remove_all(m_path, error);
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  const fs::path& path() const { return m_path; }

 private:
  explicit PrivateDirectory(fs::path path) : m_path(std::move(path)) {}
  fs::path m_path;
};

/// Says what is done every two seconds: short work stays silent.
class ProgressLines {
 public:
  void say(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    if (now < m_next) return;
    m_next = now + k_between_lines;
    fmt::print(stderr, "… {}\n", what);
  }

 private:
  std::chrono::steady_clock::time_point m_next = std::chrono::steady_clock::now() + k_between_lines;
};

std::string utc_now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

void print_tables(const std::vector<pg::SampledTable>& tables) {
  std::size_t widest = 0;
  for (const auto& table : tables) widest = std::max(widest, abridged(table.name).size());
  for (const auto& table : tables) {
    const std::string of = table.of < 0 ? "?" : (table.counted ? "" : "~") + grouped(table.of);
    fmt::print("  {:<{}}  {:>9} of {}\n", abridged(table.name), widest, grouped(table.rows), of);
  }
}

/// `lockkeeper snapshot take` on PostgreSQL.
class PostgresTake {
 public:
  PostgresTake(const Parsed& parsed, std::string url) : m_parsed(parsed), m_url(std::move(url)) {}

  Result<ExitCode> run();

 private:
  Result<void> read_options();
  Result<void> expect_form(const pg::SampleSource& source) const;
  std::vector<std::string> personal_of(const pg::SampleSource& source, const pg::Masking& masking) const;
  Result<ExitCode> write(pg::Connection& session, const pg::SampleSource& source, pg::Masking masking);
  Result<std::vector<pg::SampledTable>> write_rows(pg::Connection& session, const pg::SampleSource& source,
                                                   const pg::Dump& dump, pg::Masking masking,
                                                   engine::OutputFile& out);
  /// Do rows come by way of our own SELECTs?
  bool by_rows() const { return m_amount || !m_masks.empty(); }

  const Parsed& m_parsed;
  std::string m_url;
  std::optional<pg::SampleAmount> m_amount;
  std::vector<scenario::MaskRule> m_masks;
  std::string m_salt;
  std::chrono::seconds m_timeout{};
  ProgressLines m_progress;
};

Result<void> PostgresTake::read_options() {
  const auto amount = amount_of(m_parsed);
  if (!amount) return failed(amount);
  m_amount = *amount;
  if (m_parsed.has("mask")) {
    auto masks = scenario::load_masks(m_parsed.text("mask"));
    if (!masks) return failed(masks);
    m_masks = std::move(*masks);
  }
  const auto salt = salt_of(m_parsed);
  if (!salt) return failed(salt);
  m_salt = *salt;
  const fs::path output = m_parsed.text("output");
  if (by_rows() && !is_sql(output)) {
    return failed(
        FailureKind::usage,
        fmt::format("cannot write '{}': samples and masked rows are written as SQL", output.string()),
        "name it .sql, .sql.gz or .sql.zst");
  }
  if (is_packed(output) && !is_sql(output)) {
    return failed(FailureKind::usage,
                  fmt::format("cannot write '{}': only SQL is packed so", output.string()),
                  "name it .sql.gz or .sql.zst; pg_dump's custom format is packed by itself");
  }
  const auto timeout = timeout_of(m_parsed);
  if (!timeout) return failed(timeout);
  m_timeout = *timeout;
  return {};
}

/// pg_dump cannot leave out a foreign key, so where one leads to an excluded table we write the rows.
Result<void> PostgresTake::expect_form(const pg::SampleSource& source) const {
  if (source.dropped_keys.empty() || is_sql(m_parsed.text("output"))) return {};
  return failed(
      FailureKind::usage,
      fmt::format("cannot write '{}': {} to what is excluded, and pg_dump's format cannot do without",
                  m_parsed.text("output"),
                  source.dropped_keys.size() == 1
                      ? "a foreign key leads"
                      : fmt::format("{} foreign keys lead", source.dropped_keys.size())),
      "write SQL, where they are left out: -o FILE.sql.zst");
}

std::vector<std::string> PostgresTake::personal_of(const pg::SampleSource& source,
                                                   const pg::Masking& masking) const {
  std::vector<std::string> personal;
  for (std::size_t i = 0; i < source.tables.size(); ++i) {
    for (const pg::SourceColumn& column : source.tables[i].columns) {
      if (!masking.masks(i, column.name) && engine::looks_personal(column.name))
        personal.push_back(source.tables[i].written() + "." + column.name);
    }
  }
  if (!by_rows() && source.dropped_keys.empty())
    personal.insert(personal.end(), source.user_mappings.begin(), source.user_mappings.end());
  return personal;
}

Result<ExitCode> PostgresTake::run() {
  if (const auto read = read_options(); !read) return failed(read);
  if (pg::parameter_of(m_url, "dbname").empty()) {
    // A connection string that cannot be read says so first.
    if (const auto readable = pg::as_environment(m_url); !readable) return failed(readable);
    return failed(FailureKind::usage, "cannot take a snapshot: the URL names no database",
                  "write it like postgresql://user@host:5432/DATABASE");
  }
  auto session = pg::open_source(m_url, m_timeout);
  if (!session) return failed(session);
  auto source = pg::read_source(*session, m_parsed.texts("exclude-table"));
  if (!source) return failed(source);
  if (by_rows() || !source->dropped_keys.empty()) {
    for (const auto* left_out : {&source->beside_rows, &source->user_mappings})
      source->remarks.insert(source->remarks.end(), left_out->begin(), left_out->end());
  }
  if (const auto fits = expect_form(*source); !fits) return failed(fits);
  auto masking = pg::Masking::plan(*session, *source, m_masks);
  if (!masking) return failed(masking);
  if (const auto meant = answer_for(personal_of(*source, *masking), m_parsed, "mask them (--mask FILE), or ");
      !meant)
    return failed(meant);
  return write(*session, *source, std::move(*masking));
}

Result<std::vector<pg::SampledTable>> PostgresTake::write_rows(pg::Connection& session,
                                                               const pg::SampleSource& source,
                                                               const pg::Dump& dump, pg::Masking masking,
                                                               engine::OutputFile& out) {
  const auto directory = PrivateDirectory::create();
  if (!directory) return failed(directory);
  pg::SampleRequest request{
      m_amount,  std::move(masking),   m_salt,
      utc_now(), (*directory)->path(), [this](const std::string& what) { m_progress.say(what); }};
  return pg::write_sample(session, source, dump, request, out);
}

Result<ExitCode> PostgresTake::write(pg::Connection& session, const pg::SampleSource& source,
                                     pg::Masking masking) {
  const fs::path output = m_parsed.text("output");
  const auto dump =
      pg::Dump::prepare(session, source, m_parsed.has("no-owner") ? pg::Owners::leave_out : pg::Owners::keep,
                        m_parsed.has("no-privileges") ? pg::Privileges::leave_out : pg::Privileges::keep);
  if (!dump) return failed(dump);
  auto out = engine::OutputFile::create(output);
  if (!out) return failed(out);
  const auto masked = masking.described(source);
  std::vector<pg::SampledTable> tables;
  const auto progress = [this](const std::string& what) { m_progress.say(what); };
  Result<void> written;
  if (by_rows() || !source.dropped_keys.empty()) {
    auto taken = write_rows(session, source, *dump, std::move(masking), **out);
    if (!taken) return failed(taken);
    tables = std::move(*taken);
  } else if (is_sql(output)) {
    written = (*out)->write(pg::fixture_header(source, utc_now(), {"whole"}));
    if (written) written = dump->write_sql(**out, progress);
  } else {
    written = dump->write_archive((*out)->draft(), progress);
  }
  if (!written) return failed(written);
  const auto bytes = (*out)->finish();
  if (!bytes) return failed(bytes);
  print_tables(tables);
  for (const std::string& remark : source.remarks) fmt::print("left out: {}\n", remark);
  if (!masked.empty()) fmt::print("masked: {}\n", join(masked, ", "));
  std::int64_t rows = 0;
  for (const auto& table : tables) rows += table.rows;
  fmt::print("wrote {}: {}, {}, {}\n", output.string(),
             counted(static_cast<std::int64_t>(source.tables.size()), "table"),
             tables.empty() ? "whole" : counted(rows, "row"), human_bytes(*bytes));
  return ExitCode::pass;
}

Result<ExitCode> take_sqlite(const Parsed& parsed, const fs::path& file) {
  for (const char* option : {"mask", "rows", "percent", "salt-file", "exclude-table"}) {
    if (!parsed.has(option)) continue;
    return failed(FailureKind::usage,
                  fmt::format("--{}: an SQLite database is copied whole and as it is", option),
                  "change the copy with sqlite3 before it is handed on");
  }
  const fs::path output = parsed.text("output");
  if (is_packed(output) || is_sql(output)) {
    return failed(FailureKind::usage,
                  fmt::format("cannot write '{}': a copy of an SQLite database is one", output.string()),
                  "name it .db");
  }
  std::error_code unseen;
  if (fs::equivalent(file, output, unseen))
    return failed(FailureKind::usage,
                  fmt::format("cannot write '{}': it is the database itself", output.string()),
                  "name another file");
  const auto columns = engine::sqlite::column_names(file);
  if (!columns) return failed(columns);
  std::vector<std::string> personal;
  for (const std::string& column : *columns) {
    if (engine::looks_personal(column.substr(column.rfind('.') + 1))) personal.push_back(column);
  }
  if (const auto meant = answer_for(personal, parsed, ""); !meant) return failed(meant);
  auto out = engine::OutputFile::create(output);
  if (!out) return failed(out);
  if (const auto copied = engine::sqlite::copy_database(file, (*out)->draft()); !copied)
    return failed(copied);
  const auto bytes = (*out)->finish();
  if (!bytes) return failed(bytes);
  fmt::print("wrote {}: whole, {}\n", output.string(), human_bytes(*bytes));
  return ExitCode::pass;
}

Result<ExitCode> take(const Parsed& parsed, const std::string& source) {
  const fs::path output = parsed.text("output");
  if (output.empty())
    return failed(FailureKind::usage, "snapshot take: where to write is not said", "name a file: -o FILE");
  if (const auto free = expect_free(output, parsed); !free) return failed(free);
  if (first_bytes(source, 15) == "SQLite format 3") return take_sqlite(parsed, source);
  if (!is_connection(source)) {
    return failed(
        FailureKind::usage,
        fmt::format("cannot take a snapshot of '{}': neither a connection string nor an SQLite database",
                    source),
        "write it like postgresql://user@host:5432/DATABASE, or name a database file");
  }
  auto taken = PostgresTake(parsed, source).run();
  if (taken) return taken;
  const Secrets secrets = secrets_of(source);
  taken.error().message = secrets.masked(taken.error().message);
  taken.error().hint = secrets.masked(taken.error().hint);
  return taken;
}

}  // namespace

Result<ExitCode> snapshot_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("snapshot", take_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  const std::string word = parsed->positional.empty() ? "" : parsed->positional.front();
  if (word != "take") {
    return failed(FailureKind::usage,
                  word.empty()
                      ? "snapshot takes a word: take"
                      : fmt::format("snapshot: unknown word '{}'{}", word, did_you_mean(word, {"take"})),
                  "lockkeeper snapshot --help");
  }
  if (parsed->positional.size() != 2)
    return failed(FailureKind::usage, "snapshot take: one database is wanted",
                  "lockkeeper snapshot take URL -o FILE");
  return take(*parsed, parsed->positional[1]);
}

}  // namespace lockkeeper::app
