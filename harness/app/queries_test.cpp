#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// As PostgreSQL 15 wrote them: a parse, a bind and executions of pgbench, a literal of several lines,
/// auto_explain's plan of a call that the line before told, and what psql does beside.
constexpr const char* k_csvlog =
    R"log(2026-11-27 08:45:34.724 UTC,"postgres","shop",29418,"[local]",6b09432e.72ea,11,"SELECT",2026-11-27 08:45:34 UTC,3/0,0,LOG,00000,"duration: 0.118 ms  statement: select 1;",,,,,,,,,"psql","client backend",,1147616880456321454
2026-11-27 08:45:34.731 UTC,"postgres","shop",29418,"[local]",6b09432e.72ea,12,"UPDATE",2026-11-27 08:45:34 UTC,3/0,0,LOG,00000,"duration: 0.153 ms  statement: update users set email = $$x
with ""quotes"" and
lines$$ where id = 3;",,,,,,,,,"psql","client backend",,-5971942201525049039
2026-11-27 08:45:34.732 UTC,"postgres","shop",29418,"[local]",6b09432e.72ea,15,"BEGIN",2026-11-27 08:45:34 UTC,3/0,0,LOG,00000,"duration: 0.018 ms  statement: begin;",,,,,,,,,"psql","client backend",,0
2026-11-27 08:45:34.732 UTC,"postgres","shop",29418,"[local]",6b09432e.72ea,17,"SELECT",2026-11-27 08:45:34 UTC,3/0,0,LOG,00000,"duration: 0.221 ms  statement: select count(*) from pg_class;",,,,,,,,,"psql","client backend",,-6187421012
2026-11-27 08:45:34.733 UTC,"postgres","shop",29418,"[local]",6b09432e.72ea,20,"idle",2026-11-27 08:45:34 UTC,3/23,0,ERROR,42601,"syntax error at or near ""merge""",,,,,,"select $1::text, id from users where email like $2 
merge into users u using (select 1 as id) s on u.id = s.id when matched then update set email = $$m$$ when not matched then do nothing;",53,,"psql","client backend",,0
2026-11-27 08:45:53.983 UTC,"postgres","shop",30590,"[local]",6b094341.777e,1,"PARSE",2026-11-27 08:45:53 UTC,3/47,0,LOG,00000,"duration: 0.480 ms  parse P_0: select * from ""Order"" where ""userId"" = $1 and status = $$paid$$ order by created_at desc limit 10;",,,,,,,,,"pgbench","client backend",,-459310241788729834
2026-11-27 08:45:53.983 UTC,"postgres","shop",30590,"[local]",6b094341.777e,2,"BIND",2026-11-27 08:45:53 UTC,3/48,0,LOG,00000,"duration: 0.242 ms  bind P_0: select * from ""Order"" where ""userId"" = $1 and status = $$paid$$ order by created_at desc limit 10;","parameters: $1 = '31'",,,,,,,,"pgbench","client backend",,-459310241788729834
2026-11-27 08:45:53.983 UTC,"postgres","shop",30590,"[local]",6b094341.777e,3,"SELECT",2026-11-27 08:45:53 UTC,3/48,0,LOG,00000,"duration: 0.120 ms  execute P_0: select * from ""Order"" where ""userId"" = $1 and status = $$paid$$ order by created_at desc limit 10;","parameters: $1 = '31'",,,,,,,,"pgbench","client backend",,-459310241788729834
2026-11-27 08:45:53.983 UTC,"postgres","shop",30590,"[local]",6b094341.777e,4,"SELECT",2026-11-27 08:45:53 UTC,3/48,0,LOG,00000,"duration: 0.114 ms  plan:
Query Text: select * from ""Order"" where ""userId"" = $1 and status = $$paid$$ order by created_at desc limit 10;
Limit  (cost=31.89..31.89 rows=1 width=80)
  ->  Sort  (cost=31.89..31.89 rows=1 width=80)
        Sort Key: created_at DESC
        ->  Seq Scan on ""Order""  (cost=0.00..31.88 rows=1 width=80)
              Filter: ((""userId"" = 31) AND (status = 'paid'::text))",,,,,,,,,"pgbench","client backend",,-459310241788729834
2026-11-27 08:45:53.984 UTC,"postgres","shop",30590,"[local]",6b094341.777e,10,"SELECT",2026-11-27 08:45:53 UTC,3/51,0,LOG,00000,"duration: 0.074 ms  execute P_0: select * from ""Order"" where ""userId"" = $1 and status = $$paid$$ order by created_at desc limit 10;","parameters: $1 = '42'",,,,,,,,"pgbench","client backend",,-459310241788729834
)log";

/// The same server's, with log_statement and log_duration, and a plan as JSON.
constexpr const char* k_jsonlog =
    R"log({"timestamp":"2026-11-27 08:45:53.996 UTC","user":"postgres","dbname":"shop","pid":30593,"remote_host":"[local]","session_id":"6b094341.7781","line_num":2,"ps":"SELECT","session_start":"2026-11-27 08:45:53 UTC","vxid":"3/58","txid":0,"error_severity":"LOG","message":"duration: 0.008 ms  plan:\n{\n  \"Query Text\": \"select count(*) from users where tenant_id = $1 and email like $$u%$$;\",\n  \"Plan\": {\n    \"Node Type\": \"Aggregate\",\n    \"Strategy\": \"Plain\"\n  }\n}","application_name":"pgbench","backend_type":"client backend","query_id":-5507640652130175241}
{"timestamp":"2026-11-27 08:45:54.009 UTC","user":"postgres","dbname":"shop","pid":30596,"remote_host":"[local]","session_id":"6b094342.7784","line_num":1,"ps":"PARSE","session_start":"2026-11-27 08:45:54 UTC","vxid":"3/63","txid":0,"error_severity":"LOG","message":"duration: 0.479 ms","application_name":"pgbench","backend_type":"client backend","query_id":-459310241788729834}
{"timestamp":"2026-11-27 08:45:54.009 UTC","user":"postgres","dbname":"shop","pid":30596,"remote_host":"[local]","session_id":"6b094342.7784","line_num":3,"ps":"SELECT","session_start":"2026-11-27 08:45:54 UTC","vxid":"3/64","txid":0,"error_severity":"LOG","message":"execute P_0: select * from \"Order\" where \"userId\" = $1 and status = $$paid$$ order by created_at desc limit 10;","detail":"parameters: $1 = '13'","application_name":"pgbench","backend_type":"client backend","query_id":-459310241788729834}
{"timestamp":"2026-11-27 08:45:54.009 UTC","user":"postgres","dbname":"shop","pid":30596,"remote_host":"[local]","session_id":"6b094342.7784","line_num":4,"ps":"SELECT","session_start":"2026-11-27 08:45:54 UTC","vxid":"3/64","txid":0,"error_severity":"LOG","message":"duration: 0.152 ms","application_name":"pgbench","backend_type":"client backend","query_id":-459310241788729834}
)log";

/// pg_stat_statements of PostgreSQL 15, most of its columns left out.
constexpr const char* k_statistics =
    R"csv(userid,dbid,toplevel,queryid,query,plans,calls,total_exec_time,min_exec_time,max_exec_time,mean_exec_time,rows
10,16384,t,4691809537328826912,"select count(*) from ""Order"" o join users u on u.id = o.""userId"" where u.tenant_id = $1 and o.created_at > now() - interval $2",0,1,0.311264,0.311264,0.311264,0.311264,1
10,16384,t,-459310241788729834,"select * from ""Order"" where ""userId"" = $1 and status = $2 order by created_at desc limit $3",0,15,1.4,0.05,0.2,0.093,140
10,16384,t,-2930912,begin,0,1,0.001,0.001,0.001,0.001,0
)csv";

class Queries : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "queries");
    return run_program(arguments, {m_folder.path()});
  }
  std::string text_of(const std::string& file) const {
    std::ifstream stream(m_folder.path() / file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }

  Folder m_folder;
};

TEST_F(Queries, are_taken_from_a_csvlog_with_the_values_that_they_had) {
  m_folder.write("shop.csv", k_csvlog);
  const Outcome outcome = run({"import", "shop.csv", "-o", "queries"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_EQ(outcome.output,
            "select-order-by-userid.sql  2 calls, mean 97 µs, total 194 µs\n"
            "update-users.sql            1 call, mean 153 µs, total 153 µs\n"
            "left out: 1 (on the server's catalogs alone)\n"
            "left out: 1 (utility statements and transaction control)\n"
            "left out: 1 (without a table)\n"
            "2 files in queries\n");
  EXPECT_EQ(outcome.errors, "note: values from the log are written to the files, and may be personal\n");
  EXPECT_EQ(
      text_of("queries/select-order-by-userid.sql"),
      "-- name: select Order by userId\n"
      "-- 2 calls, mean 97 µs, total 194 µs; from shop.csv\n"
      "-- params: [[\"31\"],\n"
      "--   [\"42\"]]\n"
      "select * from \"Order\" where \"userId\" = $1 and status = $$paid$$ order by created_at desc limit "
      "10;\n");
  EXPECT_EQ(text_of("queries/update-users.sql"),
            "-- name: update users\n"
            "-- 1 call, mean 153 µs, total 153 µs; from shop.csv\n"
            "update users set email = $$x\nwith \"quotes\" and\nlines$$ where id = 3;\n");
  struct stat status {};
  ASSERT_EQ(::stat((m_folder.path() / "queries/update-users.sql").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Queries, are_taken_from_a_jsonlog_and_an_export_together) {
  m_folder.write("shop.json", k_jsonlog);
  m_folder.write("statements.csv", k_statistics);
  const Outcome outcome = run({"import", "shop.json", "statements.csv", "-o", "queries", "--min-calls", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_EQ(outcome.output,
            "select-order-by-userid.sql  15 calls, mean 93 µs, total 1.4 ms\n"
            "left out: 2 (called less often than --min-calls 2)\n"
            "left out: 1 (utility statements and transaction control)\n"
            "1 file in queries\n");
  // How often by the one, with what values by the other.
  EXPECT_THAT(text_of("queries/select-order-by-userid.sql"),
              HasSubstr("; from shop.json, statements.csv\n-- params: [\"13\"]\nselect * from"));
}

TEST_F(Queries, of_an_export_get_their_values_from_the_rows_or_are_left_to_a_person) {
  m_folder.write("statements.csv", k_statistics);
  const Outcome outcome = run({"import", "statements.csv", "-o", "q/deep", "--top", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_EQ(
      outcome.output,
      "select-order-by-userid-status.sql         15 calls, mean 93 µs, total 1.4 ms\n"
      "select-order-users-by-tenant_id.sql.todo  1 call, mean 311 µs, total 311 µs; no value known for $2: "
      "give params by hand\n"
      "left out: 1 (utility statements and transaction control)\n"
      "1 file in q/deep\n");
  EXPECT_EQ(outcome.errors, "");
  EXPECT_THAT(text_of("q/deep/select-order-by-userid-status.sql"),
              HasSubstr("-- params: SELECT t1.p1, t1.p2, '20'\n--   FROM (SELECT \"userId\"::text AS p1"));
  EXPECT_THAT(text_of("q/deep/select-order-users-by-tenant_id.sql.todo"),
              HasSubstr("o.created_at > now() - $2::interval;\n"));
  const Outcome only = run({"import", "statements.csv", "-o", "none", "--min-calls", "100"});
  EXPECT_EQ(only.exit_code, 4);
  EXPECT_THAT(only.errors, StartsWith("error: no query was taken\nhint: "));
  EXPECT_FALSE(fs::exists(m_folder.path() / "none"));
}

TEST_F(Queries, never_write_over_files_unless_told_to) {
  m_folder.write("shop.csv", k_csvlog);
  m_folder.write("queries/update-users.sql", "mine");
  const Outcome refused = run({"import", "shop.csv", "-o", "queries"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.errors,
            "error: cannot write 'queries/update-users.sql': the file is there already\n"
            "hint: name another folder, or write over it with --force\n");
  EXPECT_EQ(text_of("queries/update-users.sql"), "mine");
  EXPECT_FALSE(fs::exists(m_folder.path() / "queries/select-order-by-userid.sql"));
  EXPECT_EQ(run({"import", "shop.csv", "-o", "queries", "--force"}).exit_code, 0);
  EXPECT_THAT(text_of("queries/update-users.sql"), StartsWith("-- name: update users\n"));
}

TEST_F(Queries, say_what_they_cannot_be_taken_from) {
  m_folder.write("cut.csv", std::string(k_csvlog).substr(0, std::string(k_csvlog).find("lines$$")));
  m_folder.write("plain.log",
                 "2026-11-27 08:45:34.729 UTC [29418] LOG:  duration: 0.381 ms  statement: select 1\n");
  m_folder.write("quiet.csv", std::string(k_csvlog).substr(0, std::string(k_csvlog).find('\n') + 1));
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "error: queries takes a word: import\nhint: lockkeeper queries --help\n"},
      {{"imports"},
       "error: queries: unknown word 'imports' (did you mean 'import'?)\nhint: lockkeeper queries --help\n"},
      {{"import", "-o", "x"},
       "error: queries import: a file is wanted\nhint: lockkeeper queries import FILE... -o FOLDER\n"},
      {{"import", "shop.csv"},
       "error: queries import: say with -o where the queries are to be written\n"
       "hint: lockkeeper queries import FILE... -o FOLDER\n"},
      {{"import", "cut.csv", "-o", "x", "--top", "0"}, "error: --top takes a number from 1 up\n"},
      {{"import", "none.csv", "-o", "x"}, "error: cannot read 'none.csv': No such file or directory\n"},
      {{"import", "cut.csv", "-o", "x"},
       "cut.csv:2: error: cannot read 'cut.csv': a quoted field that begins here is never closed\n"
       "hint: the file is cut off; take it as a whole, or leave out its last record\n"},
      {{"import", "plain.log", "-o", "x"},
       "plain.log:1: error: cannot read 'plain.log': a plain log does not tell where a message ends\n"
       "hint: set logging_collector = on and log_destination = 'csvlog' (or 'jsonlog' from PostgreSQL 15 "
       "on), "
       "and log_min_duration_statement\n"},
  };
  for (const auto& [arguments, said] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.errors, said);
    EXPECT_EQ(outcome.output, "");
  }
  const Outcome quiet = run({"import", "quiet.csv", "-o", "x"});
  EXPECT_EQ(quiet.exit_code, 4);
  EXPECT_EQ(quiet.output, "left out: 1 (without a table)\n0 files in x\n");
  EXPECT_FALSE(fs::exists(m_folder.path() / "x"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
