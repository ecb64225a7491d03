#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace lockkeeper::history {

/// A folder as a git ref has it, with the files right above it, in a temporary folder that goes with this
/// object.
class Checkout {
 public:
  /// Empty where the ref does not have the folder. A usage failure with git's own words where it is in no
  /// repository or the ref is not known. Nothing of the repository is changed, its index included.
  static Result<Checkout> of(const std::string& directory, const std::string& ref);

  Checkout(Checkout&& other) noexcept;
  ~Checkout();
  Checkout(const Checkout&) = delete;
  Checkout& operator=(const Checkout&) = delete;

  std::string folder() const;

 private:
  explicit Checkout(std::filesystem::path path);

  std::filesystem::path m_path;
  std::string m_prefix;  ///< of the folder in its repository
};

/// The text of a file as a git ref has it; none where the ref does not have it. Failures as Checkout's.
Result<std::optional<std::string>> text_at(const std::string& file, const std::string& ref);

/// The last tag that the checked-out commit comes after; none where there is none, or no repository.
std::optional<std::string> last_tag(const std::string& directory);

}  // namespace lockkeeper::history
