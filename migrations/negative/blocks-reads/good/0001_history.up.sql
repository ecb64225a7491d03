-- lockkeeper: allow blocks-writes: at night nobody else writes
CREATE TABLE history (id INTEGER PRIMARY KEY, words TEXT NOT NULL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO history SELECT i, 'entry number ' || i FROM n;
