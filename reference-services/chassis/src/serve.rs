//! A service's life: telemetry, socket, routes, readiness, and an orderly end.
//! [`run`] is what a process does; [`start`] is the same without the process,
//! so that tests run real services side by side on free ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use listenfd::ListenFd;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::client::Client;
use crate::config::Config;
use crate::crash::CrashPoints;
use crate::faults::Faults;
use crate::inbound::{Inbound, observe};
use crate::input::MAX_BODY_BYTES;
use crate::invariants::{self, Checks};
use crate::messaging::{self, Messaging};
use crate::metrics::Metrics;
use crate::problem::Failure;
use crate::process;
use crate::replicas;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// Asked for by scrapers that read exemplars.
const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where a service describes its routes.
pub const DESCRIPTION_PATH: &str = "/openapi.json";

/// Longest time that requests in flight are waited for at the end. With [`CLOSE_TIMEOUT`] and
/// [`crate::telemetry::EXPORT_TIMEOUT`] it stays within what a supervisor grants (`fleet`: 10 s).
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that the database gets to close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a service is given to build itself from.
#[derive(Debug, Clone)]
pub struct Chassis {
    /// Its settings.
    pub config: Arc<Config>,
    /// Its figures.
    pub metrics: Metrics,
    /// Calls to its peers.
    pub client: Client,
    /// Its work beside requests.
    pub tasks: Tasks,
    /// Where a test lets it die.
    pub crash: CrashPoints,
}

/// What a service builds: [`App::new`], and then what it has.
pub struct App {
    /// Its routes.
    pub router: Router,
    /// Its database: the service is ready when this answers.
    pub store: Option<Store>,
    /// Who sends it requests.
    pub callers: Callers,
    /// Its outbox and inbox.
    pub messaging: Option<Messaging>,
    /// What must hold of its data.
    pub checks: Option<Arc<dyn Checks>>,
    /// Its description (OpenAPI 3.1).
    pub description: Option<&'static str>,
}

impl App {
    /// A service that keeps nothing.
    pub fn new(router: Router, callers: Callers) -> Self {
        Self { router, store: None, callers, messaging: None, checks: None, description: None }
    }

    /// Gives it a database.
    #[must_use]
    pub fn store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Gives it an outbox and inbox.
    #[must_use]
    pub fn messaging(mut self, messaging: Messaging) -> Self {
        self.messaging = Some(messaging);
        self
    }

    /// Says what must hold of its data.
    #[must_use]
    pub fn checks(mut self, checks: impl Checks) -> Self {
        self.checks = Some(Arc::new(checks));
        self
    }

    /// Describes its routes: JSON that is given at [`DESCRIPTION_PATH`].
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }
}

/// Who sends requests to a service, and so whose trace they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Services of ours: a request belongs to the trace that its headers name.
    Services,
    /// Anybody. A request begins a trace of its own, which is linked to the one
    /// that its headers name, and its baggage is dropped: no stranger may write
    /// into another's trace, or keep his own requests out of ours.
    Anybody,
}

/// Runs a service in this process until SIGTERM or Ctrl-C.
pub async fn run<F, B>(config: Config, build: F) -> anyhow::Result<()>
where
    F: FnOnce(Chassis) -> B,
    B: Future<Output = anyhow::Result<App>>,
{
    let stop = process::stop_signal()?;
    let telemetry = Telemetry::install(&config)?;
    let listener = listen(&config).await?;
    let running = start(config, listener, build).await?;
    stop.cancelled().await;
    tracing::info!("stopping: requests in flight are finished");
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// The socket that was handed over, or else one of our own.
async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let handed_over = ListenFd::from_env().take_tcp_listener(0).context("file descriptor 3")?;
    match handed_over {
        Some(socket) => {
            socket.set_nonblocking(true)?;
            Ok(TcpListener::from_std(socket)?)
        }
        None => TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", config.listen)),
    }
}

/// A service that answers.
#[derive(Debug)]
pub struct Running {
    /// Where it answers.
    pub address: SocketAddr,
    tasks: Tasks,
    server: JoinHandle<std::io::Result<()>>,
    store: Option<Store>,
}

impl Running {
    /// Stops accepting, finishes what is in flight within [`DRAIN_TIMEOUT`],
    /// and closes the database.
    pub async fn stop(mut self) {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            let _ = (&mut self.server).await;
            self.tasks.tracker.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!("requests in flight were cut off");
            self.server.abort();
        }
        if let Some(store) = &self.store {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, store.close()).await;
        }
    }
}

/// Builds a service and lets it answer on `listener`.
pub async fn start<F, B>(config: Config, listener: TcpListener, build: F) -> anyhow::Result<Running>
where
    F: FnOnce(Chassis) -> B,
    B: Future<Output = anyhow::Result<App>>,
{
    let metrics = Metrics::new(&config);
    let client = Client::new(config.peers.clone(), metrics.clone());
    let tasks = Tasks::default();
    let crash = CrashPoints::parse(config.crash_at.as_deref());
    let chassis = Chassis {
        crash,
        config: Arc::new(config),
        metrics: metrics.clone(),
        client,
        tasks: tasks.clone(),
    };
    replicas::follow(&chassis);
    let faults = Faults::new(&chassis);
    let App { router, store, callers, messaging, checks, description } =
        build(chassis.clone()).await?;
    let address = listener.local_addr()?;
    let inbound = Inbound { metrics, callers, faults: faults.clone() };
    let mut routes = surround(router, inbound, store.clone()).merge(faults.routes());
    if let Some(description) = description {
        let answer =
            move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
        routes = routes.route(DESCRIPTION_PATH, get(answer));
    }
    if let Some(messaging) = &messaging {
        routes = routes.merge(messaging::routes(messaging.clone()));
    }
    if checks.is_some() || messaging.is_some() {
        routes = routes.merge(invariants::routes(&chassis, checks, messaging));
    }
    let stop = tasks.stop.clone();
    let server = tokio::spawn(
        axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(stop.cancelled_owned())
            .into_future(),
    );
    tracing::info!(%address, version = chassis.config.version, "listening");
    Ok(Running { address, tasks, server, store })
}

/// The standard layers around a service's routes, and beside them the routes
/// for machines, which are neither counted nor traced.
fn surround(router: Router, inbound: Inbound, store: Option<Store>) -> Router {
    let ready = move || {
        let store = store.clone();
        async move {
            match store {
                Some(store) if !store.is_ready().await => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            }
        }
    };
    let text = inbound.metrics.clone();
    let scrape = move |headers: HeaderMap| async move {
        let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let (kind, body) = match accepted.is_some_and(|accept| accept.contains(OPEN_METRICS)) {
            true => (OPEN_METRICS_TYPE, text.open_metrics()),
            false => ("text/plain; version=0.0.4", text.render()),
        };
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    router
        .fallback(|| async { Failure::not_found("no route has this path") })
        .method_not_allowed_fallback(|| async {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Failure::new(status, "method-not-allowed", "the route has no such method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(inbound, observe))
        .route("/metrics", get(scrape))
        .route("/health/live", get(|| async { StatusCode::OK }))
        .route("/health/ready", get(ready))
}

/// Work beside the requests. It ends with the service.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `work` at once and then every so often, until the service stops.
    /// A round that has begun is finished; one that panics is logged, and the
    /// next one comes all the same.
    pub fn repeat<W, F>(&self, name: &'static str, every: Duration, mut work: W)
    where
        W: FnMut() -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            loop {
                if let Err(error) = tokio::spawn(work()).await {
                    tracing::error!(task = name, %error, "a round has failed");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(every) => {}
                }
            }
            tracing::debug!(task = name, "ended");
        });
    }

    /// A token that is cancelled when the service stops. Whatever waits long
    /// waits for this too.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `work` to its end even when the request that asked for it goes
    /// away. Its spans stay children of the request's.
    pub async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        self.tracker.spawn(work.in_current_span()).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_round_that_panics_is_followed_by_the_next() {
        let (tasks, (sender, mut rounds)) = (Tasks::default(), mpsc::channel(1));
        tasks.repeat("test", Duration::from_millis(1), move || {
            let sender = sender.clone();
            async move {
                let _ = sender.send(()).await;
                panic!("on purpose");
            }
        });
        assert!(rounds.recv().await.is_some() && rounds.recv().await.is_some());
        tasks.stop.cancel();
        tasks.tracker.close();
        while rounds.recv().await.is_some() {}
        tasks.tracker.wait().await;
    }
}
