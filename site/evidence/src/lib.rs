//! What the telemetry proves about the documents: binding, claims and verdicts, strips, overlays.
//!
//! Takes the book, answers to the queries that it asked for, a service graph and `now`; gives typed
//! evidence that `pages` renders. No I/O, no clock.

mod model;

pub use model::*;
