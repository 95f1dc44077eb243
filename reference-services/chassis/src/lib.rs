//! What every service shares (the pattern is called microservice chassis), so
//! that a service holds its own business only. A service builds an [`App`] from
//! a [`Chassis`]; the chassis brings configuration, telemetry, HTTP in and out,
//! a database, idempotency keys and token checks.
//!
//! ```no_run
//! async fn build(_chassis: chassis::Chassis) -> anyhow::Result<chassis::App> {
//!     let router = axum::Router::new().route("/v1/time", axum::routing::get(|| async { "now" }));
//!     Ok(chassis::App::new(router, chassis::Callers::Services))
//! }
//!
//! # fn main() -> anyhow::Result<()> {
//! let config = chassis::Config::from_env("clock")?;
//! chassis::block_on(chassis::run(config, build))?
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod client;
pub mod clock;
pub mod config;
pub mod crash;
mod exemplars;
pub mod faults;
pub mod idempotency;
pub mod inbound;
pub mod input;
pub mod invariants;
pub mod messaging;
pub mod metrics;
pub mod problem;
pub mod process;
mod propagation;
mod replicas;
pub mod sealing;
pub mod secret;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod token;

pub use client::{Call, CallError, Client, Opened, Reply};
pub use config::{Config, ConfigError};
pub use crash::CrashPoints;
pub use idempotency::{Answer, Idempotency};
pub use input::{Id, IdempotencyKey, Posted};
pub use invariants::Checks;
pub use messaging::{Handler, Message, Messaging, Trouble};
pub use metrics::Metrics;
pub use problem::{Failure, field};
pub use process::block_on;
pub use serve::{App, Callers, Chassis, Running, Tasks, run, start};
pub use store::{Migrations, Operation, Store, Write};
pub use token::{Caller, TokenError, Verifier};
