-- What happened to an order, one row each, is what counts; the table `orders`
-- is what follows from it, for reading. (No database in PostgreSQL has orders
-- from before there were facts.)
CREATE TABLE order_facts (
    order_id TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    -- Form of the body: older ones are read too.
    form     BIGINT NOT NULL,
    body     TEXT   NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (order_id, version)
);

ALTER TABLE orders ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE orders ADD COLUMN reason TEXT;
ALTER TABLE orders ADD COLUMN shipment TEXT;
-- Whether the saga has something left to do, and when it is tried again.
ALTER TABLE orders ADD COLUMN open BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN next_try_ms BIGINT NOT NULL DEFAULT 0;

DROP INDEX orders_pending;
CREATE INDEX orders_open ON orders (next_try_ms, id) WHERE open = 1;
