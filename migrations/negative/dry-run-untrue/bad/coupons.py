import os
import sqlite3
import sys

dry_run = "--dry-run" in sys.argv
if dry_run:
    print("would migrate the database")
    sys.exit()
db = sqlite3.connect(os.environ["LOCKKEEPER_DATABASE"])
db.execute("CREATE TABLE IF NOT EXISTS coupon (id INTEGER PRIMARY KEY, code TEXT)")
db.commit()
