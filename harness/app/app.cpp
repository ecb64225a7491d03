#include "app/app.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::app {

namespace {

constexpr Command k_commands[] = {
    {"check", "[SCENARIO|MIGRATIONS_DIR|SQLITE_FILE]...",
     "rehearse migrations forward, back and forward again, and say whether they may be merged",
     "  lockkeeper check db/migrations                    every migration of a folder\n"
     "  lockkeeper check shop.db db/migrations             on a copy of this SQLite database\n"
     "  lockkeeper check db/migrations --last 1           the newest one; the others are only applied\n"
     "  lockkeeper check db/migrations --since-ref origin/main --fixture dump.sql.gz\n"
     "  lockkeeper check scenarios/*.yaml --jobs 2 --report junit=out.xml --report json=out.json\n"
     "  lockkeeper check scenarios/shop.yaml --only 0042 --keep    leave the failed database open\n",
     check_command},
    {"release", "[SCENARIO|MIGRATIONS_DIR|SQLITE_FILE]...",
     "rehearse the whole runbook of a release: backups and their proof, the change, and every road back",
     "  lockkeeper release scenarios/shop.yaml                        from the last tag, or as the scenario "
     "says\n"
     "  lockkeeper release scenarios/shop.yaml --from 0041 --to 0043  from one version to another\n"
     "  lockkeeper release db/migrations --from v1.4 --from v1.3      from what each of these tags has\n"
     "  lockkeeper release scenarios/shop.yaml --report log=migration-log.md\n",
     release_command},
    {"bench", "[SCENARIO]...",
     "compare the critical queries on base and head: answers, plans, and times with statistics",
     "  lockkeeper bench scenarios/shop.yaml\n"
     "  lockkeeper bench scenarios/shop.yaml --without-time           answers and plans alone: a second or "
     "two\n"
     "  lockkeeper bench scenarios/shop.yaml --scale 10 --budget 30   on a larger fixture, more time for "
     "each query\n"
     "  lockkeeper bench scenarios/shop.yaml --report benchmark=bench.json   Google Benchmark's JSON\n",
     bench_command},
    {"history", "SCENARIO|MIGRATIONS_DIR...",
     "show what is read of a history: order, what is on trial, how each side would be sent",
     "  lockkeeper history db/migrations\n"
     "  lockkeeper history db/migrations --format golang-migrate --since-ref origin/main\n"
     "  lockkeeper history --formats                      the layouts that are read\n",
     history_command},
    {"report", "RECORD.json", "render a stored record again, in any form",
     "  lockkeeper report run.json\n"
     "  lockkeeper report run.json --report markdown=comment.md\n",
     report_command},
    {"baseline", "RECORD.json", "let through what an existing history has, and nothing that is added to it",
     "  lockkeeper check db/migrations --report json=run.json\n"
     "  lockkeeper baseline run.json > lockkeeper-baseline.yaml\n"
     "  lockkeeper check db/migrations --baseline lockkeeper-baseline.yaml\n",
     baseline_command},
    {"preflight", "URL [SCENARIO|MIGRATIONS_DIR]",
     "look at staging or production before a release, read-only: what is in, drift, what is in the way",
     "  lockkeeper preflight postgresql://inspector@db.example/shop db/migrations\n"
     "  lockkeeper preflight postgresql://inspector@db.example/shop --save before.json --production "
     "rows.yaml\n"
     "  lockkeeper preflight --print                      the statements, and no connection\n",
     preflight_command},
    {"postflight", "URL", "look again after a release: use of indexes, what is invalid, blocked or slow now",
     "  lockkeeper postflight postgresql://inspector@db.example/shop --before before.json\n",
     postflight_command},
    {"rules", "[ID]...", "list the rules, or explain some of them",
     "  lockkeeper rules\n"
     "  lockkeeper rules schema-not-restored\n",
     rules_command},
    {"snapshot", "take URL|SQLITE_FILE -o FILE",
     "take a fixture from a living database: whole, or a sample, with what is personal masked",
     "  lockkeeper snapshot take postgresql://reader@db/shop -o shop.dump --unmasked-ok\n"
     "  lockkeeper snapshot take postgresql://reader@db/shop -o shop.sql.zst --rows 200 --mask masks.yaml\n"
     "  lockkeeper snapshot take shop.db -o copy.db\n",
     snapshot_command},
    {"queries", "import FILE... -o FOLDER",
     "take the queries that cost a server most from its pg_stat_statements or its log, for a scenario",
     "  lockkeeper queries import statements.csv -o queries          pg_stat_statements, exported with "
     "\\copy\n"
     "  lockkeeper queries import log/*.csv -o queries --top 50      csvlog or jsonlog, with real values\n"
     "  lockkeeper queries import log/*.json -o queries --min-calls 100\n"
     "then in a scenario: queries: [{folder: queries}]\n",
     queries_command},
    {"cache", "list|prune|clear", "show or empty the store of snapshots",
     "  lockkeeper cache list\n"
     "  lockkeeper cache prune --limit 2GB\n"
     "  lockkeeper cache clear\n",
     cache_command},
    {"doctor", "", "show which servers, tools, accounts and disks were found", "  lockkeeper doctor\n",
     doctor_command},
    {"version", "", "print the version", "  lockkeeper version\n", version_command},
};

void print_usage(std::FILE* out) {
  fmt::print(
      out,
      "lockkeeper lets a database migration through only when it has been seen to go forward and come back.\n"
      "\nusage: lockkeeper COMMAND [OPTIONS]\n\n");
  for (const Command& command : k_commands) fmt::print(out, "  {:<10} {}\n", command.name, command.summary);
  fmt::print(out,
             "\nlockkeeper COMMAND --help shows its options and examples.\n"
             "exit codes: 0 may merge · 1 findings · 2 usage, scenario or history error · 3 the environment "
             "failed · "
             "4 nothing was on trial · 130 interrupted\n");
}

Result<ExitCode> dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    print_usage(stderr);
    return ExitCode::usage;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(stdout);
    return ExitCode::pass;
  }
  if (name == "--version") return version_command({});
  std::vector<std::string> names;
  for (const Command& command : k_commands) {
    if (command.name == name) return command.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(command.name);
  }
  return failed(FailureKind::usage, fmt::format("unknown command '{}'{}", name, did_you_mean(name, names)),
                "lockkeeper --help lists the commands");
}

/// Who reads a pass must be able to rely on having seen all of what was said.
Result<ExitCode> said_all(Result<ExitCode> code) {
  std::fflush(stdout);
  const bool whole = std::cout.flush().good() && std::ferror(stdout) == 0;
  if (whole || !code || *code != ExitCode::pass) return code;
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  // A reader who has seen enough, like head, closes its pipe.
  if (::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0) return code;
  return failed(FailureKind::environment, "cannot write to standard output: not all of it was taken",
                "free some space where it goes, or write a report: --report json=FILE");
}

ExitCode told_as_defect(const std::exception& error) {
  fmt::print(stderr, "error: lockkeeper itself failed: {}\nhint: this is a defect; please report it\n",
             error.what());
  return ExitCode::environment;
}

}  // namespace

std::span<const Command> all_commands() {
  return k_commands;
}

ExitCode exit_code_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::usage:
      return ExitCode::usage;
    case FailureKind::nothing:
      return ExitCode::nothing;
    case FailureKind::interrupted:
      return ExitCode::interrupted;
    case FailureKind::environment:
      break;
  }
  return ExitCode::environment;
}

int run(const std::vector<std::string>& arguments) {
  try {
    // What is set for the user's psql must not reach the sessions of a rehearsal.
    engine::postgres::forget_session_environment();
    watch_signals();
    const auto code = said_all(dispatch(arguments));
    if (code) return static_cast<int>(*code);
    fmt::print(stderr, "{}\n", to_string(code.error()));
    return static_cast<int>(exit_code_of(code.error().kind));
  } catch (const std::system_error& error) {
    // A reader who has seen enough, like head, closes its pipe.
    if (error.code() == std::errc::broken_pipe) return static_cast<int>(ExitCode::pass);
    return static_cast<int>(told_as_defect(error));
  } catch (const std::exception& error) {
    return static_cast<int>(told_as_defect(error));
  }
}

}  // namespace lockkeeper::app
