#include "check/interruptions.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::check {

std::string stopped_where(const record::Interruption& interruption) {
  const std::string at =
      interruption.location
          ? fmt::format(
                " {} {}:{} '{}'", interruption.how == record::StopKind::ended_inside ? "inside" : "before",
                interruption.location->line, interruption.location->column, abridged(interruption.before, 60))
          : "";
  if (interruption.how == record::StopKind::database_locked)
    return fmt::format("while another connection writes{}", at.empty() ? "" : ", from" + at + " on");
  return at.empty() ? "stopped before its COMMIT" : "stopped" + at;
}

std::string what_differs(const record::StateDifference& difference, Later later) {
  std::vector<std::string> parts;
  if (!difference.objects.empty()) parts.push_back(object_summary(difference.objects, later));
  if (!difference.data.empty()) parts.push_back("other data in " + data_summary(difference.data));
  return join(parts, "; ");
}

}  // namespace lockkeeper::check
