#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/text.h"
#include "history/format.h"

namespace lockkeeper::history {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_head_bytes = 65536;

constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

/// The first bytes of a file without its byte order mark. Not with a stream: there may be ten thousand files.
std::string beginning_of(const std::string& path) {
  std::array<char, 64> bytes{};
  // A pipe that nobody writes to would keep us waiting.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const ssize_t got = file.get() < 0 ? 0 : ::read(file.get(), bytes.data(), bytes.size());
  std::string_view text(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
  return std::string(text);
}

bool may_hold_sections(const Entry& entry) {
  const std::string& name = entry.name;
  return !entry.is_directory && name.ends_with(".sql") && !name.starts_with('.') &&
         !name.ends_with(".up.sql") && !name.ends_with(".down.sql");
}

bool has_line(std::string_view text, std::string_view marker) {
  for (std::size_t at = text.find(marker); at != std::string_view::npos; at = text.find(marker, at + 1)) {
    std::size_t line = at;
    while (line > 0 && (text[line - 1] == ' ' || text[line - 1] == '\t')) --line;
    if (line == 0 || text[line - 1] == '\n' || text.substr(0, line) == k_byte_order_mark) return true;
  }
  return false;
}

}  // namespace

Result<std::vector<Entry>> list(const std::string& directory) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    entries.push_back({at->path().filename().string(), at->is_directory(ignored)});
  }
  if (error) {
    return failed(FailureKind::usage, fmt::format("migrations '{}': {}", directory, error.message()),
                  "name a folder that holds migrations and can be read");
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

Result<Folder> Folder::open(const std::string& directory, const scenario::Tool& tool) {
  auto entries = list(directory);
  if (!entries) return failed(entries);
  Folder folder;
  folder.m_path = directory;
  folder.m_entries = std::move(*entries);
  folder.m_tool = tool;
  return folder;
}

std::string Folder::path_of(std::string_view name) const {
  return (fs::path(m_path) / name).string();
}

bool Folder::has(std::string_view name) const {
  return std::any_of(m_entries.begin(), m_entries.end(),
                     [&](const Entry& entry) { return entry.name == name; });
}

const std::vector<Folder::Head>& Folder::heads() const {
  if (m_heads) return *m_heads;
  m_heads = std::make_shared<std::vector<Head>>();
  for (const Entry& entry : m_entries) {
    if (may_hold_sections(entry))
      m_heads->push_back({entry.name, lower(first_bytes(path_of(entry.name), k_head_bytes))});
  }
  return *m_heads;
}

std::string Folder::first_with_line(std::string_view marker) const {
  const std::string wanted = lower(marker);
  for (const Head& head : heads()) {
    if (has_line(head.text, wanted)) return head.name;
  }
  return {};
}

std::string Folder::first_beginning_with(std::string_view beginning) const {
  if (!m_beginnings) {
    m_beginnings = std::make_shared<std::vector<Head>>();
    for (const Entry& entry : m_entries) {
      if (!entry.is_directory && entry.name.ends_with(".sql") && !entry.name.starts_with('.'))
        m_beginnings->push_back({entry.name, beginning_of(path_of(entry.name))});
    }
  }
  for (const Head& head : *m_beginnings) {
    if (head.text.starts_with(beginning)) return head.name;
  }
  return {};
}

std::optional<std::string> Folder::above(const std::string& name) const {
  const auto all = all_above(name);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<std::string> Folder::all_above(const std::string& name) const {
  std::vector<std::string> found;
  std::error_code error;
  fs::path at = fs::weakly_canonical(fs::absolute(m_path, error), error);
  while (!error && !at.empty()) {
    if (fs::is_regular_file(at / name, error)) found.push_back((at / name).string());
    if (fs::exists(at / ".git", error) || at == at.root_path()) break;
    at = at.parent_path();
  }
  return found;
}

}  // namespace lockkeeper::history
