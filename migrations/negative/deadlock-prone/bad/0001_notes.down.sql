ALTER TABLE payments DROP CONSTRAINT payments_note_there;
UPDATE payments SET note = NULL WHERE note = 'none';
