#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "history/load.h"

namespace lockkeeper::history {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

/// A folder of its own for each test, removed with it.
class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-history-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
    m_folder = m_root / "db" / "migrations";
    fs::create_directories(m_folder);
  }
  void TearDown() override { fs::remove_all(m_root); }

  void write(const std::string& name, const std::string& text = "SELECT 1;") const {
    fs::create_directories((m_folder / name).parent_path());
    std::ofstream(m_folder / name, std::ios::binary) << text;
  }
  std::string folder() const { return m_folder.string(); }
  History loaded() const {
    const auto history = load({folder()});
    if (!history) throw std::runtime_error(to_string(history.error()));
    return *history;
  }
  /// The failure's text with the folder's path as DIR.
  std::string failure(const std::string& format = "") const {
    const auto history = load({folder(), format});
    EXPECT_FALSE(history.has_value());
    return history ? "" : scrubbed(to_string(history.error()));
  }
  std::string scrubbed(std::string text) const {
    for (std::size_t at = text.find(folder()); at != std::string::npos; at = text.find(folder())) {
      text.replace(at, folder().size(), "DIR");
    }
    return text;
  }
  static Result<Trial> choose(History history, const scenario::Selection& selection) {
    return select(history, selection);
  }
  /// Texts of the statements of a side, in order.
  static Texts statements(const Result<sql::Script>& script) {
    if (!script) throw std::runtime_error(to_string(script.error()));
    Texts texts;
    for (const sql::Part& part : script->parts) {
      for (const sql::Statement& statement : part.statements) texts.emplace_back(statement.text);
    }
    return texts;
  }
  /// Shape of each part, with its reason where it has one.
  static Texts shapes(const Result<sql::Script>& script) {
    if (!script) throw std::runtime_error(to_string(script.error()));
    Texts texts;
    for (const sql::Part& part : script->parts) {
      const std::string shape = part.shape == record::TransactionShape::one_transaction ? "one transaction"
                                : part.shape == record::TransactionShape::one_message   ? "one message"
                                : part.shape == record::TransactionShape::autocommit    ? "autocommit"
                                                                                        : "own transactions";
      texts.push_back(part.shape_reason.empty() ? shape : shape + ": " + part.shape_reason);
    }
    return texts;
  }
  /// Number of the message that each statement goes in.
  static std::vector<std::size_t> messages(const Result<sql::Script>& script) {
    if (!script) throw std::runtime_error(to_string(script.error()));
    std::vector<std::size_t> numbers;
    for (const sql::Part& part : script->parts) {
      for (const sql::Statement& statement : part.statements) numbers.push_back(statement.message);
    }
    return numbers;
  }
  static Texts versions(const History& history) {
    Texts versions;
    for (const Migration& migration : history.migrations) versions.push_back(migration.version);
    return versions;
  }
  void git(const std::string& arguments) const {
    const std::string command =
        "git -C '" + m_root.string() + "' -c user.name=t -c user.email=t@t " + arguments + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  void commit(const std::string& branch) const {
    git("init -q -b " + branch);
    git("add -A");
    git("commit -q --allow-empty -m x");
  }

  fs::path m_root;
  fs::path m_folder;
};

}  // namespace lockkeeper::history
