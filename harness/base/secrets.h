#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lockkeeper {

/// What must not be seen in anything that is kept.
class Secrets {
 public:
  /// Values of our environment, and of what is added to it, whose name contains PASSWORD, SECRET, TOKEN or
  /// KEY; shorter ones than 4 characters would take away half of every text.
  static Secrets of_environment(const std::map<std::string, std::string>& added);
  Secrets with(const std::string& secret) &&;

  /// The text with "***" for each of them.
  std::string masked(std::string text) const;

 private:
  void add(std::string_view name, std::string_view value);
  std::vector<std::string> m_values;  ///< longest first: one may be part of another
};

}  // namespace lockkeeper
