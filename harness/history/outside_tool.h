#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "history/format.h"

/// What formats share whose sides a program of the project runs.
namespace lockkeeper::history {

/// node_modules/.bin/NAME in or above `from`, as npm would find it, else the one in PATH.
std::optional<std::filesystem::path> node_program(const std::filesystem::path& from, const std::string& name);

/// "cannot run 'knex': it is not installed"
tl::unexpected<Failure> not_installed(const std::string& program, const std::string& hint);

/// The side of a migration in code as far as it is read: its whole-line comments, which begin with `mark`, as
/// SQL's, line by line in the same place.
Result<sql::Script> comments_in_code(const Migration& migration, std::string_view mark);

/// Whether the file's name ends with one of them, as ".js".
bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings);

/// A history of one file of JavaScript a migration, in the order of their names. `leave` says why a file is
/// none; empty: it is one. Versions are the numbers at the front of the names where these tell all apart.
History history_of_code(const Folder& folder, const std::function<std::string(const Entry&)>& leave);

/// The text behind `key:` in a file of JavaScript or JSON, where it is written there as it is; else empty.
std::string literal_of(std::string_view text, std::string_view key);

}  // namespace lockkeeper::history
