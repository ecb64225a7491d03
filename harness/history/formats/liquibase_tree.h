#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::history::formats::liquibase {

/// An element of a changelog in XML, YAML or JSON: <include file="…"/>, or include: {file: …}.
struct Node {
  std::string name;
  std::map<std::string, std::string> attributes;  ///< of YAML the values that are text
  std::vector<Node> children;
  std::string text;
  int line = 0;
};

/// The databaseChangeLog of a file by its extension (xml, yaml, yml, json); a usage failure where it is none.
Result<Node> read_changelog(const std::string& path);

/// Has the file one of those extensions and the word databaseChangeLog in it?
bool may_be_changelog(const std::string& path);

}  // namespace lockkeeper::history::formats::liquibase
