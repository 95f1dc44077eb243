-- The trace in which an order was placed, as headers: whoever takes its saga up
-- again goes on in it.
ALTER TABLE orders ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
