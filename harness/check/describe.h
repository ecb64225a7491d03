#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"

/// Differences between states as lines that a person reads.
namespace lockkeeper::check {

/// Differences of column order stand apart: most applications never notice them.
struct Parted {
  std::vector<record::ObjectDifference> real;
  std::vector<record::ObjectDifference> order;  ///< only attribute changes of "position"
};
Parted part_order(const std::vector<record::ObjectDifference>& objects);

/// How an object that only the later state has is called: after down it was left behind, after up again it is
/// new.
enum class Later { after_down, after_up };

/// "lost index public.users_email_idx: CREATE INDEX …", "column public.users.email: nullable was yes, is no".
/// What hangs on a table that is itself lost or added is counted in the table's line.
std::vector<std::string> object_lines(const std::vector<record::ObjectDifference>& objects, Later later);

/// A value for a person: what is empty has a name (privileges that nobody changed are the default ones).
std::string attribute_text(const std::string& attribute, const std::string& value);

/// "2 objects left behind, 1 lost, 3 changed", with a table's columns and indexes counted as the table.
std::string object_summary(const std::vector<record::ObjectDifference>& objects, Later later);

/// "table public.users: 3 of 10 rows are gone", with a key where one is known.
std::string data_line(const record::DataDifference& difference);
std::vector<std::string> data_lines(const std::vector<record::DataDifference>& data);

/// "rows of public.users and values of public.users.email", at most three and how many more.
std::string data_summary(const std::vector<record::DataDifference>& data);

}  // namespace lockkeeper::check
