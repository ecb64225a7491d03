ALTER TABLE customer DROP COLUMN tier_id;
DROP TABLE tier;
