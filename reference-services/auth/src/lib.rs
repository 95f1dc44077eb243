//! CloudScale's accounts and tokens.
