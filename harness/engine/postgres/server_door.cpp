#include "engine/postgres/server_door.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "base/text.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

bool is_encrypted(PGconn* connection) {
  return PQsslInUse(connection) != 0 || PQgssEncInUse(connection) != 0;
}

/// A session that is not encrypted, where the string does not ask for encryption.
Result<Connection> open_in_the_clear(const std::string& connection) {
  auto session = Connection::open(connection);
  if (!session || !is_encrypted(session->handle())) return session;
  // libpq's own preference is to encrypt where the server can.
  std::string plain = connection;
  for (const char* keyword : {"sslmode", "gssencmode"}) {
    const std::string asked = parameter_of(connection, keyword);
    if (!asked.empty() && asked != "prefer" && asked != "allow") continue;
    auto changed = with_parameter(plain, keyword, "disable");
    if (!changed) return failed(changed);
    plain = std::move(*changed);
  }
  auto again = Connection::open(plain);
  if (again && !is_encrypted(again->handle())) return again;
  return failed(FailureKind::environment, "cannot watch a tool through an encrypted connection",
                "use sslmode=disable in the URL of --server, or a server of ours");
}

std::string said_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

}  // namespace

Result<ServerDoor> ServerDoor::find(const std::string& connection) {
  const auto session = open_in_the_clear(connection);
  if (!session) return failed(session);
  PGconn* handle = session->handle();
  ServerDoor door;
  door.address_size = sizeof door.address;
  if (::getpeername(PQsocket(handle), reinterpret_cast<sockaddr*>(&door.address), &door.address_size) != 0) {
    return failed(FailureKind::environment,
                  fmt::format("cannot find where the server listens: {}", std::strerror(errno)));
  }
  door.user = said_or_empty(PQuser(handle));
  door.password = said_or_empty(PQpass(handle));
  door.database = said_or_empty(PQdb(handle));
  return door;
}

Result<Descriptor> ServerDoor::connect() const {
  Descriptor opened(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (opened.get() >= 0 && address.ss_family != AF_UNIX)
    ::setsockopt(opened.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (opened.get() < 0 ||
      ::connect(opened.get(), reinterpret_cast<const sockaddr*>(&address), address_size) != 0) {
    return failed(FailureKind::environment,
                  fmt::format("cannot connect to the server: {}", std::strerror(errno)));
  }
  return opened;
}

Result<Descriptor> listen_on(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) {
    return failed(FailureKind::environment, fmt::format("cannot listen on '{}': the path is too long", path),
                  "set LOCKKEEPER_STORE to a directory with a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor opened(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (opened.get() < 0 ||
      ::bind(opened.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(opened.get(), SOMAXCONN) != 0) {
    return failed(FailureKind::environment,
                  fmt::format("cannot listen on '{}': {}", path, std::strerror(errno)));
  }
  return opened;
}

Result<std::unique_ptr<LoginAnswers>> LoginAnswers::open(const ServerDoor& door,
                                                         const std::filesystem::path& directory) {
  std::unique_ptr<LoginAnswers> answers(new LoginAnswers());
  if (const auto opened = answers->listen_and_connect(door, directory); !opened) return failed(opened);
  return answers;
}

LoginAnswers::~LoginAnswers() {
  PQfinish(m_connection);
  std::error_code error;
  if (!m_socket.empty()) std::filesystem::remove(m_socket, error);
}

tl::unexpected<Failure> LoginAnswers::refused() const {
  return failed(FailureKind::environment,
                fmt::format("cannot log in to the server: {}", trimmed(PQerrorMessage(m_connection))));
}

/// All of it is local and small, so nothing waits: a connection to a unix socket is there at once, and what
/// libpq sends fits into the socket's buffer.
Result<void> LoginAnswers::listen_and_connect(const ServerDoor& door,
                                              const std::filesystem::path& directory) {
  // A port that the kernel gives to nobody else names the file: these are the privileged ones.
  static std::atomic<unsigned> next_port{0};
  const std::string port = std::to_string(1 + next_port++ % 1000);
  m_socket = directory / (".s.PGSQL." + port);
  auto listening = listen_on(m_socket);
  if (!listening) return failed(listening);
  m_listening = std::move(*listening);
  const std::string host = directory.string();
  const std::array<const char*, 10> keywords{
      "host",    "port",       "user",        "password",        "dbname",
      "sslmode", "gssencmode", "requirepeer", "channel_binding", nullptr};
  const std::array<const char*, 10> values{host.c_str(),
                                           port.c_str(),
                                           door.user.c_str(),
                                           door.password.c_str(),
                                           door.database.c_str(),
                                           "disable",
                                           "disable",
                                           "",
                                           "disable",
                                           nullptr};
  m_connection = PQconnectStartParams(keywords.data(), values.data(), 0);
  if (m_connection == nullptr || PQstatus(m_connection) == CONNECTION_BAD ||
      PQconnectPoll(m_connection) == PGRES_POLLING_FAILED)
    return refused();
  m_accepted = Descriptor(::accept4(m_listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  std::array<char, 16384> start_up;
  if (m_accepted.get() < 0 || ::recv(m_accepted.get(), start_up.data(), start_up.size(), 0) <= 0)
    return refused();
  return {};
}

Result<std::string> LoginAnswers::answer(std::string_view request) {
  if (::send(m_accepted.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size()) ||
      PQconnectPoll(m_connection) == PGRES_POLLING_FAILED)
    return refused();
  std::array<char, 16384> said;
  const ssize_t size = ::recv(m_accepted.get(), said.data(), said.size(), 0);
  return size > 0 ? std::string(said.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace lockkeeper::engine::postgres
