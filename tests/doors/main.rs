//! Tests at the doors people use. Each module is one door or one promise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod bad_input;
mod books;
mod browser;
mod charts;
mod checks;
mod clients;
mod commands;
mod crash_store;
mod diagrams;
mod drift;
mod durable;
mod engines;
mod explore;
mod external;
mod figures;
mod floors;
mod fmt;
mod hot;
mod logs;
mod map;
mod markdown;
mod moments;
mod navigation;
mod objectives;
mod output;
mod prometheus;
mod search;
mod seeds;
mod services;
mod serving;
mod target;
mod tls;
mod traces;
mod travel;
mod up;
