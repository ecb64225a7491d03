import os
import sqlite3

db = sqlite3.connect(os.environ["LOCKKEEPER_DATABASE"])
db.execute("DROP TABLE IF EXISTS coupon")
db.execute("DROP TABLE IF EXISTS started")
db.commit()
