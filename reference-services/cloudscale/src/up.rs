//! `cloudscale up`, from the first check to the last process:
//!
//! 1. check folders and ports, and take the data folder
//! 2. reserve the services' ports and serve discovery
//! 3. start the site, which scrapes what discovery lists
//! 4. start the services and wait until they are ready
//! 5. start the traffic, and say what runs where
//! 6. tell what happens, until Ctrl-C or SIGTERM
//! 7. stop traffic, services and site, in this order

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use fleet::plan::Control;
use fleet::{Fleet, Limits, Plan, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cli;
use crate::console::{Console, Line, Volume};
use crate::folder::{Held, Note};
use crate::services;
use crate::settings::{Refusal, Settings};
use crate::site::Site;
use crate::traffic;

/// The exit code of a process that a second Ctrl-C ended (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Time for blocking work (a page that is built, a file that is read) at the end.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs everything until it is told to stop.
pub(crate) fn main(options: cli::Up) -> anyhow::Result<ExitCode> {
    let volume = match (options.quiet, options.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let filter = if options.verbose { "info" } else { "warn" };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let outcome = runtime.block_on(Up::run(options, Console::new(volume)));
    runtime.shutdown_timeout(LAST_WORK);
    outcome
}

/// What runs.
struct Up {
    options: cli::Up,
    settings: Settings,
    console: Console,
    program: PathBuf,
    fleet: Fleet,
    site: Site,
    stop: Stop,
}

/// The wishes to stop: the first in order, the second at once.
#[derive(Debug, Clone, Default)]
struct Stop {
    first: CancellationToken,
    second: CancellationToken,
}

impl Up {
    async fn run(options: cli::Up, console: Console) -> anyhow::Result<ExitCode> {
        let stop = Stop::on_signals()?;
        let settings = Settings::check(&options)?;
        chassis::store::reach(&settings.engines).await.map_err(away)?;
        let held = Held::take(&settings.data_dir)?;
        let book = shown(&settings.book);
        console.say(&format!("CloudScale starts, with the book in {book}"));

        let program = std::env::current_exe().context("cannot find this program's file")?;
        let control = held.control()?;
        let mut fleet = open(&options, &settings, &program, control).await?;
        let discovery = format!("{}/discovery", fleet.url());
        let site = match Site::start(&options, &settings.book, &settings.data_dir, discovery).await
        {
            Ok(site) => site,
            Err(error) => {
                fleet.stop().await;
                return Err(error);
            }
        };
        let (fleet_url, site_url) = (fleet.url(), site.url());
        held.write(&Note { pid: std::process::id(), fleet: fleet_url, site: site_url })?;
        let up = Self { options, settings, console, program, fleet, site, stop };
        up.live().await
    }

    async fn live(mut self) -> anyhow::Result<ExitCode> {
        let mut events = self.fleet.subscribe();
        let started = self.start(&mut events).await;
        if matches!(started, Ok(true)) {
            self.tell(&mut events, false).await;
        }
        let failure = started.err().map(explain);
        let interrupted = self.end(&mut events).await;
        match (failure, interrupted) {
            (Some(failure), _) => Err(failure),
            (None, true) => Ok(ExitCode::from(INTERRUPTED)),
            (None, false) => Ok(ExitCode::SUCCESS),
        }
    }

    /// Starts services and traffic; `false` when it was told to stop meanwhile.
    async fn start(&mut self, events: &mut Receiver<fleet::Event>) -> Result<bool, StartError> {
        self.fleet.launch(self.site.otlp_endpoint().as_deref());
        tokio::select! {
            ready = self.fleet.ready() => ready?,
            () = self.tell(events, true) => return Ok(false),
        }
        self.drain_events(events);
        self.console.waited();
        if self.options.traffic > 0.0 {
            let gateway = self.gateway();
            let (rate, seed) = (self.options.traffic, self.settings.seed);
            self.fleet.join(&traffic::plan(self.program.clone(), &gateway, rate, seed))?;
            self.fleet.ready().await?;
            self.drain_events(events);
        }
        self.overview();
        Ok(true)
    }

    fn gateway(&self) -> String {
        let replicas = self.fleet.status();
        let gateway = replicas.iter().find(|replica| replica.name == cli::Service::Gateway.name());
        let address = gateway.and_then(|gateway| gateway.address);
        format!("http://{}", address.expect("the plan has a gateway, and it listens"))
    }

    fn overview(&self) {
        let site =
            Line { name: "site".to_owned(), place: self.site.url(), pid: Some(std::process::id()) };
        let replicas = self.fleet.status().into_iter().map(|replica| Line {
            place: match replica.address {
                Some(address) => format!("http://{address}"),
                None => format!("{} requests/s, seed {}", self.options.traffic, self.settings.seed),
            },
            name: replica.instance,
            pid: replica.pid,
        });
        let lines: Vec<_> = std::iter::once(site).chain(replicas).collect();
        self.console.overview(&lines, &self.site.url(), &shown(&self.settings.data_dir));
        if self.options.open
            && let Err(error) = open::that_detached(self.site.url())
        {
            self.console.say(&format!("  cannot open a browser: {error}"));
        }
    }

    /// Tells what happens until the first wish to stop.
    async fn tell(&self, events: &mut Receiver<fleet::Event>, starting: bool) {
        loop {
            if starting {
                self.console.waiting(&self.fleet.status());
            }
            tokio::select! {
                () = self.stop.first.cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) => self.console.event(&event, starting),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => self.stop.first.cancelled().await,
                },
            }
        }
    }

    fn drain_events(&self, events: &mut Receiver<fleet::Event>) {
        while let Ok(event) = events.try_recv() {
            self.console.event(&event, true);
        }
    }

    /// Stops everything, and says whether it was told to hurry.
    async fn end(self, events: &mut Receiver<fleet::Event>) -> bool {
        let Self { mut fleet, site, stop, console, .. } = self;
        console.waited();
        console.say("stopping (Ctrl-C again: at once)");
        let (impatience, second) = (fleet.impatience(), stop.second.clone());
        tokio::spawn(async move {
            second.cancelled().await;
            impatience.cancel();
        });
        fleet.stop().await;
        while let Ok(event) = events.try_recv() {
            console.event(&event, false);
        }
        tokio::select! {
            () = site.stop() => {}
            () = stop.second.cancelled() => {}
        }
        console.say("stopped; no process and no port is left");
        stop.second.is_cancelled()
    }
}

/// A server that does not answer: refused before anything is started.
fn away(error: anyhow::Error) -> anyhow::Error {
    Refusal(format!("{error:#}")).into()
}

async fn open(
    options: &cli::Up,
    settings: &Settings,
    program: &Path,
    control: Control,
) -> anyhow::Result<Fleet> {
    let log = if options.verbose { "debug" } else { "info" };
    let program = program.to_owned();
    let plan = Plan {
        services: services::plan(program, options.gateway_port, settings.seed, &settings.engines),
        data_dir: settings.data_dir.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        log: log.to_owned(),
        control: Some(control),
    };
    Fleet::open(plan, Limits::default()).await.map_err(|error| match error {
        StartError::PortTaken { .. } => {
            Refusal(format!("{error}\nhelp: choose another with --gateway-port")).into()
        }
        error => error.into(),
    })
}

/// Adds a replica's last words to the error that it did not start.
fn explain(error: StartError) -> anyhow::Error {
    let StartError::Replica { tail, log, .. } = &error else { return error.into() };
    let words = match tail.is_empty() {
        true => "  it wrote nothing".to_owned(),
        false => tail.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n"),
    };
    anyhow::anyhow!("{error}\n{words}\nhelp: all that it wrote is in {}", shown(log))
}

/// A path as a person reads it: from the current folder where that is shorter.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(rest) if rest.as_os_str().is_empty() => "this folder".to_owned(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

impl Stop {
    /// Ctrl-C, SIGTERM or the terminal's end is the first wish; Ctrl-C or
    /// SIGTERM once more is the second.
    fn on_signals() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let mut signals = [
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ];
        let stop = Self::default();
        let wishes = stop.clone();
        tokio::spawn(async move {
            any(&mut signals).await;
            wishes.first.cancel();
            any(&mut signals[..2]).await;
            wishes.second.cancel();
        });
        Ok(stop)
    }
}

/// Waits for the first of some signals.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        let arrived = signals.iter_mut().map(|signal| signal.poll_recv(context).is_ready());
        // Each has to be asked, so that each wakes this task.
        match arrived.fold(false, |some, this| some | this) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}
