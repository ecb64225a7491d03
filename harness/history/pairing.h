#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "history/faults.h"
#include "history/format.h"

namespace lockkeeper::history {

/// A file that is one side of a migration.
struct SideFile {
  std::string version;
  std::string name;
  std::string file;        ///< relative to the history's folder
  bool preferred = false;  ///< goes before another file of this version and side: one for our dialect
  std::string preferred_because;
  std::string key = {};  ///< by which sides belong together where it is not the version itself
};

/// Version before the first `separator`, name behind it: 0001_users, v1-init.
SideFile side_file(std::string_view stem, std::string file, char separator = '_');

/// A file ^([0-9]+)_(.*)\.(down|up)\.(.*)$, the groups greedy as Go takes them: golang-migrate's way with
/// names, and that of tools that took it over. Sides of one number belong together.
struct NumberedSide {
  record::Side side = record::Side::up;
  SideFile file;
};
std::optional<NumberedSide> numbered_side(const std::string& file);

/// "<file>: <reason>" for what a format leaves; folders are shown with a slash.
std::string left_file(const Entry& entry, std::string_view reason);

bool is_hidden(const std::string& name);

/// The file of a side.
inline const std::string& path_of_side(const Migration& migration, record::Side side) {
  return side == record::Side::up ? migration.up_path : *migration.down_path;
}

/// A file that its tool sends as it is, in one message.
Result<sql::Part> whole_file(const std::string& path, sql::Dialect dialect, record::TransactionShape shape,
                             const std::string& tool);

/// Gathers the sides of a history by version, then pairs them.
class Pairing {
 public:
  using Read = Result<sql::Script> (*)(const Migration&, record::Side);
  using Order = std::function<void(std::vector<Migration>&)>;

  Pairing(const Folder& folder, Read read, Order order);

  void leave(const Entry& entry, std::string_view reason);
  void leave_file(const std::string& file, std::string_view reason);
  /// Two of a version and side are a fault, unless one is preferred: that one is taken.
  void take(record::Side side, SideFile file);
  /// A down without its up is left for this reason, and no fault: the tool never comes to it.
  void leave_lone_downs(std::string reason) { m_lone_down = std::move(reason); }
  /// Whether any down has been taken.
  bool has_downs() const { return !m_downs.empty(); }
  /// What the tool itself would refuse.
  Faults& faults() { return m_faults; }
  History& history() { return m_history; }
  /// A usage failure with all faults: two migrations of one version, a down without its up.
  Result<History> finish() &&;

 private:
  std::string path_of(const std::string& file) const;

  History m_history;
  Read m_read;
  Order m_order;
  Faults m_faults;
  std::string m_lone_down;
  std::map<std::string, SideFile> m_ups;
  std::map<std::string, SideFile> m_downs;
};

}  // namespace lockkeeper::history
