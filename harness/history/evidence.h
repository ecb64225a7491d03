#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "history/format.h"

namespace lockkeeper::history {

/// Path of the go.mod that the folder belongs to, where it requires one of these modules (of whatever major
/// version) itself and not for the sake of another; else empty.
std::string go_module_requiring(const Folder& folder, std::initializer_list<std::string_view> modules);

/// Path of the nearest Cargo.toml in or above the folder that names one of these crates as a dependency; else
/// empty.
std::string cargo_manifest_naming(const Folder& folder, std::initializer_list<std::string_view> crates);

/// Whether the file's text begins so, a byte order mark aside. False where it cannot be read.
bool begins_with(const std::string& path, std::string_view beginning);

/// Whether one of the first files, in the folder or in those below it, holds what SQLite alone takes: PRAGMA,
/// AUTOINCREMENT, WITHOUT ROWID. Comments and quoted text do not count.
bool looks_like_sqlite(const Folder& folder);

/// Whether the folder holds a .sql file at all.
bool has_sql(const Folder& folder);

}  // namespace lockkeeper::history
