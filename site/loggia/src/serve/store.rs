//! The telemetry's store: in memory, or in a folder with what is there already.
//!
//! The command line and `book.toml` say where; the server opens it before anything runs.

use super::App;
use axum::extract::State;
use document::{Config, KeepPlace};
use evidence::SourceFault;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use telemetry::{Backend, Clock, DiskOptions, Limits, OpenError, Progress};

/// Where a book's telemetry is kept unless it or the command line says otherwise, beside `book.toml`.
pub(super) const DATA_DIR: &str = ".loggia";
/// The folder of telemetry in a data folder.
const TELEMETRY: &str = "telemetry";

/// Where telemetry is kept and for how long, as whoever starts the server wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Where.
    pub place: Place,
    /// Milliseconds; `None` for what `book.toml` says, or else 15 days.
    pub retention_ms: Option<i64>,
    /// Bytes; `None` for what `book.toml` says, or else 2 GB.
    pub retention_bytes: Option<u64>,
    /// Bytes of traces in memory; `None` for the usual bounds of bytes and of spans.
    pub trace_bytes: Option<u64>,
}

impl Keep {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(bytes) = self.trace_bytes {
            limits.traces.bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            // As many as fit: whoever names bytes means these.
            limits.traces.spans = usize::MAX;
        }
        limits
    }
}

/// A place for telemetry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// As `book.toml` says, else in `.loggia` beside it; a folder without `book.toml` is not written to.
    #[default]
    Book,
    /// In memory only.
    Memory,
    /// A data folder.
    Folder(PathBuf),
}

impl Keep {
    /// In a data folder, as long as usual.
    pub fn folder(data_dir: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(data_dir.into()), ..Self::default() }
    }
}

/// A data folder, and whether somebody named it.
struct Chosen {
    data_dir: PathBuf,
    named: bool,
}

fn choose(wanted: &Keep, book: &Path, config: &Config) -> Option<Chosen> {
    let named = |data_dir| Some(Chosen { data_dir, named: true });
    match (&wanted.place, &config.keep.place) {
        (Place::Memory, _) | (Place::Book, KeepPlace::Memory) => None,
        (Place::Folder(folder), _) => named(folder.clone()),
        (Place::Book, KeepPlace::Folder(folder)) => named(book.join(folder)),
        (Place::Book, KeepPlace::Unsaid) => book
            .join("book.toml")
            .is_file()
            .then(|| Chosen { data_dir: book.join(DATA_DIR), named: false }),
    }
}

/// Opens the store; on a terminal a bar shows how far it is. A folder that somebody named and that cannot be used is an
/// error; where nobody named one, memory does.
pub(super) fn open(wanted: &Keep, book: &Path, config: &Config) -> anyhow::Result<Backend> {
    let Some(chosen) = choose(wanted, book, config) else {
        return Ok(Backend::new(wanted.limits()));
    };
    let usual = DiskOptions::new(chosen.data_dir.join(TELEMETRY));
    let options = DiskOptions {
        retention_ms: wanted
            .retention_ms
            .or(config.keep.retention_ms)
            .unwrap_or(usual.retention_ms),
        retention_bytes: wanted
            .retention_bytes
            .or(config.keep.retention_bytes)
            .unwrap_or(usual.retention_bytes),
        ..usual
    };
    if !chosen.named {
        leave_out_of_version_control(&chosen.data_dir);
    }
    match read(wanted.limits(), options) {
        Err(error) if !chosen.named => {
            tracing::warn!("{error}\ntelemetry is kept in memory only");
            Ok(Backend::new(wanted.limits()))
        }
        opened => Ok(opened?),
    }
}

/// A folder that nobody asked for must not turn up among somebody's changes.
fn leave_out_of_version_control(data_dir: &Path) {
    let path = data_dir.join(".gitignore");
    if !path.exists() {
        // Where this fails the store does not open either, and says why.
        let _ = fs::create_dir_all(data_dir).and_then(|()| fs::write(path, "*\n"));
    }
}

fn read(limits: Limits, options: DiskOptions) -> Result<Backend, OpenError> {
    let (began, folder) = (Instant::now(), options.folder.display().to_string());
    // It draws on a terminal only.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("reading {msg} {wide_bar} {pos}/{len}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut report = |progress: Progress| {
        bar.set_message(progress.what);
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    };
    let backend = Backend::open(limits, Clock::system(), options, &mut report)?;
    bar.finish_and_clear();
    for damage in backend.disk_mended() {
        tracing::warn!("{damage}");
    }
    let (series, traces) = (backend.metrics.stats().series, backend.traces.stats().traces);
    tracing::info!(folder, series, traces, took = ?began.elapsed(), "telemetry read");
    Ok(backend)
}

/// Where telemetry is kept and how long, for the greeting.
pub(super) fn told(backend: &Backend) -> String {
    let Some(options) = backend.disk_options() else { return "in memory only".to_owned() };
    let (hours, megabytes) =
        (options.retention_ms / 3_600_000, options.retention_bytes / 1_000_000);
    let time = if hours % 24 == 0 { format!("{} d", hours / 24) } else { format!("{hours} h") };
    format!("{time} or {megabytes} MB in {}", options.folder.display())
}

/// `/readyz`: ready, also when the disk or another engine fails, which is then said.
pub(super) async fn ready(State(app): State<Arc<App>>) -> String {
    let engine = |fault: SourceFault| format!("{} does not answer: {}", fault.engine, fault.why);
    let faults = app.sources.faults().into_iter().map(engine);
    let degraded = app.backend.disk_failure().into_iter().chain(faults);
    degraded.fold("ready\n".to_owned(), |text, failure| format!("{text}degraded: {failure}\n"))
}

/// What `/metrics` says about the disk, if there is one.
pub(super) fn write_metrics(backend: &Backend, text: &mut String) {
    let Some(bytes) = backend.disk_bytes() else { return };
    let _ = writeln!(
        text,
        "# HELP loggia_disk_errors_total Writes of telemetry that the disk did not take.\n\
         # TYPE loggia_disk_errors_total counter\nloggia_disk_errors_total {}",
        backend.disk_errors()
    );
    let _ = writeln!(
        text,
        "# HELP loggia_disk_unreadable_total Entries on disk that could not be read back and were left out.\n\
         # TYPE loggia_disk_unreadable_total counter\nloggia_disk_unreadable_total {}",
        backend.disk_unreadable()
    );
    text.push_str("# HELP loggia_disk_bytes Bytes of telemetry on disk, without the journal.\n");
    text.push_str("# TYPE loggia_disk_bytes gauge\n");
    for (kind, bytes) in ["metrics", "traces", "logs", "exemplars"].into_iter().zip(bytes) {
        let _ = writeln!(text, "loggia_disk_bytes{{kind=\"{kind}\"}} {bytes}");
    }
}
