//! CloudScale's only door. Every request passes the same stages, and so does its
//! answer ([`pipeline`]); the services behind are kept from being overrun and
//! their failures from spreading ([`upstream`]). The gateway holds no data of its
//! own.

#![forbid(unsafe_code)]

mod api;
pub mod cache;
pub mod domain;
mod events;
mod invariants;
pub mod limit;
pub mod openapi;
pub mod pipeline;
pub mod revocations;
pub mod stream;
pub mod upstream;

use std::collections::BTreeSet;
use std::time::Duration;

use chassis::config::{Engines, Servers};
use chassis::{App, Callers, Chassis, Config, Verifier};
use tokio::sync::watch;

pub use limit::{Gate, Limiter, Limits, Shared};
pub use upstream::{Found, Policies};

use cache::Answers;
use limit::redis::Redis;
use pipeline::stages::Stages;
use pipeline::{State, Tokens};
use revocations::Ended;
use upstream::{Figures, Upstreams, discovery};

/// The service's name.
pub const NAME: &str = "gateway";

/// How often clients that have been quiet are forgotten.
pub const FORGET_EVERY: Duration = Duration::from_secs(10);

/// What a gateway can be given other than its configuration.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How often clients may call.
    pub limits: Limits,
    /// Where gateways share their buckets; none: as the configuration says.
    pub shared: Option<Shared>,
    /// The bounds on calls to each service.
    pub policies: Policies,
    /// Where the replicas are told; none: as the configuration says.
    pub replicas: Option<watch::Receiver<Vec<Found>>>,
}

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    build_from(chassis, Settings::default()).await
}

/// Builds the service with limits of the caller's choice.
pub async fn build_with(chassis: Chassis, limits: Limits) -> anyhow::Result<App> {
    build_from(chassis, Settings { limits, ..Settings::default() }).await
}

/// Builds the service with settings of the caller's choice.
pub async fn build_from(chassis: Chassis, settings: Settings) -> anyhow::Result<App> {
    let Settings { limits, shared, policies, replicas } = settings;
    let shared = match (shared, &chassis.config.engines) {
        (None, Engines::Servers(Servers { redis: Some(url), .. })) => {
            Some(Redis::open(url)?.shared(&chassis))
        }
        (shared, _) => shared,
    };
    let away = chassis.metrics.gauge(
        "gateway_limit_store_away",
        "1 while the store of the rate limits is away and each gateway keeps to its share.",
    );
    let addresses = Gate::new(&chassis, "address", limits.address, shared.clone(), &away);
    let accounts = Gate::new(&chassis, "account", limits.account, shared, &away);
    let forgetful = (addresses.clone(), accounts.clone());
    chassis.tasks.repeat("forget quiet clients", FORGET_EVERY, move || {
        let (addresses, accounts) = forgetful.clone();
        async move {
            addresses.forget_quiet();
            accounts.forget_quiet();
        }
    });
    let refused = api::refusals(&chassis.metrics);
    let figures = Figures::new(&chassis.metrics, refused.clone());
    let told = replicas.unwrap_or_else(|| discovery::start(&chassis));
    let upstreams = Upstreams::start(&chassis, peers(), told, policies, &figures);
    let sound = invariants::Sound { upstreams: upstreams.clone(), probes: policies.breaker.probes };
    let answers = Answers::new(&chassis.metrics);
    events::follow(&chassis, "catalog", "hear of changes", answers.clone());
    let ended = Ended::new(&chassis.metrics);
    ended.follow(&chassis);
    let state = State {
        answers,
        upstreams,
        tokens: Tokens::new(Verifier::start(&chassis), ended),
        addresses,
        accounts,
        refused,
        stages: Stages::new(&chassis.metrics),
    };
    let streaming = stream::Streaming {
        client: chassis.client.clone(),
        tokens: state.tokens.clone(),
        addresses: state.addresses.clone(),
        accounts: state.accounts.clone(),
        refused: state.refused.clone(),
        stop: chassis.tasks.stopping(),
    };
    let described = openapi::start(&chassis, peers());
    let router = api::routes(state).merge(stream::routes(streaming)).merge(described);
    Ok(App::new(router, Callers::Anybody).checks(sound))
}

/// The services that the table names.
fn peers() -> impl Iterator<Item = &'static str> {
    let named = domain::ROUTES.iter().flat_map(|route| {
        std::iter::once(route.peer).chain(route.parts.iter().map(|part| part.peer))
    });
    named.collect::<BTreeSet<_>>().into_iter()
}
