#pragma once

#include "history/format.h"

/// Rails (https://guides.rubyonrails.org/active_record_migrations.html), run as a program: its migrations are
/// Ruby.
///   files      <number>_<name>.rb in the folder and below it, the name in small letters, digits and _
///              (activerecord: lib/active_record/migration.rb: migration_files, MigrationFilenameRegexp)
///   order      by the number; two of one number or of one name are refused (validate)
///   run        `bin/rails db:migrate:up VERSION=N` and `db:migrate:down VERSION=N`, which run that one
///   alone, else
///              `bundle exec rails …`, in the folder above that has config/application.rb; db/schema.rb is
///              left as it is (SCHEMA=/dev/null; lib/active_record/tasks/database_tasks.rb: dump_filename)
///   environment  RAILS_ENV as it is in ours, or as the scenario's tool.environment says, else test;
///   DATABASE_URL goes
///              before database.yml there
///   transaction  one around each, unless the class says `disable_ddl_transaction!`
///   bookkeeping  schema_migrations and ar_internal_metadata, by Rails itself
/// Tried with the Active Record and Railties 6.1 of Debian, in a project of a few files.
namespace lockkeeper::history::formats::rails {

Format format();

}  // namespace lockkeeper::history::formats::rails
