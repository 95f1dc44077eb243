CREATE TABLE shipments (
    order_id   TEXT    NOT NULL PRIMARY KEY,
    customer   TEXT    NOT NULL,
    pieces     INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    -- When the carrier does the next thing; nothing is due before it is released.
    due_ms     INTEGER,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX shipments_due ON shipments (due_ms) WHERE due_ms IS NOT NULL;
