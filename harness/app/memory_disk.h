#pragma once

#include <optional>

#include "base/run_directory.h"

namespace lockkeeper::app {

/// A run's directory on the machine's memory disk, /dev/shm; none where there is none that we can trust.
std::optional<RunDirectory> memory_run_directory();

/// Removes what dead runs left there.
void sweep_memory_disk();

}  // namespace lockkeeper::app
