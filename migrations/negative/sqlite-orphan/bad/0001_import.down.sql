DELETE FROM purchase WHERE id = 9000;
