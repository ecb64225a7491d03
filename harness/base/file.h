#pragma once

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockkeeper {

/// What a system call said no to: "cannot <what> '<path>': <the error's text>".
tl::unexpected<Failure> cannot(std::string_view what, const std::filesystem::path& path, int error = errno,
                               FailureKind kind = FailureKind::environment);
/// The same for what lies in the store: its hint is how to have that elsewhere.
tl::unexpected<Failure> cannot_in_store(std::string_view what, const std::filesystem::path& path,
                                        int error = errno);

/// A usage failure for a pipe or a device: what is read once would be empty for who reads it afterwards, or
/// keep the reader waiting for ever.
Result<void> expect_no_pipe(const std::filesystem::path& path);

/// The whole file as bytes; a usage failure where it is missing, a directory or unreadable.
Result<std::string> read_file(const std::filesystem::path& path);

/// At most so many bytes from the beginning of a regular file; empty where it is none or cannot be read.
std::string first_bytes(const std::filesystem::path& path, std::size_t limit);

/// Writes beside the target, then renames, so that a reader sees the old file or the new one whole.
Result<void> write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace lockkeeper
