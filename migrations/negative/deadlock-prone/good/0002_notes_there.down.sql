ALTER TABLE payments DROP CONSTRAINT payments_note_there;
