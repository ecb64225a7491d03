#pragma once

#include "history/format.h"

/// Programs that are a migration each, as teams write them by hand: the scenario says how each is run, how
/// its dry run is, and whether there is a way back. Their order is the scenario's; no books are kept.
namespace lockkeeper::history::formats::script {

Format format();

}  // namespace lockkeeper::history::formats::script
