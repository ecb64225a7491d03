#include "sql/psql_script.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockkeeper::sql {

namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

class PsqlScript : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-psql-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
  }
  void TearDown() override { fs::remove_all(m_root); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((m_root / name).parent_path());
    std::ofstream(m_root / name, std::ios::binary) << text;
  }
  Result<Part> part_of(const std::string& text, std::map<std::string, std::string> variables = {}) const {
    write("m.sql", text);
    auto source = Source::read((m_root / "m.sql").string());
    if (!source) return failed(source);
    return psql_script(std::make_shared<const Source>(std::move(*source)), {std::move(variables), m_root});
  }
  Texts texts_of(const std::string& text, std::map<std::string, std::string> variables = {}) const {
    const auto part = part_of(text, std::move(variables));
    if (!part) throw std::runtime_error(scrubbed(to_string(part.error())));
    Texts texts;
    for (const Statement& statement : part->statements) texts.emplace_back(statement.text);
    return texts;
  }
  /// "m.sql:2:3" of every statement.
  Texts places_of(const std::string& text, std::map<std::string, std::string> variables = {}) const {
    const auto part = part_of(text, std::move(variables));
    if (!part) throw std::runtime_error(scrubbed(to_string(part.error())));
    Texts places;
    for (const Statement& statement : part->statements)
      places.push_back(scrubbed(to_string(statement.location)));
    return places;
  }
  std::string failure_of(const std::string& text) const {
    const auto part = part_of(text);
    return part ? "" : scrubbed(to_string(part.error()));
  }
  std::string scrubbed(std::string text) const {
    const std::string prefix = m_root.string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }

  fs::path m_root;
};

TEST_F(PsqlScript, sends_statement_by_statement_what_no_transaction_holds) {
  const auto part = part_of(
      "select 1; -- x;\nbegin;\ncreate function f() returns int as $$ select 1; $$ language sql;"
      "\n;;commit;\nselect 2");
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->shape, record::TransactionShape::autocommit);
  EXPECT_TRUE(part->sends_copy_data);
  ASSERT_EQ(part->statements.size(), 5U);
  EXPECT_EQ(part->statements[1].kind, StatementKind::begin);
  EXPECT_EQ(part->statements[4].text, "select 2");
  EXPECT_EQ(part->statements[4].message, 4U);
}

TEST_F(PsqlScript, variables_are_put_in_outside_of_quotes_and_comments_only) {
  const std::map<std::string, std::string> variables = {{"t", "users"}, {"who", "O'Hara"}, {"odd", "a\"b"}};
  EXPECT_EQ(
      texts_of(
          "select :'who', :\"odd\", x from :t where a::t = ':t' and b = $$:t$$ -- :t\n/* :t */ and \":t\"",
          variables),
      (Texts{
          "select 'O''Hara', \"a\"\"b\", x from users where a::t = ':t' and b = $$:t$$ -- :t\n/* :t */ and "
          "\":t\""}));
  EXPECT_EQ(texts_of("select :unset, :'unset', a[1:2], :{?t}, :{?unset};", variables),
            (Texts{"select :unset, :'unset', a[1:2], TRUE, FALSE"}));
}

TEST_F(PsqlScript, set_joins_its_arguments_and_unset_forgets_them) {
  EXPECT_EQ(
      texts_of(
          "\\set schema app\n\\set both :schema '.t' 'a''b\\n'\nselect :'both', :schema.x;\n\\unset schema\n"
          "select :schema"),
      (Texts{"select 'app.ta''b\n', app.x", "select :schema"}));
}

TEST_F(PsqlScript, places_stay_those_of_the_file) {
  const std::string text =
      "\\set t a_very_long_name_of_a_table\n\nselect 1;\n  select *\n from :t where x\n = 1;\nselect 3";
  EXPECT_EQ(places_of(text), (Texts{"m.sql:3:1", "m.sql:4:3", "m.sql:7:1"}));
  const auto part = part_of(text);
  const Statement& edited = part->statements[1];
  EXPECT_EQ(edited.text, "select *\n from a_very_long_name_of_a_table where x\n = 1");
  const auto place = [&](std::string_view word) {
    return scrubbed(to_string(edited.source->locate(edited.offset + edited.text.find(word))));
  };
  EXPECT_EQ(place("long_name"), "m.sql:5:7");
  EXPECT_EQ(place("where"), "m.sql:5:10");
  EXPECT_EQ(place("= 1"), "m.sql:6:2");
}

TEST_F(PsqlScript, values_of_several_lines_move_no_line) {
  EXPECT_EQ(places_of("\\set v 'a\\n\\nb'\nselect :'v';\nselect 2"), (Texts{"m.sql:2:1", "m.sql:3:1"}));
}

TEST_F(PsqlScript, included_files_stand_where_they_are_named) {
  write("sub/a.sql", "select 'a';\n\\ir b.sql\nselect 'last'");
  write("sub/b.sql", "\n select :'v'");
  EXPECT_EQ(texts_of("\\set v 1\nselect 1; \\i sub/a.sql\nselect 2;"),
            (Texts{"select 1", "select 'a'", "select '1'", "select 'last'", "select 2"}));
  EXPECT_EQ(places_of("\\set v 1\nselect 1; \\i sub/a.sql\nselect 2;"),
            (Texts{"m.sql:2:1", "sub/a.sql:1:1", "sub/b.sql:2:2", "sub/a.sql:3:1", "m.sql:3:1"}));
}

TEST_F(PsqlScript, an_include_inside_a_statement_is_sent_before_it) {
  write("a.sql", "select 'a'");
  EXPECT_EQ(texts_of("select 1,\n\\i a.sql\n2;"), (Texts{"select 'a'", "select 1,\n \n2"}));
}

TEST_F(PsqlScript, includes_that_cannot_be_are_refused) {
  write("loop.sql", "\\i m.sql\n");
  EXPECT_EQ(
      failure_of("select 1;\n\\i nothing.sql"),
      "m.sql:2:1: error: psql meta-command '\\i' in 'm.sql': cannot read 'nothing.sql': No such file or "
      "directory\nhint: \\i looks in the directory that psql is started in; \\ir looks beside the file");
  EXPECT_EQ(failure_of("\\i loop.sql"),
            "loop.sql:1:1: error: psql meta-command '\\i' in 'loop.sql': 'm.sql' includes itself\n"
            "hint: leave one of them out");
  EXPECT_EQ(failure_of("\\ir"),
            "m.sql:1:1: error: psql meta-command '\\ir' in 'm.sql': it names no file\nhint: name the file to "
            "include");
}

TEST_F(PsqlScript, conditions_choose_a_branch) {
  const std::string text =
      "\\if :{?x}\nselect 'x';\n\\elif :y\nselect 'y';\n\\if true\nselect 'inner';\n\\endif\n\\else\nselect "
      "'else';\n"
      "\\endif\nselect 'end';";
  EXPECT_EQ(texts_of(text, {{"x", ""}}), (Texts{"select 'x'", "select 'end'"}));
  EXPECT_EQ(texts_of(text, {{"y", "on"}}), (Texts{"select 'y'", "select 'inner'", "select 'end'"}));
  EXPECT_EQ(texts_of(text, {{"y", "0"}}), (Texts{"select 'else'", "select 'end'"}));
  EXPECT_EQ(texts_of("select 1\n\\if false\n, 2\n\\else\n, 3\n\\endif\n, 4;"),
            (Texts{"select 1\n  \n, 3\n \n, 4"}));
  EXPECT_EQ(texts_of("\\if false\n\\! rm\n\\i nothing\nselect 1;\n\\endif\nselect 2"), (Texts{"select 2"}));
}

TEST_F(PsqlScript, conditions_that_do_not_close_are_refused) {
  EXPECT_EQ(failure_of("select 1;\n\\if true\nselect 2;"),
            "m.sql:2:1: error: psql meta-command '\\if' in 'm.sql': its \\endif is missing\n"
            "hint: end it in the same file");
  EXPECT_EQ(failure_of("\\if 0\n"),
            "m.sql:1:1: error: psql meta-command '\\if' in 'm.sql': its \\endif is missing\n"
            "hint: end it in the same file");
  EXPECT_NE(failure_of("\\endif").find("'\\endif' in 'm.sql': there is no \\if before it"),
            std::string::npos);
  EXPECT_NE(
      failure_of("\\if 1\n\\else\n\\elif 1\n\\endif").find("'\\elif' in 'm.sql': it stands behind \\else"),
      std::string::npos);
}

TEST_F(PsqlScript, output_settings_do_nothing) {
  EXPECT_EQ(
      texts_of("\\pset pager off\n\\timing on\n\\x\n\\t\\a\n\\echo it's 'done'\n\\qecho x \\\\ select 1;\n"
               "\\set ON_ERROR_STOP on\n\\dt *.*\n\\encoding UTF8\nselect 2;"),
      (Texts{"select 1", "select 2"}));
}

TEST_F(PsqlScript, what_ends_statements_otherwise) {
  EXPECT_EQ(texts_of("select 1 \\g\nselect 2 \\gx /dev/null\nselect 3;\n\\q\nselect 4"),
            (Texts{"select 1", "select 2", "select 3"}));
  const auto part = part_of("select 1\\; select 2; select 3");
  ASSERT_EQ(part->statements.size(), 3U);
  EXPECT_EQ(part->statements[0].message, part->statements[1].message);
  EXPECT_NE(part->statements[1].message, part->statements[2].message);
  EXPECT_EQ(texts_of("select '\\i', e'\\\\', \"\\x\", $$\\q$$ -- \\d\n /* \\d */; select 2").size(), 2U);
}

TEST_F(PsqlScript, what_depends_on_server_or_machine_is_refused) {
  EXPECT_EQ(failure_of("select 1;\n  \\! rm -rf x"),
            "m.sql:2:3: error: psql meta-command '\\!' in 'm.sql': it runs a shell command\n"
            "hint: leave it out, or do by SQL what it is for");
  EXPECT_EQ(failure_of("select format('x') \\gexec\n"),
            "m.sql:1:20: error: psql meta-command '\\gexec' in 'm.sql': what it runs is known only when its "
            "query has "
            "run\nhint: write the statements out, or a DO block that executes them");
  EXPECT_NE(failure_of("select 1 as a \\gset").find("'\\gset' in 'm.sql': its variables are known only"),
            std::string::npos);
  EXPECT_NE(failure_of("\\copy t from 'x'").find("'\\copy' in 'm.sql': it reads or writes a file"),
            std::string::npos);
  EXPECT_NE(failure_of("\\c other").find("'\\c' in 'm.sql': it leaves the database"), std::string::npos);
  EXPECT_NE(failure_of("\\frobnicate").find("'\\frobnicate' in 'm.sql': it is none that is rehearsed"),
            std::string::npos);
  EXPECT_NE(failure_of("\\set x `date`").find("'\\set' in 'm.sql': it runs a shell command"),
            std::string::npos);
  EXPECT_NE(failure_of("\\set ON_ERROR_STOP 0").find("psql would go on behind an error"), std::string::npos);
  EXPECT_NE(failure_of("\\unset ON_ERROR_STOP").find("psql would go on behind an error"), std::string::npos);
  EXPECT_NE(failure_of("\\set AUTOCOMMIT off").find("psql would begin transactions"), std::string::npos);
  EXPECT_EQ(failure_of("select :'DBNAME'"),
            "m.sql:1:8: error: psql variable ':DBNAME' in 'm.sql': psql learns 'DBNAME' only when it runs\n"
            "hint: write the value itself, or a DO block that finds it");
  EXPECT_EQ(failure_of("\\set two 'select 1; select 2'\n:two;"),
            "m.sql:2:1: error: psql variable ':two' in 'm.sql': its value holds ';', which psql would read "
            "as more than "
            "text\nhint: write the value itself");
}

TEST_F(PsqlScript, rows_of_copy_are_neither_sql_nor_commands) {
  const auto part =
      part_of("\\set t users\nCOPY :t FROM stdin;\n1\t:t \\N\n\\x\n\\.\nselect 2;\r\n\\echo x\r\n", {});
  ASSERT_TRUE(part.has_value()) << to_string(part.error());
  ASSERT_EQ(part->statements.size(), 2U);
  EXPECT_EQ(part->statements[0].text, "COPY users FROM stdin");
  EXPECT_EQ(part->statements[0].kind, StatementKind::copy_from_stdin);
  EXPECT_EQ(part->statements[0].copy_data, "1\t:t \\N\n\\x\n");
  EXPECT_NE(failure_of("COPY t FROM stdin; select 1;\n\\.\n").find("m.sql:1:20: error: COPY in 'm.sql'"),
            std::string::npos);
}

TEST_F(PsqlScript, byte_order_marks_and_carriage_returns_are_taken) {
  EXPECT_EQ(texts_of("\xEF\xBB\xBF\\set a 1\r\nselect :a;\r\n\\if 1\r\nselect 2;\r\n\\endif\r\n"),
            (Texts{"select 1", "select 2"}));
}

TEST_F(PsqlScript, junk_never_crashes) {
  for (const char* text : {"",
                           "\\",
                           "\\\\",
                           "\\set",
                           "\\set '",
                           "\\if",
                           ":",
                           "::",
                           ":'",
                           ":\"",
                           ":{?",
                           "\\i",
                           "select :",
                           "\\;",
                           "\\:",
                           "'",
                           "$$",
                           "/*",
                           "\\g",
                           "\\set x 'a\\",
                           "\\ir \"",
                           "COPY t FROM stdin",
                           "\\if \\if \\else \\endif \\endif",
                           "\\set a :'a",
                           "\\set x '\\x' '\\xzz' '\\777'"}) {
    EXPECT_NO_THROW((void)part_of(text)) << text;
  }
}

}  // namespace

}  // namespace lockkeeper::sql
