UPDATE purchase SET quantity = quantity - 100 WHERE quantity = 108;
