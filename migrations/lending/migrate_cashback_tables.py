"""Adds the six tables of cashback.

    migrate_cashback_tables.py prod --dry-run
    migrate_cashback_tables.py prod
"""

import argparse

import lending

TABLES = {
    "cashback_transaction": """
        CREATE TABLE cashback_transaction (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            loan_id INTEGER REFERENCES loan (id) ON DELETE SET NULL,
            payment_id INTEGER REFERENCES payment (id) ON DELETE SET NULL,
            points NUMERIC(12, 2) NOT NULL,
            note TEXT,
            created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
        )""",
    "loan_cashback_config": """
        CREATE TABLE loan_cashback_config (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            loan_id INTEGER NOT NULL REFERENCES loan (id) ON DELETE CASCADE,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            kind TEXT NOT NULL DEFAULT 'percentage' CHECK (kind IN ('percentage', 'fixed')),
            value NUMERIC(12, 4) NOT NULL,
            is_active BOOLEAN NOT NULL DEFAULT 1,
            UNIQUE (loan_id, user_id)
        )""",
    "tracker_entry": """
        CREATE TABLE tracker_entry (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            tracker_id INTEGER NOT NULL REFERENCES tracker (id) ON DELETE CASCADE,
            day INTEGER NOT NULL,
            amount NUMERIC(12, 2),
            UNIQUE (tracker_id, day)
        )""",
    "tracker_cashback_config": """
        CREATE TABLE tracker_cashback_config (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            tracker_id INTEGER NOT NULL REFERENCES tracker (id) ON DELETE CASCADE,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            value NUMERIC(12, 4) NOT NULL,
            UNIQUE (tracker_id, user_id)
        )""",
    "user_payment_method": """
        CREATE TABLE user_payment_method (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            method TEXT NOT NULL CHECK (method IN ('bank', 'paypal', 'upi')),
            details TEXT NOT NULL DEFAULT '{}',
            is_default BOOLEAN NOT NULL DEFAULT 0
        )""",
    "cashback_redemption": """
        CREATE TABLE cashback_redemption (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            payment_method_id INTEGER REFERENCES user_payment_method (id) ON DELETE SET NULL,
            points NUMERIC(12, 2) NOT NULL CHECK (points > 0),
            status TEXT NOT NULL DEFAULT 'pending',
            requested_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
        )""",
}

INDEXES = {
    "cashback_transaction_user": "cashback_transaction (user_id)",
    "cashback_transaction_loan": "cashback_transaction (loan_id)",
    "cashback_transaction_payment": "cashback_transaction (payment_id)",
    "loan_cashback_config_user": "loan_cashback_config (user_id)",
    "tracker_cashback_config_user": "tracker_cashback_config (user_id)",
    "user_payment_method_user": "user_payment_method (user_id)",
    "cashback_redemption_user": "cashback_redemption (user_id)",
    "cashback_redemption_method": "cashback_redemption (payment_method_id)",
}


def steps(db):
    known = lending.tables(db)
    for name, sql in TABLES.items():
        yield f"table {name}", name in known, sql
    known = lending.indexes(db)
    for name, what in INDEXES.items():
        yield f"index {name}", name in known, f"CREATE INDEX {name} ON {what}"


def verify(db):
    missing = TABLES.keys() - lending.tables(db)
    if missing:
        raise SystemExit(f"not there: {', '.join(sorted(missing))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instance", help="the database instances/<instance>.db")
    parser.add_argument("--dry-run", action="store_true", help="say what is pending, and change nothing")
    options = parser.parse_args()
    lending.migrate(lending.path_of(options.instance), steps, verify, apply=not options.dry_run)


if __name__ == "__main__":
    main()
