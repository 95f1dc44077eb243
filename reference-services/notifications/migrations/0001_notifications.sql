-- Whose orders there are: payments and shipping tell of an order, not of a customer.
CREATE TABLE orders (
    order_id    TEXT   NOT NULL PRIMARY KEY,
    customer    TEXT   NOT NULL,
    total_minor BIGINT NOT NULL,
    currency    TEXT   NOT NULL,
    created_ms  BIGINT NOT NULL
);

CREATE INDEX orders_created ON orders (created_ms);

-- One for each event that a customer is told of; the event's id is its own.
CREATE TABLE notifications (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    order_id   TEXT   NOT NULL,
    -- Absent until the order's customer is known.
    customer   TEXT,
    -- What the event says beside that, and its trace, as JSON.
    facts      TEXT   NOT NULL,
    context    TEXT   NOT NULL,
    -- `new` until it is decided which channels it takes, then `planned`.
    state      TEXT   NOT NULL,
    language   TEXT   NOT NULL,
    attempts   BIGINT NOT NULL,
    next_ms    BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE INDEX notifications_new ON notifications (next_ms) WHERE state = 'new';
CREATE INDEX notifications_orders ON notifications (order_id);
CREATE INDEX notifications_customers ON notifications (customer);
CREATE INDEX notifications_created ON notifications (created_ms);

-- One for each channel of each planned notification.
CREATE TABLE deliveries (
    notification_id TEXT   NOT NULL REFERENCES notifications (id),
    channel         TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    attempts        BIGINT NOT NULL,
    next_ms         BIGINT NOT NULL,
    reason          TEXT   NOT NULL,
    times_sent      BIGINT NOT NULL,
    PRIMARY KEY (notification_id, channel)
);

CREATE INDEX deliveries_waiting ON deliveries (channel, next_ms) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (notification_id) WHERE state = 'dead';

-- The stream in the app.
CREATE TABLE messages (
    position        BIGINT NOT NULL PRIMARY KEY,
    notification_id TEXT   NOT NULL UNIQUE REFERENCES notifications (id),
    customer        TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    order_id        TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    created_ms      BIGINT NOT NULL,
    is_read         BIGINT NOT NULL
);

CREATE INDEX messages_customers ON messages (customer, position);

CREATE TABLE webhooks (
    customer   TEXT   NOT NULL PRIMARY KEY,
    url        TEXT   NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Events that were taken, notifications that were forgotten since, and the last
-- place in the stream: each is counted in the transaction of what it counts.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counters (name, value) VALUES ('events', 0), ('forgotten', 0), ('position', 0);
