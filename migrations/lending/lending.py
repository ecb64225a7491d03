"""What both migrations of the lending book share. Standard library only."""

import contextlib
import datetime
import os
import pathlib
import sqlite3
import sys

HERE = pathlib.Path(__file__).resolve().parent
LOCKED = "the application still runs: stop it, and start this again"


def path_of(instance):
    """The file of an instance; LENDING_DATABASE names another one."""
    return pathlib.Path(os.environ.get("LENDING_DATABASE") or HERE / "instances" / f"{instance}.db")


def connect(path, read_only):
    if not path.is_file():
        sys.exit(f"there is no database {path}")
    mode = "ro" if read_only else "rw"
    db = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=5, isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def tables(db):
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def indexes(db):
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}


def columns(db, table):
    return {name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def back_up(db, path):
    """A copy by SQLite itself, since a copy of the file may catch a writer half-way."""
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True)
    target = folder / f"{path.stem}-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}.db"
    with contextlib.closing(sqlite3.connect(target)) as copy:
        db.backup(copy)
        (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        sys.exit(f"the backup {target} is not sound: {verdict}")
    print(f"backup: {target.name}")


def migrate(path, steps, verify, apply):
    """`steps(db)` yields (what, is it there?, SQL) in order."""
    try:
        with contextlib.closing(connect(path, read_only=not apply)) as db:
            pending = []
            for what, there, sql in steps(db):
                print(f"{what}: {'already exists' if there else 'to be created' if apply else 'would create'}")
                if not there:
                    pending.append(sql)
            if not pending:
                print("nothing to do")
                return
            if not apply:
                print(f"dry run: {len(pending)} pending, nothing was changed")
                return
            back_up(db, path)
            db.execute("BEGIN IMMEDIATE")
            try:
                for sql in pending:
                    db.execute(sql)
                verify(db)
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            print(f"done: {len(pending)} created")
            for table in sorted(tables(db)):
                if not table.startswith("sqlite_"):
                    print(f"  {table}: {db.execute(f'SELECT count(*) FROM {table}').fetchone()[0]} rows")
    except sqlite3.OperationalError as error:
        sys.exit(f"{error}: {LOCKED}" if "locked" in str(error) else f"{error}")
