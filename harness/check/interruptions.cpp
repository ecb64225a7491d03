#include "check/interruptions.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::check {

std::string stopped_where(const record::Interruption& interruption) {
  using enum record::StopKind;
  const auto how = interruption.how;
  const bool inside = how == ended_inside || how == lock_timeout || how == statement_timeout;
  const std::string at = interruption.location
                             ? fmt::format(" {} {}:{} '{}'",
                                           inside                 ? "inside"
                                           : how == server_killed ? "at"
                                                                  : "before",
                                           interruption.location->line, interruption.location->column,
                                           abridged(interruption.before, 60))
                             : "";
  if (how == database_locked)
    return fmt::format("while another connection writes{}", at.empty() ? "" : ", from" + at + " on");
  const std::string stopped = how == server_killed       ? "its server killed"
                              : how == lock_timeout      ? "stopped by a lock_timeout"
                              : how == statement_timeout ? "stopped by a statement_timeout"
                                                         : "stopped";
  return stopped + (at.empty() ? " before its COMMIT" : at);
}

Later later_of(record::Side side) {
  return side == record::Side::up ? Later::after_up : Later::after_down;
}

std::string what_differs(const record::StateDifference& difference, Later later) {
  std::vector<std::string> parts;
  if (!difference.objects.empty()) parts.push_back(object_summary(difference.objects, later));
  if (!difference.data.empty()) parts.push_back("other data in " + data_summary(difference.data));
  return join(parts, "; ");
}

}  // namespace lockkeeper::check
