#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lockkeeper::workload {

/// What a server's log says of statements in one message.
struct Message {
  enum class Kind {
    begun,     ///< "statement: …", "execute …: …": its time comes in a message of its own, or never
    done,      ///< "duration: … ms  statement: …"
    duration,  ///< "duration: … ms" of the statement before it
    plan,      ///< auto_explain's
    unread,    ///< auto_explain's as XML or YAML
    untimed,   ///< "duration: nan ms": what says no time
  };
  Kind kind = Kind::begun;
  std::string text;
  std::optional<double> ms;
  std::string parameters;  ///< of a plan: "$1 = '42'"
};

/// Reads PostgreSQL's English messages (src/backend/tcop/postgres.c, contrib/auto_explain); none for others,
/// and for the parts of the extended protocol that execute nothing.
std::optional<Message> message_in(std::string_view text);

/// Can it be a number of calls, or of milliseconds? Not NaN, and less than thirty thousand years.
bool is_amount(double number);

/// "Parameters: …" of a detail; empty where it says something else.
std::string_view parameters_in(std::string_view detail);

}  // namespace lockkeeper::workload
