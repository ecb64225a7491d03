#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/script.h"

namespace lockkeeper::history::formats::liquibase {

/// How a change's SQL is sent (liquibase/change/AbstractSQLChange.java).
struct Sending {
  bool split = true;
  bool strip = true;  ///< comments
  std::optional<std::string> delimiter;
};

/// One statement as Liquibase cuts it.
struct Cut {
  sql::Piece piece;
  std::vector<sql::Piece> comments;  ///< in it, that Liquibase takes out
};

/// Cuts SQL as Liquibase does (liquibase/util/StringUtil.java: processMultiLineSQL, with the tokens of
/// SimpleSqlGrammar.jj). It knows no dollar quotes: a semicolon in a function's body ends a statement, unless
/// it stands between the words BEGIN and END, of which every END closes one.
std::vector<Cut> cut(std::string_view text, const Sending& sending);

/// A part of the cuts, each one message, as JDBC sends them. Comments are taken out where the server would
/// keep them, in literals; elsewhere the text stays as it is, so that places in it stay right.
Result<sql::Part> part_of(std::shared_ptr<const sql::Source> source, const Sending& sending,
                          record::TransactionShape shape);

/// Adds a part's statements behind those of another, whose next message has the number `messages`.
void join(sql::Part& to, sql::Part part, std::size_t& messages);

}  // namespace lockkeeper::history::formats::liquibase
