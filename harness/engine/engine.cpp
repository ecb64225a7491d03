#include "engine/engine.h"

#include "base/text.h"

namespace lockkeeper::engine {

std::string Answer::text() const {
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::vector<std::string> values;
    for (const auto& value : row) values.push_back(value.value_or("NULL"));
    lines.push_back(join(values, ", "));
  }
  return join(lines, "; ");
}

}  // namespace lockkeeper::engine
