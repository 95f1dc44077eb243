-- What was taken can be given back: a payment may have two rows in an account,
-- one for each booking.
CREATE TABLE ledger_with_bookings (
    id           INTEGER NOT NULL PRIMARY KEY,
    payment      TEXT    NOT NULL REFERENCES payments (id),
    booking      TEXT    NOT NULL CHECK (booking IN ('capture', 'refund')),
    account      TEXT    NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    UNIQUE (payment, booking, account)
) STRICT;

INSERT INTO ledger_with_bookings
SELECT id, payment, 'capture', account, amount_minor, currency, created_ms FROM ledger;

DROP TABLE ledger;

ALTER TABLE ledger_with_bookings RENAME TO ledger;
