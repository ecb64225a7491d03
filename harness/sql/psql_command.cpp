#include "sql/psql_command.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::sql {

namespace {

bool is_white(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/// psqlscan.l: variable_char
bool is_variable_char(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

std::size_t name_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_variable_char(text[at])) ++at;
  return at;
}

tl::unexpected<Failure> refused(std::string cause, std::string hint) {
  return failed(FailureKind::usage, std::move(cause), std::move(hint));
}

std::string in_quotes(std::string_view value, char quote) {
  std::string result(1, quote);
  for (const char c : value) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

/// As PQescapeLiteral does it: with a backslash in it the string is one with escapes.
std::string as_literal(std::string_view value) {
  if (value.find('\\') == std::string_view::npos) return in_quotes(value, '\'');
  std::string doubled;
  for (const char c : value) doubled += c == '\\' ? "\\\\" : std::string(1, c);
  return " E" + in_quotes(doubled, '\'');
}

/// Reads the arguments of one command (psqlscanslash.l, as of OT_NORMAL).
class Arguments {
 public:
  Arguments(std::string_view text, std::size_t at, std::size_t end, const PsqlVariables& variables)
      : m_text(text.substr(0, end)), m_at(at), m_variables(variables) {}

  Result<std::vector<std::string>> all() {
    std::vector<std::string> arguments;
    while (true) {
      while (m_at < m_text.size() && is_white(m_text[m_at])) ++m_at;
      if (m_at >= m_text.size() || m_text[m_at] == '\\' || m_text[m_at] == '\n') return arguments;
      auto argument = one();
      if (!argument) return failed(argument);
      arguments.push_back(std::move(*argument));
    }
  }

 private:
  Result<std::string> one() {
    std::string value;
    while (m_at < m_text.size() && !is_white(m_text[m_at]) && m_text[m_at] != '\\' && m_text[m_at] != '\n') {
      const char c = m_text[m_at];
      if (c == '`') return refused("it runs a shell command", "write the value itself");
      const auto taken = c == '\'' ? take_quoted(value) : c == '"' ? take_double(value) : take_plain(value);
      if (!taken) return failed(taken);
    }
    return value;
  }

  Result<void> take_plain(std::string& value) {
    if (const auto reference = psql_reference(m_text, m_at)) {
      const auto found = psql_value(*reference, m_variables);
      if (!found) return failed(found);
      value += *found ? **found : std::string(m_text.substr(m_at, reference->end - m_at));
      m_at = reference->end;
      return {};
    }
    value += m_text[m_at++];
    return {};
  }

  /// psql keeps these quotes.
  Result<void> take_double(std::string& value) {
    const std::size_t close = m_text.find('"', m_at + 1);
    if (close == std::string_view::npos) return refused("a quote is not closed", "close it on its line");
    value += m_text.substr(m_at, close + 1 - m_at);
    m_at = close + 1;
    return {};
  }

  Result<void> take_quoted(std::string& value) {
    for (++m_at; m_at < m_text.size();) {
      const char c = m_text[m_at++];
      if (c == '\'' && (m_at >= m_text.size() || m_text[m_at] != '\'')) return {};
      if (c == '\\' && m_at < m_text.size()) {
        take_escape(value);
        continue;
      }
      if (c == '\'') ++m_at;
      value += c;
    }
    return refused("a quote is not closed", "close it on its line");
  }

  void take_escape(std::string& value) {
    constexpr std::string_view k_names = "ntbrf";
    constexpr std::string_view k_values = "\n\t\b\r\f";
    const char c = m_text[m_at];
    if (const std::size_t named = k_names.find(c); named != std::string_view::npos) {
      value += k_values[named];
      ++m_at;
      return;
    }
    const bool hexadecimal = c == 'x';
    const std::string_view digits = hexadecimal ? "0123456789abcdef" : "01234567";
    std::size_t at = m_at + (hexadecimal ? 1 : 0);
    const std::size_t first = at;
    unsigned number = 0;
    for (; at < m_text.size() && at - first < (hexadecimal ? 2U : 3U); ++at) {
      const std::size_t digit = digits.find(lower(m_text.substr(at, 1)));
      if (digit == std::string_view::npos) break;
      number = number * static_cast<unsigned>(digits.size()) + static_cast<unsigned>(digit);
    }
    if (at == first) {
      value += c;
      ++m_at;
      return;
    }
    value += static_cast<char>(number);
    m_at = at;
  }

  std::string_view m_text;
  std::size_t m_at;
  const PsqlVariables& m_variables;
};

}  // namespace

PsqlVariables::PsqlVariables(std::map<std::string, std::string> values) : m_values(std::move(values)) {
  m_values.emplace("AUTOCOMMIT", "on");
  m_values.emplace("ON_ERROR_STOP", "1");
}

const std::string* PsqlVariables::find(const std::string& name) const {
  const auto found = m_values.find(name);
  return found == m_values.end() ? nullptr : &found->second;
}

bool PsqlVariables::is_known_only_at_run(const std::string& name) const {
  static constexpr std::array k_names = {"DBNAME",
                                         "ENCODING",
                                         "ERROR",
                                         "HOST",
                                         "LAST_ERROR_MESSAGE",
                                         "LAST_ERROR_SQLSTATE",
                                         "PORT",
                                         "ROW_COUNT",
                                         "SERVER_VERSION_NAME",
                                         "SERVER_VERSION_NUM",
                                         "SHELL_ERROR",
                                         "SHELL_EXIT_CODE",
                                         "SQLSTATE",
                                         "USER",
                                         "VERSION",
                                         "VERSION_NAME",
                                         "VERSION_NUM"};
  return !m_values.contains(name) && std::ranges::find(k_names, name) != k_names.end();
}

bool PsqlVariables::is_name(std::string_view name) {
  return !name.empty() && name_end(name, 0) == name.size();
}

std::optional<PsqlReference> psql_reference(std::string_view text, std::size_t colon) {
  using Form = PsqlReference::Form;
  if (colon + 1 >= text.size() || text[colon] != ':') return std::nullopt;
  const auto named = [&](Form form, std::string_view opening,
                         std::string_view closing) -> std::optional<PsqlReference> {
    const std::size_t begin = colon + 1 + opening.size();
    if (!text.substr(colon + 1).starts_with(opening)) return std::nullopt;
    const std::size_t end = name_end(text, begin);
    if (end == begin || !text.substr(end).starts_with(closing)) return std::nullopt;
    return PsqlReference{form, std::string(text.substr(begin, end - begin)), end + closing.size()};
  };
  if (auto plain = named(Form::plain, "", "")) return plain;
  if (auto literal = named(Form::literal, "'", "'")) return literal;
  if (auto identifier = named(Form::identifier, "\"", "\"")) return identifier;
  return named(Form::is_set, "{?", "}");
}

Result<std::optional<std::string>> psql_value(const PsqlReference& reference,
                                              const PsqlVariables& variables) {
  using Form = PsqlReference::Form;
  if (variables.is_known_only_at_run(reference.name)) {
    return refused(fmt::format("psql learns '{}' only when it runs", reference.name),
                   "write the value itself, or a DO block that finds it");
  }
  const std::string* value = variables.find(reference.name);
  if (reference.form == Form::is_set) return std::optional<std::string>(value != nullptr ? "TRUE" : "FALSE");
  if (value == nullptr) return std::optional<std::string>();
  if (reference.form == Form::literal) return std::optional(as_literal(*value));
  if (reference.form == Form::identifier) return std::optional(in_quotes(*value, '"'));
  return std::optional(*value);
}

/// psql's ParseVariableBool: any beginning of the four words, but "o" could be two of them.
std::optional<bool> psql_boolean(std::string_view text) {
  const std::string value = lower(text);
  const auto begins = [&](std::string_view word, std::size_t least) {
    return value.size() >= least && word.starts_with(value);
  };
  if (value == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2)) return true;
  if (value == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2)) return false;
  return std::nullopt;
}

namespace {

/// Where a command's line ends: at the newline, or behind `\\`; quotes hide that, and a further command
/// begins at its own backslash.
std::size_t command_end(std::string_view text, std::size_t at) {
  char quote = '\0';
  for (; at < text.size() && text[at] != '\n'; ++at) {
    const char c = text[at];
    if (quote != '\0') {
      if (c == '\\' && quote == '\'' && at + 1 < text.size() && text[at + 1] != '\n') ++at;
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"' || c == '`') {
      quote = c;
    } else if (c == '\\') {
      return text.substr(at).starts_with("\\\\") ? at + 2 : at;
    }
  }
  return at;
}

/// Those that take the rest of the line as it is (OT_WHOLE_LINE).
bool takes_the_line(std::string_view name) {
  constexpr std::array k_names = {"!", "copy", "ef", "ev", "sf", "sf+", "sv", "sv+", "h", "help"};
  return std::ranges::find(k_names, name) != k_names.end();
}

}  // namespace

PsqlCommand psql_command(std::string_view text, std::size_t backslash) {
  PsqlCommand command;
  command.begin = backslash;
  command.arguments = std::min(text.find_first_of(" \t\r\n\f\v\\", backslash + 1), text.size());
  command.name = text.substr(backslash + 1, command.arguments - backslash - 1);
  command.end = takes_the_line(command.name) ? std::min(text.find('\n', backslash), text.size())
                                             : command_end(text, command.arguments);
  return command;
}

Result<std::vector<std::string>> psql_arguments(std::string_view text, const PsqlCommand& command,
                                                const PsqlVariables& variables) {
  return Arguments(text, command.arguments, command.end, variables).all();
}

namespace {

struct Fate {
  std::string_view names;  ///< each between spaces
  std::string_view cause;
  std::string_view hint;
};

constexpr std::string_view k_write_value = "write the value itself, or a DO block that finds it";
constexpr std::string_view k_leave_out = "leave it out; a migration runs on the database it is given";

constexpr std::array k_refused = {
    Fate{" ! ", "it runs a shell command", "leave it out, or do by SQL what it is for"},
    Fate{" copy ", "it reads or writes a file of the machine that psql runs on",
         "write COPY … FROM stdin with the rows behind it, or INSERT statements"},
    Fate{" gexec ", "what it runs is known only when its query has run",
         "write the statements out, or a DO block that executes them"},
    Fate{" gset ", "its variables are known only when its query has run", k_write_value},
    Fate{" getenv setenv prompt ", "it depends on the machine that psql runs on", "write the value itself"},
    Fate{" c connect ", "it leaves the database that is rehearsed", k_leave_out},
    Fate{" password cd ", "it depends on the machine that psql runs on",
         "leave it out, or do by SQL what it is for"},
};

/// What they print or set changes nothing in the database. `\d…` and `\l…` only look.
constexpr std::string_view k_ignored =
    " a C copyright echo errverbose f h help H html l l+ list o out p print pset qecho s sf sf+ sv sv+ t T "
    "timing warn x z conninfo ";

}  // namespace

PsqlRefusal psql_fate(const std::string& name) {
  const std::string word = fmt::format(" {} ", name);
  if (!name.empty() && (name[0] == 'd' || k_ignored.find(word) != std::string_view::npos))
    return {PsqlFate::ignored, "", ""};
  for (const Fate& fate : k_refused) {
    if (fate.names.find(word) != std::string_view::npos)
      return {PsqlFate::refused, std::string(fate.cause), std::string(fate.hint)};
  }
  return {PsqlFate::refused, "it is none that is rehearsed", "write it as plain SQL, or leave it out"};
}

}  // namespace lockkeeper::sql
