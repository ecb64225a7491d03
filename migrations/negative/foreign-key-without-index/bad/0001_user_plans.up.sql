ALTER TABLE users ADD COLUMN plan_id int REFERENCES plans;
