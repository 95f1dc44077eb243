//! What must always hold of the gateway, as far as it can tell from what it
//! remembers: breakers made only legal moves, and a version that was rolled back
//! got nobody any more.

use chassis::Checks;
use chassis::invariants::Checking;
use contracts::invariants::Invariant;

use crate::upstream::{Upstreams, breaker};

/// The checks.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) upstreams: Upstreams,
    pub(crate) probes: u32,
}

impl Checks for Sound {
    fn check(&self) -> Checking<'_> {
        Box::pin(async move { Ok(vec![self.breakers(), self.releases()]) })
    }
}

impl Sound {
    fn breakers(&self) -> Invariant {
        let (mut made, mut illegal, mut most_probes) = (0, 0, 0);
        for peer in self.upstreams.peers() {
            let record = peer.breaker.record();
            made += number(record.journal.len());
            illegal += number(breaker::illegal(&record.journal));
            most_probes = most_probes.max(record.most_probes);
        }
        Invariant::new(
            "breakers_move_legally",
            illegal == 0 && most_probes <= self.probes,
            format!(
                "breakers made {made} transitions, {illegal} of them illegal, and at most \
                 {most_probes} probes at once, of {} that may be",
                self.probes
            ),
            &[
                ("transitions", made),
                ("illegal", illegal),
                ("most_probes", most_probes.into()),
                ("allowed_probes", self.probes.into()),
            ],
        )
    }

    fn releases(&self) -> Invariant {
        let records: Vec<_> = self
            .upstreams
            .peers()
            .filter_map(|peer| peer.pool().trial.as_ref().map(|trial| trial.record()))
            .collect();
        let rolled_back = number(records.iter().filter(|record| record.rolled_back).count());
        let after: u64 = records.iter().map(|record| record.after).sum();
        Invariant::new(
            "what_was_rolled_back_gets_nobody",
            after == 0,
            format!(
                "{} versions are on trial, {rolled_back} were rolled back, and {after} calls went \
                 to those afterwards",
                records.len()
            ),
            &[
                ("on_trial", number(records.len())),
                ("rolled_back", rolled_back),
                ("calls_afterwards", i64::try_from(after).unwrap_or(i64::MAX)),
            ],
        )
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
