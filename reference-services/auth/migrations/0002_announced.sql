-- Whether others were told of the account. Those from before are told of at the next start.
ALTER TABLE accounts ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
