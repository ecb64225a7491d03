CREATE TYPE delivery_kind AS ENUM ('standard', 'express', 'pickup');
ALTER TABLE orders ADD COLUMN delivery delivery_kind NOT NULL DEFAULT 'standard';
