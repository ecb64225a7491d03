#include "engine/sqlite/backup.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/tool_process.h"

namespace lockkeeper::engine::sqlite {

namespace {

namespace fs = std::filesystem;
using record::BackupForm;
using record::ToolRun;

constexpr std::size_t k_most_said = 5;

Result<ToolRun> run_words(std::vector<std::string> argv, std::string text, const fs::path& file,
                          std::optional<std::uint64_t> room, const RunOptions& options = {}) {
  Command command;
  command.argv = std::move(argv);
  command.environment = {{"LC_ALL", "C"}, {"LOCKKEEPER_DATABASE", file.string()}};
  if (command.argv.front() != "sh") command.directory = "/";
  command.file_limit = room;
  const auto start = std::chrono::steady_clock::now();
  auto finished = lockkeeper::run(command, options);
  if (!finished && options.deadline.count() > 0 && finished.error().kind == FailureKind::environment) {
    ToolRun late;
    late.command = std::move(text);
    late.duration =
        std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
    late.failed = true;
    late.status = "ended by us";
    late.errors = 1;
    late.said = {abridged(finished.error().message, 400)};
    return late;
  }
  if (!finished) {
    if (command.argv.front() == "sqlite3" && finished.error().kind == FailureKind::environment)
      finished.error().hint = "install sqlite3";
    return failed(finished);
  }
  ToolRun run;
  run.command = std::move(text);
  run.duration = std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  run.status = finished->status();
  // sqlite3's dot commands tell their errors, and some end well all the same.
  const std::string said = trimmed(finished->errors);
  run.failed =
      !finished->ok() || (command.argv.front() == "sqlite3" && said.find("rror") != std::string::npos);
  if (run.failed) {
    run.errors = 1;
    run.said = {abridged(said.empty() ? trimmed(finished->output) : said, 400)};
  }
  return run;
}

/// Where we were started; what it leaves running is ended with it.
Result<ToolRun> run_own(const std::string& command, const fs::path& file, const BackupRequest& request) {
  const std::string line = with_places(
      command, {{"{file}", shell_word(request.path.string())}, {"{database}", shell_word(file.string())}});
  const std::string text = with_places(
      command, {{"{file}", request.path.filename().string()}, {"{database}", file.filename().string()}});
  RunOptions options;
  options.deadline = request.deadline;
  options.leftovers = Leftovers::end;
  return run_words({"sh", "-c", line}, text, file, request.room, options);
}

/// Of the restored file: damage that SQLite itself sees.
void note_damage(const fs::path& file, ToolRun& run) {
  auto database = Database::open(file, Database::Mode::read_write);
  const auto found = database ? database->rows("PRAGMA integrity_check(5)")
                              : Result<std::vector<Database::Row>>(failed(database));
  std::vector<std::string> said;
  if (!found) {
    said.push_back(found.error().message);
  } else {
    for (const auto& row : *found) {
      if (row[0].value_or("") != "ok") said.push_back("integrity_check: " + row[0].value_or(""));
    }
  }
  if (said.size() > k_most_said) said.resize(k_most_said);
  run.errors += static_cast<std::int64_t>(said.size());
  for (const std::string& line : said) run.said.push_back(abridged(line, 200));
}

constexpr const char* k_scratch = "lockkeeper_writer";
constexpr int k_scratch_rows = 500;

std::string rows_of_scratch() {
  return fmt::format(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO {} SELECT i, "
      "hex(zeroblob(400)) FROM n",
      k_scratch_rows, k_scratch);
}

/// What a backup holds of the scratch table.
struct Scratch {
  std::int64_t committed = 0;
  std::int64_t uncommitted = 0;
};

Result<Scratch> scratch_in(const fs::path& path) {
  auto copy = Database::open(path, Database::Mode::read_write);
  if (!copy) return failed(copy);
  const auto there =
      copy->value(fmt::format("SELECT count(*) FROM sqlite_schema WHERE name = '{}'", k_scratch));
  if (!there) return failed(there);
  if (*there == "0") return Scratch{};
  const auto rows =
      copy->rows(fmt::format("SELECT count(*), count(*) FILTER (WHERE i < 0) FROM {}", k_scratch));
  if (!rows) return failed(rows);
  const auto number = [&](std::size_t column) {
    return std::atoll((*rows)[0][column].value_or("0").c_str());
  };
  return Scratch{number(0) - number(1), number(1)};
}

void remove_with_company(const fs::path& path) {
  std::error_code error;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path.string() + suffix, error);
}

/// What goes on working while the file is put back: it has written since the backup, into a table of ours,
/// and writes again afterwards. Nothing of it may be left then.
class Application {
 public:
  static Result<Application> start(const fs::path& file, const Pragmas& settings) {
    auto session = Database::open(file, Database::Mode::read_write, settings);
    if (!session) return failed(session);
    const auto made = session->execute(
        fmt::format("CREATE TABLE {} (i INTEGER, filling TEXT); {}", k_scratch, rows_of_scratch()));
    if (made) return tl::unexpected<Failure>(session->failure(*made));
    return Application(std::move(*session));
  }
  /// That it meets an error is its own affair.
  void go_on() { static_cast<void>(m_session.execute(rows_of_scratch())); }

 private:
  explicit Application(Database session) : m_session(std::move(session)) {}
  Database m_session;
};

}  // namespace

Result<ToolRun> back_up(const fs::path& file, const BackupRequest& request) {
  std::error_code error;
  fs::create_directories(request.path.parent_path(), error);
  const std::string from = file.filename().string();
  const std::string to = request.path.filename().string();
  switch (request.form) {
    case BackupForm::command:
      return run_own(request.command, file, request);
    case BackupForm::online:
      return run_words({"sqlite3", file.string(), ".backup " + quoted_text(request.path.string())},
                       fmt::format("sqlite3 {} '.backup {}'", from, to), file, request.room);
    case BackupForm::vacuum_into:
      return run_words({"sqlite3", file.string(), "VACUUM INTO " + quoted_text(request.path.string())},
                       fmt::format("sqlite3 {} \"VACUUM INTO '{}'\"", from, to), file, request.room);
    default:
      return run_words({"cp", file.string(), request.path.string()}, fmt::format("cp {} {}", from, to), file,
                       request.room);
  }
}

Result<BackupContents> look_into(const BackupRequest& request, const std::vector<std::string>& tables) {
  BackupContents contents;
  constexpr std::string_view k_mark{"SQLite format 3\0", 16};
  const bool is_database = first_bytes(request.path, k_mark.size()) == k_mark;
  // What only the scenario's own command can read is proved by bringing it back.
  if (!is_database && request.form == BackupForm::command && !request.restore.empty()) return contents;
  contents.run.command = fmt::format("sqlite3 {} 'PRAGMA integrity_check'", request.path.filename().string());
  contents.run.status = "read";
  const auto refuse = [&](const std::string& why) {
    contents.run.failed = true;
    contents.run.errors = 1;
    contents.run.said = {abridged(why, 300)};
    return contents;
  };
  const auto start = std::chrono::steady_clock::now();
  if (!is_database) return refuse("it is no database of SQLite");
  auto copy = Database::open(request.path, Database::Mode::read_write);
  if (!copy) return refuse(copy.error().message);
  const auto sound = copy->rows("PRAGMA integrity_check(5)");
  if (!sound) return refuse(sound.error().message);
  contents.run.duration =
      std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  if (sound->empty() || sound->front()[0].value_or("") != "ok")
    return refuse(sound->empty() ? "integrity_check says nothing" : sound->front()[0].value_or(""));
  const auto names = copy->rows("SELECT name FROM sqlite_schema");
  if (!names) return refuse(names.error().message);
  contents.entries = static_cast<std::int64_t>(names->size());
  for (const std::string& table : tables) {
    const bool there = std::any_of(names->begin(), names->end(), [&](const auto& row) {
      return row[0] && (*row[0] == table || quoted_name(*row[0]) == table);
    });
    if (!there) contents.unlisted.push_back(table);
  }
  return contents;
}

Result<ToolRun> bring_back(const fs::path& file, const RestoreRequest& request, const Pragmas& settings) {
  const BackupRequest& backup = request.backup;
  std::optional<Application> application;
  if (request.while_open) {
    auto started = Application::start(file, settings);
    if (!started) return failed(started);
    application.emplace(std::move(*started));
  }
  if (request.fresh) remove_with_company(file);
  const std::string to = file.filename().string();
  const std::string from = backup.path.filename().string();
  Result<ToolRun> run =
      backup.form == BackupForm::command && !backup.restore.empty() ? run_own(backup.restore, file, backup)
      : backup.form == BackupForm::online
          ? run_words({"sqlite3", file.string(), ".restore " + quoted_text(backup.path.string())},
                      fmt::format("sqlite3 {} '.restore {}'", to, from), file, std::nullopt)
          : run_words({"cp", backup.path.string(), file.string()}, fmt::format("cp {} {}", from, to), file,
                      std::nullopt);
  if (!run) return run;
  if (application) {
    application->go_on();
    application.reset();
  }
  note_damage(file, *run);
  return run;
}

Result<std::string> fault_under_writer(const fs::path& file, const BackupRequest& request,
                                       const Pragmas& settings) {
  auto writer = Database::open(file, Database::Mode::read_write, settings);
  if (!writer) return failed(writer);
  const auto must = [&](const std::string& sql) -> Result<void> {
    if (const auto error = writer->execute(sql)) return tl::unexpected<Failure>(writer->failure(*error));
    return {};
  };
  // A reader of ours keeps the log from being put back into the file when a tool closes it.
  auto reader = Database::open(file, Database::Mode::read_write, settings);
  if (!reader) return failed(reader);
  if (const auto read = reader->value("SELECT count(*) FROM sqlite_schema"); !read) return failed(read);
  if (const auto made =
          must(fmt::format("CREATE TABLE {} (i INTEGER, filling TEXT); {}", k_scratch, rows_of_scratch()));
      !made)
    return failed(made);
  // With room for a few pages only, what is not committed yet goes to the file before its time.
  const std::string change = fmt::format("UPDATE {} SET i = -i", k_scratch);
  if (const auto begun = must("PRAGMA cache_size = 5; BEGIN IMMEDIATE; " + change); !begun)
    return failed(begun);
  remove_with_company(request.path);
  auto run = back_up(file, request);
  if (const auto ended = must("ROLLBACK"); !ended) return failed(ended);
  std::string fault;
  if (!run) {
    if (run.error().kind == FailureKind::interrupted) return failed(run);
    fault = run.error().message;
  } else if (!run->failed) {  // one that refuses while somebody writes has told so
    const auto held = scratch_in(request.path);
    if (!held)
      fault = "the copy cannot be read: " + held.error().message;
    else if (held->uncommitted > 0)
      fault = counted(held->uncommitted, "row") + " in it as a transaction had them that was rolled back";
    else if (held->committed < k_scratch_rows)
      fault = counted(k_scratch_rows - held->committed, "row") +
              " not in it that had been committed before it began";
  }
  remove_with_company(request.path);
  reader = failed(FailureKind::environment, "closed");
  if (const auto gone = must(fmt::format("DROP TABLE {}", k_scratch)); !gone) return failed(gone);
  return fault;
}

}  // namespace lockkeeper::engine::sqlite
