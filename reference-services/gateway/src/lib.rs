//! CloudScale's only door: routes, token check, rate limit.
