CREATE TABLE tiers (id int PRIMARY KEY, name text NOT NULL);
ALTER TABLE users ADD COLUMN tier_id int REFERENCES tiers;
CREATE INDEX users_tier_id_idx ON users (tier_id);
