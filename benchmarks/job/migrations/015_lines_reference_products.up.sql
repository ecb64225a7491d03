ALTER TABLE order_lines
  ADD CONSTRAINT order_lines_product_id_fkey FOREIGN KEY (product_id) REFERENCES products;
