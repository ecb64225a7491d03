#include "engine/postgres/client_tools.h"

#include <cstdlib>
#include <regex>
#include <set>
#include <utility>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

Command client_command(const std::map<std::string, std::string>& environment, std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  command.unset = {"PG*", "PSQL*"};
  command.environment = environment;
  // What libpq takes for our own sessions is taken for theirs.
  for (const char* name : {"PGPASSWORD", "PGPASSFILE"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && !command.environment.contains("PGPASSWORD"))
      command.environment.emplace(name, value);
  }
  // Messages are read by us.
  command.environment["LC_MESSAGES"] = "C";
  command.environment["LC_ALL"] = "C.UTF-8";
  return command;
}

bool is_tar_dump(std::string_view head) {
  return head.size() > 512 && head.substr(257, 5) == "ustar" &&
         head.starts_with(std::string_view("toc.dat\0", 8));
}

bool is_harmless(const std::string& message) {
  static const std::regex k_harmless(
      R"re(unrecognized configuration parameter "(transaction_timeout|idle_in_transaction_session_timeout|default_table_access_method|xmloption)"|schema "public" already exists|invalid command \\(un)?restrict)re");
  return std::regex_search(message, k_harmless);
}

std::vector<std::string> client_errors(const std::string& said) {
  static const std::regex k_of_psql(R"re(^psql:.*?: (ERROR|FATAL|PANIC|error): +(.*)$)re");
  constexpr std::string_view k_prefix = "pg_restore: error: ";
  std::vector<std::string> errors;
  std::set<std::string> seen;
  for (const std::string& line : split(said, '\n')) {
    std::string message;
    std::smatch match;
    if (line.starts_with(k_prefix)) {
      message = line.substr(k_prefix.size());
      const std::size_t server = message.find("ERROR:  ");
      if (server != std::string::npos) message = message.substr(server + 8);
    } else if (std::regex_match(line, match, k_of_psql)) {
      message = match[2];
    } else {
      continue;
    }
    if (!is_harmless(message) && seen.insert(message).second) errors.push_back(message);
  }
  return errors;
}

}  // namespace lockkeeper::engine::postgres
