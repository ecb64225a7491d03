#include "history/evidence.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "history/lines.h"
#include "sql/lexer.h"

namespace lockkeeper::history {

namespace {

constexpr std::string_view k_mark = "\xEF\xBB\xBF";

bool requires_module(std::string_view line, std::string_view module) {
  if (line.find("// indirect") != std::string_view::npos) return false;
  const std::size_t at = line.find(module);
  if (at == std::string_view::npos) return false;
  const bool begins = at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t';
  const std::string_view rest = line.substr(at + module.size());
  return begins && (rest.starts_with(' ') || rest.starts_with("/v"));
}

/// `crate = …`, `crate.workspace = true`, `[dependencies.crate]`.
bool names_crate(std::string_view line, std::string_view crate) {
  line = stripped(line);
  if (line.starts_with('[')) {
    const std::size_t at = line.rfind("dependencies.");
    return at != std::string_view::npos && line.substr(at + 13).starts_with(crate) &&
           line.substr(at + 13 + crate.size()) == "]";
  }
  if (!line.starts_with(crate)) return false;
  line = stripped(line.substr(crate.size()));
  return line.starts_with('=') || line.starts_with('.');
}

template <typename Says>
bool any_line(const std::string& path, std::initializer_list<std::string_view> names, Says says) {
  const auto text = read_file(path);
  if (!text) return false;
  Lines lines(*text);
  while (lines.next()) {
    for (const std::string_view name : names) {
      if (says(lines.line().text, name)) return true;
    }
  }
  return false;
}

}  // namespace

std::string go_module_requiring(const Folder& folder, std::initializer_list<std::string_view> modules) {
  const auto path = folder.above("go.mod");
  return path && any_line(*path, modules, requires_module) ? *path : std::string();
}

std::string cargo_manifest_naming(const Folder& folder, std::initializer_list<std::string_view> crates) {
  for (const std::string& path : folder.all_above("Cargo.toml")) {
    if (any_line(path, crates, names_crate)) return path;
  }
  return {};
}

bool begins_with(const std::string& path, std::string_view beginning) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::string head(k_mark.size() + beginning.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  std::string_view text(head.data(), static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (text.starts_with(k_mark)) text.remove_prefix(k_mark.size());
  return text.starts_with(beginning);
}

bool has_sql(const Folder& folder) {
  const auto& entries = folder.entries();
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return !entry.is_directory && entry.name.ends_with(".sql"); });
}

namespace {

constexpr std::size_t k_looked_at = 100;
constexpr std::size_t k_looked_bytes = 16384;

bool is_of_sqlite_alone(std::string_view text) {
  using sql::is_keyword;
  sql::Lexer lexer(text, 0, sql::Dialect::sqlite);
  std::string_view before;
  bool begins = true;
  for (sql::Token token = lexer.next_code(); token.kind != sql::TokenKind::end_of_text;
       token = lexer.next_code()) {
    const std::string_view word = token.kind == sql::TokenKind::word ? token.in(text) : std::string_view();
    if (begins && is_keyword(word, "pragma")) return true;
    if (is_keyword(word, "autoincrement")) return true;
    if (is_keyword(before, "without") && is_keyword(word, "rowid")) return true;
    begins = token.kind == sql::TokenKind::symbol && token.in(text) == ";";
    before = word;
  }
  return false;
}

/// Its .sql files and those of the folders in it, in the order of their names, as many as are looked at.
std::vector<std::string> first_sql_files(const Folder& folder) {
  std::vector<std::string> files;
  for (const Entry& entry : folder.entries()) {
    if (files.size() >= k_looked_at) break;
    const std::string path = folder.path_of(entry.name);
    if (!entry.is_directory) {
      if (entry.name.ends_with(".sql")) files.push_back(path);
      continue;
    }
    const auto inner = list(path);
    if (!inner) continue;
    for (const Entry& file : *inner) {
      if (!file.is_directory && file.name.ends_with(".sql")) files.push_back(path + "/" + file.name);
    }
  }
  return files;
}

}  // namespace

bool looks_like_sqlite(const Folder& folder) {
  for (const std::string& path : first_sql_files(folder)) {
    if (is_of_sqlite_alone(first_bytes(path, k_looked_bytes))) return true;
  }
  return false;
}

}  // namespace lockkeeper::history
