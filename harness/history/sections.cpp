#include "history/sections.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "history/pairing.h"

namespace lockkeeper::history {

NumberedFile numbered_file(std::string_view file) {
  const std::size_t digits = std::min(file.find_first_not_of("0123456789"), file.size());
  NumberedFile numbered;
  numbered.version = file.substr(0, digits);
  std::string_view name = file.substr(digits);
  if (name.ends_with(".sql")) name.remove_suffix(4);
  if (name.starts_with('_') || name.starts_with('-')) name.remove_prefix(1);
  numbered.name = name;
  return numbered;
}

SectionedHistory::SectionedHistory(const Folder& folder, Read read, Find find)
    : m_directory(folder.path()),
      m_dialect(folder.dialect()),
      m_read(read),
      m_find(find),
      m_faults(folder.path()) {
  m_history.directory = folder.path();
}

void SectionedHistory::leave(const Entry& entry, std::string_view reason) {
  m_history.not_taken.push_back(left_file(entry, reason));
}

void SectionedHistory::take(const Entry& entry, NumberedFile numbered) {
  Migration migration;
  migration.version = std::move(numbered.version);
  migration.name = std::move(numbered.name);
  migration.up_path = (std::filesystem::path(m_directory) / entry.name).string();
  migration.read = m_read;
  migration.dialect = m_dialect;
  const auto source = read_source(migration.up_path, migration.dialect);
  const auto sections = source ? m_find(**source) : Result<Sections>(failed(source));
  if (!sections) {
    m_faults.add(sections.error().location ? to_string(*sections.error().location) : migration.up_path,
                 sections.error().message, sections.error().hint);
    return;
  }
  migration.up_line = sections->up_line;
  if (sections->down_line > 0) {
    migration.down_path = migration.up_path;
    migration.down_line = sections->down_line;
  }
  m_history.migrations.push_back(std::move(migration));
}

Result<History> SectionedHistory::finish(const std::function<void(std::vector<Migration>&)>& order,
                                         Key key) && {
  std::map<std::string, const Migration*> known;
  for (const Migration& migration : m_history.migrations) {
    const auto [first, added] =
        known.emplace(key == nullptr ? migration.version : key(migration.version), &migration);
    if (added) continue;
    const auto file = [](const Migration& one) {
      return std::filesystem::path(one.up_path).filename().string();
    };
    m_faults.add_duplicate(migration.up_path, migration.version, file(*first->second), file(migration));
  }
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  order(m_history.migrations);
  return std::move(m_history);
}

}  // namespace lockkeeper::history
