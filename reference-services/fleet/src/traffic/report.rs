//! What the traffic met: counts and latencies per action. `run` fills it, and
//! `cloudscale traffic` prints it. A latency is measured from the time at which
//! the schedule wanted the request to leave, so that a stall of the services
//! (or of this process) shows in every request that it delayed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::request::Verdict;
use super::schedule::Action;

/// Longest latency that is told apart, in microseconds.
const LATENCY_LIMIT_US: u64 = 60_000_000;
/// Significant digits of a latency.
const DIGITS: u8 = 2;

/// Counts of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Requests that the schedule wanted.
    pub arrivals: u64,
    /// Requests not sent, because too many were still unanswered.
    pub dropped: u64,
    /// Requests sent, with what came of them.
    pub actions: BTreeMap<Action, Tally>,
    /// How long the run took.
    pub took: Duration,
}

/// Counts of one action.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Answered as they should be.
    pub expected: u64,
    /// Refused with 429.
    pub limited: u64,
    /// Other answers, by status.
    pub unexpected: BTreeMap<u16, u64>,
    /// Without an answer: no connection, a connection that broke, or no time left.
    pub unanswered: u64,
    latency_us: Histogram<u32>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_LIMIT_US, DIGITS);
        Self {
            sent: 0,
            expected: 0,
            limited: 0,
            unexpected: BTreeMap::new(),
            unanswered: 0,
            latency_us: latency_us.expect("the bounds are constant and in order"),
        }
    }
}

impl Report {
    /// A request leaves.
    pub fn sent(&mut self, action: Action) {
        self.actions.entry(action).or_default().sent += 1;
    }

    /// An answer came.
    pub fn answered(&mut self, action: Action, status: u16, verdict: Verdict, latency: Duration) {
        let tally = self.actions.entry(action).or_default();
        match verdict {
            Verdict::Expected => tally.expected += 1,
            Verdict::Limited => tally.limited += 1,
            Verdict::Unexpected => *tally.unexpected.entry(status).or_default() += 1,
        }
        tally.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// No answer came.
    pub fn unanswered(&mut self, action: Action) {
        self.actions.entry(action).or_default().unanswered += 1;
    }

    /// All actions in one.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.actions.values() {
            total.sent += tally.sent;
            total.expected += tally.expected;
            total.limited += tally.limited;
            total.unanswered += tally.unanswered;
            for (status, count) in &tally.unexpected {
                *total.unexpected.entry(*status).or_default() += count;
            }
            total.latency_us.add(&tally.latency_us).expect("all histograms have the same bounds");
        }
        total
    }
}

impl Tally {
    /// The latency below which this share (0..1) of the answers lies, in seconds.
    pub fn latency(&self, share: f64) -> f64 {
        self.latency_us.value_at_quantile(share) as f64 / 1e6
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let rate = if seconds > 0.0 { self.arrivals as f64 / seconds } else { 0.0 };
        writeln!(
            out,
            "{} requests in {seconds:.1} s ({rate:.1}/s), {} not sent because too many were open",
            self.arrivals, self.dropped
        )?;
        writeln!(
            out,
            "{:10} {:>8} {:>9} {:>8} {:>11} {:>11} {:>8} {:>8} {:>8} {:>8}",
            "action",
            "sent",
            "expected",
            "limited",
            "unexpected",
            "unanswered",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "max ms"
        )?;
        for (action, tally) in &self.actions {
            row(out, action.name(), tally)?;
        }
        let total = self.total();
        row(out, "all", &total)?;
        for (status, count) in &total.unexpected {
            writeln!(out, "unexpected status {status}: {count}")?;
        }
        Ok(())
    }
}

fn row(out: &mut fmt::Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    write!(
        out,
        "{name:10} {:>8} {:>9} {:>8} {:>11} {:>11}",
        tally.sent,
        tally.expected,
        tally.limited,
        tally.unexpected.values().sum::<u64>(),
        tally.unanswered
    )?;
    for share in [0.5, 0.95, 0.99, 1.0] {
        write!(out, " {:>8.1}", tally.latency(share) * 1e3)?;
    }
    writeln!(out)
}
