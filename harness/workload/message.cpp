#include "workload/message.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lockkeeper::workload {

namespace {

bool take_front(std::string_view& text, std::string_view front) {
  if (!text.starts_with(front)) return false;
  text.remove_prefix(front.size());
  return true;
}

/// "statement: SQL" or "execute NAME: SQL"; a fetch from a portal executes nothing anew.
std::optional<std::string> statement_in(std::string_view text) {
  if (take_front(text, "statement: ")) return std::string(text);
  if (text.starts_with("execute fetch from ") || !take_front(text, "execute ")) return std::nullopt;
  const std::size_t end = text.find(": ");
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(end + 2));
}

std::optional<Message> json_plan(std::string_view text) {
  // The plan itself is of no use here, and may be nested deeply.
  const auto at_top = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) { return depth <= 1; };
  const auto plan = nlohmann::json::parse(text, at_top, false);
  if (!plan.is_object() || !plan.contains("Query Text") || !plan.at("Query Text").is_string())
    return std::nullopt;
  Message message;
  message.kind = Message::Kind::plan;
  message.text = plan.at("Query Text");
  if (plan.contains("Query Parameters") && plan.at("Query Parameters").is_string())
    message.parameters = plan.at("Query Parameters");
  return message;
}

/// The query's text goes on to the first line of the plan, which has costs.
std::optional<Message> text_plan(std::string_view text) {
  if (!take_front(text, "Query Text: ")) return std::nullopt;
  Message message;
  message.kind = Message::Kind::plan;
  const std::size_t cost = text.find("  (cost=");
  const std::size_t plan = cost == std::string_view::npos ? cost : text.rfind('\n', cost);
  std::string_view query = text.substr(0, plan);
  if (const std::size_t values = query.rfind("\nQuery Parameters: "); values != std::string_view::npos) {
    message.parameters = query.substr(values + std::string_view("\nQuery Parameters: ").size());
    query = query.substr(0, values);
  }
  message.text = query;
  return message;
}

}  // namespace

bool is_amount(double number) {
  return number >= 0 && number < 1e15;
}

std::optional<Message> message_in(std::string_view text) {
  Message message;
  if (!take_front(text, "duration: ")) {
    auto statement = statement_in(text);
    if (!statement) return std::nullopt;
    message.text = std::move(*statement);
    return message;
  }
  const std::string_view number = text.substr(0, text.find(' '));
  text.remove_prefix(number.size());
  if (!take_front(text, " ms")) return std::nullopt;
  double ms = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), ms);
  if (error != std::errc{} || end != number.data() + number.size() || !is_amount(ms)) {
    message.kind = Message::Kind::untimed;
    return message;
  }
  message.ms = ms;
  message.kind = Message::Kind::duration;
  if (trimmed(text).empty()) return message;
  if (!take_front(text, "  ")) return std::nullopt;
  if (take_front(text, "plan:\n")) {
    auto plan = text.starts_with("{") ? json_plan(text) : text_plan(text);
    if (!plan) plan = Message{Message::Kind::unread, {}, {}, {}};
    plan->ms = ms;
    return plan;
  }
  auto statement = statement_in(text);
  if (!statement) return std::nullopt;
  message.kind = Message::Kind::done;
  message.text = std::move(*statement);
  return message;
}

std::string_view parameters_in(std::string_view detail) {
  // PostgreSQL 16 began to write it with a capital.
  if (take_front(detail, "parameters: ") || take_front(detail, "Parameters: ")) return detail;
  return {};
}

}  // namespace lockkeeper::workload
