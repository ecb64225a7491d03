#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "history/format.h"

namespace lockkeeper::history {

constexpr std::string_view k_atlas_sum = "atlas.sum";

/// What is wrong with the atlas.sum of a folder, at the line that differs first, as atlas itself finds it
/// (https://github.com/ariga/atlas, sql/migrate/dir.go: NewHashFile, Validate); nothing where there is no
/// such file or all is well. It sums every .sql file, or the ups alone where it names nothing else
/// (golang-migrate's layout: sql/sqltool/tool.go). A usage failure where one cannot be read.
Result<std::vector<record::HistoryFact>> differences_from_atlas_sum(const Folder& folder);

}  // namespace lockkeeper::history
