#include "base/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/interrupt.h"
#include "base/text.h"

// Plain fork and exec: between the two only async-signal-safe calls are made, every descriptor is
// close-on-exec from the moment it exists, and the privileges are dropped before the death signal is set,
// since changing them clears it.

namespace lockkeeper {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds k_last_grace{5000};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// All that the child needs, made before fork since it may not allocate after it.
struct Image {
  std::string program;
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
};

bool taken_out(std::string_view variable, const Command& command) {
  const std::string_view name = variable.substr(0, variable.find('='));
  if (command.environment.count(std::string(name)) != 0) return true;
  return std::any_of(command.unset.begin(), command.unset.end(), [&](const std::string& pattern) {
    if (pattern.ends_with('*'))
      return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
    return name == pattern;
  });
}

Result<Image> make_image(const Command& command) {
  Image image;
  const std::string& name = command.argv.at(0);
  if (name.find('/') != std::string::npos) {
    image.program = name;
  } else if (const auto found = find_in_path(name)) {
    image.program = found->string();
  } else {
    return failed(FailureKind::environment, fmt::format("cannot run '{}': not found in PATH", name));
  }
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    if (!taken_out(*variable, command)) image.environment.emplace_back(*variable);
  }
  for (const auto& [key, value] : command.environment) image.environment.push_back(key + "=" + value);
  for (const std::string& argument : command.argv) image.argv.push_back(const_cast<char*>(argument.c_str()));
  for (std::string& variable : image.environment) image.envp.push_back(variable.data());
  image.argv.push_back(nullptr);
  image.envp.push_back(nullptr);
  return image;
}

/// How a child differs from us.
struct Shape {
  int input = -1;
  int output = -1;
  int errors = -1;
  int death_signal = 0;  ///< 0: none
  bool own_session = false;
};

enum class Step : int { directory, groups, account, death, session, streams, execute };

struct Stumble {
  Step step;
  int error;
};

const char* text_of(Step step) {
  switch (step) {
    case Step::directory:
      return "cannot change to its working directory";
    case Step::groups:
      return "cannot drop the supplementary groups";
    case Step::account:
      return "cannot change to its account";
    case Step::death:
      return "cannot bind its life to ours";
    case Step::session:
      return "cannot give it a process group";
    case Step::streams:
      return "cannot connect its streams";
    case Step::execute:
      return "cannot be executed";
  }
  return "";
}

[[noreturn]] void give_up(int report, Step step) {
  const Stumble stumble{step, errno};
  if (::write(report, &stumble, sizeof stumble) < 0) {
    // The parent is gone: nobody is left to tell.
  }
  ::_exit(127);
}

void restore_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void drop_to(const RunAs& account, int report) {
  if (::geteuid() != 0) return;
  const gid_t group = account.gid;
  if (::setgroups(1, &group) != 0) give_up(report, Step::groups);
  if (::setgid(account.gid) != 0 || ::setuid(account.uid) != 0) give_up(report, Step::account);
}

[[noreturn]] void become(const Image& image, const Command& command, const Shape& shape, pid_t parent,
                         int report) {
  restore_signals();
  if (shape.own_session ? ::setsid() < 0 : ::setpgid(0, 0) != 0) give_up(report, Step::session);
  // Before the account changes: the directory may be open to us only.
  if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) give_up(report, Step::directory);
  if (command.run_as) drop_to(*command.run_as, report);
  if (shape.death_signal != 0) {
    if (::prctl(PR_SET_PDEATHSIG, shape.death_signal) != 0) give_up(report, Step::death);
    if (::getppid() != parent) ::_exit(127);  // it died before the signal was set
  }
  if (command.file_limit) {
    const rlimit limit{*command.file_limit, *command.file_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);  // it is told by EFBIG
  }
  if (::dup2(shape.input, 0) < 0 || ::dup2(shape.output, 1) < 0 || ::dup2(shape.errors, 2) < 0) {
    give_up(report, Step::streams);
  }
  ::execve(image.program.c_str(), image.argv.data(), image.envp.data());
  give_up(report, Step::execute);
}

/// Forks and executes; a failure of the child before exec comes back through a pipe.
Result<pid_t> launch(const Command& command, const Shape& shape) {
  auto image = make_image(command);
  if (!image) return failed(image);
  auto report = make_pipe();
  if (!report)
    return failed(FailureKind::environment,
                  fmt::format("cannot run '{}': {}", image->program, std::strerror(errno)));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(*image, command, shape, parent, report->write.get());
  if (child < 0)
    return failed(FailureKind::environment,
                  fmt::format("cannot run '{}': {}", image->program, std::strerror(errno)));
  report->write.close();
  Stumble stumble{};
  ssize_t got = 0;
  do got = ::read(report->read.get(), &stumble, sizeof stumble);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof stumble)) return child;
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  const std::string as = command.run_as ? fmt::format(" as account '{}'", command.run_as->name) : "";
  const bool closed = command.run_as && stumble.step == Step::execute && stumble.error == EACCES;
  return failed(
      FailureKind::environment,
      fmt::format("cannot run '{}'{}: {}: {}", image->program, as, text_of(stumble.step),
                  std::strerror(stumble.error)),
      closed
          ? "make the program and the directories above it readable for that account, or run lockkeeper as "
            "an ordinary user"
          : "");
}

std::string describe(int status) {
  if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  return fmt::format("killed by SIG{}", name != nullptr ? name : std::to_string(WTERMSIG(status)));
}

int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int milliseconds_left(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

/// One child of run(): its three pipes pumped until they close and the child is gone.
class Pumping {
 public:
  Pumping(pid_t child, Pipe input, Pipe output, Pipe errors, const RunOptions& options)
      : m_child(child),
        m_input(std::move(input.write)),
        m_output(std::move(output.read)),
        m_errors(std::move(errors.read)),
        m_options(options) {
    if (!m_options.input) m_input.close();
    if (m_options.leftovers == Leftovers::end) m_exit = Descriptor(open_pidfd(child));
    for (const Descriptor* end : {&m_input, &m_output, &m_errors}) {
      if (end->get() >= 0) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
    }
  }
  Pumping(const Pumping&) = delete;
  Pumping& operator=(const Pumping&) = delete;
  ~Pumping() {
    if (!m_reaped) end_group();
  }

  Result<Finished> until_end(const std::string& program) {
    const auto until = Clock::now() + m_options.deadline;
    while (m_output.get() >= 0 || m_errors.get() >= 0) {
      if (interrupted()) return failed_by_interrupt();
      if (m_options.deadline.count() > 0 && Clock::now() >= until) {
        return failed(FailureKind::environment, fmt::format("cannot finish '{}': still running after {}",
                                                            program, human(m_options.deadline)));
      }
      int timeout = m_options.deadline.count() > 0 ? milliseconds_left(until) : -1;
      if (m_options.leftovers == Leftovers::end) {
        if (has_ended()) {
          end_leftovers();
          break;
        }
        // Without pidfd_open (kernels before 5.3) the exit is looked for every 20 ms.
        if (m_exit.get() < 0) timeout = timeout < 0 ? 20 : std::min(timeout, 20);
      }
      auto pumped = pump(timeout);
      if (!pumped) return failed(pumped);
    }
    return reap(program, until);
  }

 private:
  Result<void> pump(int timeout) {
    std::array<pollfd, 5> polled{{{m_input.get(), POLLOUT, 0},
                                  {m_output.get(), POLLIN, 0},
                                  {m_errors.get(), POLLIN, 0},
                                  {interrupt_descriptor(), POLLIN, 0},
                                  {m_exit.get(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), timeout) <= 0) return {};
    if (polled[1].revents != 0) drain(m_output, m_finished.output, m_options.watch_output);
    if (polled[2].revents != 0) drain(m_errors, m_finished.errors, m_options.watch_errors);
    if (m_options.take_output && !m_finished.output.empty()) {
      const auto taken = m_options.take_output(m_finished.output);
      m_finished.output.clear();
      if (!taken) return failed(taken);
    }
    if (polled[0].revents != 0) return feed();
    return {};
  }

  /// Has the child ended? It stays to be reaped, so that its group cannot be another's meanwhile.
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(m_child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == m_child;
  }

  void end_leftovers() {
    ::kill(-m_child, SIGKILL);
    const auto all_said = [](Descriptor& from) {
      pollfd polled{from.get(), POLLIN, 0};
      return from.get() < 0 || ::poll(&polled, 1, 0) == 0;
    };
    // One that has left the group may go on talking for ever.
    for (int pieces = 0; pieces < 1000 && !all_said(m_output); ++pieces)
      drain(m_output, m_finished.output, m_options.watch_output);
    for (int pieces = 0; pieces < 1000 && !all_said(m_errors); ++pieces)
      drain(m_errors, m_finished.errors, m_options.watch_errors);
    m_output.close();
    m_errors.close();
  }

  void drain(Descriptor& from, std::string& into, const std::function<void(std::string_view)>& watch) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return from.close();
    const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    if (watch) watch(text);
    into.append(text.substr(0, m_options.output_limit - std::min(m_options.output_limit, into.size())));
  }

  Result<void> feed() {
    if (m_pending_from == m_pending_to) {
      m_buffer.resize(65536);
      auto got = m_options.input(m_buffer.data(), m_buffer.size());
      if (!got) return failed(got);
      m_pending_from = 0;
      m_pending_to = *got;
      if (*got == 0) {
        m_input.close();
        return {};
      }
    }
    const ssize_t put =
        ::write(m_input.get(), m_buffer.data() + m_pending_from, m_pending_to - m_pending_from);
    if (put >= 0) {
      m_pending_from += static_cast<std::size_t>(put);
    } else if (errno != EINTR && errno != EAGAIN) {
      m_input.close();  // it reads no further: its exit code says why
    }
    return {};
  }

  Result<Finished> reap(const std::string& program, Clock::time_point until) {
    m_input.close();
    const Descriptor watch(open_pidfd(m_child));
    int status = 0;
    while (true) {
      if (m_options.leftovers == Leftovers::end && has_ended()) ::kill(-m_child, SIGKILL);
      const pid_t got = ::waitpid(m_child, &status, watch.get() >= 0 ? WNOHANG : 0);
      if (got == m_child) break;
      if (got < 0 && errno != EINTR)
        return failed(FailureKind::environment,
                      fmt::format("cannot wait for '{}': {}", program, std::strerror(errno)));
      if (interrupted()) return failed_by_interrupt();
      if (m_options.deadline.count() > 0 && Clock::now() >= until) {
        return failed(FailureKind::environment, fmt::format("cannot finish '{}': still running after {}",
                                                            program, human(m_options.deadline)));
      }
      std::array<pollfd, 2> polled{{{watch.get(), POLLIN, 0}, {interrupt_descriptor(), POLLIN, 0}}};
      ::poll(polled.data(), polled.size(), m_options.deadline.count() > 0 ? milliseconds_left(until) : -1);
    }
    m_reaped = true;
    m_finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    m_finished.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return std::move(m_finished);
  }

  void end_group() {
    ::kill(-m_child, SIGKILL);
    while (::waitpid(m_child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  pid_t m_child;
  Descriptor m_input;
  Descriptor m_output;
  Descriptor m_errors;
  Descriptor m_exit;  ///< pidfd of the child, where its end is to be seen
  const RunOptions& m_options;
  std::vector<char> m_buffer;
  std::size_t m_pending_from = 0;
  std::size_t m_pending_to = 0;
  Finished m_finished;
  bool m_reaped = false;
};

}  // namespace

std::string Finished::status() const {
  if (signal == 0) return fmt::format("exit code {}", exit_code);
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("killed by SIG{}", name != nullptr ? name : std::to_string(signal));
}

Result<Finished> run(const Command& command, const RunOptions& options) {
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  if (!input || !output || !errors) {
    return failed(FailureKind::environment,
                  fmt::format("cannot run '{}': {}", command.argv.at(0), std::strerror(errno)));
  }
  Shape shape;
  shape.input = input->read.get();
  shape.output = output->write.get();
  shape.errors = errors->write.get();
  shape.death_signal = SIGTERM;
  const auto child = launch(command, shape);
  if (!child) return failed(child);
  input->read.close();
  output->write.close();
  errors->write.close();
  Pumping pumping(*child, std::move(*input), std::move(*output), std::move(*errors), options);
  return pumping.until_end(command.argv.at(0));
}

Result<Daemon> Daemon::start(const Command& command, const std::filesystem::path& log, Life life) {
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Descriptor file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0 || nothing.get() < 0) {
    return failed(FailureKind::environment,
                  fmt::format("cannot write '{}': {}", log.string(), std::strerror(errno)));
  }
  Shape shape;
  shape.input = nothing.get();
  shape.output = file.get();
  shape.errors = file.get();
  // SIGQUIT is PostgreSQL's immediate shutdown: it ends its children and takes socket and lock file with it.
  shape.death_signal = life == Life::bound_to_ours ? SIGQUIT : 0;
  shape.own_session = true;
  const auto child = launch(command, shape);
  if (!child) return failed(child);
  return Daemon(*child, open_pidfd(*child), life);
}

Daemon::Daemon(Daemon&& other) noexcept
    : m_pid(std::exchange(other.m_pid, -1)),
      m_descriptor(std::exchange(other.m_descriptor, -1)),
      m_life(other.m_life),
      m_ended(other.m_ended),
      m_status(std::move(other.m_status)) {}

Daemon& Daemon::operator=(Daemon&& other) noexcept {
  if (this != &other) {
    release();
    m_pid = std::exchange(other.m_pid, -1);
    m_descriptor = std::exchange(other.m_descriptor, -1);
    m_life = other.m_life;
    m_ended = other.m_ended;
    m_status = std::move(other.m_status);
  }
  return *this;
}

Daemon::~Daemon() {
  release();
}

void Daemon::release() {
  if (m_pid > 0 && m_life == Life::bound_to_ours) stop(SIGQUIT, k_last_grace);
  if (m_descriptor >= 0) ::close(std::exchange(m_descriptor, -1));
  m_pid = -1;
}

void Daemon::reap(int status) {
  m_ended = true;
  m_status = describe(status);
}

bool Daemon::ended() {
  int status = 0;
  if (!m_ended && m_pid > 0 && ::waitpid(m_pid, &status, WNOHANG) == m_pid) reap(status);
  return m_ended || m_pid <= 0;
}

bool Daemon::wait_for(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (!ended()) {
    const int left = milliseconds_left(until);
    if (left == 0) return false;
    pollfd polled{m_descriptor, POLLIN, 0};
    // Without pidfd_open (kernels before 5.3) the exit is looked for every 2 ms.
    ::poll(&polled, 1, m_descriptor >= 0 ? left : std::min(left, 2));
  }
  return true;
}

bool Daemon::stop(int signal, std::chrono::milliseconds deadline) {
  if (ended()) return true;
  ::kill(m_pid, signal);
  if (wait_for(deadline)) return true;
  ::kill(m_pid, SIGKILL);
  wait_for(k_last_grace);
  return false;
}

std::optional<std::filesystem::path> find_in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const std::filesystem::path candidate =
        std::filesystem::path(directory.empty() ? "." : directory) / program;
    std::error_code error;
    if (::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate, error))
      return candidate;
  }
  return std::nullopt;
}

}  // namespace lockkeeper
