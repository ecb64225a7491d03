ALTER TABLE customer DROP COLUMN tier_id;
