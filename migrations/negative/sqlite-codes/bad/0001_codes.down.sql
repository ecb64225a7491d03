UPDATE purchase SET code = substr(code, 2);
