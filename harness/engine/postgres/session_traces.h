#pragma once

#include <string_view>

namespace lockkeeper::engine::postgres {

/// May this SQL do something to its session that DISCARD ALL does not undo? Parameters of one's own (a
/// placeholder stays behind, empty instead of unknown), setseed(), LOAD, languages with a memory of their
/// own. Errs on the side of yes; what it does not know of it takes for harmless, being all that DISCARD ALL
/// covers.
bool may_leave_traces(std::string_view sql);

/// The same of the functions that are in the database already, as a condition in SQL.
extern const std::string_view k_functions_may_leave_traces;

}  // namespace lockkeeper::engine::postgres
