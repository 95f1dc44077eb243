//! The telemetry's store: in memory, or in a folder with what is there already.
//!
//! The command line reads its limits here; the server opens it before anything runs.

use super::{App, DiskOptions};
use axum::extract::State;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;
use telemetry::{Backend, Clock, Limits, Progress};

/// Units of a retention, milliseconds.
const DURATIONS: [(&str, i64); 5] =
    [("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000), ("y", 31_536_000_000)];
/// Units of a size, bytes.
const SIZES: [(&str, u64); 6] = [
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];
/// The shortest retention, milliseconds: what memory holds.
const LEAST_RETENTION_MS: i64 = series::limits::DEFAULT_RETENTION_MS;

/// `15d` as milliseconds.
pub(crate) fn parse_retention(text: &str) -> Result<i64, String> {
    let help = "expected a whole number and m, h, d, w or y, for instance 15d";
    let (unit, ms) = DURATIONS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(help)?;
    let number: i64 = text[..text.len() - unit.len()].parse().map_err(|_| help)?;
    let ms = number.checked_mul(*ms).ok_or(help)?;
    if ms < LEAST_RETENTION_MS {
        return Err("the least is 2h, which is kept in memory anyway".to_owned());
    }
    Ok(ms)
}

/// `2GB` as bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let help = "expected a whole number and MB, GB, TB, MiB, GiB or TiB, for instance 2GB";
    let (unit, bytes) = SIZES.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(help)?;
    let number: u64 = text[..text.len() - unit.len()].parse().map_err(|_| help)?;
    let bytes = number.checked_mul(*bytes).ok_or(help)?;
    if bytes < DiskOptions::LEAST_BYTES {
        return Err(format!("the least is {} MB", DiskOptions::LEAST_BYTES / 1_000_000));
    }
    Ok(bytes)
}

/// Opens the store; on a terminal a bar shows how far it is.
pub(super) fn open(kept: Option<&DiskOptions>) -> anyhow::Result<Backend> {
    let Some(options) = kept else { return Ok(Backend::new(Limits::default())) };
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
    let backend = Backend::open(Limits::default(), Clock::system(), options.clone(), &mut report)?;
    bar.finish_and_clear();
    let (series, traces) = (backend.metrics.stats().series, backend.traces.stats().traces);
    tracing::info!(folder, series, traces, took = ?began.elapsed(), "telemetry read");
    Ok(backend)
}

/// `/readyz`: ready, also when the disk fails, which is then said.
pub(super) async fn ready(State(app): State<Arc<App>>) -> String {
    match app.backend.disk_failure() {
        None => "ready\n".to_owned(),
        Some(failure) => format!("ready\ndegraded: {failure}\n"),
    }
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
    text.push_str("# HELP loggia_disk_bytes Bytes of telemetry on disk, without the journal.\n");
    text.push_str("# TYPE loggia_disk_bytes gauge\n");
    for (kind, bytes) in ["metrics", "traces", "logs"].into_iter().zip(bytes) {
        let _ = writeln!(text, "loggia_disk_bytes{{kind=\"{kind}\"}} {bytes}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        for (text, ms) in
            [("15d", DiskOptions::RETENTION_MS), ("120m", 7_200_000), ("2w", 1_209_600_000)]
        {
            assert_eq!(parse_retention(text), Ok(ms), "{text}");
        }
        for (text, bytes) in
            [("2GB", DiskOptions::RETENTION_BYTES), ("64MB", 64_000_000), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "d", "15", "1.5d", "-3d", "1h", "99999999999999999y"] {
            assert!(parse_retention(text).is_err(), "{text}");
        }
        for text in ["", "GB", "2", "2gb", "1MB", "-2GB", "99999999999999TB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
