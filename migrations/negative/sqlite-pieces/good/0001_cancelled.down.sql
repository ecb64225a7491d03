INSERT INTO purchase SELECT * FROM cancelled;
DROP TABLE cancelled;
