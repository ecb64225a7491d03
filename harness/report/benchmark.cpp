#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "report/forms.h"
#include "report/summary.h"

/// Google Benchmark's JSON (docs/user_guide.md there, "Output Formats"; src/json_reporter.cc), as its
/// tools/compare.py and the usual benchmark actions read it. A repetition is a block of samples.
namespace lockkeeper::report {

namespace {

using Json = nlohmann::ordered_json;

struct Series {
  std::string name;  ///< "base/shop/open orders": compare.py tells series apart by how names begin
  std::vector<double> milliseconds;
  std::vector<std::int64_t> samples;
  double median = 0;
};

Json entry(const Series& series, std::size_t family, const std::string& run_type) {
  return Json{
      {"name", series.name},     {"family_index", family}, {"per_family_instance_index", 0},
      {"run_name", series.name}, {"run_type", run_type},   {"repetitions", series.milliseconds.size()}};
}

/// The client's processor time is not measured: cpu_time repeats real_time, since readers ask for it.
void add_time(Json& entry, double milliseconds) {
  entry["real_time"] = milliseconds * 1e6;
  entry["cpu_time"] = milliseconds * 1e6;
  entry["time_unit"] = "ns";  // of milliseconds compare.py shows no fractions
}

void add(Json& benchmarks, const Series& series, std::size_t family) {
  for (std::size_t at = 0; at < series.milliseconds.size(); ++at) {
    Json one = entry(series, family, "iteration");
    one["repetition_index"] = at;
    one["threads"] = 1;
    one["iterations"] = series.samples[at];
    add_time(one, series.milliseconds[at]);
    benchmarks.push_back(std::move(one));
  }
  Json median = entry(series, family, "aggregate");
  median["name"] = series.name + "_median";
  median["threads"] = 1;
  median["aggregate_name"] = "median";
  median["aggregate_unit"] = "time";
  median["iterations"] = series.milliseconds.size();
  add_time(median, series.median);
  benchmarks.push_back(std::move(median));
}

Series series_of(const record::Run& run, const record::QueryObservation& query, bool head) {
  Series series{fmt::format("{}/{}/{}", head ? "head" : "base", run.scenario, label_of(run, query)),
                {},
                {},
                head ? query.timing.head_median : query.timing.base_median};
  for (const record::SampleBlock& block : query.timing.blocks) {
    series.milliseconds.push_back(head ? block.head_milliseconds : block.base_milliseconds);
    series.samples.push_back(block.samples);
  }
  return series;
}

}  // namespace

std::string render_benchmark(const record::Record& record) {
  Json document{{"context",
                 {{"date", record.started_at},
                  {"host_name", record.host},
                  {"executable", "lockkeeper"},
                  {"lockkeeper_version", record.lockkeeper_version},
                  {"library_build_type", "release"}}},
                {"benchmarks", Json::array()}};
  std::size_t family = 0;
  for (const record::Run& run : record.runs) {
    for (const record::QueryObservation& query : run.queries) {
      if (query.timing.pairs == 0) continue;
      for (const bool head : {false, true})
        add(document["benchmarks"], series_of(run, query, head), family++);
    }
  }
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lockkeeper::report
