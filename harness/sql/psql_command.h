#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::sql {

/// psql's variables while a script runs.
class PsqlVariables {
 public:
  explicit PsqlVariables(std::map<std::string, std::string> values);

  void set(const std::string& name, std::string value) { m_values[name] = std::move(value); }
  void unset(const std::string& name) { m_values.erase(name); }
  /// Null where it is not set.
  const std::string* find(const std::string& name) const;
  /// psql fills it from its connection or from what ran before, and nobody has set it.
  bool is_known_only_at_run(const std::string& name) const;
  static bool is_name(std::string_view name);

 private:
  std::map<std::string, std::string> m_values;
};

/// `:name`, `:'name'`, `:"name"` or `:{?name}`.
struct PsqlReference {
  enum class Form { plain, literal, identifier, is_set };
  Form form = Form::plain;
  std::string name;
  std::size_t end = 0;  ///< behind it
};

/// The reference at a colon, if it is one.
std::optional<PsqlReference> psql_reference(std::string_view text, std::size_t colon);
/// What stands in its place; nothing where psql leaves it as it is. A failure's message is the cause alone.
Result<std::optional<std::string>> psql_value(const PsqlReference& reference, const PsqlVariables& variables);

/// `true`, `on`, `yes`, `1` and their like, cut short or not; nothing for any other text.
std::optional<bool> psql_boolean(std::string_view text);

/// A meta-command: its name and what follows, up to the end of its line or to `\\`.
struct PsqlCommand {
  std::string name;
  std::size_t begin = 0;  ///< of the backslash
  std::size_t arguments = 0;
  std::size_t end = 0;  ///< where SQL goes on
};
PsqlCommand psql_command(std::string_view text, std::size_t backslash);
/// Its arguments with quotes and variables resolved. A failure's message is the cause alone.
Result<std::vector<std::string>> psql_arguments(std::string_view text, const PsqlCommand& command,
                                                const PsqlVariables& variables);

/// What we do with a meta-command that has no work in the reader.
enum class PsqlFate { ignored, refused };
struct PsqlRefusal {
  PsqlFate fate = PsqlFate::refused;
  std::string cause;
  std::string hint;
};
PsqlRefusal psql_fate(const std::string& name);

}  // namespace lockkeeper::sql
