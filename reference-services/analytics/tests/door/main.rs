//! Analytics over real HTTP, as a process that can be killed, beside peers whose
//! feeds the tests write.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod batch;
mod outlier;
mod queue;
mod registry;
mod rig;
mod streams;
