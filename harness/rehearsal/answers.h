#pragma once

#include <string>

#include "engine/query_session.h"

namespace lockkeeper::rehearsal {

/// How two answers differ.
struct AnswerDifference {
  enum class Kind {
    none,
    rows,  ///< other rows, or other columns
    order  ///< the same rows in another order
  };
  Kind kind = Kind::none;
  std::string first;  ///< the first difference: "row 3: (1, 2) on base, (1, 3) on head"
};

/// Rows are compared one by one where the query orders them, and else as a set; a write by the number of rows
/// that it wrote, too. Floating-point values of both sides may differ by a trillionth of their size (those of
/// seven digits by a hundred-thousandth): sums of them depend on the order in which they are added. Of long
/// answers, which are not kept whole, six digits of such values count.
AnswerDifference compare_answers(const engine::QueryAnswer& base, const engine::QueryAnswer& head,
                                 bool ordered);

/// Does the answer of what is prepared in the session hang on how the engine goes about it (ties)? `usual` is
/// the one that it gives. Tables may be longer afterwards than they were.
Result<bool> hangs_on_plan(engine::QuerySession& session, const engine::Parameters& parameters,
                           const engine::QueryAnswer& usual, bool ordered);

}  // namespace lockkeeper::rehearsal
