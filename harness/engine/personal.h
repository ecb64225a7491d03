#pragma once

#include <string_view>

namespace lockkeeper::engine {

/// Does a column's name look like something about a person, or like a secret ("email", "homePhone",
/// "api_token")? A guess by words: it sees neither values nor other languages.
bool looks_personal(std::string_view column);

}  // namespace lockkeeper::engine
