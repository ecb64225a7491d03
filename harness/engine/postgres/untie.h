#pragma once

#include <string>

namespace lockkeeper::engine::postgres {

/// FORCE ends sessions, but neither what PREPARE TRANSACTION left nor a subscription; only a session in the
/// database itself may. `connection` leads there, and it must be one of ours.
void untie_database(const std::string& connection);

}  // namespace lockkeeper::engine::postgres
