"""As such scripts are often written: what a dry run must not do comes before it is known to be one."""

import os
import sqlite3
import sys

TABLES = ("cashback_transaction", "loan_cashback_config", "tracker_entry", "tracker_cashback_config",
          "user_payment_method", "cashback_redemption")


def main():
    db = sqlite3.connect(os.environ["LENDING_DATABASE"])
    db.execute("CREATE TABLE IF NOT EXISTS migration_log (name TEXT, started_at TEXT)")
    db.execute("INSERT INTO migration_log VALUES ('cashback', datetime('now'))")
    db.commit()
    if "--dry-run" in sys.argv:
        print(f"would create {len(TABLES)} tables")
        return
    for table in TABLES:
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                   "user_id INTEGER, amount NUMERIC)")
    db.commit()
    print("done")


main()
