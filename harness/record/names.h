#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"

/// Every enumeration of the record as the word that reports and JSON write, and back.
namespace lockkeeper::record {

std::string_view name_of(Side side);
std::string_view name_of(Level level);
std::string_view name_of(Verdict verdict);
std::string_view name_of(StorageChange change);
std::string_view name_of(TransactionShape shape);
std::string_view name_of(Change change);
std::string_view name_of(DataChange change);
std::string_view name_of(SchemaFactKind kind);
std::string_view name_of(HistoryFactKind kind);
std::string_view name_of(Stage stage);
std::string_view name_of(ChangeClass change);
std::string_view name_of(Depth depth);
std::string_view name_of(StopKind how);
std::string_view name_of(TimeVerdict verdict);
std::string_view name_of(OldUseKind kind);
std::string_view name_of(BackupForm form);
std::string_view name_of(RoadKind kind);
std::string_view name_of(Mark mark);
std::string_view name_of(Decision decision);
std::string_view name_of(Moment moment);
std::string_view name_of(FailureKind kind);

std::optional<Level> level_named(std::string_view name);

/// The inverse of name_of, for any enumeration above; none for a word that it does not know.
template <typename Enum>
std::optional<Enum> value_named(std::string_view name);

/// Every word of an enumeration, in the order of its values.
template <typename Enum>
std::vector<std::string> names_of();

}  // namespace lockkeeper::record
