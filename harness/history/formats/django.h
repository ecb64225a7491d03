#pragma once

#include "history/format.h"

/// Django (https://docs.djangoproject.com/en/stable/topics/migrations/), run as a program: the migrations of
/// one app.
///   files      *.py whose name begins neither with _ nor ~, in a folder with __init__.py below a manage.py
///              (django/db/migrations/loader.py: load_disk); the app's label is that in apps.py, else the
///              name of the folder above; MIGRATION_MODULES is not read
///   order      what a file depends on first, within the app as its `dependencies` and `run_before` say
///   without running
///              Python; of equals by name
///   others     what the app's migrations need of other apps is brought in by Django before anything is
///   judged, but
///              for what needs migrations of this app that are not in yet: that comes with the one that needs
///              it
///   run        `python manage.py migrate APP NAME`, and back the same to the one before or `zero`; that
///   takes every
///              one back that follows the one before (commands/migrate.py, executor.py: migration_plan), so
///              where there are several, Django's executor is asked for the one alone
///   python     of .venv or venv beside manage.py, else that of the django-admin in PATH
///   transaction  one around each, unless the class says `atomic = False`
///   refused    several leaves, a dependency that is not there, and `replaces` while what it replaces is
///   there too:
///              which of them Django takes depends on the database
///   bookkeeping  django_migrations; set apart are django_content_type and auth_permission too, whose rows
///   Django
///              writes after each run for the models that it sees, and leaves when it goes back
///              (post_migrate)
namespace lockkeeper::history::formats::django {

Format format();

}  // namespace lockkeeper::history::formats::django
