#pragma once

#include <string_view>

namespace lockkeeper::history {

/// Whether `a` stands before `b` as JavaScript's localeCompare has it in its root locale: punctuation before
/// digits before letters, capitals only where nothing else differs. Of what is not ASCII the bytes count.
bool locale_less(std::string_view a, std::string_view b);

/// The same with numbers by value and punctuation left out ({numeric: true, ignorePunctuation: true}).
bool locale_less_by_number(std::string_view a, std::string_view b);

}  // namespace lockkeeper::history
