ALTER TABLE payments RENAME COLUMN note_unused TO note;
