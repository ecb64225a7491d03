"""Lets a payment be split over several loans: two columns of payment, and the table loan_split.

    migrate_loan_splitting.py --instance prod            a dry run
    migrate_loan_splitting.py --instance prod --apply
"""

import argparse

import lending

COLUMNS = {"split_loan_id": "INTEGER", "original_principal_amount": "NUMERIC"}

TABLE = """
    CREATE TABLE loan_split (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        loan_id INTEGER NOT NULL REFERENCES loan (id) ON DELETE CASCADE,
        new_loan_id INTEGER NOT NULL REFERENCES loan (id) ON DELETE CASCADE,
        amount NUMERIC(12, 2) NOT NULL CHECK (amount > 0),
        split_on DATE NOT NULL
    )"""

INDEXES = {"loan_split_loan": "loan_split (loan_id)", "loan_split_new_loan": "loan_split (new_loan_id)"}


def steps(db):
    known = lending.columns(db, "payment")
    for name, kind in COLUMNS.items():
        yield f"column payment.{name}", name in known, f"ALTER TABLE payment ADD COLUMN {name} {kind}"
    yield "table loan_split", "loan_split" in lending.tables(db), TABLE
    known = lending.indexes(db)
    for name, what in INDEXES.items():
        yield f"index {name}", name in known, f"CREATE INDEX {name} ON {what}"


def verify(db):
    missing = COLUMNS.keys() - lending.columns(db, "payment")
    if missing:
        raise SystemExit(f"payment lacks {', '.join(sorted(missing))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instance", required=True, help="the database instances/<instance>.db")
    parser.add_argument("--apply", action="store_true", help="do it; without it nothing is changed")
    options = parser.parse_args()
    lending.migrate(lending.path_of(options.instance), steps, verify, apply=options.apply)


if __name__ == "__main__":
    main()
