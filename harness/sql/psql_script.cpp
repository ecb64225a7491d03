#include "sql/psql_script.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "sql/kind.h"
#include "sql/lexer.h"
#include "sql/psql_command.h"
#include "sql/walk.h"

namespace lockkeeper::sql {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_deepest_include = 64;

/// What all files of a run share.
struct PsqlRun {
  const PsqlStart& start;
  PsqlVariables variables;
  Part part;
  std::size_t message = 0;
  std::vector<fs::path> open;  ///< the files under way, each included by the one before
};

/// One file, read as psql's main loop does (src/bin/psql/mainloop.c): it has a query buffer of its own.
class PsqlFile {
 public:
  PsqlFile(PsqlRun& run, std::shared_ptr<const Source> source)
      : m_run(run), m_source(std::move(source)), m_text(m_source->text()), m_places(*m_source, 0) {}

  Result<void> read();

 private:
  struct Branch {
    std::size_t begin = 0;
    bool taken = false;
    bool in_else = false;
  };
  /// The statement under way: its query buffer.
  struct Query {
    std::optional<std::size_t> begin;
    std::size_t code_end = 0;
    std::vector<Edit> edits;
    int parentheses = 0;
    RoutineBody body;
  };

  Result<void> take(const Token& token);
  void take_code(const Token& token);
  Result<void> take_reference(const Token& colon);
  Result<void> take_backslash(std::size_t at);
  Result<void> obey(const PsqlCommand& command);
  Result<void> obey_condition(const PsqlCommand& command);
  Result<void> skip_branch(std::size_t from);
  Result<void> turn(const PsqlCommand& command);
  Result<bool> condition(const PsqlCommand& command);
  Result<void> set(const PsqlCommand& command);
  Result<void> include(const PsqlCommand& command);
  Result<void> go(const PsqlCommand& command);
  void edit(std::size_t begin, std::size_t end, std::string text) {
    if (m_query.begin) m_query.edits.push_back({begin, end, std::move(text)});
  }
  Result<void> end_query(std::size_t semicolon);
  Result<std::vector<std::string>> arguments(const PsqlCommand& command);
  tl::unexpected<Failure> refused(const PsqlCommand& command, std::string_view cause,
                                  std::string_view hint) const {
    return failed(FailureKind::usage,
                  fmt::format("psql meta-command '\\{}' in '{}': {}", abridged(command.name, 20),
                              m_source->path(), cause),
                  std::string(hint), m_source->locate(command.begin));
  }

  PsqlRun& m_run;
  std::shared_ptr<const Source> m_source;
  std::string_view m_text;
  Places m_places;
  std::size_t m_at = 0;
  bool m_over = false;  ///< \q
  Query m_query;
  std::vector<Branch> m_branches;
};

Result<void> PsqlFile::read() {
  m_run.part.sources.push_back(m_source);
  while (!m_over) {
    const Token token = Lexer(m_text, m_at).next();
    if (token.kind == TokenKind::end_of_text) break;
    m_at = token.end;
    if (token.kind == TokenKind::comment && token.closed) continue;
    if (auto taken = take(token); !taken) return taken;
  }
  if (!m_over && !m_branches.empty()) {
    return refused(PsqlCommand{"if", m_branches.back().begin, 0, 0}, "its \\endif is missing",
                   "end it in the same file");
  }
  // What stands behind the last semicolon is sent as well.
  return end_query(m_text.size());
}

Result<void> PsqlFile::take(const Token& token) {
  const char first = m_text[token.begin];
  if (token.kind == TokenKind::symbol) {
    if (first == '\\') return take_backslash(token.begin);
    if (first == ':') return take_reference(token);
    if (first == ';' && m_query.parentheses == 0 && !m_query.body.open()) return end_query(token.begin);
    if (first == '(') ++m_query.parentheses;
    if (first == ')' && m_query.parentheses > 0) --m_query.parentheses;
  }
  if (token.kind == TokenKind::word) m_query.body.see(token.in(m_text), m_query.parentheses);
  take_code(token);
  return {};
}

void PsqlFile::take_code(const Token& token) {
  if (!m_query.begin) m_query.begin = token.begin;
  m_query.code_end = token.end;
}

/// `::` is a cast, and so the second colon begins no reference.
Result<void> PsqlFile::take_reference(const Token& colon) {
  Token token = colon;
  if (m_text.substr(token.end).starts_with(':')) {
    m_at = ++token.end;
    take_code(token);
    return {};
  }
  const auto reference = psql_reference(m_text, token.begin);
  if (!reference) {
    take_code(token);
    return {};
  }
  m_at = token.end = reference->end;
  const auto value = psql_value(*reference, m_run.variables);
  if (!value) {
    return failed(value.error().kind,
                  fmt::format("psql variable ':{}' in '{}': {}", reference->name, m_source->path(),
                              value.error().message),
                  value.error().hint, m_source->locate(token.begin));
  }
  take_code(token);
  if (!*value) return {};
  if (reference->form == PsqlReference::Form::plain) {
    Lexer lexer(**value);
    for (Token inner = lexer.next(); inner.kind != TokenKind::end_of_text; inner = lexer.next()) {
      const char first = (**value)[inner.begin];
      const bool symbol = inner.kind == TokenKind::symbol;
      if (symbol && (first == ';' || first == '\\' || first == ':')) {
        return failed(
            FailureKind::usage,
            fmt::format("psql variable ':{}' in '{}': its value holds '{}', which psql would read as "
                        "more than text",
                        reference->name, m_source->path(), first),
            "write the value itself", m_source->locate(token.begin));
      }
      if (symbol && first == '(') ++m_query.parentheses;
      if (symbol && first == ')' && m_query.parentheses > 0) --m_query.parentheses;
      if (inner.kind == TokenKind::word) m_query.body.see(inner.in(**value), m_query.parentheses);
    }
  }
  edit(token.begin, token.end, **value);
  return {};
}

/// `\;` and `\:` put the character itself into the query; all else is a meta-command.
Result<void> PsqlFile::take_backslash(std::size_t at) {
  const char next = at + 1 < m_text.size() ? m_text[at + 1] : '\0';
  if (next == ';') {
    m_at = at + 2;
    const std::size_t message = m_run.message;
    auto ended = end_query(at);
    m_run.message = message;
    return ended;
  }
  if (next == ':') {
    m_at = at + 2;
    take_code({TokenKind::symbol, at, at + 2, true});
    edit(at, at + 2, ":");
    return {};
  }
  const PsqlCommand command = psql_command(m_text, at);
  m_at = command.end;
  edit(command.begin, command.end, " ");
  return obey(command);
}

Result<void> PsqlFile::obey(const PsqlCommand& command) {
  const std::string& name = command.name;
  if (name == "if" || name == "elif" || name == "else" || name == "endif") return obey_condition(command);
  if (name == "set" || name == "unset") return set(command);
  if (name == "i" || name == "include" || name == "ir" || name == "include_relative") return include(command);
  if (name == "g" || name == "gx") return go(command);
  if (name == "q" || name == "quit") {
    m_over = true;
    return {};
  }
  if (name == "encoding") {
    const auto values = arguments(command);
    if (!values) return failed(values);
    const std::string wanted = values->empty() ? "utf8" : lower(values->front());
    if (wanted == "utf8" || wanted == "utf-8" || wanted == "unicode") return {};
    return refused(command, "files are read as UTF-8", "save the file as UTF-8 and leave it out");
  }
  const PsqlRefusal fate = psql_fate(name);
  if (fate.fate == PsqlFate::ignored) return {};
  return refused(command, fate.cause, fate.hint);
}

Result<std::vector<std::string>> PsqlFile::arguments(const PsqlCommand& command) {
  auto values = psql_arguments(m_text, command, m_run.variables);
  if (!values) return refused(command, values.error().message, values.error().hint);
  return values;
}

/// psql takes what is no boolean for false, with a warning.
Result<bool> PsqlFile::condition(const PsqlCommand& command) {
  const auto values = arguments(command);
  if (!values) return failed(values);
  return psql_boolean(join(*values, " ")).value_or(false);
}

Result<void> PsqlFile::obey_condition(const PsqlCommand& command) {
  if (command.name == "if") {
    const auto holds = condition(command);
    if (!holds) return failed(holds);
    m_branches.push_back({command.begin, *holds, false});
    return *holds ? Result<void>() : skip_branch(command.end);
  }
  if (m_branches.empty()) return refused(command, "there is no \\if before it", "begin with \\if");
  if (auto turned = turn(command); !turned) return turned;
  // The branch that we come from was taken, so none of the others is.
  return command.name == "endif" ? Result<void>() : skip_branch(command.end);
}

/// To the next branch, or the end, of the innermost \if.
Result<void> PsqlFile::turn(const PsqlCommand& command) {
  if (command.name == "endif") {
    m_branches.pop_back();
    return {};
  }
  Branch& branch = m_branches.back();
  if (branch.in_else) return refused(command, "it stands behind \\else", "put it before \\else");
  branch.in_else = command.name == "else";
  return {};
}

/// Passes over what is not taken: of it psql obeys nothing but the conditions.
Result<void> PsqlFile::skip_branch(std::size_t from) {
  std::size_t depth = 0;
  for (Lexer lexer(m_text, from);;) {
    const Token token = lexer.next();
    if (token.kind == TokenKind::end_of_text) break;
    if (token.kind != TokenKind::symbol || m_text[token.begin] != '\\') continue;
    const PsqlCommand command = psql_command(m_text, token.begin);
    lexer = Lexer(m_text, command.end);
    if (command.name == "if") ++depth;
    if (depth > 0) {
      if (command.name == "endif") --depth;
      continue;
    }
    if (command.name != "elif" && command.name != "else" && command.name != "endif") continue;
    if (auto turned = turn(command); !turned) return turned;
    bool goes_on = command.name == "endif";
    if (!goes_on && !m_branches.back().taken) {
      const auto holds = command.name == "else" ? Result<bool>(true) : condition(command);
      if (!holds) return failed(holds);
      goes_on = m_branches.back().taken = *holds;
    }
    if (!goes_on) continue;
    edit(from, command.end, " ");
    m_at = command.end;
    return {};
  }
  m_at = m_text.size();
  return {};
}

Result<void> PsqlFile::set(const PsqlCommand& command) {
  const auto values = arguments(command);
  if (!values) return failed(values);
  if (values->empty()) return {};
  const std::string& name = values->front();
  if (!PsqlVariables::is_name(name)) {
    return refused(command, fmt::format("'{}' is no name of a variable", abridged(name, 40)),
                   "a name is made of letters, digits and underscores");
  }
  const auto goes_on = [&] {
    return refused(command, "psql would go on behind an error, and what it leaves so is not rehearsed",
                   "leave it out, and write statements that may fail so that they do not: IF EXISTS, or a DO "
                   "block with EXCEPTION");
  };
  if (command.name == "unset") {
    if (name == "ON_ERROR_STOP") return goes_on();
    m_run.variables.unset(name);
    return {};
  }
  std::string value;
  for (std::size_t i = 1; i < values->size(); ++i) value += (*values)[i];
  const auto on = value.empty() ? std::optional(true) : psql_boolean(value);
  if (name == "ON_ERROR_STOP" && on == false) return goes_on();
  if (name == "AUTOCOMMIT" && on == false)
    return refused(command, "psql would begin transactions of its own", "write BEGIN and COMMIT");
  if ((name == "SINGLELINE" || name == "SINGLESTEP") && on == true)
    return refused(command, "psql would read the file in another way", "leave it out");
  m_run.variables.set(name, std::move(value));
  return {};
}

Result<void> PsqlFile::include(const PsqlCommand& command) {
  const auto values = arguments(command);
  if (!values) return failed(values);
  if (values->empty()) return refused(command, "it names no file", "name the file to include");
  fs::path file = values->front();
  if (command.name == "ir" || command.name == "include_relative") {
    if (file.is_relative()) file = fs::path(m_source->path()).parent_path() / file;
  } else if (file.is_relative()) {
    file = m_run.start.directory / file;
  }
  file = file.lexically_normal();
  std::error_code error;
  const fs::path same = fs::weakly_canonical(file, error);
  if (std::ranges::find(m_run.open, same) != m_run.open.end())
    return refused(command, fmt::format("'{}' includes itself", file.string()), "leave one of them out");
  if (m_run.open.size() >= k_deepest_include)
    return refused(command, "files include each other too deeply", "include fewer in a row");
  auto source = Source::read(file.string(), m_source->dialect());
  if (!source)
    return refused(command, source.error().message,
                   command.name[0] == 'i' && command.name.ends_with('r')
                       ? "\\ir looks beside the file that it stands in"
                       : "\\i looks in the directory that psql is started in; \\ir looks beside the file");
  m_run.open.push_back(same);
  auto read = PsqlFile(m_run, std::make_shared<const Source>(std::move(*source))).read();
  m_run.open.pop_back();
  return read;
}

/// \g ends a statement as a semicolon does; where its rows go changes nothing.
Result<void> PsqlFile::go(const PsqlCommand& command) {
  const auto values = arguments(command);
  if (!values) return failed(values);
  if (!values->empty() && values->front().starts_with('|'))
    return refused(command, "it runs a shell command", "end the statement with ';'");
  if (!m_query.begin)
    return refused(command, "it sends the statement before it once more", "write the statement again");
  m_query.edits.pop_back();
  return end_query(m_query.code_end);
}

Result<void> PsqlFile::end_query(std::size_t semicolon) {
  Query query = std::exchange(m_query, Query{});
  if (!query.begin) return {};
  Statement statement;
  statement.location = m_places.at(*query.begin);
  statement.message = m_run.message++;
  std::erase_if(query.edits, [&](const Edit& one) { return one.begin >= query.code_end; });
  if (query.edits.empty()) {
    statement.source = m_source.get();
    statement.offset = *query.begin;
    statement.text = m_text.substr(*query.begin, query.code_end - *query.begin);
  } else {
    auto edited =
        std::make_shared<const Source>(Source::edited(m_source, *query.begin, query.code_end, query.edits));
    statement.source = edited.get();
    statement.text = edited->text();
    m_run.part.sources.push_back(std::move(edited));
  }
  statement.kind = kind_of(statement.text);
  if (statement.kind == StatementKind::copy_from_stdin) {
    const CopyData data = copy_data_after(m_text, semicolon);
    statement.copy_data = data.rows;
    const Token behind = Lexer(m_text, m_at).next_code();
    if (behind.kind != TokenKind::end_of_text && behind.begin < m_text.find('\n', m_at)) {
      return failed(
          FailureKind::usage,
          fmt::format("COPY in '{}': more stands on its line, and its rows come between", m_source->path()),
          "begin a new line behind its rows", m_source->locate(behind.begin));
    }
    m_at = std::max(m_at, data.next);
  }
  m_run.part.statements.push_back(std::move(statement));
  return {};
}

}  // namespace

Result<Part> psql_script(std::shared_ptr<const Source> source, const PsqlStart& start) {
  PsqlRun run{start, PsqlVariables(start.variables), {}, 0, {}};
  run.part.shape = record::TransactionShape::autocommit;
  run.part.sends_copy_data = true;
  std::error_code error;
  run.open.push_back(fs::weakly_canonical(source->path(), error));
  if (const auto read = PsqlFile(run, std::move(source)).read(); !read) return failed(read);
  return std::move(run.part);
}

}  // namespace lockkeeper::sql
