import os
import sqlite3
import sys

dry_run = "--dry-run" in sys.argv
db = sqlite3.connect(os.environ["LOCKKEEPER_DATABASE"])
db.execute("CREATE TABLE IF NOT EXISTS started (at TEXT)")
there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'coupon'").fetchone()
print("started, coupon:", "already there" if there else "would be created")
if not dry_run and not there:
    db.execute("CREATE TABLE coupon (id INTEGER PRIMARY KEY, code TEXT)")
db.commit()
