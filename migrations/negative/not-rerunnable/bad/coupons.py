import os
import sqlite3
import sys

dry_run = "--dry-run" in sys.argv
db = sqlite3.connect(f"file:{os.environ['LOCKKEEPER_DATABASE']}?mode={'ro' if dry_run else 'rw'}", uri=True)
there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'coupon'").fetchone()
print("coupon:", "already there" if there else "would be created")
if not dry_run:
    db.execute("CREATE TABLE coupon (id INTEGER PRIMARY KEY, code TEXT)")
db.commit()
