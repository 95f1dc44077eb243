-- Where events come from, and how far their time has come.
CREATE TABLE sources (
    name      TEXT    NOT NULL PRIMARY KEY,
    newest_ms INTEGER NOT NULL,
    mark_ms   INTEGER NOT NULL,
    -- Events whose effect is in the tables below, counted in the transaction of the effect.
    events    INTEGER NOT NULL
) STRICT;

-- Series of windows. `applied` = events in windows + `late` + `forgotten`.
CREATE TABLE series (
    name         TEXT    NOT NULL PRIMARY KEY,
    watermark_ms INTEGER NOT NULL,
    applied      INTEGER NOT NULL,
    late         INTEGER NOT NULL,
    forgotten    INTEGER NOT NULL,
    -- Windows that end up to here were judged.
    judged_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE windows (
    series   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms   INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    sketch   TEXT    NOT NULL,
    -- 0 open, 1 closed, 2 final.
    state    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (series, key, start_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX windows_starts ON windows (series, start_ms, key);
CREATE INDEX windows_unfinished ON windows (series, end_ms) WHERE state < 2;

-- What came when its window was final: counted in `series`, and kept for a while.
CREATE TABLE late_events (
    event        TEXT    NOT NULL,
    series       TEXT    NOT NULL,
    start_ms     INTEGER NOT NULL,
    key          TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    watermark_ms INTEGER NOT NULL,
    noted_ms     INTEGER NOT NULL,
    -- An order of two lines of one product is late twice.
    nth          INTEGER NOT NULL,
    PRIMARY KEY (event, series, start_ms, nth)
) STRICT, WITHOUT ROWID;

CREATE INDEX late_events_noted ON late_events (noted_ms);

-- The way of each order: two streams joined, and the funnel.
CREATE TABLE journeys (
    order_id     TEXT    NOT NULL PRIMARY KEY,
    placed_ms    INTEGER,
    captured_ms  INTEGER,
    shipped_ms   INTEGER,
    cancelled_ms INTEGER,
    seen_ms      INTEGER NOT NULL
) STRICT;

CREATE INDEX journeys_placed ON journeys (placed_ms);
CREATE INDEX journeys_seen ON journeys (seen_ms);

CREATE TABLE schemas (
    subject       TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    schema        TEXT    NOT NULL,
    registered_ms INTEGER NOT NULL,
    PRIMARY KEY (subject, version)
) STRICT, WITHOUT ROWID;

-- What clients posted and the inbox has not yet.
CREATE TABLE doorstep (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL UNIQUE,
    customer TEXT    NOT NULL,
    event    TEXT    NOT NULL
) STRICT;

CREATE INDEX doorstep_customers ON doorstep (customer);

CREATE TABLE alerts (
    id        TEXT    NOT NULL PRIMARY KEY,
    series    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    start_ms  INTEGER NOT NULL,
    value     INTEGER NOT NULL,
    expected  REAL    NOT NULL,
    score     REAL    NOT NULL,
    UNIQUE (series, key, start_ms)
) STRICT;

CREATE INDEX alerts_starts ON alerts (start_ms);

-- `results` grows whenever something that was told may be told otherwise now.
CREATE TABLE versions (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

INSERT INTO versions (name, value) VALUES ('results', 0);
