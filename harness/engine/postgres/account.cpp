#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "engine/postgres/postgres.h"

namespace lockkeeper::engine::postgres {

namespace {

std::optional<Account> account_of(const passwd* entry) {
  if (entry == nullptr) return std::nullopt;
  return Account{entry->pw_name, entry->pw_uid, entry->pw_gid};
}

std::optional<Account> named(const char* name) {
  if (name == nullptr || *name == '\0') return std::nullopt;
  std::vector<char> buffer(65536);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) != 0) return std::nullopt;
  return account_of(found);
}

std::optional<Account> numbered(uid_t uid) {
  std::vector<char> buffer(65536);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0) return std::nullopt;
  return account_of(found);
}

}  // namespace

Result<Account> server_account() {
  if (::geteuid() != 0) {
    // A container may run under a number that has no name; PostgreSQL only needs it not to be root.
    if (const auto own = numbered(::geteuid())) return *own;
    return Account{fmt::format("uid {}", ::geteuid()), ::geteuid(), ::getegid()};
  }
  for (const char* name : {"postgres", static_cast<const char*>(std::getenv("SUDO_USER")), "nobody"}) {
    const auto account = named(name);
    if (account && account->uid != 0) return *account;
  }
  return failed(FailureKind::environment,
                "cannot run a server as root: there is no account 'postgres' or 'nobody' to run it as",
                "create one ('useradd --system postgres'), or run lockkeeper as an ordinary user");
}

}  // namespace lockkeeper::engine::postgres
