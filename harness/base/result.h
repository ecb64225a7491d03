#pragma once

#include <optional>
#include <string>

#include <tl/expected.hpp>

namespace lockkeeper {

/// A place in a file that a person can open: 1-based line and column (in characters), 0 where unknown.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const Location&) const = default;
};

/// "file:line:column", leaving out what is unknown.
std::string to_string(const Location& location);

/// Why something could not be done, and so with which exit code a run ends (design.md, exit codes).
enum class FailureKind {
  usage,        ///< exit 2: options, scenario or history are wrong
  environment,  ///< exit 3: no server, disk full, a time limit of ours
  nothing,      ///< exit 4: nothing was on trial
  interrupted,  ///< exit 130: a signal asked us to stop
};

/// An expected failure as a value: what, where, and what to do next.
struct Failure {
  FailureKind kind = FailureKind::environment;
  std::string message;  ///< "<what> '<name>': <cause>", lower case, no full stop
  std::string hint;     ///< the next action; may be empty
  std::optional<Location> location;
};

/// "file:line:column: error: message\nhint: …" as it is printed on the error stream.
std::string to_string(const Failure& failure);

template <typename T>
using Result = tl::expected<T, Failure>;

/// `return failed(FailureKind::usage, "no such file 'x'", "check the path");`
tl::unexpected<Failure> failed(FailureKind kind, std::string message, std::string hint = {},
                               std::optional<Location> location = std::nullopt);

/// Passes the failure of another result on.
template <typename T>
tl::unexpected<Failure> failed(const Result<T>& result) {
  return tl::unexpected<Failure>(result.error());
}

}  // namespace lockkeeper
