#pragma once

#include "history/format.h"

/// sqitch (https://github.com/sqitchers/sqitch), engine pg.
///   files      sqitch.conf and the plan that it names, by default sqitch.plan; the folder may be that of
///              either. Sections core, engine.pg and of the target, with top_dir, plan_file, deploy_dir,
///              revert_dir, verify_dir, their reworked_ forms, extension, registry, variables
///              (lib/App/Sqitch/Target.pm). A change is deploy/NAME.sql and revert/NAME.sql; once reworked,
///              the earlier instance is NAME@TAG.sql (lib/App/Sqitch/Plan/Change.pm: _path_segments)
///   versions   the names of changes; further instances of a reworked one are NAME#2, NAME#3
///   order      the plan's; what its parser refuses is refused
///              (lib/App/Sqitch/Plan.pm: _parse, check_changes)
///   sent       by psql --no-psqlrc --set ON_ERROR_STOP=1 --file, in the directory of sqitch.conf: each
///              statement on its own, no transaction but the file's, meta-commands
///              (lib/App/Sqitch/Engine/pg.pm: _client_opts, run_file)
///   bookkeeping  schema sqitch, release 1.1 (lib/App/Sqitch/Engine/pg.sql), noted behind the script
///              (lib/App/Sqitch/Role/DBIEngine.pm: log_deploy_change; pg.pm: log_revert_change). Ids and
///              script hashes are sqitch's own. Not filled: comments on tables and columns, rows of
///              dependencies on other projects, events of the kinds fail and merge
namespace lockkeeper::history::formats::sqitch {

Format format();

}  // namespace lockkeeper::history::formats::sqitch
