ALTER TABLE users ADD COLUMN plan_id int REFERENCES plans;
CREATE INDEX users_plan_id_idx ON users (plan_id);
