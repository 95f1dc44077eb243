CREATE TABLE payments (
    id              TEXT    NOT NULL PRIMARY KEY,
    idempotency_key TEXT    NOT NULL UNIQUE,
    order_id        TEXT    NOT NULL,
    customer        TEXT    NOT NULL,
    amount_minor    INTEGER NOT NULL CHECK (amount_minor > 0),
    currency        TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL
) STRICT;

-- Double entry: the rows of one payment sum to zero, and so does the table.
-- A payment has at most one row in each account.
CREATE TABLE ledger (
    id           INTEGER NOT NULL PRIMARY KEY,
    payment      TEXT    NOT NULL REFERENCES payments (id),
    account      TEXT    NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    UNIQUE (payment, account)
) STRICT;
