#include "engine/postgres/fixture.h"

#include <cstdlib>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/disposable_server.h"

namespace lockkeeper::engine::postgres {
namespace {

namespace fs = std::filesystem;

/// One server for all of them, a database for each.
class FixtureTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { s_server = new DisposableServer(Purpose::load); }
  static void TearDownTestSuite() {
    delete s_server;
    s_server = nullptr;
  }
  void SetUp() override {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    m_directory = directory;
    fs::permissions(m_directory, fs::perms(0755));
    m_database = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    s_server->ensure(m_database);
    m_tools = find_tools({});
  }
  void TearDown() override { fs::remove_all(m_directory); }

  std::string file(const std::string& name, const std::string& content) const {
    const fs::path path = m_directory / name;
    EXPECT_TRUE(write_file(path, content));
    return path.string();
  }
  Result<void> load(const std::string& path, const std::string& table = {}, int scale = 1) const {
    return load_fixture(m_tools, {path, table, s_server->connection(m_database), scale, std::nullopt});
  }
  std::string ask(const std::string& sql) const {
    auto session = Connection::open(s_server->connection(m_database));
    const auto rows = session->rows(sql);
    return rows && !rows->empty() ? (*rows)[0][0].value_or("NULL") : rows ? "none" : to_string(rows.error());
  }
  static int shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }
  /// pg_dump of the test's database into `path`.
  bool dump(const std::string& options, const std::string& path) const {
    Command command;
    command.argv = {"/bin/sh", "-c", "exec " + m_tools.pg_dump.string() + " " + options + " -f " + path};
    command.environment = *as_environment(s_server->connection(m_database));
    const auto done = run(command);
    return done && done->ok();
  }
  void fill() const {
    ASSERT_TRUE(load(file("fill.sql",
                          "CREATE TABLE pet (id int PRIMARY KEY, name text);\n"
                          "INSERT INTO pet SELECT n, 'pet ' || n FROM generate_series(1, 500) n;\n"
                          "CREATE INDEX pet_name ON pet (name);\n")));
  }

  static DisposableServer* s_server;
  fs::path m_directory;
  std::string m_database;
  Tools m_tools;
};

DisposableServer* FixtureTest::s_server = nullptr;

TEST_F(FixtureTest, sql_is_loaded_plain_and_compressed) {
  const std::string path = file("a b'c.sql", "CREATE TABLE t (n int);\nINSERT INTO t VALUES (1), (2);\n");
  ASSERT_TRUE(load(path));
  EXPECT_EQ(ask("SELECT sum(n) FROM t"), "3");
  ASSERT_EQ(shell("cd '" + m_directory.string() +
                  "' && cp a*.sql b.sql && sed -i 's/CREATE.*//' b.sql && gzip -k b.sql && zstd -q b.sql"),
            0);
  const auto gzip = load((m_directory / "b.sql.gz").string());
  ASSERT_TRUE(gzip) << to_string(gzip.error());
  const auto zstd = load((m_directory / "b.sql.zst").string());
  ASSERT_TRUE(zstd) << to_string(zstd.error());
  EXPECT_EQ(ask("SELECT sum(n) FROM t"), "9");
}

TEST_F(FixtureTest, an_error_says_file_line_and_the_servers_words) {
  const std::string path =
      file("bad.sql", "CREATE TABLE t (n int UNIQUE);\nINSERT INTO t\n VALUES (1), (1);\nSELECT 1;\n");
  const auto loaded = load(path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(to_string(loaded.error()),
            path + ":3: error: cannot load fixture '" + path +
                "': duplicate key value violates unique constraint \"t_n_key\" (Key (n)=(1) "
                "already exists.)");
  EXPECT_EQ(loaded.error().kind, FailureKind::usage);
}

TEST_F(FixtureTest, the_scale_can_be_read) {
  ASSERT_TRUE(load(file("scaled.sql",
                        "CREATE TABLE t AS SELECT generate_series(1, 10 * "
                        "current_setting('lockkeeper.scale')::int) AS n;\n"),
                   {}, 7));
  EXPECT_EQ(ask("SELECT count(*) FROM t"), "70");
}

TEST_F(FixtureTest, compressed_data_that_is_cut_off_or_damaged_is_noticed) {
  std::string sql = "CREATE TABLE t (n int);\n";
  for (int i = 0; i < 20000; ++i) sql += "-- " + std::to_string(i * 7919) + "\n";
  file("x.sql", sql);
  ASSERT_EQ(shell("cd " + m_directory.string() + " && gzip -k x.sql && zstd -q x.sql"), 0);
  for (const char* name : {"x.sql.gz", "x.sql.zst"}) {
    const fs::path path = m_directory / name;
    fs::resize_file(path, fs::file_size(path) / 2);
    const auto loaded = load(path.string());
    ASSERT_FALSE(loaded) << name;
    const std::string kind = path.extension() == ".gz" ? "gzip" : "zstd";
    EXPECT_EQ(loaded.error().message,
              "cannot read fixture '" + path.string() + "': the " + kind + " data is cut off");
  }
}

TEST_F(FixtureTest, every_kind_of_dump_is_restored) {
  fill();
  const std::string at = (m_directory / "dump").string();
  ASSERT_TRUE(dump("-Fc", at + ".custom"));
  ASSERT_TRUE(dump("-Ft", at + ".tar"));
  ASSERT_TRUE(dump("-Fd", at + ".directory"));
  ASSERT_TRUE(dump("-Fp", at + ".sql"));
  ASSERT_EQ(shell("gzip -k " + at + ".custom"), 0);
  for (const char* kind : {".custom", ".tar", ".directory", ".sql", ".custom.gz"}) {
    ASSERT_EQ(ask("DROP TABLE pet"), "none");
    const auto loaded = load(at + kind);
    ASSERT_TRUE(loaded) << kind << ": " << to_string(loaded.error());
    EXPECT_EQ(ask("SELECT count(*) || ' ' || max(name) FROM pet"), "500 pet 99") << kind;
    EXPECT_EQ(ask("SELECT count(*) FROM pg_indexes WHERE tablename = 'pet'"), "2") << kind;
  }
}

TEST_F(FixtureTest, a_plain_dump_that_is_cut_off_is_noticed) {
  fill();
  const fs::path path = m_directory / "dump.sql";
  ASSERT_TRUE(dump("-Fp", path.string()));
  const std::string content = read_file(path).value_or("");
  ASSERT_TRUE(write_file(path, content.substr(0, content.find("pet 300\n"))));
  ASSERT_EQ(ask("DROP TABLE pet"), "none");
  const auto loaded = load(path.string());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "cannot load fixture '" + path.string() +
                "': the dump is cut off: its last line 'PostgreSQL database dump complete' is missing");
}

TEST_F(FixtureTest, a_custom_dump_that_is_cut_off_is_noticed) {
  fill();
  const fs::path path = m_directory / "dump";
  ASSERT_TRUE(dump("-Fc", path.string()));
  fs::resize_file(path, fs::file_size(path) / 2);
  ASSERT_EQ(ask("DROP TABLE pet"), "none");
  EXPECT_FALSE(load(path.string()));
}

TEST_F(FixtureTest, a_dump_of_a_newer_release_says_which_tools_it_needs) {
  fill();
  const fs::path path = m_directory / "dump";
  ASSERT_TRUE(dump("-Fc", path.string()));
  std::string content = read_file(path).value_or("");
  content[6] = 99;
  ASSERT_TRUE(write_file(path, content));
  const auto loaded = load(path.string());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, FailureKind::environment);
  EXPECT_EQ(loaded.error().message, "cannot load fixture '" + path.string() +
                                        "': its archive format 1.99 is newer than pg_restore " +
                                        std::to_string(m_tools.pg_restore_major) + " can read");
}

TEST_F(FixtureTest, settings_that_only_a_newer_server_knows_are_harmless) {
  const auto loaded =
      load(file("new.sql", "SET transaction_timeout = 0;\nCREATE SCHEMA public;\nCREATE TABLE t (n int);\n"));
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  EXPECT_EQ(ask("SELECT to_regclass('t')"), "t");
  const auto typo = load(file("typo.sql", "SET transaction_timeaut = 0;\n"));
  ASSERT_FALSE(typo);
}

TEST_F(FixtureTest, all_roles_and_extensions_that_are_missing_are_named) {
  const auto loaded = load(file("roles.sql",
                                "CREATE TABLE t (n int);\n"
                                "ALTER TABLE t OWNER TO app_owner;\n"
                                "GRANT SELECT ON TABLE t TO \"Reader One\";\n"
                                "CREATE EXTENSION IF NOT EXISTS no_such_extension WITH SCHEMA public;\n"));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().location->line, 2);
  EXPECT_TRUE(loaded.error().message.ends_with(": role \"app_owner\" does not exist"))
      << loaded.error().message;
  EXPECT_EQ(loaded.error().hint,
            "the fixture needs what the server lacks; create it in the scenario's init: CREATE ROLE \"Reader "
            "One\"; CREATE ROLE \"app_owner\"; the server has no extension no_such_extension: install its "
            "package (Debian: postgresql-<version>-<name>)");
}

TEST_F(FixtureTest, an_archive_that_names_missing_roles_says_all_of_them) {
  fill();
  ASSERT_TRUE(
      load(file("own.sql",
                "CREATE ROLE gone_one; CREATE ROLE gone_two; ALTER TABLE pet OWNER TO gone_one; GRANT "
                "SELECT ON pet TO gone_two;\n")));
  const std::string path = (m_directory / "dump").string();
  ASSERT_TRUE(dump("-Fc", path));
  ASSERT_EQ(ask("DROP TABLE pet; DROP ROLE gone_one; DROP ROLE gone_two"), "none");
  const auto loaded = load(path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().hint,
            "the fixture needs what the server lacks; create it in the scenario's init: CREATE ROLE "
            "\"gone_one\"; CREATE ROLE \"gone_two\"");
}

TEST_F(FixtureTest, csv_fills_the_columns_of_its_header) {
  ASSERT_TRUE(load(file(
      "schema.sql",
      "CREATE TABLE \"Pet Owner\" (id serial, \"Full Name\" text, note text DEFAULT 'none', born date);\n")));
  const auto loaded =
      load(file("Pet Owner.csv",
                "\xef\xbb\xbf\"Full Name\",born\r\n\"Ann \"\"A\"\" Lee\",2001-02-03\r\n\"two\nlines\",\r\n"));
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  EXPECT_EQ(ask("SELECT string_agg(\"Full Name\" || note || coalesce(born::text, '?'), ';' ORDER BY id) FROM "
                "\"Pet Owner\""),
            "Ann \"A\" Leenone2001-02-03;two\nlinesnone?");
}

TEST_F(FixtureTest, csv_into_a_named_table_and_its_errors) {
  ASSERT_TRUE(load(file("schema.sql", "CREATE SCHEMA s; CREATE TABLE s.t (n int);\n")));
  ASSERT_TRUE(load(file("data.csv", "n\n1\n2\n"), "s.t"));
  EXPECT_EQ(ask("SELECT sum(n) FROM s.t"), "3");
  const std::string path = file("bad.csv", "n\n1\nx\n");
  const auto loaded = load(path, "s.t");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(to_string(loaded.error()), path + ":3: error: cannot load fixture '" + path +
                                           "': invalid input syntax for type integer: \"x\"");
  const auto nowhere = load(path, "s.nowhere; DROP TABLE s.t");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().message,
            "cannot load fixture '" + path + "': there is no table 's.nowhere; DROP TABLE s.t'");
  EXPECT_EQ(ask("SELECT sum(n) FROM s.t"), "3");
}

TEST_F(FixtureTest, what_it_is_not_made_for_is_refused) {
  EXPECT_EQ(load((m_directory / "nothing.sql").string()).error().message,
            "cannot read fixture '" + (m_directory / "nothing.sql").string() + "': no such file");
  const std::string image = file("image.png", "\x89PNG");
  EXPECT_EQ(load(image).error().message, "cannot load fixture '" + image + "': unknown kind of file '.png'");
  EXPECT_EQ(load(m_directory.string()).error().message,
            "cannot load fixture '" + m_directory.string() + "': the directory holds no dump (no toc.dat)");
  const std::string connecting = file("all.sql", "SELECT 1;\n\\connect template1\nCREATE TABLE t ();\n");
  const auto connected = load(connecting);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().message,
            "cannot load fixture '" + connecting + "': '\\connect' leaves the database that is filled");
  EXPECT_EQ(connected.error().location->line, 2);
}

TEST_F(FixtureTest, without_clients_it_says_what_to_install) {
  const auto loaded = load_fixture(
      Tools{}, {file("x.sql", "SELECT 1;\n"), "", s_server->connection(m_database), 1, std::nullopt});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, FailureKind::environment);
  EXPECT_EQ(loaded.error().hint, "install postgresql-client");
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
