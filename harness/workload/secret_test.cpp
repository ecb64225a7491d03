#include "workload/secret.h"

#include <gtest/gtest.h>

namespace lockkeeper::workload {
namespace {

TEST(Secret, is_seen_in_a_statement_wherever_it_stands) {
  for (const char* sql : {
           "SELECT * FROM t WHERE c = 'host=x password=sekret'",
           "SELECT * FROM t WHERE c = 'host=x password = ''sekret'''",
           "SELECT * FROM t WHERE c = 'ALTER USER bob PASSWORD ''sekret'''",
           "SELECT * FROM t WHERE c = '{\"password\": \"sekret\"}'",
           "SELECT * FROM t WHERE c = E'{\\\"apiKey\\\": \\\"sekret\\\"}'",
           "SELECT * FROM t WHERE c = 'pwd=sekret'",
           "SELECT * FROM t WHERE c = 'https://h/?a=1&access_token=sekret'",
           "SELECT * FROM t WHERE c = 'Authorization: Basic sekret'",
           "SELECT * FROM t WHERE c = 'bearer abcdefghijkl.mnop'",
           "SELECT * FROM t WHERE c = '-----BEGIN RSA PRIVATE KEY-----'",
           "SELECT * FROM t WHERE c = 'https://bob:sekret@h/x'",
           "SELECT * FROM t WHERE c = 'redis://:sekret@h'",
           "SELECT * FROM t WHERE c = 'postgres://bob:se/kret@h'",
           "SELECT * FROM t WHERE c = $x$password=sekret$x$",
           "SELECT * FROM t /* password: sekret */",
           "SELECT * FROM t -- token=sekret",
           "SELECT * FROM t WHERE token = 'sekret'",
           "SELECT * FROM t WHERE t.\"apiToken\" = $$sekret$$",
           "SELECT * FROM t WHERE 'sekret' = t.token",
           "SELECT * FROM t WHERE token::text LIKE lower('sekret')",
           "SELECT * FROM t WHERE token NOT IN ('sekret', 'b')",
           "SELECT * FROM t WHERE token = ANY (ARRAY['sekret'])",
           "SELECT * FROM t WHERE (a, password) = (1, 'sekret')",
           "SELECT * FROM t WHERE lower(passwd) <> U&'sekret'",
           "SELECT * FROM t WHERE data->>'password' = 'sekret'",
           "SELECT * FROM t WHERE hash = crypt('sekret', hash)",
           "SELECT pgp_sym_decrypt(data, 'sekret') FROM t",
           "UPDATE t SET password_hash = 'sekret' WHERE id = 1",
           "UPDATE t SET password = md5('sekret')",
           "INSERT INTO t(email, password) VALUES ('a', 'sekret')",
           "WITH x AS (INSERT INTO tokens VALUES ('sekret') RETURNING 1) SELECT * FROM x",
       })
    EXPECT_TRUE(statement_holds_secret(sql)) << sql;
}

TEST(Secret, is_none_where_only_a_name_says_so) {
  for (const char* sql : {
           "SELECT * FROM t JOIN u ON t.token = u.token WHERE t.url = 'https://example.org/@me'",
           "SELECT token, 'x' FROM t WHERE status = 'open'",
           "SELECT * FROM tokens WHERE (status = 'open')",
           "SELECT * FROM tokens t WHERE token IS NOT NULL AND kind = 'password'",
           "SELECT * FROM t WHERE token = $1 AND password = $2",
           "SELECT * FROM t WHERE max_tokens > 100",
           "SELECT * FROM t WHERE kind IN ('password', 'otp')",
           "SELECT split_part(token, ':', 1) FROM t",
           "SELECT * FROM t WHERE c = 'token = $1'",
           "SELECT * FROM t WHERE c = 'Forgot your password?'",
           "SELECT * FROM t WHERE c = 'http://localhost:8080/@me'",
           "SELECT * FROM t WHERE c = 'postgres://reader@h/x'",
           "SELECT * FROM t WHERE bypass = 'x' AND c = 'bearer of news'",
           "UPDATE t SET token = NULL, status = 'open'",
           "INSERT INTO events(kind) VALUES ('password')",
           "INSERT INTO t(password) VALUES ($1)",
       })
    EXPECT_FALSE(statement_holds_secret(sql)) << sql;
}

TEST(Secret, is_a_parameter_where_a_literal_would_be_one) {
  for (const char* sql : {"SELECT * FROM t WHERE token = $1", "SELECT * FROM t WHERE $1 = token",
                          "SELECT * FROM t WHERE hash = crypt($1, hash)", "INSERT INTO t(pwd) VALUES ($1)",
                          "SELECT * FROM t WHERE data->>'token' IN ($1)"})
    EXPECT_TRUE(parameters_hold_secret(sql)) << sql;
  for (const char* sql : {"SELECT * FROM t WHERE a = $1", "SELECT * FROM t WHERE token = 'x' AND a = $1",
                          "SELECT * FROM t WHERE token = u.token AND a = $1"})
    EXPECT_FALSE(parameters_hold_secret(sql)) << sql;
}

TEST(Control, is_what_is_neither_a_tab_nor_the_end_of_a_line) {
  for (const char* text : {"a\x1b[31m", "a\rb", "a\r", "\x7f", "\xc2\x9b", "\x01"})
    EXPECT_TRUE(holds_control(text)) << text;
  for (const char* text : {"", "a\tb\nc\r\nd", "ü€😀°", "\xc2\xa0"}) EXPECT_FALSE(holds_control(text)) << text;
}

}  // namespace
}  // namespace lockkeeper::workload
