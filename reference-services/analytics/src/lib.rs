//! CloudScale's figures about itself. Events of the other services and of clients
//! become series of windows in event time, and what stands out becomes an alert.
//!
//! 1. `sources` fetches the feeds of other services, and what clients posted.
//! 2. `events` checks each event against its schema and applies it: its windows
//!    and the note that it was handled are one transaction.
//! 3. `advance` follows the watermarks, closes windows, and judges final ones.
//! 4. `api` answers from the tables, with a cache in front that empties when a
//!    window closes.
//!
//! No state lies in memory that a restart would have to restore.

#![forbid(unsafe_code)]

mod advance;
pub mod anomaly;
mod api;
mod cache;
pub mod domain;
mod events;
pub mod schema;
pub mod sketch;
mod sources;
mod store;
pub mod watermark;
pub mod windows;

use std::env;

use anyhow::Context as _;
use chassis::clock::now_ms;
use chassis::{App, Callers, Chassis, Config, Verifier};

/// The service's name.
pub const NAME: &str = "analytics";

/// How long windows are refined after the watermark has passed their end, unless
/// the environment says otherwise.
pub const LATENESS_MS: i64 = 30_000;

/// The variables that this service reads beside those of the chassis.
pub mod variables {
    /// How long windows wait for what comes late, in milliseconds.
    pub const LATENESS_MS: &str = "CLOUDSCALE_ANALYTICS_LATENESS_MS";
    /// How long a source must be empty before its time follows the clock, in milliseconds.
    pub const IDLE_MS: &str = "CLOUDSCALE_ANALYTICS_IDLE_MS";
}

/// What is set of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long windows are refined after the watermark has passed their end.
    pub lateness_ms: i64,
    /// How long a source must be empty before its mark follows the clock.
    pub idle_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lateness_ms: LATENESS_MS, idle_ms: watermark::IDLE_AFTER_MS }
    }
}

impl Settings {
    /// Reads the environment.
    pub fn from_env() -> anyhow::Result<Self> {
        let read = |variable: &'static str, usual: i64| match env::var(variable) {
            Ok(text) if !text.is_empty() => {
                let number = text.parse().ok().filter(|number: &i64| *number >= 0);
                number.with_context(|| {
                    format!("`{variable}` is `{text}`, which is no number of milliseconds")
                })
            }
            _ => Ok(usual),
        };
        let usual = Self::default();
        Ok(Self {
            lateness_ms: read(variables::LATENESS_MS, usual.lateness_ms)?,
            idle_ms: read(variables::IDLE_MS, usual.idle_ms)?,
        })
    }
}

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let settings = Settings::from_env()?;
    build_with(chassis, settings).await
}

/// Builds the service with settings of the caller's choice.
pub async fn build_with(chassis: Chassis, settings: Settings) -> anyhow::Result<App> {
    let desk = store::Desk::open(&chassis, settings.lateness_ms).await?;
    desk.register_first(now_ms()).await?;
    let schemas = events::Schemas::open(desk.store()).await?;
    let pulses = sources::Pulses::new(now_ms());
    let posted = sources::Posted::default();
    events::subscribe(&desk, &schemas, &pulses, &posted, &chassis);
    advance::start(&desk, &pulses, settings.idle_ms, &chassis);
    let router = api::routes(api::State {
        desk: desk.clone(),
        verifier: Verifier::start(&chassis),
        schemas,
        posted,
        cache: cache::Cache::new(&chassis),
        counts: api::counts(&chassis),
    });
    let (store, messaging) = (desk.store().clone(), desk.messaging().clone());
    Ok(App::new(router, Callers::Services)
        .describe(include_str!("../openapi.json"))
        .store(store)
        .messaging(messaging)
        .checks(desk))
}
