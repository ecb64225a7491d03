#include "check/error_advice.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace lockkeeper::check {

namespace {

struct Advice {
  std::string_view sqlstate;
  std::string_view up;
  std::string_view down;  ///< empty: the same as for up
};

constexpr std::string_view k_missing_up =
    "create it in an earlier migration, or before this statement; check the spelling, the quotes around "
    "names with "
    "capitals, and the schema; what another program makes belongs into the scenario's init";
constexpr std::string_view k_missing_down =
    "undo in the reverse order of up, with the names that up left behind (renames included); what the down "
    "of a later "
    "migration already removes needs no statement here";
constexpr std::string_view k_exists_up =
    "create it once: drop this statement if an earlier migration already makes it; where it is left from a "
    "down, let "
    "the down remove it";
constexpr std::string_view k_exists_down =
    "drop what up made in its place before making the old object again";

// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
constexpr std::array k_advice{
    Advice{
        "25001",
        "this command refuses to run inside a transaction: put it alone into a migration that the tool runs "
        "without one, or leave out CONCURRENTLY where the table may be locked meanwhile",
        ""},
    Advice{"2BP01", "drop what depends on it first, by name; CASCADE would take those objects without a word",
           "drop in the reverse order of up: first what depends on the object (see detail), then the object; "
           "CASCADE "
           "would take those objects without a word"},
    Advice{"42601",
           "correct the statement at this place; if it is valid on another version of the server, state that "
           "version in the scenario",
           ""},
    Advice{"42P07", k_exists_up, k_exists_down},
    Advice{"42710", k_exists_up, k_exists_down},
    Advice{"42701", k_exists_up, k_exists_down},
    Advice{"42P06", k_exists_up, k_exists_down},
    Advice{"42723", k_exists_up, k_exists_down},
    Advice{"42P01", k_missing_up, k_missing_down},
    Advice{"42703", k_missing_up, k_missing_down},
    Advice{"42704", k_missing_up, k_missing_down},
    Advice{"42883", k_missing_up, k_missing_down},
    Advice{"3F000", k_missing_up, k_missing_down},
    Advice{
        "55P04",
        "add the enum value in a migration of its own: a value can be used only after the transaction that "
        "added it has committed",
        ""},
    Advice{"23505",
           "rows hold duplicates: find them (GROUP BY … HAVING count(*) > 1), merge or delete them in this "
           "migration before the unique index or the INSERT",
           "rows that are allowed under the new schema are duplicates under the old one: decide in the down "
           "which of "
           "them stay before the key comes back"},
    Advice{
        "23502",
        "rows hold NULL there: fill them in this migration first (UPDATE … WHERE … IS NULL), or give the new "
        "column a DEFAULT",
        "rows hold NULL there since up: fill them with a value in the down before SET NOT NULL, or bring the "
        "old "
        "column back with its values"},
    Advice{
        "23503",
        "rows refer to rows that do not exist: delete or repair these orphans in this migration before the "
        "foreign key, or delete the referring rows before the ones they refer to",
        ""},
    Advice{"23001",
           "other rows still refer to these rows, and the key says RESTRICT: delete or move the referring "
           "rows before "
           "the ones they refer to",
           ""},
    Advice{"23514", "rows break the check: repair them in this migration before adding the constraint",
           "rows that are allowed since up break the old check: map them to old values in the down first"},
    Advice{"23P01", "rows break the exclusion constraint: separate them in this migration before adding it",
           ""},
    Advice{
        "22001",
        "values are too long for the type: shorten them knowingly (UPDATE … left(…)) before the type changes",
        "values written under the longer type do not fit the old one: say in the down what happens to them"},
    Advice{
        "22P02",
        "values cannot be read as the new type: repair them first, or convert them in the USING clause",
        "values (or enum labels) of today are unknown to the old type: map them in the down before the cast"},
    Advice{"22003", "values are out of the type's range: choose a wider type, or repair them first",
           "values of today do not fit the old, narrower type: say in the down what happens to them"},
    Advice{
        "42804",
        "the server converts these types only on request: add USING column::type to ALTER COLUMN … TYPE, and "
        "drop a DEFAULT of the old type before",
        ""},
    Advice{"42846", "there is no cast between these types: convert by way of text in the USING clause", ""},
    Advice{"57014",
           "the statement ran into a time limit: do the slow part in batches, or CONCURRENTLY, or raise "
           "statement_timeout for this migration alone",
           ""},
    Advice{"55P03", "another session held the lock: retry later, and keep lock_timeout short", ""},
    Advice{"40P01", "two sessions waited for each other: take locks in one order, one table a transaction",
           ""},
    Advice{"55006",
           "rows were changed before the table: changes that a deferred constraint still has to check block "
           "ALTER TABLE; run SET CONSTRAINTS ALL IMMEDIATE in between, or use two migrations",
           ""},
    Advice{
        "42501",
        "the migration runs as a role that may not do this: grant it, or let the owner of the object do it",
        ""},
    Advice{"0A000",
           "this server cannot do that: use another form of the statement, or state the versions that can in "
           "the scenario",
           ""},
    Advice{"42P16",
           "CREATE OR REPLACE VIEW can only add columns at the end: drop the view and create it, with its "
           "grants, comment and what depends on it",
           "CREATE OR REPLACE VIEW cannot take columns away: drop the view and create the old one, with its "
           "grants and "
           "comment"},
    Advice{
        "42P13",
        "CREATE OR REPLACE FUNCTION cannot change the result type or parameter names: drop the function and "
        "create it, with its grants and what depends on it",
        ""},
    Advice{
        "42830",
        "a foreign key needs a unique or primary key on exactly the columns that it refers to: create that "
        "first",
        ""},
    Advice{"42809",
           "the object is of another kind than the statement says (a view is not a table, an index may "
           "belong to "
           "a constraint): use the DROP or ALTER of its own kind",
           ""},
    Advice{"0LP01", "the role cannot be granted to itself or in a circle: take the grant out", ""},
    Advice{"58P01",
           "the server lacks the extension's files: install the package where it runs, or name a server that "
           "has "
           "them (--pg-bin, --server)",
           ""},
    Advice{"53100", "the disk is full: free space, or use a smaller fixture", ""},
    Advice{"P0001",
           "the migration itself raised this: meet the condition that it tests for, or correct the test", ""},
    Advice{
        "57P01",
        "the session was terminated while the side ran: take pg_terminate_backend out of the migration, it "
        "must not end the session that it runs in",
        ""},
    Advice{"25P02", "an earlier statement of the transaction had failed: correct that one", ""},
};

constexpr std::string_view k_other_up =
    "correct the statement; run the reproducing command to try it by hand";
constexpr std::string_view k_other_down =
    "correct the statement, so that the way back works before it is needed; run the reproducing command to "
    "try it by hand";

bool has_word(const std::string& statement, std::string_view word) {
  return lower(statement).find(word) != std::string::npos;
}

/// By what SQLite says; empty where that leaves nothing to add.
std::string_view sqlite_advice(const record::SqlError& error, record::Side side) {
  const auto says = [&](std::string_view words) { return has_word(error.message, words); };
  if (says("no such function") || says("no such collation sequence")) {
    return "the application registers it in its own sessions, and no other program has it: write the "
           "migration without "
           "it, or rehearse the application's own command (migrations: {tool: {list, up, down}})";
  }
  if (says("foreign key mismatch"))
    return "give the columns that the key leads to a PRIMARY KEY or a UNIQUE index";
  if (error.sqlstate.starts_with("SQLITE_CONSTRAINT_FOREIGNKEY"))
    return "delete or move the rows that still hang on it first, or say ON DELETE at the key";
  if (error.sqlstate.starts_with("SQLITE_CONSTRAINT_NOTNULL"))
    return side == record::Side::down
               ? "fill the column that comes back: the down must know where its values are kept"
               : "fill the column where it is NULL, or give it a DEFAULT, in the same migration";
  if (error.sqlstate.starts_with("SQLITE_CONSTRAINT_UNIQUE") ||
      error.sqlstate.starts_with("SQLITE_CONSTRAINT_PRIMARYKEY"))
    return "look for rows that share the key, and decide which of them stays, before the key is made";
  if (says("cannot add a not null column"))
    return "give the column a DEFAULT, or add it nullable, fill it and rebuild the table";
  if (says("error in view") || says("error in trigger"))
    return "SQLite reads every view and trigger again when a table is renamed or a column dropped: drop "
           "those that name it "
           "first and make them again afterwards, or PRAGMA legacy_alter_table = ON around the rebuild";
  if (says("within a transaction") || says("inside a transaction") || says("from within a transaction"))
    return "send the statement alone, without a transaction around it";
  if (error.sqlstate.starts_with("SQLITE_BUSY") || error.sqlstate.starts_with("SQLITE_LOCKED"))
    return "another connection holds the lock: stop the application, or set PRAGMA busy_timeout and try "
           "again";
  return "";
}

}  // namespace

std::string advice_for(const record::SqlError& error, record::Side side, const std::string& statement) {
  if (error.sqlstate.starts_with("SQLITE_")) {
    if (const auto advice = sqlite_advice(error, side); !advice.empty()) return std::string(advice);
  }
  if (error.sqlstate.empty() && has_word(error.message, "(--timeout)")) {
    return "let the side end within the time limit: do the slow part in batches, or raise --timeout";
  }
  if (error.sqlstate.empty() && has_word(error.message, " ended with exit code ")) {
    return "the program that runs the side failed by itself: give it what it lacks (its environment, "
           "modules, "
           "settings); what it said last is above";
  }
  // libpq's own errors carry no SQLSTATE, or a general one of class 08.
  if (error.sqlstate.empty() || error.sqlstate.starts_with("08")) {
    return "the side took its session or the server with it: take out what ends processes, stops the server "
           "or "
           "drops the database; the reproducing command shows the server's own words";
  }
  if (error.sqlstate == "57014" && has_word(error.message, "copy from stdin")) {
    return "only psql sends the rows that follow COPY … FROM STDIN in a file: write them as INSERT";
  }
  if (error.sqlstate == "23505" && side == record::Side::up && has_word(statement, "insert into")) {
    return "a row with this key is there already: where it is left from a down, let the down delete it; "
           "where an "
           "earlier migration or the application made it, insert only what is missing";
  }
  // 42804 in an INSERT … SELECT mostly says that columns are matched by place and no longer stand as they
  // did.
  if (error.sqlstate == "42804" && has_word(statement, "insert into") && !has_word(statement, "alter ")) {
    return "name the columns on both sides, INSERT INTO t (a, b) SELECT a, b: they are matched by place, and "
           "* follows "
           "a table's order of today; where the types themselves differ, cast";
  }
  // PostgreSQL 15 says so of an extension whose control file is not there; before it was 58P01.
  if (error.sqlstate == "0A000" && has_word(error.message, "extension \"")) {
    return advice_for({"58P01", error.message, {}, {}, {}}, side, statement);
  }
  // 55006 object_in_use is also DROP DATABASE or an open cursor; only ALTER and friends meet pending trigger
  // events.
  const bool pending = error.sqlstate == "55006" && !has_word(error.message, "pending trigger events");
  // 25001 has one more meaning: SET TRANSACTION after the first query, which CONCURRENTLY has no part in.
  const bool set_transaction = error.sqlstate == "25001" && has_word(statement, "set transaction");
  const auto found = std::find_if(k_advice.begin(), k_advice.end(),
                                  [&](const Advice& advice) { return advice.sqlstate == error.sqlstate; });
  if (found == k_advice.end() || pending || set_transaction) {
    return std::string(side == record::Side::up ? k_other_up : k_other_down);
  }
  return std::string(side == record::Side::down && !found->down.empty() ? found->down : found->up);
}

}  // namespace lockkeeper::check
