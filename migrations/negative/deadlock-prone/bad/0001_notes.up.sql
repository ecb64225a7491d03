-- lockkeeper: allow data-changed: notes that nobody wrote are to say so
UPDATE payments SET note = 'none' WHERE note IS NULL;
ALTER TABLE payments ADD CONSTRAINT payments_note_there CHECK (note IS NOT NULL) NOT VALID;
