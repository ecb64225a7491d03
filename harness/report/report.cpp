#include "report/report.h"

#include <algorithm>
#include <array>

#include "report/forms.h"

namespace lockkeeper::report {

namespace {

constexpr std::array<Form, 5> k_forms{{
    {"json", "the whole record, for scripts (harness/report/record.schema.json)", render_json},
    {"markdown", "a comment for a pull request", render_markdown},
    {"junit", "test results as CI servers read them", render_junit},
    {"log", "the migration log of a release check, as Markdown", render_log},
    {"benchmark", "times of critical queries as Google Benchmark writes them, for compare.py",
     render_benchmark},
}};

}  // namespace

std::span<const Form> all_forms() {
  return k_forms;
}

const Form* form_named(std::string_view name) {
  const auto found =
      std::find_if(k_forms.begin(), k_forms.end(), [&](const Form& form) { return form.name == name; });
  return found == k_forms.end() ? nullptr : &*found;
}

}  // namespace lockkeeper::report
