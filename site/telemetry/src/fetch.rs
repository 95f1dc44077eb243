//! Getting a body over HTTP within limits.
