#include "engine/postgres/temporary_files.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lockkeeper::engine::postgres {
namespace {

TEST(TemporaryFiles, are_told_apart_by_the_process_that_they_help) {
  const std::string lines =
      "2026-11-27 02:00:00 UTC [12] LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp12.0\", size 8192\n"
      "2026-11-27 02:00:00 UTC [12] STATEMENT:  SELECT '/pgsql_tmp12.9\", size 5'\n"
      "2026-11-27 02:00:01 UTC [13] LOG:  temporary file: path "
      "\"base/pgsql_tmp/pgsql_tmp12.1.fileset/i1of2.p0.0\", size 100\n"
      "2026-11-27 02:00:02 UTC [123] LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp123.0\", size 7\n";
  EXPECT_EQ(temporary_bytes_in(lines, 12), 8292U);
  EXPECT_EQ(temporary_bytes_in(lines, 123), 7U);
  EXPECT_EQ(temporary_bytes_in(lines, 1), 0U);
  EXPECT_EQ(temporary_bytes_in("", 12), 0U);
}

TEST(TemporaryFiles, are_read_from_where_the_log_ended_and_in_whole_lines) {
  const std::filesystem::path log =
      std::filesystem::temp_directory_path() / ("lockkeeper-log-" + std::to_string(::getpid()));
  const auto append = [&](const std::string& text) { std::ofstream(log, std::ios::app) << text; };
  append("LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp12.0\", size 1\n");
  TemporaryFiles files(log);
  EXPECT_EQ(files.bytes_since(12), 0U);
  append("LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp12.1\", size 2");
  EXPECT_EQ(files.bytes_since(12), 0U);
  append("0\nLOG:  nothing\n");
  EXPECT_EQ(files.bytes_since(12), 20U);
  EXPECT_EQ(files.bytes_since(12), 0U);
  std::filesystem::remove(log);
  EXPECT_EQ(TemporaryFiles("/nowhere/log").bytes_since(12), 0U);
}

}  // namespace
}  // namespace lockkeeper::engine::postgres
