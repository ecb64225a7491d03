#include "history/atlas_sum.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/sha256.h"
#include "history/lines.h"

namespace lockkeeper::history {

namespace {

struct Sum {
  std::string name;
  std::string hash;
};

bool operator==(const Sum& a, const Sum& b) {
  return a.name == b.name && a.hash == b.hash;
}

/// A file whose first line says `atlas:sum ignore` counts by its name alone.
bool is_ignored(std::string_view text) {
  const std::string_view line = stripped(text.substr(0, text.find('\n')));
  const std::size_t at = line.find("atlas:sum");
  return at != std::string_view::npos && stripped(line.substr(at + 9)) == "ignore";
}

/// One running hash over names and contents: the sum of a file covers all before it.
Result<std::vector<Sum>> sums_of(const Folder& folder, const std::vector<std::string>& files) {
  std::vector<Sum> sums;
  Sha256 hash;
  for (const std::string& name : files) {
    const auto text = read_file(folder.path_of(name));
    if (!text) return failed(text);
    hash.add(name);
    if (is_ignored(*text)) continue;
    hash.add(*text);
    sums.push_back({name, base64(hash.digest())});
  }
  return sums;
}

std::string total_of(const std::vector<Sum>& sums) {
  Sha256 hash;
  for (const Sum& sum : sums) hash.add(sum.name).add(sum.hash);
  return base64(hash.digest());
}

struct SumFile {
  std::string total;
  std::vector<Sum> sums;
  int bad_line = 0;  ///< one that is no sum
};

SumFile parse_sum_file(std::string_view text) {
  constexpr std::string_view k_prefix = "h1:";
  SumFile file;
  Lines lines(text);
  while (lines.next()) {
    const Line& line = lines.line();
    const std::size_t at = line.text.find(k_prefix);
    if (line.number == 1) {
      file.total = line.text.substr(line.text.starts_with(k_prefix) ? k_prefix.size() : 0);
    } else if (at == std::string_view::npos) {
      file.bad_line = line.number;
      break;
    } else {
      file.sums.push_back({std::string(stripped(line.text.substr(0, at))),
                           std::string(line.text.substr(at + k_prefix.size()))});
    }
  }
  return file;
}

/// Line of the first difference, and what it is.
std::pair<int, std::string> difference(const SumFile& noted, const std::vector<Sum>& found) {
  for (std::size_t i = 0; i < noted.sums.size(); ++i) {
    const Sum& sum = noted.sums[i];
    if (i < found.size() && found[i] == sum) continue;
    const int line = static_cast<int>(i) + 2;
    const auto at = std::ranges::find(found, sum.name, &Sum::name);
    if (at == found.end()) return {line, fmt::format("'{}' is no longer there", sum.name)};
    if (at == found.begin() + static_cast<std::ptrdiff_t>(i))
      return {line, fmt::format("'{}' was edited", sum.name)};
    return {line, fmt::format("'{}' was put in before others", found[std::min(i, found.size() - 1)].name)};
  }
  const std::size_t next = noted.sums.size();
  const int line = static_cast<int>(next) + 2;
  return {line, next < found.size() ? fmt::format("'{}' is not in it", found[next].name)
                                    : std::string("it does not match the files")};
}

/// The files that a sum file is about, in the order in which atlas sums them.
std::vector<std::string> summed_files(const Folder& folder, const SumFile& noted) {
  const auto is_up = [](const Sum& sum) { return sum.name.ends_with(".up.sql"); };
  const bool ups_only = !noted.sums.empty() && std::all_of(noted.sums.begin(), noted.sums.end(), is_up);
  std::vector<std::string> files;
  for (const Entry& entry : folder.entries()) {
    if (!entry.is_directory && entry.name.ends_with(ups_only ? ".up.sql" : ".sql"))
      files.push_back(entry.name);
  }
  return files;
}

}  // namespace

Result<std::vector<record::HistoryFact>> differences_from_atlas_sum(const Folder& folder) {
  std::vector<record::HistoryFact> facts;
  if (!folder.has(k_atlas_sum)) return facts;
  const std::string path = folder.path_of(k_atlas_sum);
  const auto text = read_file(path);
  if (!text) return failed(text);
  const SumFile noted = parse_sum_file(*text);
  const auto found = sums_of(folder, summed_files(folder, noted));
  if (!found) return failed(found);
  const auto differs = [&](int line, const std::string& what) {
    facts.push_back({record::HistoryFactKind::checksum_differs, "", Location{path, line, 1},
                     fmt::format("atlas.sum does not match: {}", what),
                     "atlas refuses to go on until 'atlas migrate hash' has been run"});
  };
  if (noted.bad_line > 0) {
    differs(noted.bad_line, "a line without a sum");
  } else if (noted.total != total_of(noted.sums)) {
    differs(1, "its first line is not the sum of the others");
  } else if (noted.total != total_of(*found)) {
    const auto [line, what] = difference(noted, *found);
    differs(line, what);
  }
  return facts;
}

}  // namespace lockkeeper::history
