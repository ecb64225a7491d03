#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/state.h"

/// A database that others work on, looked at and not touched: one session, one transaction that cannot write.
namespace lockkeeper::engine::postgres {

enum class Superuser { refused, accepted };

struct InspectionOptions {
  std::string url;
  std::string application_name;
  std::chrono::milliseconds statement_timeout{5000};
  Superuser superuser = Superuser::refused;
};

struct InspectedServer {
  std::string version;  ///< "15.20"
  int major = 0;
  std::string database;
  std::string role;
  std::string encoding;
  std::string collation;
  bool is_standby = false;
  bool sees_others = false;                     ///< what sessions of other roles do (pg_read_all_stats)
  std::string counted_since;                    ///< when its statistics were last reset; may be empty
  std::optional<std::int64_t> bytes;            ///< of the whole database
  std::map<std::string, std::string> settings;  ///< as a session of this role begins with them
};

struct TableSize {
  std::string table;                  ///< identity
  std::optional<std::int64_t> rows;   ///< the server's estimate; none where it has none
  std::optional<std::int64_t> bytes;  ///< with indexes and TOAST; none while somebody has it locked
  bool is_partitioned = false;        ///< the sum of its partitions, which are listed too
  bool analyzed = false;
};

struct IndexUse {
  std::string index;
  std::string table;
  std::int64_t scans = 0;
  std::optional<std::int64_t> bytes;
  bool is_constraint = false;  ///< primary key, unique or exclusion: not there for queries alone
};

/// Something that a migration would trip over.
struct Trouble {
  std::string kind;  ///< "invalid-index"
  std::string subject;
  std::string detail;
  bool stands = false;  ///< in the way; else worth knowing
};

/// What a kind of trouble is called and what to do about it; empty for a kind that is not known.
struct TroubleText {
  std::string_view title;
  std::string_view advice;
};
TroubleText text_of_trouble(std::string_view kind);

/// One row of a migration tool's own table.
struct BookEntry {
  enum class State { in, in_with_all_before, out, failed, failed_behind_all_before };
  std::string version;
  State state = State::in;
};
struct ToolBook {
  std::string tool;
  std::string table;
  std::vector<BookEntry> entries;
};

/// What was asked and not answered.
struct Unseen {
  std::string what;
  std::string reason;
  bool timed_out = false;
};

struct Inspected {
  InspectedServer server;
  std::vector<TableSize> tables;  ///< by size, the largest first
  std::vector<IndexUse> indexes;  ///< by name
  std::vector<Trouble> troubles;  ///< by kind, in the order in which they are asked
  std::vector<ToolBook> books;    ///< by table
  std::vector<Unseen> unseen;
};

/// A statement that an inspection runs, as it is sent; names that are only found on the server stand in «».
struct InspectionStatement {
  std::string_view what;
  std::string sql;
};

class Inspection {
 public:
  /// Connects and begins the transaction. Usage failures: the URL, the credentials, a superuser. No failure
  /// holds the password.
  static Result<Inspection> open(const InspectionOptions& options);
  ~Inspection();
  Inspection(Inspection&&) noexcept;
  Inspection& operator=(Inspection&&) = delete;

  /// All but the schema. What cannot be seen is in Inspected::unseen; a Failure means that the session is
  /// lost or that a signal came in.
  Result<Inspected> look();
  /// The objects of the schema, from the catalog alone: no table is read. None where it cannot be seen, which
  /// is added to `unseen`.
  Result<std::optional<State>> read_schema(std::vector<Unseen>& unseen);

 private:
  struct Session;
  explicit Inspection(std::unique_ptr<Session> session);
  std::unique_ptr<Session> m_session;
};

/// Every statement that an inspection of a server of this version may run, in order; those that read the
/// schema last.
enum class WithSchema { no, yes };
std::vector<InspectionStatement> inspection_statements(const InspectionOptions& options, int major,
                                                       WithSchema schema);

}  // namespace lockkeeper::engine::postgres
