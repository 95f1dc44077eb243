//! The JSON of the Prometheus HTTP API.
