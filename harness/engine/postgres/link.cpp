#include "engine/postgres/link.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace lockkeeper::engine::postgres {

namespace {

constexpr std::size_t k_read_bytes = 64 * 1024;

}  // namespace

Link::Link(Descriptor socket) : m_socket(std::move(socket)) {
  ::fcntl(m_socket.get(), F_SETFL, ::fcntl(m_socket.get(), F_GETFL) | O_NONBLOCK);
  // Fails on a unix socket, which has no such delay.
  const int on = 1;
  ::setsockopt(m_socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Link::flush() {
  while (unsent() > 0 && !m_broken) {
    const ssize_t put = ::send(m_socket.get(), m_out.data() + m_sent, unsent(), MSG_NOSIGNAL);
    if (put >= 0) {
      m_sent += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      m_broken = true;
    }
  }
  m_out.clear();
  m_sent = 0;
}

void Link::receive() {
  const ssize_t got = ::recv(m_socket.get(), m_in.room(k_read_bytes), k_read_bytes, 0);
  if (got > 0) {
    m_in.arrived(static_cast<std::size_t>(got));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    m_ended = true;
  }
}

bool Link::closed_by_peer() const {
  pollfd polled{m_socket.get(), POLLRDHUP, 0};
  return m_ended || ::poll(&polled, 1, 0) > 0;
}

void Link::close_writing() {
  ::shutdown(m_socket.get(), SHUT_WR);
}

void Link::abandon() {
  ::shutdown(m_socket.get(), SHUT_RDWR);
  m_ended = true;
  m_broken = true;
}

Link::Woken Link::wait_for(short events, std::chrono::steady_clock::time_point deadline,
                           const Descriptor& stop) const {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Woken::deadline;
    std::array<pollfd, 2> polled{{{m_socket.get(), events, 0}, {stop.get(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), static_cast<int>(std::min<long long>(left, 60'000))) <= 0)
      continue;
    if (polled[1].revents != 0) return Woken::stopped;
    return Woken::ready;
  }
}

Link::Woken Link::wait(std::chrono::steady_clock::time_point deadline, const Descriptor& stop) {
  while (true) {
    flush();
    const bool more = unsent() > 0;
    const Woken woken = wait_for(static_cast<short>(more ? POLLIN | POLLOUT : POLLIN), deadline, stop);
    if (woken != Woken::ready) return woken;
    const std::size_t before = m_in.waiting();
    receive();
    if (m_in.waiting() != before || m_ended) return Woken::ready;
  }
}

void Link::flush_all(std::chrono::steady_clock::time_point deadline, const Descriptor& stop) {
  for (flush(); unsent() > 0 && !m_broken; flush()) {
    if (wait_for(POLLOUT, deadline, stop) != Woken::ready) return;
  }
}

}  // namespace lockkeeper::engine::postgres
