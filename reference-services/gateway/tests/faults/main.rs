//! What the gateway promises while services fail (invariants 11, 12, 13 and 15),
//! shown at its door: real gateways, services that fail as a seed says, and
//! checkers that know nothing but what clients and services saw. Each checker is
//! shown to find the fault that it is there for.
//!
//! `CLOUDSCALE_TEST_SEED=7` repeats a run.

#![allow(clippy::unwrap_used, missing_docs)]

mod breaker;
mod cache;
mod limits;
mod releases;
mod rig;
mod storm;
