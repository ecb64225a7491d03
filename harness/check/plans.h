#pragma once

#include <string>
#include <vector>

#include "record/record.h"

/// Plans of base and head, compared node by node.
namespace lockkeeper::check {

/// One plan as lines of a tree, with what was counted; nodes that the other plan does not have are marked
/// with ≠.
std::vector<std::string> tree_of(const record::QueryPlan& plan, const record::QueryPlan& other);

/// Has either plan a node that the other has not?
bool are_otherwise(const record::QueryPlan& plan, const record::QueryPlan& other);

/// Both trees as evidence; EXPLAIN's text of the head where neither was executed.
void add_trees(record::Finding& finding, const record::QueryObservation& observation);

/// What is worse on head, by what was counted: "touches 120 pages, 8 on base", "sorts on disk (2,048 kB)".
/// Pages may be `limit` times as many, and so few more as an index has levels. A worse kind of scan counts
/// where it touches no fewer.
std::vector<std::string> regressions(const record::QueryPlan& base, const record::QueryPlan& head,
                                     double limit);

/// Four times as many pages, and half a megabyte more: no few levels of an index, and nothing that a memory
/// hides.
bool touches_far_more(const record::QueryPlan& base, const record::QueryPlan& head);

}  // namespace lockkeeper::check
