#include "engine/postgres/pass_through.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

using Clock = std::chrono::steady_clock;

// More than a server of ours has room for; what comes then waits in the kernel's queue.
constexpr std::size_t k_most_connections = 200;
constexpr std::chrono::seconds k_before_termination{2};
constexpr std::chrono::seconds k_backends_deadline{30};
constexpr std::chrono::milliseconds k_ask_timeout{10'000};

tl::unexpected<Failure> cannot_watch(const std::string& what) {
  return failed(FailureKind::environment,
                fmt::format("cannot watch the tool: {}: {}", what, std::strerror(errno)));
}

Result<std::string> random_password() {
  std::array<unsigned char, 24> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return cannot_watch("no randomness");
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string percent_encoded(const std::string& text) {
  std::string made;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::strchr("-._~", c) != nullptr;
    made += plain && c != '\0' ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return made;
}

void raise_flag(const Descriptor& flag) {
  const std::uint64_t one = 1;
  // It can only fail where the flag has been raised four billion times.
  static_cast<void>(::write(flag.get(), &one, sizeof one));
}

}  // namespace

std::string PassThroughAddress::url() const {
  return fmt::format("postgresql://{}:{}@{}:{}/{}", percent_encoded(user), password, host, port,
                     percent_encoded(database));
}

Result<std::unique_ptr<PassThrough>> PassThrough::start(const std::string& connection,
                                                        const std::filesystem::path& directory,
                                                        Observe observe,
                                                        std::optional<std::size_t> stop_after,
                                                        std::function<void()> kill_server) {
  std::unique_ptr<PassThrough> made(new PassThrough(connection));
  ToolWatch& watch = made->m_watch;
  auto door = ServerDoor::find(connection);
  if (!door) return failed(door);
  auto before = Observer::relations(watch.committed);
  if (!before) return failed(before);
  auto password = random_password();
  if (!password) return failed(password);
  watch.door = std::move(*door);
  watch.directory = directory;
  watch.before = std::move(*before);
  watch.password = *password;
  watch.observe = observe;
  watch.stop_after = stop_after;
  watch.kill_server = std::move(kill_server);
  watch.closing = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  watch.stop = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (watch.closing.get() < 0 || watch.stop.get() < 0) return cannot_watch("no descriptor");
  made->m_address.sockets = directory;
  made->m_address.user = watch.door.user;
  made->m_address.database = watch.door.database;
  made->m_address.password = std::move(*password);
  if (const auto listening = made->listen(directory); !listening) return failed(listening);
  made->m_accepting = std::thread([pass_through = made.get()] { pass_through->accept_clients(); });
  return made;
}

Result<void> PassThrough::listen(const std::filesystem::path& directory) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  m_tcp = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (m_tcp.get() < 0 || ::bind(m_tcp.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(m_tcp.get(), SOMAXCONN) != 0 ||
      ::getsockname(m_tcp.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return cannot_watch("no port on 127.0.0.1");
  }
  m_address.port = ntohs(address.sin_port);
  auto listening = listen_on(directory / fmt::format(".s.PGSQL.{}", m_address.port));
  if (!listening) return failed(listening);
  m_unix = std::move(*listening);
  return {};
}

PassThrough::~PassThrough() {
  end(std::chrono::milliseconds(0));
  std::error_code error;
  if (m_unix.get() >= 0) {
    std::filesystem::remove(m_address.sockets / fmt::format(".s.PGSQL.{}", m_address.port), error);
  }
}

void PassThrough::accept_clients() {
  while (true) {
    bool full = false;
    {
      const std::lock_guard lock(m_mutex);
      forget_finished();
      full = m_connections.size() >= k_most_connections;
    }
    std::array<pollfd, 3> polled{{{m_watch.closing.get(), POLLIN, 0},
                                  {full ? -1 : m_tcp.get(), POLLIN, 0},
                                  {full ? -1 : m_unix.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), full ? 50 : -1);
    if (polled[0].revents != 0) return;
    if (polled[1].revents != 0) accept_from(m_tcp);
    if (polled[2].revents != 0) accept_from(m_unix);
  }
}

void PassThrough::accept_from(const Descriptor& listening) {
  Descriptor client(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client.get() < 0) {
    // No descriptors are left: others may be given back.
    if (errno == EMFILE || errno == ENFILE) ::poll(nullptr, 0, 10);
    return;
  }
  const std::lock_guard lock(m_mutex);
  Connection& connection = m_connections.emplace_back(std::move(client), m_watch);
  connection.thread = std::thread([this, &connection] { serve(connection); });
}

void PassThrough::serve(Connection& connection) {
  connection.relay.run();
  const std::lock_guard lock(m_mutex);
  connection.done = true;
  m_one_is_done.notify_all();
}

/// With the mutex held. A thread that is done takes it no more.
void PassThrough::forget_finished() {
  m_connections.remove_if([](Connection& connection) {
    if (connection.done) connection.thread.join();
    return connection.done;
  });
}

void PassThrough::end(std::chrono::milliseconds patience) {
  raise_flag(m_watch.closing);
  if (m_accepting.joinable()) m_accepting.join();
  {
    std::unique_lock lock(m_mutex);
    m_one_is_done.wait_for(lock, patience, [this] {
      return std::ranges::all_of(m_connections, [](const Connection& connection) { return connection.done; });
    });
  }
  raise_flag(m_watch.stop);
  for (Connection& connection : m_connections) connection.thread.join();
  m_connections.clear();
}

Result<Seen> PassThrough::finish(std::chrono::milliseconds patience) {
  end(patience);
  // Those of a server that was killed end by themselves; whoever starts it again waits for them.
  const bool killed = m_watch.kill_server && m_watch.seen.stopped;
  if (const auto gone = killed ? Result<void>() : await_backends(m_watch.seen.backends); !gone)
    return failed(gone);
  return std::move(m_watch.seen);
}

/// A process of the server goes on for a while after its connection has ended: it rolls back, or does not
/// even know before its statement is over. Until then it holds its locks.
Result<void> PassThrough::await_backends(const std::set<int>& backends) {
  if (backends.empty()) return {};
  std::vector<std::string> pids;
  for (const int pid : backends) pids.push_back(std::to_string(pid));
  const std::string list = join(pids, ",");
  const std::string where =
      fmt::format("FROM pg_stat_activity WHERE pid IN ({0}) OR leader_pid IN ({0})", list);
  const auto start = Clock::now();
  Client session(m_connection);
  bool terminated = false;
  while (Clock::now() - start < k_backends_deadline) {
    const bool late = !terminated && Clock::now() - start > k_before_termination;
    terminated = terminated || late;
    const auto reply =
        session.send(late ? "SELECT count(pg_terminate_backend(pid)) " + where : "SELECT count(*) " + where,
                     k_ask_timeout, Rows::keep);
    if (!reply) return failed(reply);
    if (reply->error || reply->rows.empty()) {
      return failed(FailureKind::environment, "cannot see whether the tool's sessions have ended: " +
                                                  (reply->error ? reply->error->message : "no answer"));
    }
    if (reply->rows[0][0] == "0") return {};
    pollfd polled{interrupt_descriptor(), POLLIN, 0};
    ::poll(&polled, 1, Clock::now() - start < std::chrono::milliseconds(20) ? 1 : 10);
  }
  return failed(FailureKind::environment, fmt::format("cannot end the tool's sessions: still there after {}",
                                                      human(k_backends_deadline)));
}

}  // namespace lockkeeper::engine::postgres
