#pragma once

#include "history/format.h"

/// Any program that can list its versions, go up to one and back from one, as a scenario says:
///   migrations: {path: db, format: commands, tool: {list: …, up: … {version}, down: … {previous}}}
/// Run in the folder of the history, without a shell, the connection in its environment and wherever {url}
/// and the like stand. Order is that of the list; files are looked for by their version, so that findings
/// have a place.
namespace lockkeeper::history::formats::commands {

Format format();

}  // namespace lockkeeper::history::formats::commands
