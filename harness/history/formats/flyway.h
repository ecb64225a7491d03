#pragma once

#include "history/format.h"

/// Flyway (https://github.com/flyway/flyway, below flyway-core/src/main/java/org/flywaydb/core).
///   files      V<version>__<description>.sql, U<version>__… (undo), R__<description>.sql (repeatable),
///              B<version>__… (baseline), in the folder and all below it but hidden ones
///              (internal/resource/ResourceNameParser.java,
///              internal/scanner/filesystem/FileSystemScanner.java); what is named otherwise is passed over
///              without a word. A version is digits with dots or underscores between them, and compared part
///              by part (api/MigrationVersion.java); two that are equal, 1 and 1.0, are refused
///              (internal/resolver/CompositeMigrationResolver.java)
///   order      by version, then what is repeatable by description (ResolvedMigrationComparator.java); on a
///              new database the newest baseline stands in the place of every version up to its own
///              (internal/info/MigrationInfoServiceImpl.java)
///   settings   flyway.toml or flyway.conf in or above the folder, and `<script>.conf` beside a script
///              (flyway_settings.h). Where the folder is one of its locations, or holds the settings, all
///              locations are read
///   sent       statement by statement in one transaction, unless a statement cannot run in one by the words
///              of database/postgresql/PostgreSQLParser.java: then the script runs without, and with both
///              kinds in it it is refused unless `mixed` is set (internal/sqlscript/ParserSqlScript.java).
///              JDBC begins another transaction after a COMMIT of the script's own
///   undo       the editions that are paid for have it: it sends U<version>, newest first
///              (documentation/Reference/Commands/Undo.md)
///   bookkeeping  flyway_schema_history (database/postgresql/PostgreSQLDatabase.java), its checksum NULL here
namespace lockkeeper::history::formats::flyway {

Format format();

}  // namespace lockkeeper::history::formats::flyway
