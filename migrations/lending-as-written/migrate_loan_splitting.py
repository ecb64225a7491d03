"""As such scripts are often written: it looks at nothing, so it says the same for ever and runs only once."""

import os
import sqlite3
import sys


def main():
    if "--apply" not in sys.argv:
        print("would add payment.split_loan_id and payment.original_principal_amount, and create loan_split")
        return
    db = sqlite3.connect(os.environ["LENDING_DATABASE"])
    db.execute("ALTER TABLE payment ADD COLUMN split_loan_id INTEGER")
    db.execute("ALTER TABLE payment ADD COLUMN original_principal_amount NUMERIC")
    db.execute("CREATE TABLE loan_split (id INTEGER PRIMARY KEY, loan_id INTEGER, amount NUMERIC)")
    db.commit()
    print("done")


main()
