//! Windows in event time, as pure rules: to which windows an event belongs, what
//! it changes there, and when it comes too late. `store` reads the windows that
//! an event touches, hands them over, and writes what comes back in the
//! transaction of the event. The words are those of the Dataflow model (Akidau
//! et al., VLDB 2015): event time, watermark, allowed lateness, refinement.
//!
//! What this knows nothing of: a clock, a database, a source of events.

use crate::sketch::Sketch;

/// How event time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Side by side.
    Tumbling {
        /// How long each is.
        size_ms: i64,
    },
    /// Overlapping: an event is in `size / every` of them.
    Sliding {
        /// How long each is.
        size_ms: i64,
        /// How far from one to the next; divides `size_ms`.
        every_ms: i64,
    },
    /// As long as events follow each other within a gap.
    Session {
        /// The gap that ends one.
        gap_ms: i64,
    },
}

/// Windows of one shape that wait so long for what comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// How event time is cut.
    pub shape: Shape,
    /// How long a window is refined after the watermark has passed its end.
    pub lateness_ms: i64,
}

/// What is added up in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Events.
    pub events: i64,
    /// What they measure, added up.
    pub amount: i64,
    /// What they measure, by size, where percentiles are wanted.
    pub sketch: Sketch,
}

/// A window and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pane {
    /// Where it begins.
    pub start_ms: i64,
    /// Where it ends, itself not within.
    pub end_ms: i64,
    /// What is in it.
    pub sum: Sum,
}

/// What an event changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Starts of windows that are no more: they are part of another one now.
    pub gone: Vec<i64>,
    /// Windows as they are now.
    pub put: Vec<Pane>,
    /// Starts of the windows for which it came too late.
    pub late: Vec<i64>,
}

impl Sum {
    /// One event.
    pub fn one(amount: i64, sampled: bool) -> Self {
        let sketch = if sampled { Sketch::of(amount) } else { Sketch::default() };
        Self { events: 1, amount, sketch }
    }

    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.amount = self.amount.saturating_add(other.amount);
        self.sketch.add(&other.sketch);
    }
}

impl Shape {
    /// The windows (start and end) that an event belongs to, taken by itself.
    pub fn spans(self, at_ms: i64) -> Vec<(i64, i64)> {
        match self {
            Self::Tumbling { size_ms } => {
                let start = at_ms - at_ms.rem_euclid(size_ms);
                vec![(start, start + size_ms)]
            }
            Self::Sliding { size_ms, every_ms } => {
                let last = at_ms - at_ms.rem_euclid(every_ms);
                let starts = (0..size_ms / every_ms).rev().map(|back| last - back * every_ms);
                starts.map(|start| (start, start + size_ms)).collect()
            }
            Self::Session { gap_ms } => vec![(at_ms, at_ms + gap_ms)],
        }
    }

    /// Windows that begin before the second and end behind the first may be
    /// touched by an event at this time.
    pub fn reach(self, at_ms: i64) -> (i64, i64) {
        match self {
            Self::Session { gap_ms } => (at_ms, at_ms + gap_ms),
            Self::Tumbling { .. } | Self::Sliding { .. } => (at_ms, at_ms + 1),
        }
    }
}

impl Operator {
    /// Whether nothing changes a window with this end any more.
    pub fn is_final(&self, end_ms: i64, watermark_ms: i64) -> bool {
        end_ms.saturating_add(self.lateness_ms) <= watermark_ms
    }

    /// What an event changes, given the windows of its key that [`Shape::reach`]
    /// names. Whatever it touches that is final stays as it is, and the event is
    /// late there: so a session that is final never grows together with another.
    pub fn add(&self, touched: &[Pane], at_ms: i64, sum: &Sum, watermark_ms: i64) -> Change {
        match self.shape {
            Shape::Session { .. } => self.join(touched, at_ms, sum, watermark_ms),
            Shape::Tumbling { .. } | Shape::Sliding { .. } => {
                self.spread(touched, at_ms, sum, watermark_ms)
            }
        }
    }

    fn spread(&self, touched: &[Pane], at_ms: i64, sum: &Sum, watermark_ms: i64) -> Change {
        let mut change = Change::default();
        for (start_ms, end_ms) in self.shape.spans(at_ms) {
            if self.is_final(end_ms, watermark_ms) {
                change.late.push(start_ms);
                continue;
            }
            let found = touched.iter().find(|pane| pane.start_ms == start_ms);
            let empty = || Pane { start_ms, end_ms, sum: Sum::default() };
            let mut pane = found.cloned().unwrap_or_else(empty);
            pane.sum.add(sum);
            change.put.push(pane);
        }
        change
    }

    fn join(&self, touched: &[Pane], at_ms: i64, sum: &Sum, watermark_ms: i64) -> Change {
        let mut whole = Pane { start_ms: at_ms, end_ms: at_ms, sum: sum.clone() };
        for (start_ms, end_ms) in self.shape.spans(at_ms) {
            (whole.start_ms, whole.end_ms) = (start_ms, end_ms);
        }
        let (from, to) = (whole.start_ms, whole.end_ms);
        let meets = |pane: &&Pane| pane.start_ms < to && from < pane.end_ms;
        let met: Vec<&Pane> = touched.iter().filter(meets).collect();
        let ends = met.iter().map(|pane| pane.end_ms).chain([to]);
        if ends.into_iter().any(|end| self.is_final(end, watermark_ms)) {
            return Change { late: vec![from], ..Change::default() };
        }
        for pane in &met {
            whole.start_ms = whole.start_ms.min(pane.start_ms);
            whole.end_ms = whole.end_ms.max(pane.end_ms);
            whole.sum.add(&pane.sum);
        }
        let starts = met.iter().map(|pane| pane.start_ms);
        let gone = starts.filter(|start| *start != whole.start_ms).collect();
        Change { gone, put: vec![whole], late: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
