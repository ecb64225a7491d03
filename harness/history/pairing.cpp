#include "history/pairing.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace lockkeeper::history {

SideFile side_file(std::string_view stem, std::string file, char separator) {
  SideFile side;
  side.file = std::move(file);
  const std::size_t at = stem.find(separator);
  side.version = stem.substr(0, at);
  if (at != std::string_view::npos) side.name = stem.substr(at + 1);
  return side;
}

std::optional<NumberedSide> numbered_side(const std::string& file) {
  const std::size_t digits = file.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos || file[digits] != '_') return std::nullopt;
  const std::size_t up = file.rfind(".up.");
  const std::size_t down = file.rfind(".down.");
  const bool is_up = up != std::string::npos && (down == std::string::npos || up > down);
  const std::size_t at = is_up ? up : down;
  if (at == std::string::npos || at <= digits) return std::nullopt;
  NumberedSide numbered;
  numbered.side = is_up ? record::Side::up : record::Side::down;
  numbered.file.version = file.substr(0, digits);
  numbered.file.name = file.substr(digits + 1, at - digits - 1);
  numbered.file.file = file;
  numbered.file.key = number_key(numbered.file.version);
  return numbered;
}

std::string left_file(const Entry& entry, std::string_view reason) {
  return fmt::format("{}{}: {}", entry.name, entry.is_directory ? "/" : "", reason);
}

bool is_hidden(const std::string& name) {
  return name.starts_with('.');
}

Result<sql::Part> whole_file(const std::string& path, sql::Dialect dialect, record::TransactionShape shape,
                             const std::string& tool) {
  auto source = read_source(path, dialect);
  if (!source) return failed(source);
  return sql::as_one_message(*source, sql::all_of(**source), shape, tool);
}

Pairing::Pairing(const Folder& folder, Read read, Order order)
    : m_read(read), m_order(std::move(order)), m_faults(folder.path()) {
  m_history.directory = folder.path();
}

std::string Pairing::path_of(const std::string& file) const {
  return (std::filesystem::path(m_history.directory) / file).string();
}

void Pairing::leave(const Entry& entry, std::string_view reason) {
  m_history.not_taken.push_back(left_file(entry, reason));
}

void Pairing::leave_file(const std::string& file, std::string_view reason) {
  m_history.not_taken.push_back(fmt::format("{}: {}", file, reason));
}

void Pairing::take(record::Side side, SideFile file) {
  std::map<std::string, SideFile>& sides = side == record::Side::up ? m_ups : m_downs;
  const std::string key = file.key.empty() ? file.version : file.key;
  const auto known = sides.find(key);
  if (known == sides.end()) {
    sides.emplace(key, std::move(file));
    return;
  }
  if (known->second.preferred == file.preferred) {
    m_faults.add_duplicate(path_of(file.file), file.version, known->second.file, file.file);
    return;
  }
  if (file.preferred) std::swap(known->second, file);
  leave_file(file.file, fmt::format("'{}' {}", known->second.file, known->second.preferred_because));
}

Result<History> Pairing::finish() && {
  for (auto& [key, up] : m_ups) {
    Migration migration;
    migration.version = up.version;
    migration.name = up.name;
    migration.up_path = path_of(up.file);
    migration.read = m_read;
    if (const auto down = m_downs.find(key); down != m_downs.end()) {
      migration.down_path = path_of(down->second.file);
      m_downs.erase(down);
    }
    m_history.migrations.push_back(std::move(migration));
  }
  for (const auto& [key, down] : m_downs) {
    if (!m_lone_down.empty()) {
      leave_file(down.file, m_lone_down);
      continue;
    }
    m_faults.add(path_of(down.file), fmt::format("version '{}': a down without its up", down.version),
                 "add the up side, or remove the file");
  }
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  m_order(m_history.migrations);
  std::sort(m_history.not_taken.begin(), m_history.not_taken.end());
  return std::move(m_history);
}

}  // namespace lockkeeper::history
