#include "base/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace lockkeeper {

namespace {

// A signal handler can reach nothing but globals; these are written by it alone.
std::atomic<int> g_signal{0};
std::atomic<int> g_write_end{-1};
std::atomic<int> g_read_end{-1};

extern "C" void on_signal(int signal) {
  const int saved = errno;
  g_signal.store(signal);
  const char byte = 0;
  if (::write(g_write_end.load(), &byte, 1) < 0) {
    // A full pipe is readable already, which is all that is wanted.
  }
  errno = saved;
}

}  // namespace

void watch_signals() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  g_read_end.store(ends[0]);
  g_write_end.store(ends[1]);
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // A limit on the size of files is met as a full disk is: write(2) says no.
  ::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() {
  return g_signal.load() != 0;
}

int interrupt_descriptor() {
  return g_read_end.load();
}

tl::unexpected<Failure> failed_by_interrupt() {
  return failed(FailureKind::interrupted, fmt::format("interrupted by {}", ::strsignal(g_signal.load())));
}

}  // namespace lockkeeper
