CREATE TABLE orders (
    id              TEXT    NOT NULL PRIMARY KEY,
    customer        TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    lines           TEXT    NOT NULL,
    total_minor     INTEGER NOT NULL CHECK (total_minor > 0),
    currency        TEXT    NOT NULL,
    payment         TEXT,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    UNIQUE (customer, idempotency_key)
) STRICT;

-- Ids begin with the time, so this is also the order of a customer's history.
CREATE INDEX orders_of_customer ON orders (customer, id);

CREATE INDEX orders_pending ON orders (created_ms) WHERE state = 'pending';
