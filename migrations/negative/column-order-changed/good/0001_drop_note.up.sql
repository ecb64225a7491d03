ALTER TABLE payments RENAME COLUMN note TO note_unused;
