//! The live server. `start` binds every port, so that a taken one is an error before anything runs,
//! and spawns the tasks; each ends on the token.
//!
//! 1. `watch`: a changed file -> the next version that is shown
//! 2. `tick`: once a second, questions -> answers -> evidence
//! 3. `events`: evidence and reloads -> open pages
//! 4. `routes`, `views`, `api`: what HTTP answers

mod alerts;
mod api;
mod changes;
pub(crate) mod charts;
mod engines;
mod events;
mod explore;
mod figures;
mod logs;
mod map;
mod moment;
mod past;
mod past_alerts;
mod places;
mod ports;
mod routes;
mod search;
mod seen;
mod shown;
mod store;
mod tick;
mod timeline;
mod trace;
mod traces;
mod views;
mod watch;

use crate::{report, source, theme};
use anyhow::Context;
use document::ScrapeTarget;
use evidence::Evidence;
use futures_util::FutureExt;
use shown::Shown;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use telemetry::Backend;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::watch as channel;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use ports::PortTaken;
pub use store::{Keep, Place};

/// After the token is cancelled, tasks and connections have this long to end by themselves.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The book: a folder with `book.toml`, or any folder of Markdown.
    pub dir: PathBuf,
    /// Address to listen on, for all ports.
    pub hostname: String,
    /// Port of the site; 0 lets the system choose.
    pub port: u16,
    /// Port of the OTLP receiver over gRPC; `None` switches it off, 0 lets the system choose.
    pub otlp_grpc_port: Option<u16>,
    /// Port of the OTLP receiver over HTTP; it is also at `/otlp` of the site.
    pub otlp_http_port: Option<u16>,
    /// Addresses to scrape, besides those of `book.toml`.
    pub scrape: Vec<ScrapeTarget>,
    /// URLs of Prometheus's HTTP service discovery, besides those of `book.toml`.
    pub discovery: Vec<String>,
    /// Where telemetry is kept and for how long.
    pub keep: Keep,
    /// Whether a saved file is shown at once.
    pub watch: bool,
    /// Whether findings are printed to standard error.
    pub print_findings: bool,
    /// Ends the server.
    pub token: CancellationToken,
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    otlp_grpc: Option<SocketAddr>,
    otlp_http: Option<SocketAddr>,
    greeting: String,
    token: CancellationToken,
    tasks: JoinSet<()>,
}

/// What routes and tasks share.
pub(crate) struct App {
    options: Options,
    backend: Arc<Backend>,
    sources: engines::Sources,
    shown: channel::Sender<Shown>,
    evidence: channel::Sender<Arc<Evidence>>,
    files: RwLock<Files>,
    events: events::Cache,
    exploring: Arc<Semaphore>,
    past: past::Past,
    /// Since when there is telemetry, milliseconds since 1970; the largest number while there is none.
    since_ms: AtomicI64,
    search: search::Live,
    charts: charts::Cache,
    alerting: alerts::Alerting,
    started: Instant,
    token: CancellationToken,
}

/// Files that are served as they are.
#[derive(Debug, Default)]
struct Files {
    pages_dir: PathBuf,
    assets: Vec<String>,
    /// The folder of `book.toml`, and the files in it that every page asks for.
    root: PathBuf,
    added: Vec<String>,
    /// What else is to be watched.
    watched: Vec<PathBuf>,
}

impl Server {
    /// Reads the book, binds the ports and starts to serve. Fails when the folder cannot be read or a
    /// port cannot be had ([`PortTaken`] names the option that changes it).
    pub async fn start(options: Options) -> anyhow::Result<Running> {
        let read = source::read(&options.dir)?;
        let book = read.assemble(None);
        if options.print_findings {
            report::print(&report::findings(&read, &book));
        }
        let (keep, dir, config) = (options.keep.clone(), options.dir.clone(), book.config.clone());
        let opening = tokio::task::spawn_blocking(move || store::open(&keep, &dir, &config));
        let backend = opening.await??;
        let host = &options.hostname;
        let site = ports::bind(host, options.port, "--port").await?;
        let grpc = ports::bind_some(host, options.otlp_grpc_port, "--otlp-grpc-port").await?;
        let http = ports::bind_some(host, options.otlp_http_port, "--otlp-http-port").await?;

        let addr = site.local_addr()?;
        let otlp_grpc = grpc.as_ref().map(TcpListener::local_addr).transpose()?;
        let otlp_http = http.as_ref().map(TcpListener::local_addr).transpose()?;
        let token = options.token.clone();
        let backend = Arc::new(backend);
        let sources = engines::Sources::new(&book.config, &options.dir, &backend)?;
        let app = App::new(options, (backend, sources), &read, book, addr);
        app.alerting.load(&read, &app.shown().book);
        let greeting = greeting(&app, addr, otlp_grpc, otlp_http);

        let mut tasks = JoinSet::new();
        telemetry_tasks(&mut tasks, &app, grpc, http);
        spawn(&mut tasks, "tick", tick::run(Arc::clone(&app)));
        spawn(&mut tasks, "search", search::run(Arc::clone(&app)));
        if app.options.watch {
            spawn(&mut tasks, "watch", watch::run(Arc::clone(&app)));
        }
        spawn(&mut tasks, "site", serve_site(app, site));
        Ok(Running { addr, otlp_grpc, otlp_http, greeting, token, tasks })
    }
}

impl Running {
    /// Address of the site.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where the site listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where OTLP over gRPC is received.
    pub fn otlp_grpc(&self) -> Option<SocketAddr> {
        self.otlp_grpc
    }

    /// Where OTLP over HTTP is received.
    pub fn otlp_http(&self) -> Option<SocketAddr> {
        self.otlp_http
    }

    /// What to open, where to send telemetry and how to stop.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Waits until all tasks have ended after the token was cancelled; those that do not end by
    /// themselves are aborted after 3 s.
    pub async fn join(mut self) {
        self.token.cancelled().await;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl App {
    fn new(
        options: Options,
        (backend, sources): (Arc<Backend>, engines::Sources),
        read: &source::Source,
        book: document::Book,
        addr: SocketAddr,
    ) -> Arc<Self> {
        let token = options.token.clone();
        let assets = Arc::new(theme::read(&options.dir, read.config()));
        let alerting = alerts::Alerting::new(&backend, format!("http://{addr}"), &token);
        let app = Self {
            options,
            backend,
            sources,
            alerting,
            evidence: channel::Sender::new(Arc::new(tick::nothing_yet(&book))),
            shown: channel::Sender::new(Shown::first(book, assets, tick::now_ms())),
            files: RwLock::default(),
            events: events::Cache::default(),
            exploring: Arc::new(Semaphore::new(places::EXPLORERS_MAX)),
            past: past::Past::default(),
            since_ms: AtomicI64::new(i64::MAX),
            search: search::Live::default(),
            charts: charts::Cache::default(),
            started: Instant::now(),
            token,
        };
        app.set_files(read);
        Arc::new(app)
    }

    /// The book as it is served now.
    fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    fn show(&self, next: Shown) {
        self.shown.send_replace(next);
    }

    /// The newest evidence.
    fn evidence(&self) -> Arc<Evidence> {
        Arc::clone(&self.evidence.borrow())
    }

    fn pages_dir(&self) -> PathBuf {
        self.files.read().expect("no holder of this lock panics").pages_dir.clone()
    }

    /// Files and folders beside the folder of pages that the book depends on.
    fn watched(&self) -> Vec<PathBuf> {
        self.files.read().expect("no holder of this lock panics").watched.clone()
    }

    fn set_files(&self, read: &source::Source) {
        let mut files = self.files.write().expect("no holder of this lock panics");
        files.pages_dir.clone_from(&read.pages_dir);
        files.assets.clone_from(&read.assets);
        files.root.clone_from(&read.root);
        files.added.clone_from(&read.added);
        files.watched = read.watched();
    }
}

/// Spawns a task that logs its end, a panic too: the one place where tasks of the server begin.
fn spawn(
    tasks: &mut JoinSet<()>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        match AssertUnwindSafe(task).catch_unwind().await {
            Ok(()) => tracing::debug!(task = name, "ended"),
            Err(_) => tracing::error!(task = name, "ended by a panic; please report it"),
        }
    });
}

fn telemetry_tasks(
    tasks: &mut JoinSet<()>,
    app: &Arc<App>,
    grpc: Option<TcpListener>,
    http: Option<TcpListener>,
) {
    let token = || app.token.clone();
    let backend = || Arc::clone(&app.backend);
    spawn(tasks, "scrape", telemetry::run_scraper(backend(), scrape_options(app), token()));
    spawn(tasks, "notify", app.alerting.run());
    spawn(tasks, "housekeeping", telemetry::run_housekeeping(backend(), token()));
    if let Some(engine) = &app.sources.remote_traces {
        let mirrored = telemetry::run_trace_mirror(backend(), Arc::clone(engine), token());
        spawn(tasks, "trace-mirror", mirrored);
    }
    if let Some(listener) = grpc {
        let served = telemetry::serve_otlp_grpc(listener, backend(), token());
        spawn(tasks, "otlp-grpc", logged("OTLP over gRPC", served));
    }
    if let Some(listener) = http {
        let router = telemetry::otlp_http_router(backend());
        let stopped = token().cancelled_owned();
        let served =
            async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await };
        spawn(tasks, "otlp-http", logged("OTLP over HTTP", served));
    }
}

/// What `book.toml` and the command line name together.
fn scrape_options(app: &App) -> telemetry::ScrapeOptions {
    let config = &app.shown().book.config;
    let targets = config.scrape.iter().chain(&app.options.scrape);
    let discovery = config.discovery.iter().chain(&app.options.discovery);
    let usable = |target: &ScrapeTarget| {
        let parsed = static_target(target, &app.options.dir);
        if parsed.is_none() {
            tracing::error!(
                "`{}` of `{}` is not scraped: expected http://HOST:PORT/PATH or https://HOST:PORT/PATH",
                target.url,
                target.job
            );
        }
        parsed
    };
    let usual = telemetry::ScrapeOptions::default();
    let said = config.scrape_pace;
    let interval = said.interval_ms.map_or(usual.interval, Duration::from_millis);
    let timeout = match (said.timeout_ms, said.interval_ms) {
        (Some(ms), _) => Duration::from_millis(ms).min(interval),
        (None, Some(_)) => telemetry::ScrapeOptions::timeout_for(interval),
        (None, None) => usual.timeout,
    };
    telemetry::ScrapeOptions {
        targets: targets.filter_map(usable).collect(),
        discovery: discovery.cloned().collect(),
        interval,
        timeout,
        ..usual
    }
}

/// An address in words to a target with labels; `None` when it is no `http://` or `https://` URL.
fn static_target(target: &ScrapeTarget, book: &Path) -> Option<telemetry::StaticTarget> {
    let url: axum::http::Uri = target.url.parse().ok()?;
    let port = match url.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = url.authority()?;
    let address = match authority.port_u16() {
        Some(_) => authority.to_string(),
        None => format!("{authority}:{port}"),
    };
    let path = if url.path() == "/" { "/metrics" } else { url.path() };
    let mut labels = std::collections::BTreeMap::from([
        ("job".to_owned(), target.job.clone()),
        ("instance".to_owned(), address.clone()),
        ("__metrics_path__".to_owned(), path.to_owned()),
        ("__scheme__".to_owned(), url.scheme_str()?.to_owned()),
    ]);
    for (name, value) in
        url.query().unwrap_or_default().split('&').filter_map(|p| p.split_once('='))
    {
        labels.insert(format!("__param_{name}"), value.to_owned());
    }
    for (name, ms) in [("interval", target.pace.interval_ms), ("timeout", target.pace.timeout_ms)] {
        labels.extend(ms.map(|ms| (format!("__scrape_{name}__"), format!("{ms}ms"))));
    }
    Some(telemetry::StaticTarget { address, labels, access: access(&target.access, book) })
}

fn access(wanted: &document::ScrapeAccess, book: &Path) -> telemetry::Access {
    telemetry::Access {
        bearer: engines::secret(wanted.bearer_env.as_ref(), wanted.bearer_file.as_ref(), book),
        username: wanted.username.clone(),
        password: engines::secret(
            wanted.password_env.as_ref(),
            wanted.password_file.as_ref(),
            book,
        ),
        ca_file: wanted.ca_file.as_ref().map(|name| book.join(name)),
        insecure_skip_verify: wanted.insecure_skip_verify,
    }
}

async fn serve_site(app: Arc<App>, listener: TcpListener) {
    let stopped = app.token.clone().cancelled_owned();
    let served = async move {
        axum::serve(listener, routes::router(app)).with_graceful_shutdown(stopped).await
    };
    logged("the site", served).await;
}

async fn logged<E: std::fmt::Display>(what: &str, served: impl Future<Output = Result<(), E>>) {
    if let Err(error) = served.await {
        tracing::error!(%error, "{what} stopped");
    }
}

fn greeting(
    app: &App,
    addr: SocketAddr,
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
) -> String {
    let pages = app.shown().book.pages.len();
    let mut lines = vec![
        format!(
            "serving {pages} page{} from {}",
            if pages == 1 { "" } else { "s" },
            app.options.dir.display()
        ),
        format!("  open      http://{addr}"),
    ];
    if let Some(addr) = grpc {
        lines.push(format!("  OTLP gRPC {addr}"));
    }
    if let Some(addr) = http {
        lines.push(format!("  OTLP HTTP http://{addr}/v1/traces"));
    }
    lines.push(format!("  telemetry {}", store::told(&app.backend)));
    lines.extend(app.sources.told());
    lines.push("  stop      Ctrl-C".to_owned());
    lines.join("\n")
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot wait for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
