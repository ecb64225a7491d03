#include "sql/statement.h"

#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pg_query.h>

#include "sql/kind.h"

namespace lockkeeper::sql {
namespace {

Source source_of(std::string text) {
  return Source::from_text("m.sql", std::move(text)).value();
}

std::vector<std::string> texts_of(const Source& source) {
  std::vector<std::string> texts;
  const auto statements = split_statements(source).value();
  for (const Statement& statement : statements) texts.emplace_back(statement.text);
  return texts;
}

std::vector<std::string> split_text(std::string text) {
  return texts_of(source_of(std::move(text)));
}

StatementKind kind_of_only(const std::string& text) {
  const Source source = source_of(text);
  const auto statements = split_statements(source).value();
  EXPECT_EQ(statements.size(), 1U) << text;
  return statements.at(0).kind;
}

std::string failure_of(std::string text) {
  const Source source = source_of(std::move(text));
  const auto statements = split_statements(source);
  EXPECT_FALSE(statements.has_value());
  return statements ? "" : to_string(statements.error());
}

using Texts = std::vector<std::string>;

TEST(Split, drops_empty_statements_and_keeps_no_semicolon) {
  EXPECT_EQ(split_text("select 1;; ;\n select 2 ;"), (Texts{"select 1", "select 2"}));
  EXPECT_EQ(split_text(""), Texts{});
  EXPECT_EQ(split_text(" ; -- nothing\n /* here */ ;"), Texts{});
}

TEST(Split, begins_at_the_first_token_and_ends_at_the_last) {
  const Source source =
      source_of("-- head\n/* a /* nested */ b */\n  SELECT 1 -- tail\n ; \r\n\tSELECT 'é', 2 /* end */");
  const auto statements = split_statements(source).value();
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].text, "SELECT 1");
  EXPECT_EQ(to_string(statements[0].location), "m.sql:3:3");
  EXPECT_EQ(statements[1].text, "SELECT 'é', 2");
  EXPECT_EQ(to_string(statements[1].location), "m.sql:5:2");
  EXPECT_EQ(source.text().substr(statements[1].offset, 6), "SELECT");
}

TEST(Split, counts_columns_in_characters) {
  const Source source = source_of("SELECT 'żółć🦀'; SELECT 2");
  EXPECT_EQ(to_string(split_statements(source).value().at(1).location), "m.sql:1:17");
}

TEST(Split, semicolons_in_quotes_comments_and_rules_end_nothing) {
  for (const std::string statement : {
           "select 'a;b'",
           "select 'it''s; fine'",
           R"(select e'it\'s; fine')",
           R"(select E'\\')",
           "select \"a;b\"\"c;\"",
           "select $$a;b$$",
           "select $tag$a; $$ ; $other$ ;$tag$",
           "select 1 -- a;b\n + 1",
           "select /* ; /* ; */ ; */ 1",
           "create rule r as on insert to t do (select 1; select 2)",
           "select e'a'\n  -- with a comment\n 'b\\';c'",
           "select u&'d\\0061t;'",
           "select a$b$c, ';' from a$b$",
           "select 1+--;\n 2",
           "select x'1F', b'01', n';'",
           "DO $do$ BEGIN; PERFORM 1; END $do$",
           "select $1, ';'",
           "select \"é;\", ü$$ from t",
       }) {
    EXPECT_EQ(split_text("select 0; " + statement + ";select 9"), (Texts{"select 0", statement, "select 9"}));
  }
}

TEST(Split, begin_atomic_bodies_stay_whole) {
  for (const std::string statement : {
           "create function f() returns int language sql begin atomic select 1; select case when true then 1 "
           "end; end",
           "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql\nBEGIN  ATOMIC\n INSERT INTO t VALUES (1);\nEND",
           "create function f(a int) returns int begin /* c */ atomic select (case when a>1 then 2 end); end",
           "create function f() returns int begin atomic end",
           "create function f() returns int begin atomic select 'end;'; select $$end;$$; select \"end\" from "
           "t; end",
       }) {
    EXPECT_EQ(split_text("begin; " + statement + "; end; select 9"),
              (Texts{"begin", statement, "end", "select 9"}));
  }
}

TEST(Split, begin_outside_of_a_routine_opens_no_body) {
  EXPECT_EQ(split_text("create table t(a int); begin; select 1; end"),
            (Texts{"create table t(a int)", "begin", "select 1", "end"}));
  EXPECT_EQ(split_text("create function begin(a int) returns int as 'x' language c; select 2").size(), 2U);
}

TEST(Split, what_is_never_closed_is_one_statement_to_the_end) {
  EXPECT_EQ(split_text("select 1; select 'abc; select 2;"), (Texts{"select 1", "select 'abc; select 2;"}));
  EXPECT_EQ(split_text("select 1; select $x$abc; select 2;\n"),
            (Texts{"select 1", "select $x$abc; select 2;\n"}));
  EXPECT_EQ(split_text("select 1; select \"abc; select 2"), (Texts{"select 1", "select \"abc; select 2"}));
  EXPECT_EQ(split_text("select 1; select (1; select 2"), (Texts{"select 1", "select (1; select 2"}));
  EXPECT_EQ(split_text("select 1; create function f() begin atomic select 2; select 3"),
            (Texts{"select 1", "create function f() begin atomic select 2; select 3"}));
}

TEST(Split, an_unterminated_comment_is_left_to_the_server) {
  EXPECT_EQ(split_text("select 1; /* abc; select 2"), (Texts{"select 1", "/* abc; select 2"}));
  EXPECT_EQ(split_text("select 1; select 2 /* abc; select 3"),
            (Texts{"select 1", "select 2 /* abc; select 3"}));
}

TEST(Split, nonsense_that_the_scanner_drops_is_kept_for_the_server) {
  EXPECT_EQ(split_text("foo bar; select 1; ???; 1) ; select 2"),
            (Texts{"foo bar", "select 1", "???", "1)", "select 2"}));
}

TEST(Split, number_formats_of_newer_servers_split_as_well) {
  EXPECT_EQ(split_text("select 1_000; select 0xFF; select 2; select 123abc; select 3"),
            (Texts{"select 1_000", "select 0xFF", "select 2", "select 123abc", "select 3"}));
}

TEST(Split, psql_meta_commands_are_refused_with_the_place) {
  EXPECT_EQ(
      failure_of("select 1;\n  \\i it's.sql\nselect 2;"),
      "m.sql:2:3: error: psql meta-command '\\i' in 'm.sql': it is not SQL\n"
      "hint: only psql (by hand or through sqitch) runs files with meta-commands, not a migration tool that "
      "sends SQL: put the text of the included file here");
  EXPECT_EQ(
      failure_of("\\set ON_ERROR_STOP on\nselect 1"),
      "m.sql:1:1: error: psql meta-command '\\set' in 'm.sql': it is not SQL\n"
      "hint: only psql (by hand or through sqitch) runs files with meta-commands, not a migration tool that "
      "sends SQL: write the value itself, or a DO block that finds it");
  EXPECT_NE(failure_of("select 1 \\gset\n").find("m.sql:1:10: error: psql meta-command '\\gset'"),
            std::string::npos);
  EXPECT_NE(failure_of("select 1;\n\\q").find("m.sql:2:1: error: psql meta-command '\\q'"),
            std::string::npos);
  EXPECT_NE(failure_of("\\connect db").find("runs on the database it is given"), std::string::npos);
  EXPECT_NE(failure_of("\\copy t from 'x'").find("write the rows as INSERT"), std::string::npos);
  EXPECT_NE(failure_of("\\timing").find("write it as plain SQL, or leave it out"), std::string::npos);
}

TEST(Split, backslashes_in_quotes_and_comments_are_no_meta_commands) {
  EXPECT_EQ(split_text("select '\\i', e'\\\\', \"\\x\", $$\\q$$ -- \\d\n /* \\d */; select 2").size(), 2U);
}

TEST(Split, rows_of_copy_from_stdin_are_no_sql) {
  const Source source = source_of("COPY t (a, b) FROM stdin;\n1\tit's; \\N\n2\t$$\n\\.\nSELECT 1;");
  const auto statements = split_statements(source).value();
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].text, "COPY t (a, b) FROM stdin");
  EXPECT_EQ(statements[0].kind, StatementKind::copy_from_stdin);
  EXPECT_EQ(statements[0].copy_data, "1\tit's; \\N\n2\t$$\n");
  EXPECT_EQ(statements[1].text, "SELECT 1");
  EXPECT_EQ(to_string(statements[1].location), "m.sql:5:1");
}

TEST(Split, quotes_in_rows_of_copy_do_not_reach_into_what_follows) {
  EXPECT_EQ(split_text("COPY t FROM stdin;\nit's\n\\.\nSELECT 'a'; SELECT 'b; c'; SELECT 'd';"),
            (Texts{"COPY t FROM stdin", "SELECT 'a'", "SELECT 'b; c'", "SELECT 'd'"}));
}

TEST(Split, rows_of_copy_reach_to_the_end_without_their_mark) {
  const Source source = source_of("COPY t FROM STDIN;\r\n1\r\n\\.\r\nCOPY t FROM STDIN;\n2\n");
  const auto statements = split_statements(source).value();
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].copy_data, "1\r\n");
  EXPECT_EQ(statements[1].copy_data, "2\n");
}

TEST(Kind, transaction_control) {
  for (const char* text :
       {"BEGIN", "begin work", "Begin Isolation Level Serializable", "/* x */ START -- y\n TRANSACTION"})
    EXPECT_EQ(kind_of_only(text), StatementKind::begin) << text;
  for (const char* text : {"COMMIT", "commit work", "END", "end transaction", "ROLLBACK", "rollback work",
                           "ABORT", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'x'"})
    EXPECT_EQ(kind_of_only(text), StatementKind::end) << text;
  for (const char* text :
       {"ROLLBACK TO a", "rollback work to savepoint a", "ROLLBACK TRANSACTION TO a", "SAVEPOINT a",
        "RELEASE a", "PREPARE p AS SELECT 1", "DO $$ BEGIN COMMIT; END $$", "\"begin\"", "SET x = 1",
        "SET LOCAL lock_timeout = '1s'", "SET SESSION AUTHORIZATION a"})
    EXPECT_EQ(kind_of_only(text), StatementKind::ordinary) << text;
  for (const char* text : {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "set local transaction read only",
                           "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"})
    EXPECT_EQ(kind_of_only(text), StatementKind::set_transaction) << text;
}

TEST(Kind, what_cannot_run_in_a_transaction) {
  for (const char* text : {"CREATE INDEX CONCURRENTLY i ON t (a)",
                           "create unique index concurrently if not exists i on t (a)",
                           "create /* x */ index -- y\n concurrently on t (a)",
                           "DROP INDEX CONCURRENTLY IF EXISTS i",
                           "REINDEX TABLE CONCURRENTLY t",
                           "REINDEX INDEX CONCURRENTLY i",
                           "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
                           "REINDEX (CONCURRENTLY) TABLE t",
                           "REINDEX (VERBOSE, CONCURRENTLY TRUE, TABLESPACE x) INDEX i",
                           "REINDEX DATABASE d",
                           "REINDEX SYSTEM d",
                           "REINDEX SCHEMA s",
                           "reindex (verbose) schema s",
                           "VACUUM",
                           "VACUUM (FULL, ANALYZE) t",
                           "vacuum full t",
                           "CREATE DATABASE d",
                           "DROP DATABASE IF EXISTS d",
                           "CREATE TABLESPACE x LOCATION '/x'",
                           "DROP TABLESPACE x",
                           "ALTER DATABASE d SET TABLESPACE x",
                           "ALTER SYSTEM SET work_mem = '1MB'",
                           "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
                           "DROP SUBSCRIPTION s",
                           "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
                           "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
                           "ALTER TABLE IF EXISTS ONLY \"s\".\"t\" DETACH PARTITION \"s\".\"p\" CONCURRENTLY",
                           "CLUSTER",
                           "CLUSTER VERBOSE",
                           "CLUSTER (VERBOSE)",
                           "DISCARD ALL",
                           "COMMIT PREPARED 'x'",
                           "ROLLBACK PREPARED 'x'"})
    EXPECT_EQ(kind_of_only(text), StatementKind::no_transaction) << text;
}

TEST(Kind, what_looks_like_it_but_can) {
  for (const char* text : {"CREATE INDEX i ON t (a)",
                           "CREATE INDEX \"concurrently\" ON t (a)",
                           "DROP INDEX i",
                           "REINDEX TABLE t",
                           "REINDEX (CONCURRENTLY FALSE) TABLE t",
                           "REINDEX (CONCURRENTLY off, VERBOSE) TABLE t",
                           "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
                           "CLUSTER t USING i",
                           "CLUSTER VERBOSE t",
                           "CLUSTER (VERBOSE) t",
                           "ALTER TABLE t DETACH PARTITION p",
                           "ALTER TABLE t DETACH PARTITION p FINALIZE",
                           "ALTER TABLE t ADD COLUMN concurrently_done bool",
                           "ALTER DATABASE d SET work_mem = '1MB'",
                           "ANALYZE t",
                           "CREATE TABLE vacuum_log (a int)",
                           "COMMENT ON TABLE t IS 'VACUUM'",
                           "DISCARD PLANS",
                           "ALTER SUBSCRIPTION s DISABLE",
                           "CREATE UNIQUE INDEX i ON t (a)",
                           "COPY t TO STDOUT",
                           "COPY t FROM '/x'",
                           "COPY (SELECT a FROM stdin) TO STDOUT"})
    EXPECT_EQ(kind_of_only(text), StatementKind::ordinary) << text;
}

TEST(Kind, headline_says_what_stands_there) {
  EXPECT_EQ(headline("create /* x */ unique index concurrently i on t (a)"),
            "CREATE UNIQUE INDEX CONCURRENTLY");
  EXPECT_EQ(headline("ALTER TABLE t DETACH PARTITION p CONCURRENTLY"), "ALTER TABLE … CONCURRENTLY");
  EXPECT_EQ(headline("reindex (concurrently) table t"), "REINDEX … CONCURRENTLY");
  EXPECT_EQ(headline("vacuum full t"), "VACUUM");
  EXPECT_EQ(headline("begin isolation level serializable"), "BEGIN");
  EXPECT_EQ(headline("start transaction read only"), "START TRANSACTION");
  EXPECT_EQ(headline("alter system set a = 1"), "ALTER SYSTEM");
  EXPECT_EQ(headline("reindex (verbose) schema s"), "REINDEX");
}

TEST(Kind, copy_from_stdin) {
  for (const char* text : {"COPY t FROM STDIN", "copy \"s\".\"t\" (a, b) from stdin with (format csv)"})
    EXPECT_EQ(kind_of_only(text), StatementKind::copy_from_stdin) << text;
}

/// A text made of pieces that open, close and disguise each other.
std::string random_text(std::mt19937& random) {
  static const Texts k_pieces = {"select 1", ";",     ";",
                                 ";\n",      "'",     "''",
                                 "$$",       "$a$",   "\"",
                                 "--",       "/*",    "*/",
                                 "\n",       "\r\n",  "(",
                                 ")",        "begin", "e'",
                                 "é",        "a$$",   "x",
                                 "-",        "/",     "$1",
                                 "1_0",      "E",     "atomic ",
                                 "end",      " ",     "insert",
                                 "\t",       "$",     "create function f() ",
                                 "case "};
  std::string text;
  const std::size_t length = random() % 40;
  for (std::size_t i = 0; i < length; ++i) text += k_pieces[random() % k_pieces.size()];
  return text;
}

TEST(Split, nothing_but_blanks_comments_and_semicolons_is_lost) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 4000; ++round) {
    const Source source = source_of(random_text(random));
    const auto statements = split_statements(source).value();
    std::size_t at = 0;
    for (const Statement& statement : statements) {
      ASSERT_FALSE(statement.text.empty());
      const Source between = source_of(std::string(source.text().substr(at, statement.offset - at)));
      EXPECT_EQ(texts_of(between), Texts{}) << source.text();
      EXPECT_EQ(statement.location, source.locate(statement.offset)) << source.text();
      at = statement.offset + statement.text.size();
    }
    EXPECT_EQ(split_text(std::string(source.text().substr(at))), Texts{}) << source.text();
  }
}

/// The scanner's own answer for texts that it accepts, each statement trimmed by splitting it alone.
TEST(Split, agrees_with_the_parser_on_what_parses) {
  std::mt19937 random(7);
  const Texts valid = {"select 'a;b'",
                       "select $x$;$x$",
                       "select 1 -- ;\n",
                       "begin",
                       "end",
                       "select e'\\';' \n 'x'",
                       "create rule r as on insert to t do also (select 1; select 2)",
                       "select \"a;\" from t",
                       "create function f() returns int begin atomic select 1; select 2; end",
                       "/* ; */ select 2"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = 0; i < 1 + random() % 8; ++i) text += valid[random() % valid.size()] + "\n;";
    const PgQuerySplitResult expected = pg_query_split_with_parser(text.c_str());
    ASSERT_EQ(expected.error, nullptr) << text;
    EXPECT_EQ(split_text(text).size(), static_cast<std::size_t>(expected.n_stmts)) << text;
    pg_query_free_split_result(expected);
  }
}

TEST(Split, pieces_of_the_scanner_do_not_show) {
  std::string text;
  Texts expected;
  std::mt19937 random(3);
  while (text.size() < 3'000'000) {
    std::string statement = "insert into t values (" + std::to_string(random()) + ", 'a;é\n''b'";
    if (random() % 50 == 0) statement += ", 1_000";
    if (random() % 500 == 0) statement += ", '" + std::string(random() % 200000, ';') + "'";
    statement += ")";
    expected.push_back(statement);
    text += statement + (random() % 2 == 0 ? ";\n" : " -- it's ;\n;");
  }
  EXPECT_EQ(split_text(text), expected);
}

TEST(Split, works_in_several_threads_at_once) {
  std::vector<std::size_t> counts(4);
  std::vector<std::thread> threads;
  for (std::size_t& count : counts) {
    threads.emplace_back([&count] {
      for (int round = 0; round < 50; ++round)
        count += split_text("select 1; select '2'; select 1_0; bad").size();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts, (std::vector<std::size_t>(4, 200)));
}

TEST(Split, deep_nesting_needs_no_stack) {
  std::string text(2'000'000, '(');
  EXPECT_EQ(split_text(text).size(), 1U);
  EXPECT_EQ(split_text(std::string(2'000'001, '\'')).size(), 1U);
  std::string comments;
  for (int i = 0; i < 500'000; ++i) comments += "/*";
  EXPECT_EQ(split_text(comments).size(), 1U);
}

std::vector<AllowComment> allows_of(std::string text) {
  const Source source = source_of(std::move(text));
  return allow_comments(source).value();
}

std::string allow_failure_of(std::string text) {
  const Source source = source_of(std::move(text));
  const auto allows = allow_comments(source);
  EXPECT_FALSE(allows.has_value());
  return allows ? "" : to_string(allows.error());
}

TEST(AllowComments, are_read_in_order_with_their_place) {
  const auto allows = allows_of(
      "-- lockkeeper: allow data-changed: the names are made unique on purpose until 2027-06-30\n"
      "update t set a = 1; /* lockkeeper: allow table-rewrite: 40 rows */\n"
      "  --lockkeeper: allow down-missing : kept until release\r\n");
  ASSERT_EQ(allows.size(), 3U);
  EXPECT_EQ(allows[0].rule, "data-changed");
  EXPECT_EQ(allows[0].reason, "the names are made unique on purpose");
  EXPECT_EQ(allows[0].until, "2027-06-30");
  EXPECT_EQ(to_string(allows[0].location), "m.sql:1:1");
  EXPECT_EQ(allows[1].rule, "table-rewrite");
  EXPECT_EQ(allows[1].reason, "40 rows");
  EXPECT_EQ(allows[1].until, "");
  EXPECT_EQ(to_string(allows[1].location), "m.sql:2:21");
  EXPECT_EQ(allows[2].rule, "down-missing");
  EXPECT_EQ(allows[2].reason, "kept until release");
  EXPECT_EQ(allows[2].until, "");
  EXPECT_EQ(to_string(allows[2].location), "m.sql:3:3");
}

TEST(AllowComments, count_in_comments_only) {
  EXPECT_TRUE(
      allows_of("select '-- lockkeeper: allow a: b', $$\n-- lockkeeper: allow a: b\n$$; -- about lockkeeper")
          .empty());
  EXPECT_TRUE(allows_of("copy t from stdin;\n-- lockkeeper: allow a: b\n\\.\n").empty());
  EXPECT_EQ(allows_of("copy t from stdin;\nit's\n\\.\n-- lockkeeper: allow a: b").size(), 1U);
}

TEST(AllowComments, malformed_ones_are_refused) {
  const std::string hint = "\nhint: write: -- lockkeeper: allow <rule>: <reason> [until YYYY-MM-DD]";
  EXPECT_EQ(allow_failure_of("select 1;\n -- lockkeeper: allow data-changed"),
            "m.sql:2:2: error: comment 'lockkeeper: allow data-changed': it gives no reason" + hint);
  EXPECT_EQ(allow_failure_of("-- lockkeeper: alow x: y"),
            "m.sql:1:1: error: comment 'lockkeeper: alow x: y': unknown word 'alow' (did you mean 'allow'?)" +
                hint);
  EXPECT_EQ(
      allow_failure_of("-- lockkeeper: allow x: y until 2027-02-30"),
      "m.sql:1:1: error: comment 'lockkeeper: allow x: y until 2027-02-30': '2027-02-30' is no date" + hint);
  EXPECT_EQ(allow_failure_of("-- lockkeeper: allow x: until 2027-02-01"),
            "m.sql:1:1: error: comment 'lockkeeper: allow x: until 2027-02-01': it gives no reason" + hint);
  EXPECT_EQ(allow_failure_of("-- lockkeeper: allow"),
            "m.sql:1:1: error: comment 'lockkeeper: allow': it names no rule" + hint);
  EXPECT_EQ(
      allow_failure_of("-- lockkeeper: allow x because y"),
      "m.sql:1:1: error: comment 'lockkeeper: allow x because y': there is no ':' behind the rule" + hint);
}

}  // namespace
}  // namespace lockkeeper::sql
