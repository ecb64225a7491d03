#pragma once

#include "history/format.h"

/// SQL in plain files, as golang-migrate and many home-made runners have it. Two layouts:
///   plain          <version>_<name>.up.sql and <version>_<name>.down.sql in one folder
///   plain-folders  <version>_<name>/up.sql and <version>_<name>/down.sql
/// The version is what stands before the first '_' (all of it where there is none, the name is empty then),
/// whatever its form: 0021, v1, 1.2, 2023-01-01-000000. Up and down of a version belong together even if
/// their names differ, as golang-migrate has it (source/migration.go keeps them by version and direction).
/// Order: sort_by_version.
///
/// In `plain` a name may end in a dialect, <version>_<name>.<dialect>.up.sql: one for PostgreSQL is taken in
/// place of the file without a dialect, others are left. Nothing is sent but the file, in one transaction
/// where it can be.
namespace lockkeeper::history::formats::plain {

Format files();
Format folders();

}  // namespace lockkeeper::history::formats::plain
