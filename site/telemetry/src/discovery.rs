//! HTTP service discovery.
