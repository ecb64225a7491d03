#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "record/record.h"
#include "sql/script.h"

namespace lockkeeper::history {

struct Migration;

/// The table in which a tool keeps what it has applied: made and kept as the tool would, since migrations
/// touch it, and left out of what is compared.
struct Bookkeeping {
  std::vector<std::string> tables;  ///< as the server names them: public.schema_migrations
  std::string create;               ///< SQL that makes them where they are not there yet
  std::function<std::string(const Migration&, record::Side)> note;  ///< SQL that notes a side as done
};

/// Another transaction shape than the tool's own, where one is asked for (`--transaction`).
enum class Transaction {
  of_tool,
  per_migration,  ///< BEGIN, all of a side, COMMIT
  all,            ///< the same, and all that is pending once more in one transaction
  statement,      ///< each statement on its own
  file            ///< each file as one message
};

/// A program that runs one side of a migration by itself; what stands in braces is put in when it runs
/// (scenario::Tool).
struct ToolCommand {
  std::string name;   ///< "alembic"
  std::string shown;  ///< for people: "alembic upgrade a1"
  Command command;
  bool connects = false;  ///< ending well without having come to the database is a failure
  std::chrono::seconds deadline{600};
};

struct Migration {
  std::string version;  ///< as the format writes it
  std::string name;
  std::string up_path;                   ///< the file to open for its up side
  std::optional<std::string> down_path;  ///< the same or another; none where it has no down side
  int up_line = 0;                       ///< where its up side begins in a file of several sides; else 0
  int down_line = 0;
  std::vector<std::string> further_files;  ///< that up is made of beside up_path, in order
  std::string up_digest;                   ///< of what up sends, where files hold more than that; else empty
  std::string up_settings;                 ///< what else decides what up sends: values put into its text
  bool runs_when_changed = false;          ///< where its text has changed the tool runs its up once more

  sql::Dialect dialect = sql::Dialect::postgres;
  bool hash_what_is_sent = false;  ///< up is made of more files than can be named before it is read

  /// Reads one side as its tool would send it: when it is needed, so that a history of a thousand files costs
  /// no memory.
  std::function<Result<sql::Script>(const Migration&, record::Side)> read;
  std::shared_ptr<const Bookkeeping> bookkeeping;
  Transaction transaction = Transaction::of_tool;
  /// Where a program outside runs the sides: which; `read` tells of comments alone then. An environment
  /// failure where the program is not installed.
  std::function<Result<ToolCommand>(const Migration&, record::Side)> command;
  /// The dry run that such a program has; mostly none.
  std::function<Result<ToolCommand>(const Migration&)> dry_run;
  bool claims_rerunnable = false;  ///< a second up is said to change nothing

  Result<sql::Script> up() const { return script(record::Side::up); }
  Result<sql::Script> down() const { return script(record::Side::down); }  ///< requires down_path
  Result<sql::Script> script(record::Side side) const;
  /// SQL with which the tool notes that a side is done; empty where it keeps no books.
  std::string note_of(record::Side side) const;
  /// Changes with all that up is made of.
  Result<std::string> hash_of_up() const;
};

/// What a tool does with a history that is not as it should be, for people.
struct Habits {
  /// A version below those that a database has already: never run there, a reason to stop, run all the same,
  /// or nothing that could be, since the order is that of a graph.
  enum class Late { unknown, skipped, refused, applied, no_matter };
  Late late = Late::unknown;
  bool keeps_checksums = false;  ///< and so takes a changed comment for another migration
  std::string when_edited = "a tool runs a version once: databases that have it keep what it was";
  std::string when_out_of_order() const;
};

/// What a history takes for granted of others, and its tool would bring in with it: done by a program when
/// the base stands and nothing is judged yet.
struct Preparation {
  std::function<Result<ToolCommand>()> command;
  std::function<Result<std::string>()> digest;  ///< changes with what the program does
};

struct History {
  std::string directory;
  std::string format;
  sql::Dialect dialect = sql::Dialect::postgres;
  bool has_down = true;                ///< the format has a down side at all
  std::vector<Migration> migrations;   ///< in the order in which the tool applies them
  std::vector<std::string> not_taken;  ///< "file: reason" for every file of the folder that is no part of it
  std::shared_ptr<const Bookkeeping> bookkeeping;
  /// Which of migrations [from, to) a tool is asked for so that all of them are in, ascending.
  std::vector<std::size_t> steps_between(std::size_t from, std::size_t to) const;
  /// For each version those that come in with it; empty: each has to be asked for.
  std::map<std::string, std::vector<std::string>> brings;
  /// What a side sets in its session stays for the next one. Not so where the tool starts a program or resets
  /// the session for each.
  bool keeps_session = true;
  /// Each migration is a program that somebody may start twice: a second run is tried too.
  bool is_started_by_hand = false;
  bool all_in_one = false;  ///< the tool puts all that is pending into one transaction
  std::optional<Preparation> preparation;
  Habits habits;
  std::vector<record::HistoryFact> facts;  ///< what is wrong with it by its files alone
  std::optional<Failure> refused;          ///< why the tool, and so we, cannot run it; `facts` say more
  /// What the tool sets in its sessions where the engine would have it otherwise (SQLite: PRAGMAs).
  std::map<std::string, std::string> session_settings;
  std::string detected_by;  ///< what told the format: "atlas.sum", "'-- +goose Up' in 001_a.sql"
};

/// What a run judges: history.migrations[0, first) are applied, `trial` (ascending indexes) are judged;
/// whatever stands between two judged ones is applied on the way.
struct Trial {
  std::size_t held = 0;  ///< so many of them the fixture holds already
  std::size_t first = 0;
  std::vector<std::size_t> judged;
  std::vector<record::HistoryFact> facts;  ///< what is wrong with it beside the base

  /// Nothing that is only applied stands between two judged ones. False where none is judged.
  bool in_one_piece() const { return !judged.empty() && judged.back() - judged.front() + 1 == judged.size(); }
};

}  // namespace lockkeeper::history
