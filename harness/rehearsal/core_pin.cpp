#include "rehearsal/core_pin.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

namespace lockkeeper::rehearsal {

namespace {

constexpr std::chrono::milliseconds k_look{30};

/// Ticks that each core has been idle, by /proc/stat (proc(5): user nice system idle iowait …).
std::map<int, std::int64_t> idle_ticks() {
  std::map<int, std::int64_t> idle;
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("cpu") || line.size() < 4 || line[3] == ' ') continue;
    std::istringstream words(line.substr(3));
    int core = 0;
    std::int64_t user = 0;
    std::int64_t nice = 0;
    std::int64_t system = 0;
    std::int64_t ticks = 0;
    if (words >> core >> user >> nice >> system >> ticks) idle[core] = ticks;
  }
  return idle;
}

int least_busy(const cpu_set_t& allowed) {
  const auto before = idle_ticks();
  std::this_thread::sleep_for(k_look);
  auto after = idle_ticks();
  int best = -1;
  std::int64_t most = -1;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    const auto known = before.find(core);
    const std::int64_t idle = known == before.end() ? 0 : after[core] - known->second;
    if (idle <= most) continue;
    most = idle;
    best = core;
  }
  return best;
}

}  // namespace

CorePin::CorePin(const std::vector<int>& processes) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const int core = least_busy(allowed);
  if (core < 0) return;
  bool all = move(0, core);
  for (const int process : processes) all = all && move(process, core);
  if (all) m_core = core;
}

CorePin::~CorePin() {
  for (const auto& [process, before] : m_before) ::sched_setaffinity(process, sizeof before, &before);
}

/// Read back before it is relied on.
bool CorePin::move(int process, int core) {
  cpu_set_t before;
  CPU_ZERO(&before);
  if (::sched_getaffinity(process, sizeof before, &before) != 0) return false;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (::sched_setaffinity(process, sizeof one, &one) != 0) return false;
  m_before.emplace_back(process, before);
  cpu_set_t seen;
  CPU_ZERO(&seen);
  return ::sched_getaffinity(process, sizeof seen, &seen) == 0 && CPU_EQUAL(&seen, &one) != 0;
}

}  // namespace lockkeeper::rehearsal
