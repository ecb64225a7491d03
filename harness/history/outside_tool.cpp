#include "history/outside_tool.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "history/lines.h"
#include "history/pairing.h"

namespace lockkeeper::history {

namespace fs = std::filesystem;

std::optional<fs::path> node_program(const fs::path& from, const std::string& name) {
  std::error_code error;
  for (fs::path at = fs::weakly_canonical(fs::absolute(from, error), error); !error;) {
    const fs::path program = at / "node_modules" / ".bin" / name;
    std::error_code ignored;
    if (fs::is_regular_file(program, ignored)) return program;
    if (at == at.root_path() || at.empty()) break;
    at = at.parent_path();
  }
  return find_in_path(name);
}

tl::unexpected<Failure> not_installed(const std::string& program, const std::string& hint) {
  return failed(FailureKind::environment, fmt::format("cannot run '{}': it is not installed", program), hint);
}

Result<sql::Script> comments_in_code(const Migration& migration, std::string_view mark) {
  const auto text = read_file(migration.up_path);
  if (!text) return failed(text);
  std::string_view code_text = *text;
  if (code_text.starts_with("\xEF\xBB\xBF")) code_text.remove_prefix(3);
  std::string comments;
  Lines lines(code_text);
  while (lines.next()) {
    const std::string_view code = stripped(lines.line().text);
    if (code.starts_with(mark)) comments += fmt::format("--{}", code.substr(mark.size()));
    comments += '\n';
  }
  auto source = sql::Source::from_text(migration.up_path, comments);
  if (!source) return failed(source);
  sql::Script script;
  script.parts.emplace_back().sources.push_back(std::make_shared<const sql::Source>(std::move(*source)));
  return script;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

namespace {

/// The number at the front of 20240131120000-create-users.js; empty where there is none.
std::string number_of(const std::string& file) {
  const std::size_t end = file.find_first_not_of("0123456789");
  const bool numbered = end != std::string::npos && end > 0 && (file[end] == '_' || file[end] == '-');
  return numbered ? file.substr(0, end) : "";
}

std::string file_of(const Migration& migration) {
  return fs::path(migration.up_path).filename().string();
}

bool all_differ(const std::vector<Migration>& migrations,
                const std::function<std::string(const std::string&)>& name) {
  std::set<std::string> seen{""};
  return std::ranges::all_of(migrations, [&](const Migration& migration) {
    return seen.insert(number_key(name(file_of(migration)))).second;
  });
}

/// The shortest that tells them all apart: number, name without its ending, file.
void name_versions(std::vector<Migration>& migrations) {
  const auto stem = [](const std::string& file) { return fs::path(file).stem().string(); };
  const bool numbers = all_differ(migrations, number_of);
  const bool stems = all_differ(migrations, stem);
  for (Migration& migration : migrations) {
    const std::string file = file_of(migration);
    migration.version = numbers ? number_of(file) : stems ? stem(file) : file;
    if (numbers) migration.name = stem(file).substr(migration.version.size() + 1);
  }
}

}  // namespace

History history_of_code(const Folder& folder, const std::function<std::string(const Entry&)>& leave) {
  History history;
  history.directory = folder.path();
  for (const Entry& entry : folder.entries()) {
    const std::string reason = entry.is_directory ? "a folder" : leave(entry);
    if (!reason.empty()) {
      history.not_taken.push_back(left_file(entry, reason));
      continue;
    }
    Migration migration;
    migration.up_path = folder.path_of(entry.name);
    migration.down_path = migration.up_path;
    migration.read = [](const Migration& one, record::Side) { return comments_in_code(one, "//"); };
    history.migrations.push_back(std::move(migration));
  }
  name_versions(history.migrations);
  return history;
}

std::string literal_of(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    std::string_view rest = text.substr(at + key.size());
    if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
    rest = stripped(rest);
    if (!rest.starts_with(':')) continue;
    rest = stripped(rest.substr(1));
    if (rest.empty() || std::string_view("'\"`").find(rest.front()) == std::string_view::npos) continue;
    const std::size_t end = rest.find(rest.front(), 1);
    if (end != std::string_view::npos) return std::string(rest.substr(1, end - 1));
  }
  return {};
}

}  // namespace lockkeeper::history
