#include "record/names.h"

#include <array>

namespace lockkeeper::record {

namespace {

/// The words of an enumeration; each stands at the index that is its value.
template <typename Enum>
struct Words;

template <>
struct Words<Side> {
  static constexpr std::array<std::string_view, 2> k_words{"up", "down"};
};

template <>
struct Words<Level> {
  static constexpr std::array<std::string_view, 3> k_words{"note", "warning", "error"};
};

template <>
struct Words<Verdict> {
  static constexpr std::array<std::string_view, 3> k_words{"pass", "fail", "error"};
};

template <>
struct Words<StorageChange> {
  static constexpr std::array<std::string_view, 4> k_words{"rewritten", "truncated", "reindexed",
                                                           "refreshed"};
};

template <>
struct Words<TransactionShape> {
  static constexpr std::array<std::string_view, 4> k_words{"one_transaction", "one_message",
                                                           "own_transactions", "autocommit"};
};

template <>
struct Words<Change> {
  static constexpr std::array<std::string_view, 3> k_words{"added", "lost", "altered"};
};

template <>
struct Words<DataChange> {
  static constexpr std::array<std::string_view, 3> k_words{"table_rows", "column_values", "row_composition"};
};

template <>
struct Words<SchemaFactKind> {
  static constexpr std::array<std::string_view, 5> k_words{"constraint_not_validated", "constraint_violated",
                                                           "index_invalid", "index_duplicate",
                                                           "foreign_key_without_index"};
};

template <>
struct Words<HistoryFactKind> {
  static constexpr std::array<std::string_view, 6> k_words{
      "version_duplicate", "version_out_of_order", "several_heads", "parent_missing", "edited",
      "checksum_differs"};
};

template <>
struct Words<ChangeClass> {
  static constexpr std::array<std::string_view, 4> k_words{"none", "safe", "risky", "high risk"};
};

template <>
struct Words<Stage> {
  static constexpr std::array<std::string_view, 9> k_words{
      "forward", "back", "again", "after_writes", "interrupted", "queue", "traffic", "chain", "queries"};
};

template <>
struct Words<Depth> {
  static constexpr std::array<std::string_view, 3> k_words{"quick", "standard", "full"};
};

template <>
struct Words<StopKind> {
  static constexpr std::array<std::string_view, 6> k_words{"session_ended",   "ended_inside",
                                                           "database_locked", "server_killed",
                                                           "lock_timeout",    "statement_timeout"};
};

template <>
struct Words<TimeVerdict> {
  static constexpr std::array<std::string_view, 4> k_words{"not_timed", "within", "beyond", "not_decided"};
};

template <>
struct Words<OldUseKind> {
  static constexpr std::array<std::string_view, 4> k_words{"query", "view", "write", "old_row"};
};

template <>
struct Words<BackupForm> {
  static constexpr std::array<std::string_view, 7> k_words{"custom", "directory",   "plain",  "copy",
                                                           "backup", "vacuum_into", "command"};
};

template <>
struct Words<RoadKind> {
  static constexpr std::array<std::string_view, 4> k_words{"downs", "restore_over", "restore_fresh",
                                                           "restore_open"};
};

template <>
struct Words<Mark> {
  static constexpr std::array<std::string_view, 3> k_words{"open", "done", "failed"};
};

template <>
struct Words<Decision> {
  static constexpr std::array<std::string_view, 3> k_words{"go", "go_with_risks", "no_go"};
};

template <>
struct Words<Moment> {
  static constexpr std::array<std::string_view, 4> k_words{"base", "after_up", "after_down", "after_chain"};
};

template <>
struct Words<FailureKind> {
  static constexpr std::array<std::string_view, 4> k_words{"usage", "environment", "nothing", "interrupted"};
};

template <typename Enum>
std::string_view word(Enum value) {
  return Words<Enum>::k_words.at(static_cast<std::size_t>(value));
}

}  // namespace

std::string_view name_of(Side side) {
  return word(side);
}
std::string_view name_of(Level level) {
  return word(level);
}
std::string_view name_of(Verdict verdict) {
  return word(verdict);
}
std::string_view name_of(StorageChange change) {
  return word(change);
}
std::string_view name_of(TransactionShape shape) {
  return word(shape);
}
std::string_view name_of(Change change) {
  return word(change);
}
std::string_view name_of(DataChange change) {
  return word(change);
}
std::string_view name_of(SchemaFactKind kind) {
  return word(kind);
}

std::string_view name_of(HistoryFactKind kind) {
  return word(kind);
}
std::string_view name_of(ChangeClass change) {
  return word(change);
}

std::string_view name_of(Stage stage) {
  return word(stage);
}
std::string_view name_of(Depth depth) {
  return word(depth);
}
std::string_view name_of(StopKind how) {
  return word(how);
}
std::string_view name_of(TimeVerdict verdict) {
  return word(verdict);
}
std::string_view name_of(OldUseKind kind) {
  return word(kind);
}
std::string_view name_of(BackupForm form) {
  return word(form);
}
std::string_view name_of(RoadKind kind) {
  return word(kind);
}
std::string_view name_of(Mark mark) {
  return word(mark);
}
std::string_view name_of(Decision decision) {
  return word(decision);
}
std::string_view name_of(Moment moment) {
  return word(moment);
}
std::string_view name_of(FailureKind kind) {
  return word(kind);
}

std::optional<Level> level_named(std::string_view name) {
  return value_named<Level>(name);
}

template <typename Enum>
std::optional<Enum> value_named(std::string_view name) {
  const auto& words = Words<Enum>::k_words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

template <typename Enum>
std::vector<std::string> names_of() {
  return {Words<Enum>::k_words.begin(), Words<Enum>::k_words.end()};
}

template std::optional<Side> value_named(std::string_view);
template std::optional<Level> value_named(std::string_view);
template std::optional<Verdict> value_named(std::string_view);
template std::optional<StorageChange> value_named(std::string_view);
template std::optional<TransactionShape> value_named(std::string_view);
template std::optional<Change> value_named(std::string_view);
template std::optional<DataChange> value_named(std::string_view);
template std::optional<SchemaFactKind> value_named(std::string_view);
template std::optional<HistoryFactKind> value_named(std::string_view);
template std::optional<ChangeClass> value_named(std::string_view);
template std::optional<Stage> value_named(std::string_view);
template std::optional<Depth> value_named(std::string_view);
template std::optional<StopKind> value_named(std::string_view);
template std::optional<TimeVerdict> value_named(std::string_view);
template std::optional<OldUseKind> value_named(std::string_view);
template std::optional<BackupForm> value_named(std::string_view);
template std::optional<RoadKind> value_named(std::string_view);
template std::optional<Mark> value_named(std::string_view);
template std::optional<Decision> value_named(std::string_view);
template std::optional<Moment> value_named(std::string_view);
template std::optional<FailureKind> value_named(std::string_view);

template std::vector<std::string> names_of<Side>();
template std::vector<std::string> names_of<Level>();
template std::vector<std::string> names_of<Verdict>();
template std::vector<std::string> names_of<Depth>();
template std::vector<std::string> names_of<StopKind>();
template std::vector<std::string> names_of<TimeVerdict>();
template std::vector<std::string> names_of<OldUseKind>();
template std::vector<std::string> names_of<BackupForm>();
template std::vector<std::string> names_of<RoadKind>();
template std::vector<std::string> names_of<Mark>();
template std::vector<std::string> names_of<Decision>();
template std::vector<std::string> names_of<StorageChange>();
template std::vector<std::string> names_of<TransactionShape>();
template std::vector<std::string> names_of<Change>();
template std::vector<std::string> names_of<DataChange>();
template std::vector<std::string> names_of<SchemaFactKind>();
template std::vector<std::string> names_of<HistoryFactKind>();
template std::vector<std::string> names_of<ChangeClass>();
template std::vector<std::string> names_of<Stage>();
template std::vector<std::string> names_of<Moment>();
template std::vector<std::string> names_of<FailureKind>();

}  // namespace lockkeeper::record
