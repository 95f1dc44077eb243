-- An order as it was after one of its facts, so that those before need not be
-- read. It follows from them, and may be deleted.
CREATE TABLE order_snapshots (
    order_id TEXT   NOT NULL PRIMARY KEY,
    version  BIGINT NOT NULL,
    -- Form of the body: one that is not today's is passed over.
    form     BIGINT NOT NULL,
    body     TEXT   NOT NULL
);
