//! Named places in the code at which a test lets the process die, as `kill -9`
//! or a machine that loses power would: nothing is finished, flushed or told.
//! A service names its places with [`CrashPoints::at`]; the setting
//! `CLOUDSCALE_CRASH_AT` chooses one. Without it a place costs one comparison.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The place at which this process dies, if any. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints(Option<Arc<Chosen>>);

#[derive(Debug)]
struct Chosen {
    name: String,
    /// Times that it is still passed unharmed.
    left: AtomicU32,
}

impl CrashPoints {
    /// From `NAME`, or `NAME:N` for the Nth time that the place is reached.
    pub fn parse(text: Option<&str>) -> Self {
        Self(text.map(|text| {
            let (name, nth) = text.rsplit_once(':').unwrap_or((text, "1"));
            let nth: u32 = nth.parse().unwrap_or(1);
            let left = AtomicU32::new(nth.saturating_sub(1));
            Arc::new(Chosen { name: name.to_owned(), left })
        }))
    }

    /// Dies here if this place was chosen.
    pub fn at(&self, name: &str) {
        if self.reached(name) {
            eprintln!("dies at `{name}`, as it was told to");
            std::process::abort();
        }
    }

    /// As [`CrashPoints::at`], with a name that is made only when some place was
    /// chosen.
    pub fn within(&self, name: impl FnOnce() -> String) {
        if self.0.is_some() {
            self.at(&name());
        }
    }

    fn reached(&self, name: &str) -> bool {
        let Some(chosen) = self.0.as_ref().filter(|chosen| chosen.name == name) else {
            return false;
        };
        let passed = chosen
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        passed.is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_chosen_place_and_time_is_deadly() {
        let cases = [
            (None, [false, false, false]),
            (Some("a.b"), [true, true, true]),
            (Some("a.b:2"), [false, true, true]),
            (Some("a"), [false, false, false]),
        ];
        for (chosen, expected) in cases {
            let points = CrashPoints::parse(chosen);
            assert_eq!([(); 3].map(|()| points.reached("a.b")), expected, "{chosen:?}");
        }
    }
}
