#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sql/statement.h"

namespace lockkeeper::engine::postgres {

/// Of a statement's text, what is kept for the record.
constexpr std::size_t k_text_limit = 4000;

/// "UPDATE 3" → 3; SELECT and DDL have no count of rows changed.
std::optional<std::int64_t> rows_changed(const std::string& command);

/// Byte offset of the n-th character (from 1) of UTF-8 text.
std::size_t byte_of_character(std::string_view text, std::size_t position);

/// At most `limit` bytes, never cut inside a character.
std::string shortened(std::string_view text, std::size_t limit);

/// Does a statement that runs outside of transactions leave every row as it is? Index builds and VACUUM do.
bool leaves_rows_alone(std::string_view text, sql::StatementKind kind);

}  // namespace lockkeeper::engine::postgres
