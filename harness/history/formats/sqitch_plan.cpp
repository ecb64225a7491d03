#include "history/formats/sqitch_plan.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/sha1.h"
#include "base/text.h"
#include "history/lines.h"

namespace lockkeeper::history::formats::sqitch {

namespace {

constexpr std::string_view k_punctuation = "-!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~";
constexpr std::string_view k_line_hint =
    "a line of a plan is: name [requires !conflicts] 2026-01-31T12:00:00Z Planner <planner@example.com> # "
    "note";

bool is_punctuation(char c) {
  return k_punctuation.find(c) != std::string_view::npos;
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t past_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

/// `~3` at the end of a word is a reference relative to a change, not part of its name.
bool begins_symbolic(std::string_view text, std::size_t at) {
  if (std::string_view("~/=%^[]").find(text[at]) == std::string_view::npos) return false;
  std::size_t end = at + 1;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end > at + 1 && (end == text.size() || is_blank(text[end]));
}

/// Where the name that begins at `at` ends; `at` itself where none does.
std::size_t name_end(std::string_view text, std::size_t at) {
  if (at >= text.size() || is_punctuation(text[at])) return at;
  std::size_t end = at;
  while (end < text.size() && std::string_view(" \t:@#\\").find(text[end]) == std::string_view::npos &&
         !begins_symbolic(text, end)) {
    ++end;
  }
  while (end > at && is_punctuation(text[end - 1])) --end;
  return end;
}

bool is_name(std::string_view text) {
  return !text.empty() && name_end(text, 0) == text.size();
}

bool is_id(std::string_view text) {
  return text.size() >= 40 &&
         text.substr(0, 40).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// 2026-11-26T05:56:48Z
bool is_time(std::string_view text) {
  constexpr std::string_view k_form = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() < k_form.size()) return false;
  for (std::size_t i = 0; i < k_form.size(); ++i) {
    if (k_form[i] == 'd' ? !is_digit(text[i]) : text[i] != k_form[i]) return false;
  }
  return true;
}
constexpr std::size_t k_time_length = 20;

/// Escapes of a note: \n, \r and \\ stand for what they name.
std::string unescaped(std::string_view note) {
  std::string result;
  for (std::size_t at = 0; at < note.size(); ++at) {
    const char next = at + 1 < note.size() ? note[at + 1] : '\0';
    const bool escape = note[at] == '\\' && (next == 'n' || next == 'r' || next == '\\');
    result += !escape ? note[at] : next == 'n' ? '\n' : next == 'r' ? '\r' : '\\';
    if (escape) ++at;
  }
  return result;
}

std::optional<Dependency> dependency_of(std::string_view text, const std::string& project) {
  Dependency dependency;
  if (text.starts_with('!')) {
    dependency.conflicts = true;
    text.remove_prefix(1);
  }
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (!is_name(text.substr(0, colon))) return std::nullopt;
    dependency.project = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    if (dependency.project == project) dependency.project.clear();
  }
  if (text.size() == 40 && is_id(text)) {
    dependency.id = text;
  } else {
    const std::size_t at = text.find('@');
    dependency.change = text.substr(0, at);
    if (at != std::string_view::npos) dependency.tag = text.substr(at + 1);
    const bool has_tag = at != std::string_view::npos;
    if ((!dependency.change.empty() && !is_name(dependency.change)) ||
        (has_tag && !is_name(dependency.tag)) || (dependency.change.empty() && !has_tag))
      return std::nullopt;
  }
  dependency.text =
      dependency.project.empty() ? std::string(text) : fmt::format("{}:{}", dependency.project, text);
  return dependency;
}

/// One line below the header, taken apart.
struct PlanLine {
  bool is_tag = false;
  std::string name;
  std::optional<std::string> dependencies;
  Planned planned;
};

/// Reads a plan line by line.
class PlanReader {
 public:
  PlanReader(const std::string& path, Faults& faults) : m_path(path), m_faults(faults) {}

  Plan read(std::string_view text);

 private:
  /// True while the header goes on.
  bool take_header(std::string_view line);
  void take_pragma(std::string_view line);
  void take_line(std::string_view line);
  std::optional<PlanLine> parsed(std::string_view line);
  void take_tag(PlanLine line);
  void take_change(PlanLine line);
  void take_dependencies(const std::string& text, Change& change);
  void check_dependencies();
  void name_all();
  void refuse(std::string_view cause, int line) {
    m_faults.add(fmt::format("{}:{}", m_path, line), fmt::format("sqitch refuses '{}': {}", m_path, cause),
                 std::string(k_line_hint));
  }
  void refuse(std::string_view cause) { refuse(cause, m_line); }

  const std::string& m_path;
  Faults& m_faults;
  Plan m_plan;
  int m_line = 0;
  std::map<std::string, int> m_tags;
  std::map<std::string, int> m_since_tag;              ///< changes since the last tag
  std::map<std::string, std::size_t> m_last_instance;  ///< of each change
};

Plan PlanReader::read(std::string_view text) {
  bool header = true;
  Lines lines(text);
  while (lines.next()) {
    m_line = lines.line().number;
    if (header) {
      header = take_header(lines.line().text);
    } else {
      take_line(lines.line().text);
    }
  }
  if (m_plan.project.empty()) refuse("it has no %project", 1);
  name_all();
  check_dependencies();
  return std::move(m_plan);
}

bool is_note_line(std::string_view line) {
  const std::size_t at = past_blanks(line, 0);
  return at == line.size() || line[at] == '#';
}

/// Without the note and the blanks before it.
std::string_view without_note(std::string_view line, std::string* note) {
  const std::size_t hash = line.find('#');
  if (hash != std::string_view::npos && note != nullptr) *note = unescaped(stripped(line.substr(hash + 1)));
  line = line.substr(0, hash);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

bool PlanReader::take_header(std::string_view line) {
  if (is_note_line(line)) return !stripped(line).empty() && stripped(line) != "#";
  take_pragma(without_note(line, nullptr));
  return true;
}

void PlanReader::take_pragma(std::string_view line) {
  std::size_t at = past_blanks(line, 0);
  if (at >= line.size() || line[at] != '%')
    return refuse("a line of the header is no pragma; an empty line must stand between pragmas and changes");
  at = past_blanks(line, at + 1);
  const std::size_t equals = line.find('=', at);
  const std::string_view name =
      stripped(line.substr(at, equals == std::string_view::npos ? equals : equals - at));
  const std::string_view value = equals == std::string_view::npos ? "" : stripped(line.substr(equals + 1));
  if (name == "uri") m_plan.uri = value;
  if (name != "project") return;
  if (!is_name(value) || value.find('[') != std::string_view::npos)
    return refuse(fmt::format("'{}' is no name of a project", abridged(value, 40)));
  m_plan.project = value;
}

std::optional<PlanLine> PlanReader::parsed(std::string_view line) {
  PlanLine result;
  line = without_note(line, &result.planned.note);
  std::size_t at = past_blanks(line, 0);
  result.is_tag = line[at] == '@';
  if (result.is_tag) ++at;
  if (!result.is_tag && (line[at] == '+' || line[at] == '-')) at = past_blanks(line, at + 1);
  const std::size_t end = name_end(line, at);
  if (end == at || (end < line.size() && !is_blank(line[end]))) {
    refuse(fmt::format("'{}' begins with no name", abridged(line, 40)));
    return std::nullopt;
  }
  result.name = line.substr(at, end - at);
  at = past_blanks(line, end);
  if (at < line.size() && line[at] == '[') {
    const std::size_t close = line.find(']', at);
    if (close != std::string_view::npos && close > at + 1) {
      result.dependencies = line.substr(at + 1, close - at - 1);
      at = past_blanks(line, close + 1);
    }
  }
  if (!is_time(line.substr(at))) {
    refuse(fmt::format("'{}' has no time", result.name));
    return std::nullopt;
  }
  result.planned.at = line.substr(at, k_time_length);
  const std::string_view planner = line.substr(past_blanks(line, at + k_time_length));
  const std::size_t open = planner.find('<');
  if (open == std::string_view::npos || open < 2 || !is_blank(planner[open - 1]) || !planner.ends_with('>') ||
      open + 2 >= planner.size()) {
    refuse(fmt::format("'{}' has no name and address of who planned it", result.name));
    return std::nullopt;
  }
  result.planned.name = stripped(planner.substr(0, open));
  result.planned.email = planner.substr(open + 1, planner.size() - open - 2);
  return result;
}

void PlanReader::take_line(std::string_view line) {
  if (is_note_line(line)) return;
  auto found = parsed(line);
  if (!found) return;
  if (found->name == "ROOT" || found->name == "HEAD")
    return refuse(fmt::format("'{}' is a name of sqitch's own", found->name));
  if (is_id(found->name)) return refuse(fmt::format("'{}' looks like an id", abridged(found->name, 48)));
  if (found->is_tag) {
    take_tag(std::move(*found));
  } else {
    take_change(std::move(*found));
  }
}

void PlanReader::take_tag(PlanLine line) {
  if (line.name.find('/') != std::string::npos)
    return refuse(fmt::format("tag '@{}': a tag holds no '/'", line.name));
  if (m_plan.changes.empty()) return refuse(fmt::format("tag '@{}': no change stands before it", line.name));
  if (line.dependencies) return refuse(fmt::format("tag '@{}': a tag has no dependencies", line.name));
  const auto [known, added] = m_tags.emplace(line.name, m_line);
  if (!added) return refuse(fmt::format("tag '@{}': line {} has it already", line.name, known->second));
  m_since_tag.clear();
  m_plan.changes.back().tags.push_back({line.name, std::move(line.planned), m_line, ""});
}

void PlanReader::take_change(PlanLine line) {
  const auto [known, added] = m_since_tag.emplace(line.name, m_line);
  if (!added) {
    return refuse(fmt::format("change '{}': line {} has it already, and no tag stands between", line.name,
                              known->second));
  }
  Change change;
  change.name = line.name;
  change.planned = std::move(line.planned);
  change.line = m_line;
  if (line.dependencies) take_dependencies(*line.dependencies, change);
  auto& changes = m_plan.changes;
  if (const auto reworked = m_last_instance.find(line.name); reworked != m_last_instance.end()) {
    Change& earlier = changes[reworked->second];
    for (std::size_t i = changes.size(); i-- > reworked->second;) {
      for (const Tag& tag : changes[i].tags) earlier.rework_tags.push_back(tag.name);
    }
  }
  m_last_instance[line.name] = changes.size();
  changes.push_back(std::move(change));
}

void PlanReader::take_dependencies(const std::string& text, Change& change) {
  std::set<std::string> known;
  std::vector<Dependency> conflicts;
  for (std::size_t at = past_blanks(text, 0); at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    const std::string word = text.substr(at, end - at);
    at = past_blanks(text, end);
    auto dependency = dependency_of(word, m_plan.project);
    if (!dependency) {
      refuse(fmt::format("change '{}': '{}' is no dependency", change.name, abridged(word, 60)));
    } else if (!known.insert(word).second) {
      refuse(fmt::format("change '{}': the dependency '{}' stands there twice", change.name, word));
    } else {
      (dependency->conflicts ? conflicts : change.dependencies).push_back(std::move(*dependency));
    }
  }
  change.dependencies.insert(change.dependencies.end(), conflicts.begin(), conflicts.end());
}

/// What a plan says of one of its lines, by which sqitch names it (App::Sqitch::Plan::Change and ::Tag,
/// info).
std::string info_of(const Plan& plan, std::string_view kind, std::string_view name, std::string_view relation,
                    const Planned& planned) {
  std::string info = fmt::format("project {}\n", plan.project);
  if (!plan.uri.empty()) info += fmt::format("uri {}\n", plan.uri);
  info += fmt::format("{} {}\n{}planner {} <{}>\ndate {}", kind, name, relation, planned.name, planned.email,
                      planned.at);
  return info;
}

std::string id_of(std::string_view kind, const std::string& info) {
  return sha1_hex(fmt::format("{} {}", kind, info.size()) + '\0' + info);
}

void PlanReader::name_all() {
  std::string parent;
  for (Change& change : m_plan.changes) {
    std::string info = info_of(m_plan, "change", change.name,
                               parent.empty() ? "" : fmt::format("parent {}\n", parent), change.planned);
    for (const bool conflicts : {false, true}) {
      bool first = true;
      for (const Dependency& one : change.dependencies) {
        if (one.conflicts != conflicts) continue;
        if (first) info += conflicts ? "\nconflicts" : "\nrequires";
        info += fmt::format("\n  {} {}", conflicts ? '-' : '+', one.text);
        first = false;
      }
    }
    if (!change.planned.note.empty()) info += "\n\n" + change.planned.note;
    change.id = parent = id_of("change", info);
    for (Tag& tag : change.tags) {
      std::string of_tag =
          info_of(m_plan, "tag", "@" + tag.name, fmt::format("change {}\n", change.id), tag.planned);
      if (!tag.planned.note.empty()) of_tag += "\n\n" + tag.planned.note;
      tag.id = id_of("tag", of_tag);
    }
  }
}

void PlanReader::check_dependencies() {
  for (std::size_t i = 0; i < m_plan.changes.size(); ++i) {
    const Change& change = m_plan.changes[i];
    for (const Dependency& one : change.dependencies) {
      if (!one.project.empty() || !one.id.empty()) continue;
      const bool before = m_plan.find(one, i).has_value();
      if (one.conflicts && before)
        refuse(fmt::format("change '{}' conflicts with '{}', which stands before it", change.name, one.text),
               change.line);
      if (!one.conflicts && !before)
        refuse(
            fmt::format("change '{}' requires '{}', which does not stand before it", change.name, one.text),
            change.line);
    }
  }
}

}  // namespace

std::string Dependency::key() const {
  if (!id.empty()) return id;
  return tag.empty() ? change : fmt::format("{}@{}", change, tag);
}

std::optional<std::size_t> Plan::find(const Dependency& dependency, std::size_t before) const {
  std::size_t end = before;
  if (!dependency.tag.empty()) {
    const auto tagged = std::find_if(
        changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(before), [&](const Change& change) {
          return std::ranges::find(change.tags, dependency.tag, &Tag::name) != change.tags.end();
        });
    if (tagged == changes.begin() + static_cast<std::ptrdiff_t>(before)) return std::nullopt;
    end = static_cast<std::size_t>(tagged - changes.begin()) + 1;
    if (dependency.change.empty()) return end - 1;
  }
  for (std::size_t i = end; i-- > 0;) {
    if (dependency.id.empty() ? changes[i].name == dependency.change : changes[i].id == dependency.id)
      return i;
  }
  return std::nullopt;
}

Plan parse_plan(const std::string& path, std::string_view text, Faults& faults) {
  return PlanReader(path, faults).read(text);
}

}  // namespace lockkeeper::history::formats::sqitch
