//! What a build spends its time on: a bar on a terminal while it runs, and `--timings` at its end.

use indicatif::{ProgressBar, ProgressDrawTarget};
use std::time::{Duration, Instant};

/// A build that is over sooner shows no bar.
const SHOWN_AFTER: Duration = Duration::from_millis(400);
/// The bar is drawn so often, a second.
const DRAWN_HZ: u8 = 8;

/// The phases of one build.
pub(super) struct Phases {
    started: Instant,
    since: Instant,
    done: Vec<(&'static str, Duration)>,
    quiet: bool,
}

/// Pages of the phase that runs.
pub(super) struct Counter {
    bar: ProgressBar,
    started: Instant,
}

impl Phases {
    /// Starts the clock.
    pub(super) fn start(quiet: bool) -> Self {
        let now = Instant::now();
        Self { started: now, since: now, done: Vec::new(), quiet }
    }

    /// Ends a phase: what came since the one before.
    pub(super) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.done.push((name, now - self.since));
        self.since = now;
    }

    /// Counts pages on standard error, when that is a terminal.
    pub(super) fn counter(&self, pages: usize) -> Counter {
        let target = match self.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(DRAWN_HZ),
        };
        let bar = ProgressBar::with_draw_target(Some(pages as u64), target);
        Counter { bar, started: self.started }
    }

    /// Milliseconds by phase, a line each.
    pub(super) fn print(&self) {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        for (name, time) in &self.done {
            eprintln!("{:>10.1} ms  {name}", ms(*time));
        }
        eprintln!("{:>10.1} ms  altogether", ms(self.started.elapsed()));
    }
}

impl Counter {
    /// One page more.
    pub(super) fn tick(&self) {
        if !self.bar.is_hidden() && self.started.elapsed() > SHOWN_AFTER {
            self.bar.inc(1);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
