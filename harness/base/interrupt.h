#pragma once

#include "base/result.h"

namespace lockkeeper {

/// SIGINT, SIGTERM and SIGHUP set a flag and make a descriptor readable; every wait of ours watches it, so
/// that teardown runs through the destructors on the ordinary path. Call once, before the first thread.
void watch_signals();

/// Has a signal asked us to stop?
bool interrupted();

/// Readable for ever once interrupted: for poll(2) beside whatever else is waited for; -1 before
/// watch_signals().
int interrupt_descriptor();

/// A failure of kind `interrupted`, naming the signal.
tl::unexpected<Failure> failed_by_interrupt();

}  // namespace lockkeeper
