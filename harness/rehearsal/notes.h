#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/state.h"

namespace lockkeeper::rehearsal {

/// What was seen of a base when its image was made, so that a warm run need not read its rows again.
struct Notes {
  engine::State content;  ///< its tables only
  std::vector<record::SchemaFact> violations;
};

std::string encode(const Notes& notes);
/// Empty notes where the text is not what encode() wrote: then everything is read anew.
Notes decode(std::string_view text);

}  // namespace lockkeeper::rehearsal
