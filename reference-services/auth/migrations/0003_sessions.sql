-- A session is a family of refresh tokens, of which the newest can be used, once.
CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    device       TEXT    NOT NULL,
    -- Keyed hash of the address that it was begun from.
    origin       TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    used_ms      INTEGER NOT NULL,
    ends_ms      INTEGER NOT NULL,
    revoked_ms   INTEGER,
    reason       TEXT
) STRICT;

CREATE INDEX sessions_by_account ON sessions (account, used_ms);
CREATE INDEX sessions_by_revocation ON sessions (revoked_ms);
CREATE INDEX sessions_by_end ON sessions (ends_ms);

CREATE TABLE refresh_tokens (
    hash         TEXT    NOT NULL PRIMARY KEY,
    session      TEXT    NOT NULL REFERENCES sessions (id),
    issued_ms    INTEGER NOT NULL,
    ends_ms      INTEGER NOT NULL,
    spent_ms     INTEGER,
    reused_ms    INTEGER
) STRICT;

CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (ends_ms);

-- Keys that sign access tokens; their private parts are sealed.
CREATE TABLE signing_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    secret       TEXT    NOT NULL,
    made_ms      INTEGER NOT NULL,
    -- When it began to sign; none: it is the next one.
    signs_ms     INTEGER,
    -- When the next one took over.
    retired_ms   INTEGER,
    -- When the last token that it signed has ended.
    ends_ms      INTEGER
) STRICT;

-- What happened, each row bound to the one before it by a keyed hash.
CREATE TABLE audit (
    number       INTEGER NOT NULL PRIMARY KEY,
    at_ms        INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    session      TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    seal         TEXT    NOT NULL
) STRICT;

-- Where the log ends, bound by a keyed hash of its own.
CREATE TABLE audit_head (
    one          INTEGER NOT NULL PRIMARY KEY,
    number       INTEGER NOT NULL,
    seal         TEXT    NOT NULL,
    head_seal    TEXT    NOT NULL
) STRICT;
