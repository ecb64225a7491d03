#include "engine/state.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace lockkeeper::engine {
namespace {

using record::ObjectDifference;

/// Leaves the attributes that `noise` does not hold. An object that appears in one run only, or not in each,
/// is noise as a whole.
void take_out(std::vector<record::AttributeChange>& changes, const ObjectDifference& noise) {
  std::erase_if(changes, [&noise](const record::AttributeChange& change) {
    return std::ranges::find(noise.attributes, change.name, &record::AttributeChange::name) !=
           noise.attributes.end();
  });
}

const ObjectDifference* same_object(const record::StateDifference& noise,
                                    const ObjectDifference& difference) {
  const auto found = std::ranges::find_if(noise.objects, [&difference](const ObjectDifference& other) {
    return other.kind == difference.kind && other.identity == difference.identity;
  });
  return found == noise.objects.end() ? nullptr : &*found;
}

bool is_noise(ObjectDifference& difference, const record::StateDifference& noise) {
  const ObjectDifference* other = same_object(noise, difference);
  if (other == nullptr) return false;
  if (other->change != record::Change::altered) return true;
  if (difference.change != record::Change::altered) return false;
  take_out(difference.attributes, *other);
  return difference.attributes.empty();
}

/// Rows that come and go by themselves hide what happens to single columns, and to how they stand together.
bool is_noise(const record::DataDifference& difference, const record::StateDifference& noise) {
  return std::ranges::any_of(noise.data, [&difference](const record::DataDifference& other) {
    if (other.table != difference.table) return false;
    if (other.change == record::DataChange::table_rows) return true;
    if (difference.change == record::DataChange::row_composition) return true;
    return other.change == difference.change && other.column == difference.column;
  });
}

}  // namespace

std::vector<record::SequenceMove> compare_sequences(const State& before, const State& after) {
  std::vector<record::SequenceMove> moves;
  auto now = after.sequences.begin();
  for (const SequencePosition& old : before.sequences) {
    while (now != after.sequences.end() && now->sequence < old.sequence) ++now;
    if (now == after.sequences.end()) break;
    if (now->sequence == old.sequence && now->position != old.position) {
      moves.push_back({old.sequence, old.position, now->position});
    }
  }
  return moves;
}

record::StateDifference without(record::StateDifference difference, const record::StateDifference& noise) {
  std::erase_if(difference.objects, [&noise](ObjectDifference& object) { return is_noise(object, noise); });
  std::erase_if(difference.data,
                [&noise](const record::DataDifference& data) { return is_noise(data, noise); });
  return difference;
}

}  // namespace lockkeeper::engine
