-- Orders of guests go to the account that the shop keeps for them.
UPDATE orders SET user_id = 1 WHERE user_id IS NULL;
ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL;
