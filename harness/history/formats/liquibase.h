#pragma once

#include "history/format.h"

/// Liquibase (https://github.com/liquibase/liquibase, below liquibase-standard/src/main/java/liquibase), as
/// far as its changes are SQL.
///   changelogs   a root in XML, YAML or JSON with include, includeAll and change sets of sqlFile and sql; or
///   a
///                folder of SQL files, in the order of their paths, as includeAll has it
///                (changelog/DatabaseChangeLog.java). Other change types need Liquibase to become SQL and are
///                refused here
///   files        formatted SQL: '--liquibase formatted sql', each '--changeset author:id' a migration
///                (parser/AbstractFormattedChangeLogParser.java, liquibase_formatted.h); any other .sql file
///                is one change set 'raw' that is not split (parser/core/sql/SqlChangeLogParser.java)
///   sent         cut by Liquibase's own rules (liquibase_sql.h), in one transaction unless runInTransaction
///   is
///                false; the note of it in another (changelog/ChangeSet.java,
///                changelog/visitor/UpdateVisitor.java). JDBC begins another transaction after a COMMIT of
///                the text's own, and makes a pipeline of a text of several statements outside of one
///   down         '--rollback' lines; none: Liquibase cannot take SQL back by itself
///   left out     change sets for other dbms; contexts and labels count for nothing when none is asked for,
///   as
///                here. Preconditions need a database and are taken to hold, which `not_taken` says
///   bookkeeping  databasechangelog and databasechangeloglock, MD5SUM NULL here
namespace lockkeeper::history::formats::liquibase {

Format format();

}  // namespace lockkeeper::history::formats::liquibase
