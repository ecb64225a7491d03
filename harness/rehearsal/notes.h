#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/state.h"

namespace lockkeeper::rehearsal {

/// What was seen of a base when its image was made, so that a warm run need not read it again: the copy of a
/// stopped data directory holds the same objects under the same oids.
struct Notes {
  engine::State state;
  std::vector<record::SchemaFact> violations;
};

std::string encode(const Notes& notes);
/// None where the text is not what encode() wrote: then everything is read anew.
std::optional<Notes> decode(std::string_view text);

}  // namespace lockkeeper::rehearsal
