#include "base/file.h"
#include "base/sha1.h"
#include "history/formats/sqitch_config.h"
#include "history/history_test.h"

namespace lockkeeper::history {

namespace {

constexpr const char* k_by = " 2026-01-31T12:00:00Z Ann Bell <ann@example.com>";

class Sqitch : public HistoryTest {
 protected:
  void plan(const Texts& lines, const std::string& name = "sqitch.plan") const {
    std::string text = "%syntax-version=1.0.0\n%project=flipr\n%uri=https://example.com/flipr/\n\n";
    for (const std::string& line : lines)
      text += (line.empty() || line[0] == '#' ? line : with_planner(line)) + "\n";
    write(name, text);
  }
  static std::string with_planner(const std::string& line) {
    const std::size_t note = line.find(" #");
    return line.substr(0, note) + k_by + (note == std::string::npos ? "" : line.substr(note));
  }
  void scripts(const Texts& names, const std::string& under = "") const {
    for (const std::string& name : names) {
      write(under + "deploy/" + name + ".sql", "CREATE TABLE \"" + name + "\" ();");
      write(under + "revert/" + name + ".sql", "DROP TABLE \"" + name + "\";");
    }
  }
  Texts files(const History& history) const {
    Texts names;
    for (const Migration& one : history.migrations) names.push_back(scrubbed(one.up_path));
    return names;
  }
};

TEST_F(Sqitch, follows_the_order_of_the_plan) {
  plan({"zoo # first", "", "# a note", "+app/users [zoo !other] # second", "@v1",
        "alpha [app/users@v1 zoo@v1 @v1]"});
  scripts({"zoo", "app/users", "alpha"});
  const History history = loaded();
  EXPECT_EQ(history.format, "sqitch");
  EXPECT_EQ(history.detected_by, "sqitch.plan");
  EXPECT_EQ(versions(history), (Texts{"zoo", "app/users", "alpha"}));
  EXPECT_EQ(files(history),
            (Texts{"DIR/deploy/zoo.sql", "DIR/deploy/app/users.sql", "DIR/deploy/alpha.sql"}));
  EXPECT_EQ(scrubbed(*history.migrations[1].down_path), "DIR/revert/app/users.sql");
  EXPECT_EQ(history.not_taken, Texts{});
  const auto up = history.migrations[0].up();
  ASSERT_TRUE(up.has_value());
  EXPECT_EQ(up->parts[0].shape, record::TransactionShape::autocommit);
}

TEST_F(Sqitch, reworked_changes_have_the_scripts_of_their_tag) {
  plan({"users", "@v1", "@v2", "other", "@v3", "users [users@v1]", "@v4", "users [users@v4]"});
  scripts({"users", "other", "users@v2", "users@v4"});
  EXPECT_EQ(files(loaded()), (Texts{"DIR/deploy/users@v2.sql", "DIR/deploy/other.sql",
                                    "DIR/deploy/users@v4.sql", "DIR/deploy/users.sql"}));
  EXPECT_EQ(versions(loaded()), (Texts{"users", "other", "users#2", "users#3"}));
}

TEST_F(Sqitch, directories_are_those_of_the_configuration) {
  write("sqitch.conf",
        "# ours\n[core]\n\tengine = pg ; yes\n\ttop_dir = \"sql\"\n[engine \"pg\"]\n\tdeploy_dir = "
        "up\n\trevert_dir = down\n"
        "\tverify_dir = check\n\textension = pgsql\n\tregistry = My Books\n\tplan_file = the.plan\n"
        "[engine \"pg.variables\"]\n\towner = ann\n");
  plan({"a"}, "the.plan");
  write("up/a.pgsql", "GRANT SELECT ON t TO :\"owner\"; SELECT :'registry';\n\\i more/b.sql\n");
  write("down/a.pgsql");
  write("check/a.pgsql");
  write("more/b.sql", "SELECT 'b'");
  const History history = loaded();
  EXPECT_EQ(history.detected_by, "sqitch.conf");
  EXPECT_EQ(scrubbed(*history.migrations[0].down_path), "DIR/down/a.pgsql");
  EXPECT_EQ(statements(history.migrations[0].up()),
            (Texts{"GRANT SELECT ON t TO \"ann\"", "SELECT 'My Books'", "SELECT 'b'"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"check/a.pgsql: a verify script: what it says of a deploy is not rehearsed",
                   "more/: no script of the plan"}));
  EXPECT_EQ(history.bookkeeping->tables.front(), "\"My Books\".releases");
}

TEST_F(Sqitch, the_folder_of_the_plan_finds_its_configuration_above) {
  std::ofstream(m_root / "sqitch.conf") << "[core]\n  engine = pg\n  top_dir = db/migrations\n";
  plan({"a"});
  write("deploy/a.sql", "\\i db/migrations/common.sql\n");
  write("common.sql", "SELECT 'common'");
  const History history = loaded();
  EXPECT_EQ(files(history), Texts{"DIR/deploy/a.sql"});
  EXPECT_EQ(statements(history.migrations[0].up()), Texts{"SELECT 'common'"});
  EXPECT_EQ(history.not_taken, Texts{"common.sql: no script of the plan"});
  const auto from_root = load({m_root.string()});
  ASSERT_TRUE(from_root.has_value()) << to_string(from_root.error());
  EXPECT_EQ(from_root->migrations.size(), 1U);
}

TEST_F(Sqitch, scripts_of_no_change_are_named) {
  plan({"a"});
  scripts({"a", "b"});
  write("verify/a.sql");
  write("README.md");
  EXPECT_EQ(loaded().not_taken,
            (Texts{"README.md: no script of the plan",
                   "deploy/b.sql: no change of the plan has a script of this name",
                   "revert/b.sql: no change of the plan has a script of this name",
                   "verify/a.sql: a verify script: what it says of a deploy is not rehearsed"}));
}

TEST_F(Sqitch, a_change_without_its_deploy_script_is_refused_with_its_line) {
  plan({"a", "b"});
  scripts({"a"});
  EXPECT_EQ(failure(),
            "DIR/sqitch.plan:6: error: sqitch refuses change 'b': its deploy script 'DIR/deploy/b.sql' does "
            "not exist\n"
            "hint: write the script, or take the change out of the plan");
}

TEST_F(Sqitch, a_change_may_lack_its_revert_script) {
  plan({"a"});
  write("deploy/a.sql");
  EXPECT_FALSE(loaded().migrations[0].down_path.has_value());
}

TEST_F(Sqitch, what_the_parser_of_plans_refuses_is_refused) {
  const auto cause = [&](const Texts& lines) {
    plan(lines);
    const std::string said = failure();
    const std::string head = "error: sqitch refuses 'DIR/sqitch.plan': ";
    const std::size_t at = said.find(head);
    return at == std::string::npos ? said : said.substr(at + head.size(), said.find('\n') - at - head.size());
  };
  scripts({"a", "b"});
  EXPECT_EQ(cause({"a", "a"}), "change 'a': line 5 has it already, and no tag stands between");
  EXPECT_EQ(cause({"@v1", "a"}), "tag '@v1': no change stands before it");
  EXPECT_EQ(cause({"a", "@v1", "b", "@v1"}), "tag '@v1': line 6 has it already");
  EXPECT_EQ(cause({"a", "@v1 [a]"}), "tag '@v1': a tag has no dependencies");
  EXPECT_EQ(cause({"a [b]", "b"}), "change 'a' requires 'b', which does not stand before it");
  EXPECT_EQ(cause({"a", "b [!a]"}), "change 'b' conflicts with 'a', which stands before it");
  EXPECT_EQ(cause({"a [x:y z:]"}), "change 'a': 'z:' is no dependency");
  EXPECT_EQ(cause({"a", "b [a a]"}), "change 'b': the dependency 'a' stands there twice");
  EXPECT_EQ(cause({"HEAD"}), "'HEAD' is a name of sqitch's own");
  EXPECT_EQ(cause({"-"}), "'- 2026-01-31T12:00:00Z Ann Bell <ann@exa…' begins with no name");
  EXPECT_EQ(cause({"0123456789012345678901234567890123456789"}),
            "'0123456789012345678901234567890123456789' looks like an id");
  write("sqitch.plan", "%project=x\n\na\n");
  EXPECT_EQ(failure(),
            "DIR/sqitch.plan:3: error: sqitch refuses 'DIR/sqitch.plan': 'a' has no time\n"
            "hint: a line of a plan is: name [requires !conflicts] 2026-01-31T12:00:00Z Planner "
            "<planner@example.com> # note");
  write("sqitch.plan", "%project=x\n\na 2026-01-31T12:00:00Z Ann\n");
  EXPECT_NE(failure().find("'a' has no name and address of who planned it"), std::string::npos);
  write("sqitch.plan", std::string("%syntax-version=1.0.0\n\na") + k_by + "\n");
  EXPECT_NE(failure().find("it has no %project"), std::string::npos);
  write("sqitch.plan", std::string("%project=x\na") + k_by + "\n");
  EXPECT_NE(failure().find("an empty line must stand between"), std::string::npos);
}

TEST_F(Sqitch, another_engine_is_refused) {
  write("sqitch.conf", "[core]\nengine = mysql\n");
  plan({"a"});
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': sqitch.conf has the engine 'mysql'\n"
            "hint: only sqitch projects for PostgreSQL (engine = pg) and SQLite are rehearsed");
}

TEST_F(Sqitch, on_sqlite_the_shell_reads_each_script_and_the_registry_is_another_file) {
  write("sqitch.conf", "[core]\nengine = sqlite\n[engine \"sqlite\"]\ntop_dir = db\n");
  write("db/sqitch.plan", std::string("%project=x\n\na") + k_by + " # note\n");
  write("db/deploy/a.sql", "BEGIN;\nCREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT);\nCOMMIT;\n");
  write("db/revert/a.sql", "DROP TABLE a;\n");
  const History history = loaded();
  EXPECT_EQ(history.dialect, sql::Dialect::sqlite);
  EXPECT_EQ(history.bookkeeping, nullptr);
  const auto script = history.migrations.at(0).script(record::Side::up);
  ASSERT_TRUE(script);
  EXPECT_EQ(script->parts.at(0).shape, record::TransactionShape::autocommit);
  EXPECT_EQ(script->parts.at(0).statements.size(), 3U);
}

TEST_F(Sqitch, a_plan_with_carriage_returns_is_taken) {
  write("sqitch.plan", std::string("%project=x\r\n\r\na") + k_by + " # note\r\n@v1" + k_by + "\r\n");
  write("deploy/a.sql", "SELECT 1;\r\n");
  EXPECT_EQ(versions(loaded()), Texts{"a"});
}

// The ids are those that sqitch 1.3.1 gives the same plan (harness/app/fidelity_test.cpp compares whole
// registries).
TEST_F(Sqitch, notes_a_deploy_and_a_revert_as_sqitch_does) {
  plan({"a # it's", "@v1", "b [a] # x"});
  scripts({"a", "b"});
  const History history = loaded();
  EXPECT_EQ(history.bookkeeping->tables, (Texts{"sqitch.releases", "sqitch.projects", "sqitch.changes",
                                                "sqitch.tags", "sqitch.dependencies", "sqitch.events"}));
  const std::string up = history.migrations[0].note_of(record::Side::up);
  EXPECT_NE(up.find("INSERT INTO \"sqitch\".changes (change_id, script_hash"), std::string::npos) << up;
  EXPECT_NE(up.find("'it''s'"), std::string::npos) << up;
  EXPECT_NE(up.find(sha1_hex("CREATE TABLE \"a\" ();")), std::string::npos) << up;
  EXPECT_NE(up.find("INSERT INTO \"sqitch\".tags"), std::string::npos) << up;
  EXPECT_NE(history.migrations[1].note_of(record::Side::up).find("'require', 'a'"), std::string::npos);
  const std::string down = history.migrations[0].note_of(record::Side::down);
  EXPECT_NE(down.find("DELETE FROM \"sqitch\".changes WHERE change_id = "), std::string::npos) << down;
  EXPECT_NE(down.find("('revert', "), std::string::npos) << down;
}

TEST_F(Sqitch, an_included_file_counts_for_the_snapshot) {
  plan({"a"});
  write("deploy/a.sql", "\\i x.sql\n");
  write("x.sql", "SELECT 1");
  const auto before = loaded().migrations[0].hash_of_up();
  write("x.sql", "SELECT 2");
  const auto after = loaded().migrations[0].hash_of_up();
  ASSERT_TRUE(before.has_value() && after.has_value());
  EXPECT_NE(*before, *after);
}

TEST_F(Sqitch, hostile_text_never_crashes) {
  for (const char* text :
       {"", "%", "%project", "%project=\n\n", "%project=x\n\n@", "%project=x\n\n[", "%project=x\n\n+",
        "\xEF\xBB\xBF%project=x\n\n", "%project=x\n\na [] 2026", "%project=x\n\na [", "\xFF\xFE",
        "%project=x\n\n# \n   \n\t#", "%project=x\n\na [@ ! : :@] 2026-01-31T12:00:00Z A <b>"}) {
    write("sqitch.plan", text);
    EXPECT_NO_THROW((void)load({folder()})) << text;
  }
  for (const char* text :
       {"[", "]", "[]", "[a", "[a \"", "=", "x", "[core]\n=", "[core]\nx", "[core]\ny = \"\\"}) {
    EXPECT_NO_THROW((void)formats::sqitch::Config::parse("sqitch.conf", text)) << text;
  }
}

}  // namespace

}  // namespace lockkeeper::history
