#include "rehearsal/notes.h"

#include <charconv>
#include <concepts>
#include <utility>

namespace lockkeeper::rehearsal {

namespace {

/// Changes with what follows it: notes of another format are not read.
constexpr std::string_view k_format = "lockkeeper notes 3\n";

// The kinds as numbers would shift when one is added; only what violated_constraints() reports is stored.
constexpr auto k_violated = record::SchemaFactKind::constraint_violated;

/// Numbers end with a space, texts follow their length. A tree of JSON values for a thousand tables would
/// take as much memory as the rest of a run, and more time than a server's start.
class Writer {
 public:
  explicit Writer(std::string& text) : m_text(text) {}

  void operator()(std::string_view value) {
    (*this)(value.size());
    m_text += value;
  }
  void operator()(const std::string& value) { (*this)(std::string_view(value)); }
  void operator()(bool value) { (*this)(value ? 1 : 0); }
  template <std::integral Number>
  void operator()(Number number) {
    m_text += std::to_string(number);
    m_text += ' ';
  }

 private:
  std::string& m_text;
};

/// Reads what Writer wrote; once something is not as it should be, nothing more is read.
class Reader {
 public:
  explicit Reader(std::string_view text) : m_rest(text) {}

  bool sound() const { return m_sound; }
  bool at_end() const { return m_rest.empty(); }

  void operator()(std::string& value) {
    std::size_t size = 0;
    (*this)(size);
    if (size > m_rest.size()) m_sound = false;
    if (!m_sound) return;
    value.assign(m_rest, 0, size);
    m_rest.remove_prefix(size);
  }
  void operator()(bool& value) {
    int number = 0;
    (*this)(number);
    value = number != 0;
  }
  template <std::integral Number>
  void operator()(Number& number) {
    if (!m_sound) return;
    const auto [end, error] = std::from_chars(m_rest.data(), m_rest.data() + m_rest.size(), number);
    const auto size = static_cast<std::size_t>(end - m_rest.data());
    m_sound = error == std::errc() && size < m_rest.size() && *end == ' ';
    if (m_sound) m_rest.remove_prefix(size + 1);
  }

 private:
  std::string_view m_rest;
  bool m_sound = true;
};

template <typename Visitor, typename Column>
void visit_column(Visitor& visit, Column& column) {
  visit(column.name);
  visit(column.type);
  visit(column.hash);
  visit(column.hashed_as);
  visit(column.seed);
  visit(column.slot);
}

template <typename Visitor, typename Table>
void visit_table(Visitor& visit, Table& table) {
  visit(table.table);
  visit(table.rows);
  visit(table.storage);
}

template <typename Visitor, typename Object>
void visit_object(Visitor& visit, Object& object) {
  visit(object.kind);
  visit(object.identity);
  visit(object.parent);
  visit(object.attributes);
  visit(object.oid);
  visit(object.facts);
}

template <typename Visitor, typename Fact>
void visit_violation(Visitor& visit, Fact& fact) {
  visit(fact.object);
  visit(fact.table);
  visit(fact.detail);
}

/// `read` is called as often as the text says, or until it is found to be broken.
template <typename Read>
void read_list(Reader& reader, Read read) {
  std::size_t size = 0;
  reader(size);
  for (std::size_t i = 0; i < size && reader.sound(); ++i) read();
}

engine::TableContent read_table(Reader& reader) {
  engine::TableContent table;
  visit_table(reader, table);
  int dependence = 0;
  reader(dependence);
  table.depends_on = static_cast<engine::Dependence>(dependence);
  read_list(reader, [&] { visit_column(reader, table.columns.emplace_back()); });
  table.columns.shrink_to_fit();
  read_list(reader, [&] {
    auto& composition = table.compositions.emplace_back();
    reader(composition.hash);
    read_list(reader, [&] { reader(composition.columns.emplace_back()); });
  });
  return table;
}

engine::Object read_object(Reader& reader) {
  engine::Object object;
  visit_object(reader, object);
  return object;
}

}  // namespace

std::string encode(const Notes& notes) {
  std::string text(k_format);
  Writer writer(text);
  writer(notes.state.objects.size());
  for (const auto& object : notes.state.objects) visit_object(writer, object);
  writer(notes.state.tables.size());
  for (const auto& table : notes.state.tables) {
    visit_table(writer, table);
    writer(static_cast<int>(table.depends_on));
    writer(table.columns.size());
    for (const auto& column : table.columns) visit_column(writer, column);
    writer(table.compositions.size());
    for (const auto& composition : table.compositions) {
      writer(composition.hash);
      writer(composition.columns.size());
      for (const auto& column : composition.columns) writer(column);
    }
  }
  writer(notes.state.sequences.size());
  for (const auto& sequence : notes.state.sequences) {
    writer(sequence.sequence);
    writer(sequence.position);
  }
  writer(notes.violations.size());
  for (const auto& fact : notes.violations) visit_violation(writer, fact);
  return text;
}

std::optional<Notes> decode(std::string_view text) {
  if (!text.starts_with(k_format)) return std::nullopt;
  Reader reader(text.substr(k_format.size()));
  Notes notes;
  read_list(reader, [&] { notes.state.objects.push_back(read_object(reader)); });
  read_list(reader, [&] { notes.state.tables.push_back(read_table(reader)); });
  read_list(reader, [&] {
    auto& sequence = notes.state.sequences.emplace_back();
    reader(sequence.sequence);
    reader(sequence.position);
  });
  read_list(reader, [&] {
    auto& fact = notes.violations.emplace_back();
    fact.kind = k_violated;
    visit_violation(reader, fact);
  });
  if (!reader.sound() || !reader.at_end()) return std::nullopt;
  return notes;
}

}  // namespace lockkeeper::rehearsal
