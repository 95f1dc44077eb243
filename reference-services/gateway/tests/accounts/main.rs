//! Accounts at CloudScale's door: sessions and their tokens, keys, second factors, roles,
//! the audit log; and what holds of sessions while `auth` is killed.

#![allow(clippy::unwrap_used, missing_docs)]

mod administration;
mod faults;
mod guards;
mod history;
mod keys;
mod people;
#[path = "../system/running/mod.rs"]
mod running;
mod second;
mod sessions;
