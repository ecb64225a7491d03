#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/sqlite/backup.h"
#include "engine/sqlite/database.h"
#include "engine/sqlite/file_copy.h"
#include "engine/sqlite/fixture.h"
#include "engine/sqlite/probe.h"
#include "engine/sqlite/query_session.h"
#include "engine/sqlite/schema.h"
#include "engine/sqlite/schema_text.h"
#include "engine/sqlite/side_runner.h"
#include "engine/sqlite/sizes.h"
#include "engine/sqlite/sqlite.h"
#include "engine/sqlite/state_reader.h"
#include "engine/tool_process.h"

namespace lockkeeper::engine::sqlite {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds k_tool_lets_go{2000};

/// What a file is made with and keeps; the others are a session's.
bool is_of_the_file(const std::string& pragma) {
  constexpr std::array<std::string_view, 5> k_names = {"application_id", "auto_vacuum", "encoding",
                                                       "page_size", "user_version"};
  return std::ranges::find(k_names, pragma) != k_names.end();
}

/// Nobody's rows are lost with a file of ours, so nothing waits for the disk where the scenario does not say.
Pragmas session_settings_of(const Pragmas& given) {
  Pragmas settings;
  const auto says = [&](std::string_view name) {
    return std::ranges::any_of(given, [&](const auto& pragma) { return pragma.first == name; });
  };
  if (!says("synchronous")) settings.emplace_back("synchronous", "off");
  for (const auto& pragma : given) {
    if (!is_of_the_file(pragma.first)) settings.push_back(pragma);
  }
  return settings;
}

/// The touched tables that are there, and those without statistics of their own or of an index: what a change
/// of the schema brought, or another name. None: there are no statistics yet.
Result<std::optional<std::set<std::string>>> tables_to_analyze(Database& database,
                                                               const std::set<std::string>& touched) {
  const auto schema = read_schema(database);
  if (!schema) return failed(schema);
  const auto has = [&](std::string_view name) {
    return std::ranges::find(*schema, name, &SchemaEntry::name) != schema->end();
  };
  if (!has("sqlite_stat1")) return std::optional<std::set<std::string>>();
  std::set<std::string> tables;
  for (const SchemaEntry& entry : *schema) {
    if (entry.type == "table" && touched.contains(shown_name(entry.name))) tables.insert(entry.name);
  }
  const auto done = database.each(
      "SELECT DISTINCT tbl_name FROM main.sqlite_schema AS s WHERE substr(tbl_name, 1, 7) <> 'sqlite_' AND "
      "((type = 'table' AND NOT EXISTS (SELECT 1 FROM main.sqlite_stat1 WHERE tbl = s.name)) OR "
      "(type = 'index' AND NOT EXISTS (SELECT 1 FROM main.sqlite_stat1 WHERE idx = s.name)))",
      [&](Statement& row) { tables.insert(row.text(0)); });
  if (!done) return failed(done);
  return std::optional(std::move(tables));
}

/// A database in a directory of its own, removed with the object.
class FileInstance : public Instance {
 public:
  FileInstance(record::ServerInfo info, fs::path directory, const std::string& database, Pragmas settings,
               fs::path run_directory, Database reader)
      : m_info(std::move(info)),
        m_directory(std::move(directory)),
        m_file(m_directory / (database + ".db")),
        m_settings(std::move(settings)),
        m_run_directory(std::move(run_directory)),
        m_reader(std::make_unique<Database>(std::move(reader))),
        m_sides(m_file, m_settings) {}
  ~FileInstance() override {
    m_reader.reset();
    // What stays behind lies in the run's directory, whose owner removes it and reports what it cannot.
    if (!m_kept) static_cast<void>(remove_tree(m_directory));
  }
  FileInstance(const FileInstance&) = delete;
  FileInstance& operator=(const FileInstance&) = delete;

  const record::ServerInfo& server() const override { return m_info; }
  void set_scale(int scale) override { m_scale = scale; }
  void set_apart(const std::vector<std::string>& tables) override {
    m_apart = {tables.begin(), tables.end()};
  }

  Result<void> load_fixture(const std::string& path, const std::string& table) override {
    auto session = open_session();
    return session ? sqlite::load_fixture(*session, path, table, m_scale, m_directory)
                   : Result<void>(failed(session));
  }
  Result<void> execute(const std::string& sql, const Location& location) override {
    auto session = open_session();
    if (!session) return failed(session);
    const auto error = session->execute(sql);
    if (!error) return {};
    return failed(FailureKind::usage,
                  fmt::format("cannot run '{}': {} ({})", abridged(sql), error->message, error->sqlstate), {},
                  location.file.empty() ? std::nullopt : std::optional(location));
  }
  Result<void> analyze() override {
    auto session = open_session();
    if (!session) return failed(session);
    const auto error = session->execute("ANALYZE");
    learn_statistics();
    return error ? Result<void>(tl::unexpected<Failure>(session->failure(*error))) : Result<void>();
  }

  Result<SideOutcome> run_side(const SideRequest& request) override {
    return m_sides.run(request, m_lineage);
  }
  Result<SideOutcome> run_tool(const ToolRequest& request) override;
  Result<std::vector<record::SettingChange>> leaked_settings() override { return m_sides.leaked_settings(); }

  Result<State> read_state(const State* previous, const Touched& touched, const Since&) override;
  Result<void> restore_sequences(const State& state) override {
    m_last.reset();  // data_version tells of others' changes alone
    return sqlite::restore_sequences(*m_reader, state);
  }
  Result<std::optional<record::DataDifference>> compare_rows(Instance& base,
                                                             const std::string& table) override {
    const auto* before = dynamic_cast<FileInstance*>(&base);
    if (before == nullptr) {
      return failed(FailureKind::environment,
                    fmt::format("cannot compare the rows of '{}': the base is no file of SQLite", table));
    }
    return sqlite::compare_rows(before->m_file, m_file, table);
  }
  Result<std::vector<record::SchemaFact>> violated_constraints(const Touched& touched, const Step&) override {
    if (!touched.everything && touched.tables.empty()) return std::vector<record::SchemaFact>();
    return find_violations(*m_reader, m_apart);
  }
  Result<std::optional<std::string>> digest_of_bytes() override;

  Result<Answer> try_query(const QueryRequest& request) override {
    auto session = open_session();
    return session ? sqlite::try_query(*session, request) : Result<Answer>(failed(session));
  }
  Result<Held> check_column(const std::string& column, const std::optional<bool>& nullable,
                            const std::optional<std::string>& type,
                            const std::optional<std::string>& default_value, bool exists) override {
    return sqlite::check_column(*m_reader, column, nullable, type, default_value, exists);
  }
  Result<Held> check_constraint(const std::string& constraint, const std::optional<std::string>& on_delete,
                                const std::optional<std::string>& on_update,
                                const std::optional<bool>& validated, bool exists) override {
    return sqlite::check_constraint(*m_reader, constraint, on_delete, on_update, validated, exists);
  }
  Result<Held> check_index(const std::string& index, const std::vector<std::string>& columns,
                           const std::optional<bool>& unique, const std::optional<bool>& valid,
                           bool exists) override {
    return sqlite::check_index(*m_reader, index, columns, unique, valid, exists);
  }
  Result<Planned> plan(const QueryRequest& request) override { return sqlite::plan(*m_reader, request); }
  Result<std::unique_ptr<QuerySession>> open_query_session(const QuerySettings& settings) override {
    return sqlite::open_query_session(m_file, m_settings, settings);
  }
  Result<std::unique_ptr<Instance>> copy_beside() override;
  Result<void> settle(const Touched& touched) override;
  Result<std::optional<std::int64_t>> size_of_table(const std::string& table) override {
    return sqlite::size_of_table(*m_reader, table);
  }
  Result<std::optional<std::int64_t>> size_of_index(const std::string& index) override {
    return sqlite::size_of_index(*m_reader, index);
  }
  Result<std::optional<std::int64_t>> size_of_column(const std::string& column) override {
    return sqlite::size_of_column(*m_reader, column);
  }
  Result<std::vector<IndexInfo>> indexes() override { return sqlite::indexes(*m_reader); }
  Result<record::Microseconds> rebuild_index(const std::string& index) override {
    auto session = open_session();
    return session ? sqlite::rebuild_index(*session, index) : Result<record::Microseconds>(failed(session));
  }

  std::vector<record::BackupForm> backup_forms() const override {
    return {record::BackupForm::copy, record::BackupForm::online, record::BackupForm::vacuum_into};
  }
  Result<std::uint64_t> size() override {
    std::error_code error;
    const auto bytes = fs::file_size(m_file, error);
    if (error) return cannot("read", m_file, error.value());
    return bytes;
  }
  Result<record::ToolRun> back_up(const BackupRequest& request) override {
    return sqlite::back_up(m_file, request);
  }
  Result<BackupContents> look_into(const BackupRequest& request,
                                   const std::vector<std::string>& tables) override {
    return sqlite::look_into(request, tables);
  }
  Result<record::ToolRun> bring_back(const RestoreRequest& request) override;
  Result<std::optional<std::string>> fault_under_writer(const BackupRequest& request) override {
    // What only another command can read says nothing here.
    if (request.form == record::BackupForm::command && !request.restore.empty())
      return std::optional<std::string>();
    auto fault = sqlite::fault_under_writer(m_file, request, m_settings);
    m_last.reset();
    if (!fault) return failed(fault);
    return std::optional(std::move(*fault));
  }

  Result<Image> save(const fs::path& directory) override {
    // All that a log beside the file holds belongs into it.
    m_reader->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    m_reader.reset();
    std::error_code error;
    fs::create_directories(directory, error);
    for (const auto& entry : fs::directory_iterator(m_directory, error)) {
      const fs::path to = directory / entry.path().filename();
      if (::rename(entry.path().c_str(), to.c_str()) != 0) return cannot("move the database to", to);
    }
    return Image{directory, m_file.stem().string()};
  }
  Result<std::string> keep() override {
    const std::string line = fmt::format("sqlite3 {}", m_file.string());
    if (const auto marked = mark_kept(m_run_directory, line); !marked) return failed(marked);
    m_kept = true;
    return line;
  }

 private:
  Result<Database> open_session() { return Database::open(m_file, Database::Mode::read_write, m_settings); }
  Result<void> expect_released(const ToolRequest& request);
  /// Another connection learns of new statistics only when it reads the schema anew.
  void learn_statistics() {
    if (auto reader = open_session()) *m_reader = std::move(*reader);
    m_last.reset();
  }

  record::ServerInfo m_info;
  fs::path m_directory;
  fs::path m_file;
  Pragmas m_settings;
  fs::path m_run_directory;
  std::unique_ptr<Database> m_reader;
  std::optional<State> m_last;  ///< as it was last read, at this data_version of the reader's
  std::string m_last_version;
  SideRunner m_sides;
  Lineage m_lineage;
  std::set<std::string> m_apart;
  int m_scale = 1;
  int m_copies = 0;
  bool m_kept = false;
};

/// The file is another one then: nothing that was known of it holds.
Result<record::ToolRun> FileInstance::bring_back(const RestoreRequest& request) {
  m_reader.reset();
  m_last.reset();
  m_lineage = {};
  auto run = sqlite::bring_back(m_file, request, m_settings);
  if (!run) return run;
  auto reader = open_session();
  if (reader) {
    m_reader = std::make_unique<Database>(std::move(*reader));
  } else {
    run->failed = true;
    ++run->errors;
    run->said.push_back(reader.error().message);
  }
  return run;
}

/// What nobody has committed anything to is as it was: PRAGMA data_version changes with every commit of
/// another connection, whoever makes it.
Result<State> FileInstance::read_state(const State* previous, const Touched& touched, const Since&) {
  if (m_reader == nullptr)
    return failed(FailureKind::environment, fmt::format("'{}' can no longer be read", m_file.string()));
  auto version = m_reader->value("PRAGMA data_version");
  if (!version) return failed(version);
  if (m_last && m_last_version == *version) return *m_last;
  auto state = sqlite::read_state(*m_reader, m_lineage, m_apart, previous, touched);
  if (!state) return state;
  m_last = *state;
  m_last_version = std::move(*version);
  return state;
}

/// Nothing stands between a program and a file, so its statements are not known one by one.
Result<SideOutcome> FileInstance::run_tool(const ToolRequest& request) {
  const auto before = read_schema(*m_reader);
  if (!before) return failed(before);
  const Places places = {{"{url}", "sqlite:///" + m_file.string()}, {"{database}", m_file.string()}};
  const Command command = completed_command(
      request, places, {{"DATABASE_URL", "{url}"}, {"LOCKKEEPER_DATABASE", "{database}"}}, "PG*");
  const auto bytes_before = digest_of_bytes();
  if (!bytes_before) return failed(bytes_before);
  std::optional<Database> other;
  if (request.while_locked) {
    auto writer = locked(m_file);
    if (!writer) return failed(writer);
    other = std::move(*writer);
  }
  m_sides.watch().begin();
  const auto end = run_program(request, command, Secrets::of_environment(command.environment));
  auto file_locks = m_sides.watch().end();
  other.reset();
  if (!end) return failed(end);
  const auto bytes_after = digest_of_bytes();
  if (!bytes_after) return failed(bytes_after);
  // It keeps books of what it did: no byte changed means that it did so elsewhere.
  if (request.must_connect && end->failure.empty() && *bytes_before == *bytes_after)
    return tl::unexpected<Failure>(never_came(request));
  if (const auto released = expect_released(request); !released) return failed(released);
  const auto after = read_schema(*m_reader);
  if (!after) return failed(after);
  m_lineage.follow(*before, *after, false);
  SideOutcome outcome;
  outcome.run.side = request.side;
  outcome.run.shape = record::TransactionShape::own_transactions;
  outcome.run.shape_reason = fmt::format("{} runs it", request.name);
  outcome.run.duration = end->duration;
  if (!request.while_locked) outcome.run.file_locks = std::move(file_locks);
  if (request.while_locked) outcome.stopped_at = record::Microseconds(0);
  if (!end->failure.empty()) {
    outcome.run.error = error_of_program(*end);
    outcome.run.error_location = request.location;
  }
  outcome.output = end->output;
  outcome.touched.everything = true;
  return outcome;
}

/// What it started has been ended; a lock that is still there is somebody else's.
Result<void> FileInstance::expect_released(const ToolRequest& request) {
  auto session = open_session();
  if (!session) return failed(session);
  sqlite3_busy_timeout(session->get(), static_cast<int>(k_tool_lets_go.count()));
  if (const auto error = session->execute("BEGIN IMMEDIATE; ROLLBACK")) {
    return failed(
        FailureKind::environment,
        fmt::format("{} has ended, and its database is still in use: {}", request.name, error->message),
        "let it wait for all that it starts", request.location);
  }
  return {};
}

/// Of the file, and of what a writer leaves beside it.
Result<std::optional<std::string>> FileInstance::digest_of_bytes() {
  Hasher hasher;
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const fs::path path = m_file.string() + suffix;
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error || size == 0) continue;
    const auto content = hash_of_file(path);
    if (!content) return failed(content);
    hasher.add_field(suffix).add_field(*content);
  }
  return std::optional(hasher.hex());
}

/// Page by page, so that what a query touches is the same in both. Through SQLite, since our closing a file
/// that a connection of this process has open would drop its locks:
/// https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
Result<std::unique_ptr<Instance>> FileInstance::copy_beside() {
  const fs::path directory = fmt::format("{}-beside-{}", m_directory.string(), ++m_copies);
  const fs::path file = directory / m_file.filename();
  const auto copied = [&]() -> Result<std::unique_ptr<Instance>> {
    std::error_code error;
    fs::create_directory(directory, error);
    if (error) return cannot("create", directory, error.value());
    ::chmod(directory.c_str(), 0700);
    if (const auto made = write_file(file, ""); !made) return failed(made);
    if (const auto done = copy_pages(m_file, file); !done) return failed(done);
    auto reader = Database::open(file, Database::Mode::read_write, m_settings);
    if (!reader) return failed(reader);
    auto copy = std::make_unique<FileInstance>(m_info, directory, m_file.stem().string(), m_settings,
                                               m_run_directory, std::move(*reader));
    copy->m_apart = m_apart;
    copy->m_scale = m_scale;
    copy->m_lineage = m_lineage;
    return copy;
  };
  auto copy = copied();
  if (!copy) static_cast<void>(remove_tree(directory));
  return copy;
}

/// Nothing is vacuumed. There are no dead rows that a query would have to pass, and free pages hang in no
/// b-tree, so that no query touches them. What VACUUM would take away besides is that a migration leaves
/// pages half full, and that production has as well.
Result<void> FileInstance::settle(const Touched& touched) {
  auto session = open_session();
  if (!session) return failed(session);
  const auto tables = touched.everything ? Result<std::optional<std::set<std::string>>>(std::nullopt)
                                         : tables_to_analyze(*session, touched.tables);
  if (!tables) return failed(tables);
  std::vector<std::string> statements;
  if (*tables) {
    for (const std::string& table : **tables) statements.push_back("ANALYZE main." + quoted_name(table));
  } else {
    statements.emplace_back("ANALYZE");
  }
  for (const std::string& statement : statements) {
    if (const auto error = session->execute(statement))
      return tl::unexpected<Failure>(session->failure(*error));
  }
  learn_statistics();
  // Its first column says whether somebody was in the way:
  // https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
  const auto in_the_way = session->value("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!in_the_way) return failed(in_the_way);
  if (*in_the_way != "0")
    return failed(FailureKind::environment,
                  fmt::format("cannot write the log of '{}' out: somebody reads it", m_file.string()));
  return {};
}

class FileEngine : public Engine {
 public:
  explicit FileEngine(FileOptions options)
      : m_options(std::move(options)), m_settings(session_settings_of(m_options.pragmas)) {
    m_info.engine = "sqlite";
    m_info.version = library_version();
    m_info.binaries = "libsqlite3";
    for (const auto& [name, value] : m_settings) m_info.settings[name] = value;
    for (const auto& [name, value] : m_options.pragmas) m_info.settings[name] = value;
  }

  std::string fingerprint() const override {
    std::string text = fmt::format("sqlite {} {}", m_info.version, sqlite3_sourceid());
    for (const auto& [name, value] : m_info.settings) text += fmt::format(" {}={}", name, value);
    return text;
  }
  std::vector<record::StopKind> stops() const override {
    return {record::StopKind::database_locked, record::StopKind::session_ended};
  }
  bool images_are_directories() const override { return true; }
  const record::ServerInfo& server() const override { return m_info; }

  Result<Image> make_empty(const fs::path& directory, const std::string& database) override {
    std::error_code error;
    fs::create_directories(directory, error);
    auto made = Database::open(directory / (database + ".db"), Database::Mode::create, file_pragmas());
    if (!made) return failed(made);
    // Without a page nothing of these would be kept.
    if (const auto refused = made->execute("CREATE TABLE lockkeeper (a); DROP TABLE lockkeeper"))
      return tl::unexpected<Failure>(made->failure(*refused));
    return Image{directory, database};
  }

  Result<std::unique_ptr<Instance>> restore(const Image& image, const std::string& database,
                                            Purpose) override {
    const fs::path directory = m_options.run_directory / fmt::format("instance-{}", ++m_instances);
    if (const auto copied = copy_stored_tree(image.directory, directory, std::nullopt); !copied)
      return failed(copied);
    // Tools find a folder that is theirs alone.
    ::chmod(directory.c_str(), 0700);
    const fs::path file = directory / (database + ".db");
    auto reader = Database::open(file, Database::Mode::read_write, m_settings);
    if (!reader) return failed(reader);
    record::ServerInfo info = m_info;
    if (const auto asked = session_pragmas(*reader)) {
      for (const auto& [name, value] : *asked) info.settings[name] = value;
    }
    return std::make_unique<FileInstance>(std::move(info), directory, database, m_settings,
                                          m_options.run_directory, std::move(*reader));
  }

  /// Files do not meet; a large one is not copied a second time only to save the time of a chain.
  bool has_room_beside(const Image& image) const override {
    constexpr std::uint64_t k_largest = 2ULL << 30;
    const auto size = stored_tree_size(image.directory);
    return size && *size <= k_largest && free_space(m_options.run_directory) >= 8 * *size;
  }

  Result<void> discard(const Image& image) override { return remove_tree(image.directory); }

 private:
  Pragmas file_pragmas() const {
    Pragmas pragmas;
    for (const auto& pragma : m_options.pragmas) {
      if (is_of_the_file(pragma.first)) pragmas.push_back(pragma);
    }
    for (const auto& pragma : m_options.pragmas) {
      if (pragma.first == "journal_mode") pragmas.push_back(pragma);
    }
    return pragmas;
  }

  FileOptions m_options;
  Pragmas m_settings;
  record::ServerInfo m_info;
  std::atomic<int> m_instances{0};
};

}  // namespace

std::unique_ptr<Engine> files(FileOptions options) {
  return std::make_unique<FileEngine>(std::move(options));
}

std::string library_version() {
  return sqlite3_libversion();
}

}  // namespace lockkeeper::engine::sqlite
