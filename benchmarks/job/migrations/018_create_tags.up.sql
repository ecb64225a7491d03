CREATE TABLE tags (
  id integer PRIMARY KEY,
  label text NOT NULL UNIQUE
);
CREATE TABLE product_tags (
  product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
  tag_id integer NOT NULL REFERENCES tags,
  PRIMARY KEY (product_id, tag_id)
);
CREATE INDEX product_tags_tag_id_idx ON product_tags (tag_id);
INSERT INTO tags VALUES (1, 'new'), (2, 'heavy'), (3, 'sale');
INSERT INTO product_tags SELECT id, 2 FROM products WHERE weight_g > 3500;
