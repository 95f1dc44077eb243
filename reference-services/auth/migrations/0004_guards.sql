-- Wrong attempts, by keyed hashes of whom and whence. Rows are forgotten after a while.
CREATE TABLE failures (
    subject      TEXT    NOT NULL PRIMARY KEY,
    attempts     INTEGER NOT NULL,
    last_ms      INTEGER NOT NULL,
    until_ms     INTEGER NOT NULL,
    -- The lock (its `until_ms`) that the audit log knows of.
    noted_ms     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX failures_by_time ON failures (last_ms);

-- Second factors; the secret is sealed.
CREATE TABLE totp (
    account      TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    secret       TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    -- None: it was not confirmed, and is not asked for.
    confirmed_ms INTEGER,
    -- The time step of the last code that was taken.
    last_step    INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_codes (
    account      TEXT    NOT NULL REFERENCES accounts (id),
    hash         TEXT    NOT NULL,
    spent_ms     INTEGER,
    PRIMARY KEY (account, hash)
) STRICT;

-- Logins of which the password was right, and the code is waited for.
CREATE TABLE challenges (
    hash         TEXT    NOT NULL PRIMARY KEY,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    device       TEXT    NOT NULL,
    origin       TEXT    NOT NULL,
    ends_ms      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL
) STRICT;

CREATE INDEX challenges_by_account ON challenges (account, ends_ms);
CREATE INDEX challenges_by_end ON challenges (ends_ms);
