#include "engine/postgres/conversation.h"

#include <string>

#include <gtest/gtest.h>

namespace lockkeeper::engine::postgres {
namespace {

class ConversationTest : public ::testing::Test {
 protected:
  void client(char type, const std::string& body) { pass(type, body, true); }
  void server(char type, const std::string& body = {}) { pass(type, body, false); }
  static std::string error(const std::string& message, int position = 0) {
    return wire::text("SERROR") + wire::text("VERROR") + wire::text("C42601") + wire::text("M" + message) +
           (position > 0 ? wire::text("P" + std::to_string(position)) : "") + '\0';
  }
  std::vector<std::string> texts() {
    std::vector<std::string> found;
    for (const Told& told : m_conversation.take()) {
      found.push_back(told.record.text + (told.record.error ? " !! " + told.record.error->message : ""));
    }
    return found;
  }
  void pass(char type, const std::string& body, bool is_client) {
    wire::Cutter cutter;
    const std::string bytes = wire::message(type, body);
    bytes.copy(cutter.room(bytes.size()), bytes.size());
    cutter.arrived(bytes.size());
    const auto piece = cutter.next();
    ASSERT_TRUE(piece);
    is_client ? m_conversation.sent(*piece) : m_conversation.received(*piece);
  }

  Conversation m_conversation;
};

using Texts = std::vector<std::string>;

TEST_F(ConversationTest, each_statement_of_a_query_is_told_apart) {
  client('Q', wire::text("SELECT ';' ; UPDATE t SET a = 1;\n-- the end\n"));
  server('C', wire::text("SELECT 1"));
  server('C', wire::text("UPDATE 7"));
  const auto told = m_conversation.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].record.text, "SELECT ';'");
  EXPECT_EQ(told[0].sort, Sort::reading);
  EXPECT_EQ(told[1].record.rows_changed, 7);
  EXPECT_TRUE(m_conversation.at_rest());
}

TEST_F(ConversationTest, a_query_whose_answers_do_not_fit_is_one_statement) {
  client('Q', wire::text("INSERT INTO v VALUES (1); SELECT 2"));
  server('C', wire::text("INSERT 0 1"));
  server('C', wire::text("INSERT 0 1"));
  server('C', wire::text("SELECT 1"));
  EXPECT_EQ(texts(), (Texts{"INSERT INTO v VALUES (1); SELECT 2"}));
}

TEST_F(ConversationTest, what_the_grammar_refuses_is_found_by_its_position) {
  client('Q', wire::text("SELECT 'ä'; SELEKT 1; SELECT 3"));
  server('E', error("syntax error", 13));
  EXPECT_EQ(texts(), (Texts{"SELEKT 1 !! syntax error"}));
}

TEST_F(ConversationTest, an_error_in_the_extended_protocol_belongs_to_the_message_that_it_answers) {
  client('P', wire::text("s") + wire::text("SELECT $1") + wire::int16(0));
  client('B', wire::text("p") + wire::text("s"));
  client('E', wire::text("p") + wire::int32(0));
  client('B', wire::text("p") + wire::text("s"));
  client('E', wire::text("p") + wire::int32(0));
  client('S', {});
  server('1');
  server('2');
  server('C', wire::text("SELECT 1"));
  server('E', error("no value for $1"));
  EXPECT_EQ(texts(), (Texts{"SELECT $1", "SELECT $1 !! no value for $1"}));
  EXPECT_TRUE(m_conversation.at_rest());
}

TEST_F(ConversationTest, what_was_still_running_is_told_at_the_end) {
  client('Q', wire::text("SELECT pg_sleep(100)"));
  const auto told = m_conversation.take_rest();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].record.error->message, "had not ended when its session was closed");
  EXPECT_EQ(told[0].record.error->sqlstate, "");
}

TEST_F(ConversationTest, text_that_is_not_utf8_does_not_get_into_the_record) {
  client('Q', wire::text("SELECT '\xe4'"));
  server('C', wire::text("SELECT 1"));
  EXPECT_EQ(texts(), (Texts{"SELECT '?'"}));
}

TEST_F(ConversationTest, a_server_that_answers_what_nobody_asked_does_no_harm) {
  for (const char type : {'1', '2', '3', 'C', 'I', 's', 'n', 'T', 'V'}) server(type);
  server('E', error("terminated"));
  EXPECT_TRUE(texts().empty());
  EXPECT_EQ(m_conversation.session_error()->message, "terminated");
}

TEST(sort_of, tells_what_a_look_would_find) {
  EXPECT_EQ(sort_of("start transaction"), Sort::control);
  EXPECT_EQ(sort_of("-- x\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), Sort::control);
  EXPECT_EQ(sort_of("RELEASE x"), Sort::control);
  EXPECT_EQ(sort_of("LOCK TABLE t"), Sort::without_snapshot);
  EXPECT_EQ(sort_of("ROLLBACK TO x"), Sort::rollback_to);
  EXPECT_EQ(sort_of("ROLLBACK"), Sort::rollback);
  EXPECT_EQ(sort_of("END"), Sort::commit);
  EXPECT_EQ(sort_of("PREPARE TRANSACTION 'x'"), Sort::commit);
  EXPECT_EQ(sort_of("COMMIT PREPARED 'x'"), Sort::ordinary);
  EXPECT_EQ(sort_of("WITH x AS (SELECT 1) SELECT 2"), Sort::reading);
  EXPECT_EQ(sort_of("WITH x AS (DELETE FROM t RETURNING 1) SELECT 2"), Sort::ordinary);
  EXPECT_EQ(sort_of("CREATE INDEX CONCURRENTLY i ON t (a)"), Sort::leaves_rows_alone);
  EXPECT_EQ(sort_of("CREATE INDEX i ON t (a)"), Sort::ordinary);
  EXPECT_EQ(sort_of(""), Sort::ordinary);
}

TEST(cutter, a_large_message_comes_in_pieces) {
  wire::Cutter cutter;
  const std::string bytes =
      wire::message('d', std::string(3 * wire::k_whole_limit, 'x')) + wire::message('c');
  std::string passed;
  std::string types;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(100'000, bytes.size() - at);
    bytes.copy(cutter.room(size), size, at);
    cutter.arrived(size);
    at += size;
    while (const auto piece = cutter.next()) {
      passed += piece->bytes;
      if (piece->first) types += piece->type;
    }
    EXPECT_LE(cutter.waiting(), wire::k_whole_limit);
  }
  EXPECT_EQ(types, "dc");
  EXPECT_EQ(passed == bytes, true);
}

TEST(cutter, a_length_that_cannot_be_ends_the_stream) {
  for (const std::uint32_t length : {0U, 3U, 0x80000000U, 0xffffffffU}) {
    wire::Cutter cutter;
    const std::string bytes = "Q" + wire::int32(length) + "x";
    bytes.copy(cutter.room(bytes.size()), bytes.size());
    cutter.arrived(bytes.size());
    EXPECT_FALSE(cutter.next());
    EXPECT_TRUE(cutter.malformed());
  }
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
