#include "benchmarks/gate/neighbour.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

namespace lockkeeper::gate_proof {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// More than the caches of a core hold, so that it takes bandwidth too and not only time.
constexpr std::size_t k_memory_bytes = 64UL << 20;
constexpr std::size_t k_copied_bytes = 1UL << 20;

enum class Diligence { always, bursts };

std::vector<int> own_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  return cores;
}

void move_memory(std::vector<char>& memory, std::mt19937_64& random) {
  const std::size_t places = memory.size() / k_copied_bytes;
  const std::size_t from = random() % places;
  const std::size_t to = random() % places;
  if (from != to) {
    std::memcpy(&memory[to * k_copied_bytes], &memory[from * k_copied_bytes], k_copied_bytes);
  }
  for (int touched = 0; touched < 2000; ++touched) ++memory[random() % memory.size()];
}

[[noreturn]] void work_on(int core, Diligence diligence) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  ::sched_setaffinity(0, sizeof one, &one);
  std::vector<char> memory(k_memory_bytes, 1);
  std::mt19937_64 random(static_cast<std::uint64_t>(core) + 1);
  for (;;) {
    const auto until = steady_clock::now() + milliseconds(5 + random() % 56);
    while (steady_clock::now() < until) move_memory(memory, random);
    if (diligence == Diligence::bursts) std::this_thread::sleep_for(milliseconds(20 + random() % 381));
  }
}

}  // namespace

std::string to_string(Load load) {
  switch (load) {
    case Load::none:
      return "none";
    case Load::other:
      return "other";
    case Load::both:
      break;
  }
  return "both";
}

Result<Load> load_of(const std::string& name) {
  for (const Load load : {Load::none, Load::other, Load::both}) {
    if (name == to_string(load)) return load;
  }
  return failed(FailureKind::usage, fmt::format("load '{}': unknown", name), "one of: other, both, none");
}

Result<Neighbour> Neighbour::start(Load load, const std::filesystem::path& log) {
  Neighbour neighbour;
  if (load == Load::none) return neighbour;
  Command command;
  command.argv = {"/proc/self/exe", k_neighbour_option, to_string(load)};
  auto started = Daemon::start(command, log, Daemon::Life::bound_to_ours);
  if (!started) return failed(started);
  neighbour.m_processes.push_back(std::move(*started));
  return neighbour;
}

int be_neighbour(const std::string& load) {
  const auto wanted = load_of(load);
  if (!wanted) return 2;
  // The signal that ends a Daemon would leave a core file.
  const rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_CORE, &nothing);
  std::vector<std::jthread> threads;
  // The first core is the one that whoever does not look takes.
  for (const int core : own_cores()) {
    const bool always = *wanted == Load::both || threads.empty();
    threads.emplace_back([core, always] { work_on(core, always ? Diligence::always : Diligence::bursts); });
  }
  return 0;
}

}  // namespace lockkeeper::gate_proof
