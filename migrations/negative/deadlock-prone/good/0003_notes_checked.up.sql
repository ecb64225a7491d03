ALTER TABLE payments VALIDATE CONSTRAINT payments_note_there;
