DROP TRIGGER products_touch ON products;
DROP FUNCTION touch_updated_at();
