#include "history/formats/liquibase_tree.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/lines.h"
#include "scenario/yaml.h"

namespace lockkeeper::history::formats::liquibase {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_root = "databaseChangeLog";
constexpr int k_deepest = 100;

tl::unexpected<Failure> bad(const std::string& path, const std::string& cause, int line) {
  return failed(FailureKind::usage, fmt::format("Liquibase refuses '{}': {}", path, cause),
                "a changelog is a databaseChangeLog with include, includeAll and changeSet in it",
                Location{path, line, line > 0 ? 1 : 0});
}

/// &lt; and the like.
std::string decoded(std::string_view text) {
  static const std::map<std::string_view, char> k_entities = {
      {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '&' ? text.find(';', at) : std::string_view::npos;
    const auto known =
        end == std::string_view::npos ? k_entities.end() : k_entities.find(text.substr(at + 1, end - at - 1));
    if (known == k_entities.end()) {
      result += text[at++];
    } else {
      result += known->second;
      at = end + 1;
    }
  }
  return result;
}

/// As much XML as changelogs are made of: elements, attributes, text, CDATA; comments and declarations are
/// passed over, prefixes of names dropped.
class Xml {
 public:
  Xml(std::string_view text, const std::string& path) : m_text(text), m_path(path) {}

  Result<Node> read() {
    if (const auto skipped = skip_to_element(); !skipped) return failed(skipped);
    return element(0);
  }

 private:
  bool at(std::string_view what) const { return m_text.substr(m_at, what.size()) == what; }
  int line() const {
    return 1 + static_cast<int>(
                   std::count(m_text.begin(), m_text.begin() + static_cast<std::ptrdiff_t>(m_at), '\n'));
  }
  tl::unexpected<Failure> broken(const std::string& cause) const { return bad(m_path, cause, line()); }
  Result<void> skip_past(std::string_view end);
  Result<void> skip_to_element();
  std::string name();
  Result<bool> attributes(Node& node);
  Result<Node> element(int depth);
  Result<bool> content(Node& node, int depth);

  std::string_view m_text;
  const std::string& m_path;
  std::size_t m_at = 0;
};

Result<void> Xml::skip_past(std::string_view end) {
  const std::size_t found = m_text.find(end, m_at);
  if (found == std::string_view::npos) return broken(fmt::format("'{}' is missing", end));
  m_at = found + end.size();
  return {};
}

Result<void> Xml::skip_to_element() {
  while ((m_at = m_text.find('<', m_at)) != std::string_view::npos) {
    if (!at("<?") && !at("<!")) return {};
    if (const auto skipped = skip_past(at("<!--") ? "-->" : ">"); !skipped) return skipped;
  }
  m_at = m_text.size();
  return broken("it holds no element");
}

std::string Xml::name() {
  const std::size_t end = std::min(m_text.find_first_of(" \t\r\n/>=", m_at), m_text.size());
  std::string_view name = m_text.substr(m_at, end - m_at);
  m_at = end;
  return std::string(name.substr(name.rfind(':') + 1));
}

/// False where the element ends with them: <include …/>.
Result<bool> Xml::attributes(Node& node) {
  while (true) {
    m_at = m_text.find_first_not_of(" \t\r\n", m_at);
    if (m_at == std::string_view::npos) break;
    if (at("/>")) {
      m_at += 2;
      return false;
    }
    if (at(">")) {
      ++m_at;
      return true;
    }
    const std::string key = name();
    m_at = m_text.find_first_of("\"'", m_at);
    if (key.empty() || m_at == std::string_view::npos) break;
    const std::size_t close = m_text.find(m_text[m_at], m_at + 1);
    if (close == std::string_view::npos) break;
    node.attributes[key] = decoded(m_text.substr(m_at + 1, close - m_at - 1));
    m_at = close + 1;
  }
  m_at = 0;
  return bad(m_path, "an element is never closed", node.line);
}

/// What stands next in an element; false at its end.
Result<bool> Xml::content(Node& node, int depth) {
  const std::size_t next = m_text.find('<', m_at);
  if (next == std::string_view::npos)
    return bad(m_path, fmt::format("<{}> is never closed", node.name), node.line);
  node.text += decoded(m_text.substr(m_at, next - m_at));
  m_at = next;
  if (at("</")) {
    if (const auto skipped = skip_past(">"); !skipped) return failed(skipped);
    return false;
  }
  if (at("<![CDATA[")) {
    const std::size_t begin = m_at + 9;
    if (const auto skipped = skip_past("]]>"); !skipped) return failed(skipped);
    node.text += m_text.substr(begin, m_at - 3 - begin);
    return true;
  }
  if (at("<!") || at("<?")) {
    if (const auto skipped = skip_past(at("<!--") ? "-->" : ">"); !skipped) return failed(skipped);
    return true;
  }
  auto child = element(depth + 1);
  if (!child) return failed(child);
  node.children.push_back(std::move(*child));
  return true;
}

Result<Node> Xml::element(int depth) {
  if (depth > k_deepest) return broken("its elements are nested too deep");
  Node node;
  node.line = line();
  ++m_at;
  node.name = name();
  const auto open = attributes(node);
  if (!open) return failed(open);
  Result<bool> more = *open;
  while (more && *more) more = content(node, depth);
  if (!more) return failed(more);
  return node;
}

using scenario::Value;

/// {include: {file: x}} as <include file="x"/>; what stands under `changes` belongs to the change set itself,
/// as in XML.
Node node_of(const std::string& name, const Value& value) {
  Node node;
  node.name = name;
  node.line = value.location.line;
  if (value.kind == Value::Kind::scalar) node.text = value.text;
  const auto add_items = [&](const Value& list) {
    for (const Value& item : list.items) {
      if (item.kind == Value::Kind::scalar) node.children.push_back(node_of("", item));
      for (std::size_t i = 0; i < item.keys.size(); ++i)
        node.children.push_back(node_of(item.keys[i].text, item.items[i]));
    }
  };
  if (value.kind == Value::Kind::list) add_items(value);
  for (std::size_t i = 0; i < value.keys.size(); ++i) {
    const std::string& key = value.keys[i].text;
    const Value& item = value.items[i];
    if (item.kind == Value::Kind::scalar) node.attributes[key] = item.text;
    if (key == "changes" && item.kind == Value::Kind::list) {
      add_items(item);
    } else {
      node.children.push_back(node_of(key, item));
    }
  }
  return node;
}

std::string extension_of(const std::string& path) {
  return lower(fs::path(path).extension().string());
}

}  // namespace

Result<Node> read_changelog(const std::string& path) {
  if (extension_of(path) == ".xml") {
    const auto text = read_file(path);
    if (!text) return failed(text);
    auto root = Xml(*text, path).read();
    if (root && root->name != k_root)
      return bad(path, fmt::format("<{}> is no databaseChangeLog", root->name), root->line);
    return root;
  }
  const auto value = scenario::read_yaml(path);
  if (!value) return failed(value);
  for (std::size_t i = 0; i < value->keys.size(); ++i) {
    if (value->keys[i].text == k_root) return node_of(std::string(k_root), value->items[i]);
  }
  return bad(path, "it has no databaseChangeLog", 0);
}

bool may_be_changelog(const std::string& path) {
  const std::string extension = extension_of(path);
  std::error_code ignored;
  constexpr std::uintmax_t k_largest = 8U << 20U;
  if (extension != ".xml" && extension != ".yaml" && extension != ".yml" && extension != ".json")
    return false;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > k_largest) return false;
  const auto text = read_file(path);
  return text && text->find(k_root) != std::string::npos;
}

}  // namespace lockkeeper::history::formats::liquibase
