-- Which replica drives an open saga, and until when it is left to it: another
-- one that takes it up too would only ask everybody a second time.
ALTER TABLE orders ADD COLUMN driver TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN driven_until_ms INTEGER NOT NULL DEFAULT 0;
