UPDATE payments SET note = NULL WHERE note = 'none';
