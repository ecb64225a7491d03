#pragma once

#include <functional>
#include <memory>
#include <string>

#include "history/formats/sqitch_config.h"
#include "history/formats/sqitch_plan.h"
#include "history/history.h"

namespace lockkeeper::history::formats::sqitch {

/// Where a migration's change stands in the plan, by its version.
using ChangeIndex = std::function<std::size_t(const Migration&)>;

/// sqitch's registry, and what it notes there of a side.
std::shared_ptr<const Bookkeeping> bookkeeping(std::shared_ptr<const Plan> plan, const Config& config,
                                               ChangeIndex index_of);

}  // namespace lockkeeper::history::formats::sqitch
