#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include "base/descriptor.h"
#include "base/result.h"

struct pg_conn;

namespace lockkeeper::engine::postgres {

/// Where a server listens, and as whom a connection string logs in there.
struct ServerDoor {
  sockaddr_storage address{};
  socklen_t address_size = 0;
  std::string user;
  std::string password;  ///< wherever libpq had it from; may be empty
  std::string database;

  /// Finds it by opening a session. A failure where one that is not encrypted cannot be had: what is said on
  /// an encrypted one cannot be read along.
  static Result<ServerDoor> find(const std::string& connection);
  /// A connection on which nothing has been said.
  Result<Descriptor> connect() const;
};

/// Answers what a server asks of whoever logs in, through libpq, which knows how (SCRAM, MD5): it takes us
/// for the server.
class LoginAnswers {
 public:
  /// `directory` is ours alone: a socket is made in it for as long as the object lives.
  static Result<std::unique_ptr<LoginAnswers>> open(const ServerDoor& door,
                                                    const std::filesystem::path& directory);
  ~LoginAnswers();
  LoginAnswers(const LoginAnswers&) = delete;
  LoginAnswers& operator=(const LoginAnswers&) = delete;

  /// The answer to a message of type R; empty where none is due. A failure where there is nothing to answer
  /// with, a password for instance.
  Result<std::string> answer(std::string_view request);

 private:
  LoginAnswers() = default;
  Result<void> listen_and_connect(const ServerDoor& door, const std::filesystem::path& directory);
  tl::unexpected<Failure> refused() const;

  std::filesystem::path m_socket;
  Descriptor m_listening;
  Descriptor m_accepted;
  pg_conn* m_connection = nullptr;
};

/// A listening socket in the file system; anybody who may open the directory may connect.
Result<Descriptor> listen_on(const std::filesystem::path& socket);

}  // namespace lockkeeper::engine::postgres
