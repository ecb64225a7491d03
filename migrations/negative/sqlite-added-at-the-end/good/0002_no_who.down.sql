CREATE TABLE tag_again (who TEXT, what TEXT, place TEXT);
INSERT INTO tag_again (what, place) SELECT what, place FROM tag;
DROP TABLE tag;
ALTER TABLE tag_again RENAME TO tag;
