#include "engine/postgres/state_session.h"

#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {
namespace {

constexpr PinnedSetting k_text_settings[] = {
    {"datestyle", "'ISO, MDY'", "ISO, MDY"},
    {"intervalstyle", "'postgres'", "postgres"},
    {"timezone", "'UTC'", "UTC"},
    {"extra_float_digits", "1", "1"},
    {"bytea_output", "'hex'", "hex"},
    {"lc_monetary", "'C'", "C"},
    {"xmlbinary", "'base64'", "base64"},
    {"quote_all_identifiers", "off", "off"},
};

constexpr PinnedSetting k_settings[] = {
    {"search_path", "''", "\"\""},
    {"client_encoding", "'UTF8'", "UTF8"},
    {"row_security", "off", "off"},
    {"statement_timeout", "0", "0"},
    // A prepared transaction that a migration left can hold a lock for ever.
    {"lock_timeout", "'10s'", "10s"},
    {"idle_in_transaction_session_timeout", "0", "0"},
    {"default_transaction_read_only", "off", "off"},
    {"default_transaction_isolation", "'read committed'", "read committed"},
    {"plan_cache_mode", "'force_generic_plan'", "force_generic_plan"},
    // Compiling the catalog query would take longer than running it.
    {"jit", "off", "off"},
};

/// Only a superuser may set it; the words of errors are all that it changes.
constexpr const char* k_english =
    " SELECT set_config('lc_messages', 'C', false) FROM pg_roles WHERE rolname = current_user AND rolsuper;";

}  // namespace

std::span<const PinnedSetting> text_settings() {
  return k_text_settings;
}

Result<Connection> open_state_session(const std::string& connection) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  std::string message = "SET ROLE NONE;";
  std::vector<PinnedSetting> settings(std::begin(k_settings), std::end(k_settings));
  settings.insert(settings.end(), std::begin(k_text_settings), std::end(k_text_settings));
  std::vector<std::string> shown;
  for (const PinnedSetting& setting : settings) {
    message += fmt::format(" SET {} = {};", setting.name, setting.value);
    shown.push_back(fmt::format("current_setting('{}')", setting.name));
  }
  const auto rows = session->rows(message + k_english + " SELECT " + join(shown, ", "));
  if (!rows) return failed(rows);
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const std::string found = rows->at(0)[i].value_or("");
    if (found == settings[i].shown) continue;
    return failed(FailureKind::environment,
                  fmt::format("cannot pin the setting '{}': it stays '{}'", settings[i].name, found));
  }
  return session;
}

}  // namespace lockkeeper::engine::postgres
