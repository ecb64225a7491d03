CREATE TABLE made (at TEXT NOT NULL);
INSERT INTO made VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now') || hex(randomblob(4)));
