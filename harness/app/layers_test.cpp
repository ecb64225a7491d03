#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockkeeper::app {
namespace {

namespace fs = std::filesystem;

struct Layer {
  std::string_view module;
  int rank;  ///< a module sees those of a lower rank, and itself
};

constexpr std::array k_layers{Layer{"base", 0},     Layer{"record", 1},    Layer{"sql", 2},
                              Layer{"scenario", 2}, Layer{"check", 3},     Layer{"report", 4},
                              Layer{"history", 4},  Layer{"engine", 4},    Layer{"workload", 3},
                              Layer{"snapshot", 5}, Layer{"rehearsal", 6}, Layer{"app", 7}};

/// A library that only one folder may know, so that it can be replaced by changing that folder.
struct Confinement {
  std::string_view header;  ///< a regular expression over the included name
  std::string_view folder;
};

constexpr std::array k_confinements{
    Confinement{R"(pqxx(/.*)?)", "engine/postgres/"},
    Confinement{R"(sqlite3(ext)?\.h)", "engine/sqlite/"},
    Confinement{R"((libpq-fe|libpq-events|pg_config.*|postgres_ext)\.h|(libpq|postgresql)/.*)",
                "engine/postgres/"},
    Confinement{R"(yaml-cpp/.*)", "scenario/"},
    Confinement{R"(pg_query.*)", "sql/"},
    Confinement{R"(benchmark/.*)", "rehearsal/"},
};

/// Headers that cost seconds wherever they are seen: for .cpp files, and headers of tests, only.
constexpr std::string_view k_costly =
    R"(pqxx(/.*)?|yaml-cpp/.*|nlohmann/json\.hpp|boost/(process|asio)(\.hpp|/.*))";

bool matches(std::string_view text, std::string_view pattern) {
  return std::regex_match(text.begin(), text.end(), std::regex(std::string(pattern)));
}

std::string_view first_folder(std::string_view path) {
  return path.substr(0, path.find('/'));
}

std::optional<int> rank(std::string_view module) {
  const auto* layer = std::ranges::find(k_layers, module, &Layer::module);
  if (layer == k_layers.end()) return std::nullopt;
  return layer->rank;
}

/// What is wrong with the inclusion of a header of ours.
std::optional<std::string> wrong_layer(std::string_view file, std::string_view included) {
  const auto own = first_folder(file);
  const auto other = first_folder(included);
  const auto own_rank = rank(own);
  const auto other_rank = rank(other);
  if (!own_rank) return fmt::format("'{}' is no module", own);
  if (!other_rank) return fmt::format("'{}' is no header of a module, by its path below harness/", included);
  if (own != other && *other_rank >= *own_rank) return fmt::format("{} must not see {}", own, other);

  // Behind the seam: what stands in a folder of one engine is known there, to the app, which chooses, and to
  // tests.
  const bool behind_seam = other == "engine" && std::ranges::count(included, '/') > 1;
  const auto engine_folder = included.substr(0, included.rfind('/') + 1);
  if (behind_seam && own != "app" && !file.starts_with(engine_folder) && !file.ends_with("_test.cpp")) {
    return fmt::format("{} must not see what stands behind the seam, '{}'", own, included);
  }
  return std::nullopt;
}

/// What is wrong with the inclusion of a header of somebody else.
std::optional<std::string> wrong_library(std::string_view file, std::string_view included) {
  if (rank(first_folder(included)) && included.ends_with(".h") &&
      included.find('/') != std::string_view::npos) {
    return fmt::format("our own header '{}' belongs in quotes", included);
  }
  for (const auto& confinement : k_confinements) {
    if (matches(included, confinement.header) && !file.starts_with(confinement.folder)) {
      return fmt::format("<{}> may be included in {} only", included, confinement.folder);
    }
  }
  if (file.ends_with(".h") && !file.ends_with("_test.h") && matches(included, k_costly)) {
    return fmt::format("<{}> may be included in .cpp files only", included);
  }
  return std::nullopt;
}

/// What is wrong with one line of a file, named by its path below harness/; none where nothing is.
std::optional<std::string> violation(std::string_view file, const std::string& line) {
  static const std::regex k_include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::smatch match;
  if (!std::regex_match(line, match, k_include)) return std::nullopt;
  const std::string included = match[2];
  return match[1] == "\"" ? wrong_layer(file, included) : wrong_library(file, included);
}

fs::path harness() {
  return fs::path(LOCKKEEPER_SOURCE_DIR) / "harness";
}

/// Every C++ file of the house, by its path below harness/, sorted.
std::vector<std::string> files() {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(harness())) {
    const auto extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp")
      found.push_back(entry.path().lexically_relative(harness()).generic_string());
  }
  std::ranges::sort(found);
  return found;
}

TEST(LayersTest, every_include_keeps_the_order_of_layers) {
  std::vector<std::string> violations;
  std::size_t includes = 0;

  for (const auto& file : files()) {
    std::ifstream stream(harness() / file);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      if (line.starts_with("#include")) ++includes;
      if (const auto what = violation(file, line))
        violations.push_back(fmt::format("harness/{}:{}: {}", file, number, *what));
    }
    ASSERT_TRUE(stream.eof()) << file;
  }

  EXPECT_EQ(violations, std::vector<std::string>{});
  EXPECT_GT(includes, files().size()) << "the files were hardly read";
}

TEST(LayersTest, every_quoted_include_names_a_file) {
  std::vector<std::string> absent;

  for (const auto& file : files()) {
    std::ifstream stream(harness() / file);
    for (std::string line; std::getline(stream, line);) {
      if (!line.starts_with("#include \"")) continue;
      const auto included = line.substr(10, line.find('"', 10) - 10);
      if (!fs::exists(harness() / included)) absent.push_back(fmt::format("harness/{}: {}", file, included));
    }
  }

  EXPECT_EQ(absent, std::vector<std::string>{});
}

TEST(LayersTest, the_modules_are_the_folders_below_harness_and_the_build_names_them_in_order_of_rank) {
  std::set<std::string> folders;
  for (const auto& entry : fs::directory_iterator(harness())) {
    if (entry.is_directory()) folders.insert(entry.path().filename().string());
  }
  std::set<std::string> modules;
  for (const auto& layer : k_layers) modules.emplace(layer.module);
  EXPECT_EQ(folders, modules);

  std::vector<int> ranks;
  std::ifstream build(fs::path(LOCKKEEPER_SOURCE_DIR) / "CMakeLists.txt");
  const std::regex module_line(R"(lockkeeper_module\((\w+)\))");
  for (std::string line; std::getline(build, line);) {
    std::smatch match;
    if (std::regex_match(line, match, module_line)) ranks.push_back(rank(match[1].str()).value_or(-1));
  }
  EXPECT_EQ(ranks.size(), k_layers.size());
  EXPECT_TRUE(std::ranges::is_sorted(ranks));
}

struct Case {
  std::string_view file;
  std::string line;
  std::optional<std::string> what;
};

TEST(LayersTest, a_breach_of_the_order_is_found_and_named) {
  const std::vector<Case> cases{
      {"base/text.cpp", R"(#include "record/record.h")", "base must not see record"},
      {"record/json.h", R"(#include "base/text.h")", std::nullopt},
      {"sql/split.cpp", R"(#include "scenario/scenario.h")", "sql must not see scenario"},
      {"check/rules/schema.cpp", R"(  #  include "engine/state.h")", "check must not see engine"},
      {"history/load.cpp", R"(#include "sql/source.h"  // why)", std::nullopt},
      {"history/load.cpp", R"(#include "report/report.h")", "history must not see report"},
      {"report/json.cpp", R"(#include "report/report.h")", std::nullopt},
      {"app/main.cpp", R"(#include "rehearsal/rehearse.h")", std::nullopt},
      {"base/text.cpp", R"(#include "text.h")",
       "'text.h' is no header of a module, by its path below harness/"},
      {"base/text.cpp", R"(#include "../base/text.h")",
       "'../base/text.h' is no header of a module, by its path below harness/"},
      {"extra/text.cpp", R"(#include "base/text.h")", "'extra' is no module"},
      {"base/text.cpp", "#include <app/options.h>", "our own header 'app/options.h' belongs in quotes"},
  };

  for (const auto& [file, line, what] : cases) EXPECT_EQ(violation(file, line), what) << file << ": " << line;
}

TEST(LayersTest, what_stands_behind_the_seam_is_for_its_folder_the_app_and_tests) {
  const std::string line = R"(#include "engine/postgres/postgres.h")";

  EXPECT_EQ(violation("engine/postgres/instance.cpp", line), std::nullopt);
  EXPECT_EQ(violation("app/commands/check.cpp", line), std::nullopt);
  EXPECT_EQ(violation("rehearsal/rehearse_test.cpp", line), std::nullopt);
  EXPECT_EQ(violation("rehearsal/forward.cpp", line),
            "rehearsal must not see what stands behind the seam, 'engine/postgres/postgres.h'");
  EXPECT_EQ(violation("engine/engine.h", line),
            "engine must not see what stands behind the seam, 'engine/postgres/postgres.h'");
  EXPECT_EQ(violation("engine/sqlite/instance.cpp", line),
            "engine must not see what stands behind the seam, 'engine/postgres/postgres.h'");
}

TEST(LayersTest, a_library_outside_its_folder_or_in_a_costly_place_is_found) {
  const std::vector<Case> cases{
      {"engine/postgres/client.cpp", "#include <pqxx/pqxx>", std::nullopt},
      {"engine/postgres/client.cpp", "#include <libpq-fe.h>", std::nullopt},
      {"engine/client.cpp", "#include <pqxx/pqxx>", "<pqxx/pqxx> may be included in engine/postgres/ only"},
      {"app/main.cpp", "#include <libpq-fe.h>", "<libpq-fe.h> may be included in engine/postgres/ only"},
      {"app/main.cpp", "#include <postgresql/libpq-fe.h>",
       "<postgresql/libpq-fe.h> may be included in engine/postgres/ only"},
      {"scenario/load.cpp", "#include <yaml-cpp/yaml.h>", std::nullopt},
      {"history/load.cpp", "#include <yaml-cpp/yaml.h>",
       "<yaml-cpp/yaml.h> may be included in scenario/ only"},
      {"sql/split.cpp", "#include <pg_query.h>", std::nullopt},
      {"check/rules/schema.cpp", "#include <pg_query.h>", "<pg_query.h> may be included in sql/ only"},
      {"engine/postgres/client.h", "#include <pqxx/pqxx>", "<pqxx/pqxx> may be included in .cpp files only"},
      {"record/json.h", "#include <nlohmann/json.hpp>",
       "<nlohmann/json.hpp> may be included in .cpp files only"},
      {"record/json.h", "#include <nlohmann/json_fwd.hpp>", std::nullopt},
      {"record/json.cpp", "#include <nlohmann/json.hpp>", std::nullopt},
      {"base/process.h", "#include <boost/process.hpp>",
       "<boost/process.hpp> may be included in .cpp files only"},
      {"base/process.h", "#include <vector>", std::nullopt},
  };

  for (const auto& [file, line, what] : cases) EXPECT_EQ(violation(file, line), what) << file << ": " << line;
}

}  // namespace
}  // namespace lockkeeper::app
