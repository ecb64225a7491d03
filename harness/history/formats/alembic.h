#pragma once

#include "history/format.h"

/// Alembic (https://alembic.sqlalchemy.org), run as a program: its migrations are Python.
///   files      *.py with `revision` in the folder versions/ beside env.py, or where alembic.ini's
///   version_locations
///              say (alembic/script/base.py); the graph is read from `revision`, `down_revision`,
///              `depends_on` and `branch_labels` without running Python
///   order      parents and what they depend on first; of equals the one created first
///   run        `alembic upgrade REVISION` and `alembic downgrade REVISION@PARENT`, which also takes one
///   branch of
///              several back and a merge point apart (alembic/script/revision.py:
///              _collect_downgrade_revisions); with the URL of alembic.ini replaced (env.py may look it up in
///              the environment instead) and nothing written beside the files (PYTHONDONTWRITEBYTECODE)
///   transaction  env.py decides: all that is pending in one by default (runtime/environment.py:
///              transaction_per_migration); `autocommit_block()` leaves it
///   bookkeeping  alembic_version, by Alembic itself
namespace lockkeeper::history::formats::alembic {

Format format();

}  // namespace lockkeeper::history::formats::alembic
