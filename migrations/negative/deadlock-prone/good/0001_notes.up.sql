-- lockkeeper: allow data-changed: notes that nobody wrote are to say so
UPDATE payments SET note = 'none' WHERE note IS NULL;
