#pragma once

#include <string>
#include <string_view>

/// Names as SQL writes them: enough to tell whether a statement speaks of an object.
namespace lockkeeper::check {

/// The last part of a qualified name, without quotes and without a function's arguments:
/// `public."Users".email` → `email`, `app.touch(integer)` → `touch`.
std::string bare_name(std::string_view identity);

/// The last part as it is written, quotes kept: what a constraint is called where its table is named beside
/// it. `public."Pet"."Pet_ownerId_fkey"` → `"Pet_ownerId_fkey"`.
std::string name_within(std::string_view identity);

/// Does the text hold `name` as a word of its own? Case counts only as much as an unquoted identifier's does.
bool names(std::string_view text, std::string_view name);

/// The same object, whether or not one of the two is qualified with its schema.
bool same_identity(std::string_view a, std::string_view b);

}  // namespace lockkeeper::check
