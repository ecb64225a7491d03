ALTER TABLE payments ADD CONSTRAINT payments_note_there CHECK (note IS NOT NULL) NOT VALID;
