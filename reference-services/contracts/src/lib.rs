//! The types that CloudScale's services share on the wire, and nothing else: no
//! logic, no input or output. A service hands them to `serde`; another one, or a
//! client from outside, reads them back.
//!
//! Amounts of money are whole minor units (cents) beside a currency. Times are
//! milliseconds since 1970 (`_ms`); durations say their unit in the name.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod analytics;
pub mod catalog;
pub mod faults;
pub mod invariants;
pub mod messaging;
pub mod money;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod problem;
pub mod shipping;
pub mod users;

/// The version that is the first part of every public path.
pub const API_VERSION: &str = "v1";

/// Header that makes a `POST` safe to send again.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Header on an answer that was stored by an earlier request with the same key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
