#pragma once

#include <utility>
#include <vector>

#include <sched.h>

namespace lockkeeper::rehearsal {

/// Holds the calling thread, and processes, on one core: a query of microseconds takes three times as long
/// where its two sides sit on different cores, and which of both it is changes by the second. The one that
/// was least busy in the last moments is taken. What was moved goes back with the object.
class CorePin {
 public:
  /// All of them or none. No processes: the thread alone.
  explicit CorePin(const std::vector<int>& processes);
  ~CorePin();
  CorePin(const CorePin&) = delete;
  CorePin& operator=(const CorePin&) = delete;

  /// -1: nothing could be pinned.
  int core() const { return m_core; }

 private:
  bool move(int process, int core);
  std::vector<std::pair<int, cpu_set_t>> m_before;
  int m_core = -1;
};

}  // namespace lockkeeper::rehearsal
