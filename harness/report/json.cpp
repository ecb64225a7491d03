#include "record/json.h"

#include "report/forms.h"

namespace lockkeeper::report {

std::string render_json(const record::Record& record) {
  return record::to_json(record);
}

}  // namespace lockkeeper::report
