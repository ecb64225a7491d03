#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/tree.h"
#include "benchmarks/measures.h"

namespace lockkeeper::benchmarks {

namespace {

namespace fs = std::filesystem;
using engine::postgres::Connection;

struct Scripts {
  std::string up;
  std::string down;
};

/// One side in one transaction and one message.
std::string as_transaction(const std::string& sql) {
  return "BEGIN;\n" + sql + "\n;COMMIT";
}

Result<std::vector<Scripts>> read_scripts(const fs::path& directory) {
  std::vector<fs::path> ups;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().string().ends_with(".up.sql")) ups.push_back(entry.path());
  }
  std::sort(ups.begin(), ups.end());
  std::vector<Scripts> scripts;
  for (const fs::path& path : ups) {
    const std::string stem = path.string().substr(0, path.string().size() - std::string(".up.sql").size());
    const auto up = read_file(path);
    const auto down = read_file(stem + ".down.sql");
    if (!up) return failed(up);
    if (!down) return failed(down);
    scripts.push_back({as_transaction(*up), as_transaction(*down)});
  }
  return scripts;
}

/// Up, down, up of each; then all back, and all in again.
Result<void> pass_all(Connection& session, const std::vector<Scripts>& scripts) {
  std::vector<const std::string*> messages;
  for (const Scripts& script : scripts)
    messages.insert(messages.end(), {&script.up, &script.down, &script.up});
  for (auto script = scripts.rbegin(); script != scripts.rend(); ++script) messages.push_back(&script->down);
  for (const Scripts& script : scripts) messages.push_back(&script.up);
  for (const std::string* message : messages) {
    if (const auto done = execute(session, *message); !done) return done;
  }
  return {};
}

/// The four sides, and what they share.
class Job {
 public:
  static Result<Job> set_up(Workshop& workshop);

  Result<double> warm() { return check(m_store); }
  Result<double> bare_sql();
  Result<double> shell();
  Result<double> cold();

 private:
  Job(Workshop& workshop, std::unique_ptr<Server> server, std::vector<Scripts> scripts, fs::path directory)
      : m_workshop(&workshop),
        m_server(std::move(server)),
        m_scripts(std::move(scripts)),
        m_dump(directory / "fixture.dump"),
        m_migrations(directory / "migrations") {}
  Result<void> make_fixture(const fs::path& directory);
  Result<double> check(const fs::path& store);

  Workshop* m_workshop;
  std::unique_ptr<Server> m_server;
  std::vector<Scripts> m_scripts;
  fs::path m_dump;
  fs::path m_migrations;
  fs::path m_store;
};

Result<Job> Job::set_up(Workshop& workshop) {
  const fs::path source = LOCKKEEPER_JOB_DIR;
  auto scripts = read_scripts(source / "migrations");
  if (!scripts) return failed(scripts);
  const auto directory = workshop.new_directory("job");
  if (!directory) return failed(directory);
  // The servers' account runs the shell job and may not be able to read a clone in somebody's home.
  const RunAs owner{workshop.account().name, workshop.account().uid, workshop.account().gid};
  if (const auto copied = copy_tree(source, *directory / "source", {owner, nullptr, nullptr}); !copied) {
    return failed(copied);
  }
  std::error_code error;
  fs::rename(*directory / "source" / "migrations", *directory / "migrations", error);
  auto server = workshop.start_server();
  if (!server) return failed(server);
  Job job(workshop, std::move(*server), std::move(*scripts), *directory);
  if (const auto made = job.make_fixture(source); !made) return failed(made);
  job.m_store = workshop.new_path("store");
  if (const auto restored = job.warm(); !restored) return failed(restored);
  return job;
}

Result<void> Job::make_fixture(const fs::path& directory) {
  const auto sql = read_file(directory / "fixture.sql");
  if (!sql) return failed(sql);
  auto maintenance = m_server->connect("postgres");
  if (!maintenance) return failed(maintenance);
  if (const auto made = execute(*maintenance, "CREATE DATABASE fixture TEMPLATE template0"); !made)
    return made;
  auto session = m_server->connect("fixture");
  if (!session) return failed(session);
  if (const auto made = execute(*session, *sql); !made) return made;
  if (const auto analysed = execute(*session, "ANALYZE"); !analysed) return analysed;
  const auto dumped = m_workshop->time_command(
      {m_workshop->tools().pg_dump.string(), "-Fc", "-f", m_dump.string(), m_server->connection("fixture")});
  if (!dumped) return failed(dumped);
  return {};
}

Result<double> Job::check(const fs::path& store) {
  const auto run = m_workshop->check({m_migrations, m_dump, store, 0, m_scripts.size()});
  if (!run) return failed(run);
  return run->wall_ms;
}

/// On a copy of the fixture's database; only the passes are timed.
Result<double> Job::bare_sql() {
  auto maintenance = m_server->connect("postgres");
  if (!maintenance) return failed(maintenance);
  if (const auto made = execute(*maintenance, "CREATE DATABASE job TEMPLATE fixture"); !made)
    return failed(made);
  Result<double> time = 0;
  {
    auto session = m_server->connect("job");
    if (!session) return failed(session);
    time = timed([&] { return pass_all(*session, m_scripts); });
  }
  if (const auto gone = execute(*maintenance, "DROP DATABASE job WITH (FORCE)"); !gone) return failed(gone);
  return time;
}

Result<double> Job::shell() {
  const auto work = m_workshop->new_directory("shell");
  if (!work) return failed(work);
  const fs::path script = m_migrations.parent_path() / "source" / "shell_job.sh";
  const auto time =
      m_workshop->time_command({"/bin/sh", script.string(), m_workshop->binaries().directory.string(),
                                m_workshop->tools().psql.parent_path().string(), work->string(),
                                m_dump.string(), m_migrations.string()});
  if (!time) return failed(time);
  if (const auto gone = remove_tree(*work); !gone) return failed(gone);
  return *time;
}

Result<double> Job::cold() {
  const fs::path store = m_workshop->new_path("cold-store");
  const auto time = check(store);
  if (!time) return failed(time);
  if (const auto gone = remove_tree(store); !gone) return failed(gone);
  return *time;
}

}  // namespace

Result<void> measure_job(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  auto job = Job::set_up(workshop);
  if (!job) return failed(job);
  std::vector<double> warm;
  std::vector<double> bare;
  std::vector<double> shell;
  std::vector<double> cold;
  for ([[maybe_unused]] auto round : state) {
    const auto ours = job->warm();
    if (!ours) return failed(ours);
    const auto sql = job->bare_sql();
    if (!sql) return failed(sql);
    const auto theirs = job->shell();
    if (!theirs) return failed(theirs);
    const auto from_nothing = job->cold();
    if (!from_nothing) return failed(from_nothing);
    state.SetIterationTime(*ours / 1000);
    warm.push_back(*ours);
    bare.push_back(*sql);
    shell.push_back(*theirs);
    cold.push_back(*from_nothing);
  }
  ledger.add({"job, warm store, against bare SQL", "ms", "bare SQL", warm, bare, Judged::ratio_at_most, 1.5});
  ledger.add({"job, warm store, against shell", "ms", "shell job", warm, shell, Judged::ratio_at_most, 0.5});
  ledger.add({"job, cold store, against shell", "ms", "shell job", cold, shell, Judged::ratio_at_most, 0.6});
  return {};
}

}  // namespace lockkeeper::benchmarks
