UPDATE purchase SET code = 'P' || code;
