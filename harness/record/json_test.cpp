#include "record/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "record/names.h"
#include "record/sample_test.h"

namespace lockkeeper::record {

namespace {

using nlohmann::ordered_json;

ordered_json document_of(const Record& record) {
  return ordered_json::parse(to_json(record));
}

/// The failure of reading the full record after `change` was made to its JSON.
template <typename Change>
Failure failure_after(Change change) {
  ordered_json document = document_of(full_record());
  change(document);
  const auto read = from_json(document.dump());
  return read ? Failure{FailureKind::usage, "it was read", "", {}} : read.error();
}

/// JSON pointers of all values of which `wanted` holds.
template <typename Predicate>
std::vector<ordered_json::json_pointer> pointers(const ordered_json& document, Predicate wanted) {
  std::vector<ordered_json::json_pointer> found;
  const auto visit = [&](const auto& self, const ordered_json& value,
                         const ordered_json::json_pointer& at) -> void {
    if (wanted(value)) found.push_back(at);
    if (value.is_object()) {
      for (const auto& item : value.items()) self(self, item.value(), at / item.key());
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) self(self, value[i], at / i);
    }
  };
  visit(visit, document, ordered_json::json_pointer{});
  return found;
}

TEST(RecordJson, everything_survives_the_round_trip) {
  const std::string first = to_json(full_record());

  const auto read = from_json(first);

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), first);
}

TEST(RecordJson, an_empty_record_survives_the_round_trip) {
  const std::string first = to_json(Record{});

  const auto read = from_json(first);

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), first);
}

TEST(RecordJson, a_changed_value_is_read_as_changed) {
  // Booleans look alike wherever they stand, so a reader could mix two of them up.
  const ordered_json original = document_of(full_record());
  for (const auto& pointer :
       pointers(original, [](const ordered_json& value) { return value.is_boolean(); })) {
    ordered_json changed = original;
    changed[pointer] = !changed[pointer].get<bool>();
    const auto read = from_json(changed.dump());
    ASSERT_TRUE(read) << pointer.to_string();
    EXPECT_EQ(document_of(*read), changed) << pointer.to_string();
  }
}

TEST(RecordJson, the_full_sample_leaves_no_member_at_its_default) {
  const ordered_json full = document_of(full_record());

  const auto defaults = pointers(full, [](const ordered_json& value) {
    return value.is_null() || value == "" || value == ordered_json::array() || value == 0;
  });

  EXPECT_TRUE(defaults.empty()) << defaults.front().to_string();
}

TEST(RecordJson, names_that_scripts_rely_on) {
  const ordered_json document = document_of(full_record());

  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["verdict"], "fail");
  const auto& run = document["runs"][0];
  EXPECT_EQ(run["scenario"], "vet-clinic");
  EXPECT_EQ(run["migrations"][0]["version"], "0001");
  EXPECT_EQ(run["migrations"][0]["name"], "x");
  EXPECT_EQ(run["migrations"][0]["forward"]["duration_us"], 9876);
  const auto& finding = run["findings"][0];
  EXPECT_EQ(finding["rule"], "down-fails");
  EXPECT_EQ(finding["level"], "warning");
  EXPECT_EQ(finding["migration"], "0001");
  EXPECT_EQ(finding["side"], "down");
  EXPECT_EQ(finding["message"], "the down stops");
  EXPECT_EQ(finding["allowed"], true);
  EXPECT_EQ(finding["location"].dump(), R"({"file":"migrations/0001_x.down.sql","line":3,"column":14})");
}

TEST(RecordJson, an_unknown_side_and_place_are_null) {
  Record record = full_record();
  record.runs[0].findings[0].side.reset();
  record.runs[0].findings[0].location.reset();

  const ordered_json finding = document_of(record)["runs"][0]["findings"][0];

  EXPECT_TRUE(finding["side"].is_null());
  EXPECT_TRUE(finding["location"].is_null());
}

TEST(RecordJson, bytes_that_are_not_utf8_are_replaced) {
  Record record;
  record.host = "caf\xE9 \xFF";
  record.runs.emplace_back().server.settings["\x80key"] = "\xC3";

  const ordered_json document = document_of(record);

  EXPECT_EQ(document["host"], "caf\uFFFD \uFFFD");
  EXPECT_EQ(document["runs"][0]["server"]["settings"].dump(), "{\"\uFFFDkey\":\"\uFFFD\"}");
}

TEST(RecordJson, control_characters_and_quotes_survive) {
  Record record;
  record.host = std::string("\x1b[31m\"\\\n\0end", 12);

  const auto read = from_json(to_json(record));

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->host, record.host);
}

TEST(RecordJson, a_missing_key_is_named) {
  const Failure failure =
      failure_after([](ordered_json& document) { document["runs"][0]["findings"][0].erase("rule"); });

  EXPECT_EQ(failure.kind, FailureKind::usage);
  EXPECT_EQ(failure.message, "record value '/runs/0/findings/0/rule': is missing");
  EXPECT_EQ(failure.hint, "only a JSON report that lockkeeper itself has written can be read back");
}

TEST(RecordJson, an_unknown_key_is_named_with_the_nearest_known_one) {
  const Failure failure =
      failure_after([](ordered_json& document) { document["runs"][0]["findings"][0]["rules"] = 1; });

  EXPECT_EQ(failure.message, "record value '/runs/0/findings/0/rules': unknown key (did you mean 'rule'?)");
}

TEST(RecordJson, an_unknown_word_is_named_with_the_known_ones) {
  const Failure failure = failure_after([](ordered_json& document) { document["runs"][0]["gate"] = "eror"; });

  EXPECT_EQ(failure.message, "record value '/runs/0/gate': unknown word 'eror' (did you mean 'error'?)");
  EXPECT_EQ(failure.hint, "expected note, warning, error");
}

TEST(RecordJson, a_wrong_type_is_named) {
  const Failure failure = failure_after([](ordered_json& document) { document["runs"][0]["applied"] = "3"; });

  EXPECT_EQ(failure.message, "record value '/runs/0/applied': a whole number is needed, not string");
}

TEST(RecordJson, a_number_that_does_not_fit_is_refused) {
  const Failure failure =
      failure_after([](ordered_json& document) { document["runs"][0]["applied"] = 1LL << 40; });

  EXPECT_EQ(failure.message, "record value '/runs/0/applied': the number is out of range");
}

TEST(RecordJson, a_key_with_a_slash_is_written_as_a_pointer_writes_it) {
  const Failure failure =
      failure_after([](ordered_json& document) { document["runs"][0]["server"]["settings"]["a/b~c"] = 1; });

  EXPECT_EQ(failure.message,
            "record value '/runs/0/server/settings/a~1b~0c': a string is needed, not number");
}

TEST(RecordJson, another_schema_version_is_refused_with_its_writer) {
  const Failure failure = failure_after([](ordered_json& document) {
    document["schema_version"] = 2;
    document["lockkeeper_version"] = "9.1";
    document["something"] = "new";
  });

  EXPECT_EQ(failure.message,
            "record value '/schema_version': version 2 is not known, this lockkeeper reads version 1");
  EXPECT_EQ(failure.hint, "read it with lockkeeper 9.1 that wrote it");
}

TEST(RecordJson, text_that_is_no_json_is_refused_with_its_place) {
  const auto read = from_json("{\n  \"verdict\": pass\n}");

  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, FailureKind::usage);
  EXPECT_EQ(read.error().message, "record: not valid JSON at line 2, column 14");
}

TEST(RecordJson, anything_cut_short_or_of_another_shape_is_a_failure_and_no_exception) {
  const std::string whole = to_json(full_record());
  for (std::size_t length = 0; length + 2 < whole.size(); length += 97) {
    EXPECT_FALSE(from_json(std::string_view(whole).substr(0, length))) << length;
  }
  for (const char* text : {"[]", "1", "null", "\"x\"", "{}", "\xFF", R"({"schema_version": null})"}) {
    EXPECT_FALSE(from_json(text)) << text;
  }
}

template <typename Enum>
void expect_names_round_trip(std::size_t count) {
  const auto names = names_of<Enum>();
  ASSERT_EQ(names.size(), count);
  for (const std::string& name : names) EXPECT_EQ(name_of(value_named<Enum>(name).value()), name);
  EXPECT_FALSE(value_named<Enum>("no such word"));
}

TEST(RecordNames, every_enumeration_has_words_both_ways) {
  expect_names_round_trip<Side>(2);
  expect_names_round_trip<Level>(3);
  expect_names_round_trip<Verdict>(3);
  expect_names_round_trip<StorageChange>(4);
  expect_names_round_trip<TransactionShape>(4);
  expect_names_round_trip<Change>(3);
  expect_names_round_trip<DataChange>(3);
  expect_names_round_trip<SchemaFactKind>(5);
  expect_names_round_trip<HistoryFactKind>(6);
  expect_names_round_trip<Stage>(9);
  expect_names_round_trip<StopKind>(6);
  expect_names_round_trip<OldUseKind>(4);
  expect_names_round_trip<TimeVerdict>(4);
  expect_names_round_trip<BackupForm>(7);
  expect_names_round_trip<RoadKind>(4);
  expect_names_round_trip<Mark>(3);
  expect_names_round_trip<Decision>(3);
  expect_names_round_trip<Depth>(3);
  expect_names_round_trip<Moment>(4);
  expect_names_round_trip<FailureKind>(4);
}

TEST(RecordNames, words_stand_at_their_values) {
  EXPECT_EQ(name_of(Side::down), "down");
  EXPECT_EQ(name_of(Level::warning), "warning");
  EXPECT_EQ(name_of(Verdict::fail), "fail");
  EXPECT_EQ(name_of(StorageChange::refreshed), "refreshed");
  EXPECT_EQ(name_of(TransactionShape::own_transactions), "own_transactions");
  EXPECT_EQ(name_of(Change::lost), "lost");
  EXPECT_EQ(name_of(DataChange::row_composition), "row_composition");
  EXPECT_EQ(name_of(SchemaFactKind::foreign_key_without_index), "foreign_key_without_index");
  EXPECT_EQ(name_of(Stage::queries), "queries");
  EXPECT_EQ(name_of(Moment::after_chain), "after_chain");
  EXPECT_EQ(name_of(FailureKind::interrupted), "interrupted");
  EXPECT_EQ(level_named("error"), Level::error);
  EXPECT_EQ(level_named("fatal"), std::nullopt);
}

}  // namespace

}  // namespace lockkeeper::record
