CREATE TABLE users (
    id                  TEXT    NOT NULL PRIMARY KEY,
    -- Sealed: each holds the id of its key, and opens only here.
    email               TEXT    NOT NULL,
    own                 TEXT    NOT NULL,
    -- The key that all of the row is sealed with.
    key_id              TEXT    NOT NULL,
    profile_version     INTEGER NOT NULL,
    -- In clear: they say how somebody is spoken to, and not who it is.
    preferences         TEXT    NOT NULL,
    preferences_version INTEGER NOT NULL,
    created_ms          INTEGER NOT NULL,
    updated_ms          INTEGER NOT NULL
) STRICT;

CREATE INDEX users_keys ON users (key_id);
CREATE INDEX users_updated ON users (updated_ms);

-- Who registered and has no profile yet: `auth` is still to be asked who it is.
CREATE TABLE arrivals (
    id      TEXT    NOT NULL PRIMARY KEY,
    context TEXT    NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT;

-- Who was removed: an event that comes again must not bring anybody back.
CREATE TABLE deleted (
    id         TEXT    NOT NULL PRIMARY KEY,
    deleted_ms INTEGER NOT NULL
) STRICT;

-- Registrations that were heard of, counted in the transaction of their effect.
CREATE TABLE counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

INSERT INTO counters (name, value) VALUES ('registered', 0);
