#include "history/faults.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::history {

namespace {

/// As many as fit a screen beside a hint for each.
constexpr std::size_t k_shown = 10;

}  // namespace

void Faults::add(std::string file, std::string message, std::string hint) {
  m_faults.push_back({std::move(file), std::move(message), std::move(hint)});
}

tl::unexpected<Failure> Faults::failure() && {
  std::ranges::stable_sort(m_faults, {}, &Fault::file);
  if (m_faults.size() == 1) {
    const Fault& fault = m_faults.front();
    return failed(FailureKind::usage, fault.message, fault.hint, Location{fault.file, 0, 0});
  }
  std::string message =
      fmt::format("migrations '{}': {} faults in their files", m_directory, m_faults.size());
  std::vector<std::string> hints;
  for (std::size_t i = 0; i < std::min(m_faults.size(), k_shown); ++i) {
    const Fault& fault = m_faults[i];
    message += fmt::format("\n{}: {}", fault.file, fault.message);
    if (std::ranges::find(hints, fault.hint) == hints.end()) hints.push_back(fault.hint);
  }
  if (m_faults.size() > k_shown) message += fmt::format("\nand {} more", m_faults.size() - k_shown);
  return failed(FailureKind::usage, message, join(hints, "; "));
}

}  // namespace lockkeeper::history
