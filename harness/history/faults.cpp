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

void Faults::add_duplicate(std::string path, const std::string& version, const std::string& one,
                           const std::string& other) {
  const std::string message =
      fmt::format("version '{}': two migrations have it, '{}' and '{}'", version, one, other);
  m_duplicates.push_back(
      {record::HistoryFactKind::version_duplicate, version, Location{path, 1, 1}, message, ""});
  add(std::move(path), message, "give one of them a version of its own");
}

Result<void> Faults::refuse(History& history) && {
  if (m_faults.empty()) return {};
  const bool only_duplicates = m_faults.size() == m_duplicates.size();
  history.facts.insert(history.facts.end(), m_duplicates.begin(), m_duplicates.end());
  auto why = std::move(*this).failure();
  if (!only_duplicates) return why;
  history.refused = std::move(why.value());
  return {};
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
