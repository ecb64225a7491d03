#pragma once

#include <string_view>

namespace lockkeeper::workload {

/// Guesses by English words and by forms that secrets have; they see no other language and no bare key. Where
/// in doubt they say yes: a query less is better than a password in a repository.

/// Does a column's or variable's name look like that of a secret ("password_hash", "apiToken", "pwd")?
bool names_secret(std::string_view name);

/// Does a value or a comment hold one: password=…, "token": "…", scheme://user:…@host, Bearer …, a private
/// key?
bool holds_secret(std::string_view text);

/// Does a statement hold one: in a literal or a comment, or as a literal that a column of such a name is held
/// against, set to or inserted with, or that is given to a function of pgcrypto?
bool statement_holds_secret(std::string_view sql);

/// The same of its parameters: is a `$n` where such a literal would be?
bool parameters_hold_secret(std::string_view sql);

/// A control character (C0, DEL, or C1 in UTF-8) that is no tab and no end of a line.
bool holds_control(std::string_view text);

}  // namespace lockkeeper::workload
