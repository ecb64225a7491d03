DROP INDEX purchase_note;
ALTER TABLE purchase DROP COLUMN note;
