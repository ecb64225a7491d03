#include "report/report.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "base/text.h"
#include "record/json.h"
#include "record/names.h"
#include "record/sample_test.h"
#include "report/console.h"
#include "report/samples_test.h"

namespace lockkeeper::report {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

/// Compares with harness/report/golden/`name`; writes it instead where LOCKKEEPER_UPDATE_GOLDEN asks for it,
/// never on CI.
void expect_golden(const std::string& name, const std::string& text) {
  const fs::path path = fs::path(LOCKKEEPER_SOURCE_DIR) / "harness/report/golden" / name;
  if (is_set("LOCKKEEPER_UPDATE_GOLDEN") && !is_set("CI")) {
    ASSERT_TRUE(write_file(path, text)) << path;
    return;
  }
  const auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message << "\nLOCKKEEPER_UPDATE_GOLDEN=1 writes the golden files";
  EXPECT_EQ(text, *golden) << path << "\nLOCKKEEPER_UPDATE_GOLDEN=1 writes the golden files";
}

std::string console_text(const record::Record& record, Colour colour, Detail detail) {
  std::ostringstream out;
  Console console(out, colour, detail);
  console.runs_ahead(record.runs.size());
  for (const record::Run& run : record.runs) {
    console.run_started(run, run.migrations.size());
    console.progress(run.scenario, "restoring fixtures/data.sql");
    if (run.release) {
      for (const auto& step : run.release->steps) console.step_done(run, step);
    } else {
      for (const auto& migration : run.migrations) console.migration_done(run, migration);
    }
    console.run_finished(run);
  }
  console.finished(record);
  return out.str();
}

std::string rendered(const char* form, const record::Record& record) {
  return form_named(form)->render(record);
}

TEST(Forms, are_found_by_name) {
  std::vector<std::string> names;
  for (const Form& form : all_forms()) {
    names.emplace_back(form.name);
    EXPECT_EQ(form_named(form.name), &form);
    EXPECT_FALSE(form.description.empty());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"json", "markdown", "junit", "log", "benchmark"}));
  EXPECT_EQ(form_named("yaml"), nullptr);
}

TEST(Golden, markdown) {
  for (const Sample& sample : all_samples())
    expect_golden(sample.name + ".md", rendered("markdown", sample.record));
}

TEST(Golden, junit) {
  for (const Sample& sample : all_samples())
    expect_golden(sample.name + ".xml", rendered("junit", sample.record));
}

TEST(Golden, console) {
  for (const Sample& sample : all_samples()) {
    expect_golden(sample.name + ".txt", console_text(sample.record, Colour::no, Detail::normal));
  }
}

TEST(Golden, console_otherwise) {
  expect_golden("failing.colour.txt", console_text(failing_record(), Colour::yes, Detail::normal));
  expect_golden("failing.verbose.txt", console_text(failing_record(), Colour::no, Detail::verbose));
  expect_golden("passing.verbose.txt", console_text(passing_record(), Colour::no, Detail::verbose));
  expect_golden("failing.quiet.txt", console_text(failing_record(), Colour::no, Detail::quiet));
}

TEST(Golden, log) {
  for (const Sample& sample : all_samples()) {
    if (sample.record.runs.front().release)
      expect_golden(sample.name + ".log.md", rendered("log", sample.record));
  }
}

TEST(Forms, a_log_of_no_release_says_how_to_get_one) {
  EXPECT_EQ(rendered("log", passing_record()),
            "# Migration log\n\nNo release was checked: lockkeeper release fills this in.\n");
}

TEST(Golden, json) {
  expect_golden("failing.json", rendered("json", failing_record()));
}

// ── JSON
// ────────────────────────────────────────────────────────────────────────────────────────────────────

class RecordSchema {
 public:
  RecordSchema() : m_document(json::parse(text())) {
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(m_document), m_schema);
  }

  const json& document() const { return m_document; }

  /// Empty where the document is as record.schema.json says, else the last error.
  std::string error_in(const json& document) const {
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(m_schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) return "";
    valijson::ValidationResults::Error error;
    std::string last = "invalid";
    while (results.popError(error)) last = join(error.context, "") + ": " + error.description;
    return last;
  }

 private:
  static std::string text() {
    return read_file(fs::path(LOCKKEEPER_SOURCE_DIR) / "harness/report/record.schema.json").value();
  }

  json m_document;
  valijson::Schema m_schema;
};

TEST(JsonForm, every_record_is_as_the_schema_says) {
  const RecordSchema schema;
  EXPECT_EQ(schema.error_in(json::parse(record::to_json(record::full_record()))), "");
  EXPECT_EQ(schema.error_in(json::parse(record::to_json(record::Record{}))), "");
  for (const Sample& sample : all_samples()) {
    EXPECT_EQ(schema.error_in(json::parse(rendered("json", sample.record))), "") << sample.name;
  }
}

/// A key to take away from an object of the document, or one to add where `key` is empty.
struct Edit {
  json::json_pointer object;
  std::string key;
};

void collect_edits(const json& value, const json::json_pointer& at, std::vector<Edit>& edits) {
  if (value.is_array() && !value.empty()) return collect_edits(value.front(), at / 0, edits);
  // The settings of a server may have any key.
  if (!value.is_object() || at.back() == "settings") return;
  edits.push_back({at, ""});
  for (const auto& item : value.items()) {
    edits.push_back({at, item.key()});
    collect_edits(item.value(), at / item.key(), edits);
  }
}

TEST(JsonForm, the_schema_refuses_what_the_reader_refuses) {
  const RecordSchema schema;
  const json full = json::parse(record::to_json(record::full_record()));
  std::vector<Edit> edits{{json::json_pointer{}, ""}};
  for (const auto& item : full.items()) {
    edits.push_back({json::json_pointer{}, item.key()});
    collect_edits(item.value(), json::json_pointer{} / item.key(), edits);
  }
  ASSERT_GT(edits.size(), 500u);

  // The same struct stands in several places: every eleventh edit is enough for the time that all would take.
  for (std::size_t i = 0; i < edits.size(); i += 11) {
    json document = full;
    json& object = document[edits[i].object];
    if (edits[i].key.empty()) {
      object["surplus"] = 1;
    } else {
      object.erase(edits[i].key);
    }
    const std::string what = edits[i].object.to_string() + " " + edits[i].key;
    EXPECT_NE(schema.error_in(document), "") << what;
    EXPECT_FALSE(record::from_json(document.dump())) << what;
  }
}

template <typename Enum>
void expect_schema_words(const json& schema, const char* pointer) {
  EXPECT_EQ(schema[json::json_pointer(pointer)]["enum"].get<std::vector<std::string>>(),
            record::names_of<Enum>())
      << pointer;
}

TEST(JsonForm, the_schema_knows_every_word) {
  const RecordSchema record_schema;
  const json& schema = record_schema.document();
  expect_schema_words<record::Side>(schema, "/definitions/side");
  expect_schema_words<record::Level>(schema, "/definitions/level");
  expect_schema_words<record::Verdict>(schema, "/definitions/verdict");
  expect_schema_words<FailureKind>(schema, "/definitions/failure/properties/kind");
  expect_schema_words<record::StorageChange>(schema, "/definitions/rewrite/properties/how");
  expect_schema_words<record::TransactionShape>(schema, "/definitions/side_run/properties/shape");
  expect_schema_words<record::Change>(schema, "/definitions/object_difference/properties/change");
  expect_schema_words<record::DataChange>(schema, "/definitions/data_difference/properties/change");
  expect_schema_words<record::SchemaFactKind>(schema, "/definitions/schema_fact/properties/kind");
  expect_schema_words<record::HistoryFactKind>(schema, "/definitions/history_fact/properties/kind");
  expect_schema_words<record::Stage>(schema, "/definitions/skipped/properties/stage");
  expect_schema_words<record::Moment>(schema, "/definitions/invariant/properties/moment");
}

// ── JUnit
// ───────────────────────────────────────────────────────────────────────────────────────────────────

using boost::property_tree::ptree;

ptree parsed(const std::string& xml) {
  std::istringstream in(xml);
  ptree tree;
  boost::property_tree::read_xml(in, tree);
  return tree;
}

TEST(JunitForm, is_well_formed_and_counts_what_it_holds) {
  for (const Sample& sample : all_samples()) {
    const ptree tree = parsed(rendered("junit", sample.record));
    for (const auto& [suite_tag, suite] : tree.get_child("testsuites")) {
      if (suite_tag != "testsuite") continue;
      int tests = 0, failures = 0, errors = 0, skipped = 0;
      for (const auto& [tag, test] : suite) {
        if (tag != "testcase") continue;
        ++tests;
        failures += static_cast<int>(test.count("failure"));
        errors += static_cast<int>(test.count("error"));
        skipped += static_cast<int>(test.count("skipped"));
      }
      EXPECT_EQ(suite.get<int>("<xmlattr>.tests"), tests) << sample.name;
      EXPECT_EQ(suite.get<int>("<xmlattr>.failures"), failures) << sample.name;
      EXPECT_EQ(suite.get<int>("<xmlattr>.errors"), errors) << sample.name;
      EXPECT_EQ(suite.get<int>("<xmlattr>.skipped"), skipped) << sample.name;
    }
  }
}

TEST(JunitForm, a_finding_of_no_known_test_still_fails_one) {
  record::Record record = passing_record();
  record.verdict = record.runs[0].verdict = record::Verdict::fail;
  record.runs[0].findings.emplace_back().rule = "several-heads";

  const std::string xml = rendered("junit", record);

  EXPECT_NE(xml.find("<testcase classname=\"vet-clinic indexes.run\" name=\"several-heads\""),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("failures=\"1\""), std::string::npos);
}

TEST(JunitForm, leaves_the_host_out_where_it_is_unknown) {
  record::Record record = passing_record();
  record.host.clear();

  EXPECT_EQ(rendered("junit", record).find("hostname"), std::string::npos);
}

// ── Markdown
// ────────────────────────────────────────────────────────────────────────────────────────────────

TEST(MarkdownForm, fits_into_a_comment_whatever_the_number_of_findings) {
  record::Record record = failing_record();
  auto& run = record.runs[0];
  for (int i = 0; i < 500; ++i) {
    run.findings.push_back(run.findings.front());
    run.migrations.push_back(run.migrations.front());
  }

  const std::string markdown = rendered("markdown", record);

  EXPECT_LT(markdown.size(), 65'536u);
  EXPECT_EQ(
      markdown.substr(0, markdown.find('\n')),
      "## ✘ lockkeeper: may not merge: 504 migrations, 505 errors, 1 warning, 1 note, 1 allowed, 1.2 s");
  EXPECT_NE(markdown.find("cut here"), std::string::npos);
  EXPECT_NE(markdown.find("| … and 444 more | | | |"), std::string::npos);
}

TEST(MarkdownForm, every_row_of_a_table_has_its_cells_whatever_the_names) {
  std::istringstream lines(rendered("markdown", hostile_record()));
  std::size_t rows = 0;
  std::size_t expected = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() != '|') {
      expected = 0;
      continue;
    }
    std::size_t pipes = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
      pipes += line[at] == '|' && (at == 0 || line[at - 1] != '\\') ? 1 : 0;
    }
    if (expected == 0) expected = pipes;
    EXPECT_EQ(pipes, expected) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 13u);
}

// ── console
// ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST(ConsoleForm, shows_no_control_character_and_no_workflow_command_of_anybody_else) {
  for (const Detail detail : {Detail::quiet, Detail::normal, Detail::verbose}) {
    std::istringstream lines(console_text(hostile_record(), Colour::no, detail));
    for (std::string line; std::getline(lines, line);) {
      for (const char c : line) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7F) << line;
      EXPECT_NE(trimmed(line).substr(0, 2), "::") << line;
      EXPECT_EQ(line.find("##["), std::string::npos) << line;
      EXPECT_EQ(line.find("\u202E"), std::string::npos) << line;
      EXPECT_FALSE(first_invalid_utf8(line)) << line;
    }
  }
}

TEST(ConsoleForm, progress_is_wiped_off_a_terminal_by_the_next_line) {
  std::ostringstream out;
  Console console(out, Colour::yes, Detail::normal);

  console.progress("shop", "restoring");
  console.finished(passing_record());

  EXPECT_EQ(out.str().substr(0, out.str().find("may")),
            "  \x1b[2m… restoring\x1b[0m\r\x1b[2K\x1b[1m\x1b[32m");
}

TEST(ConsoleForm, progress_is_silent_in_a_log_unless_verbose) {
  std::ostringstream normal;
  std::ostringstream verbose;

  Console(normal, Colour::no, Detail::normal).progress("shop", "restoring");
  Console(verbose, Colour::no, Detail::verbose).progress("shop", "restoring");

  EXPECT_EQ(normal.str(), "");
  EXPECT_EQ(verbose.str(), "  … restoring\n");
}

TEST(ConsoleForm, says_the_same_warning_at_most_ten_times) {
  record::Record record = passing_record();
  for (int i = 0; i < 40; ++i) {
    auto& finding = record.runs[0].findings.emplace_back();
    finding.rule = "sequence-moved";
    finding.level = record::Level::note;
    finding.message = "a sequence moved";
  }

  const std::string text = console_text(record, Colour::no, Detail::normal);

  EXPECT_NE(text.find("… and 30 more notes [sequence-moved] (all in the JSON report)\n"), std::string::npos)
      << text;
  EXPECT_EQ(split(text, '\n').size() -
                split(console_text(passing_record(), Colour::no, Detail::normal), '\n').size(),
            12u);
}

TEST(ConsoleForm, the_order_of_columns_alone_is_no_mark_against_a_migration) {
  record::Record record = passing_record();
  record.runs[0].migrations[0].back_difference.objects.push_back({"column",
                                                                  "public.a.b",
                                                                  "public.a",
                                                                  record::Change::altered,
                                                                  false,
                                                                  false,
                                                                  {{"position", "1", "2"}},
                                                                  ""});

  EXPECT_EQ(console_text(record, Colour::no, Detail::normal),
            console_text(passing_record(), Colour::no, Detail::normal));
}

}  // namespace

}  // namespace lockkeeper::report
