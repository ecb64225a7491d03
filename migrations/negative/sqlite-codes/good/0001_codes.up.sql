-- lockkeeper: allow data-changed: every code gets the letter that the new labels have
UPDATE purchase SET code = 'P' || code;
