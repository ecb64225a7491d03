ALTER TABLE purchase ADD COLUMN note TEXT;
CREATE INDEX purchase_note ON purchase (note);
