-- What happened to an order, one row each, is what counts; the table `orders`
-- is what follows from it, for reading.
CREATE TABLE order_facts (
    order_id TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    -- Form of the body: older ones are read too.
    form     INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (order_id, version)
) STRICT, WITHOUT ROWID;

INSERT INTO order_facts
SELECT id, 1, 'placed', 1,
       json_object('customer', customer, 'key', idempotency_key, 'lines', json(lines),
                   'total_minor', total_minor, 'currency', currency),
       created_ms
FROM orders;

INSERT INTO order_facts
SELECT id, 2, 'settled', 2, json_object('state', state, 'payment', payment), updated_ms
FROM orders WHERE state <> 'pending';

ALTER TABLE orders ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE orders ADD COLUMN reason TEXT;
ALTER TABLE orders ADD COLUMN shipment TEXT;
-- Whether the saga has something left to do, and when it is tried again.
ALTER TABLE orders ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN next_try_ms INTEGER NOT NULL DEFAULT 0;

UPDATE orders SET version = 2 WHERE state <> 'pending';
UPDATE orders SET open = 1 WHERE state = 'pending';

DROP INDEX orders_pending;
CREATE INDEX orders_open ON orders (next_try_ms, id) WHERE open = 1;
