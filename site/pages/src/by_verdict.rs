//! The row of links above a list that shows all of it, or what has one verdict.
//!
//! The lists of figures and of objectives hand in their verdicts; their templates show the links.

use crate::figures;
use evidence::Verdict;

/// The gravest first.
const VERDICTS: [Verdict; 6] = [
    Verdict::Violated,
    Verdict::AtRisk,
    Verdict::Holds,
    Verdict::NoData,
    Verdict::Stale,
    Verdict::Unproven,
];

/// A link of the row.
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// The links to the list at `address`: all, and each verdict that something has or that is shown. `shown` is the state of
/// a verdict as in the address; any other word shows all.
pub(crate) fn choices(address: &str, shown: &str, all: &[Verdict]) -> Vec<Choice> {
    let whole = Choice {
        text: format!("all {}", all.len()),
        href: address.to_owned(),
        current: shown_verdict(shown).is_none(),
    };
    let each = VERDICTS.into_iter().filter_map(|verdict| {
        let (word, state) = figures::verdict(verdict);
        let count = all.iter().filter(|one| **one == verdict).count();
        let current = shown == state;
        (count > 0 || current).then(|| Choice {
            text: format!("{word} {count}"),
            href: format!("{address}?show={state}"),
            current,
        })
    });
    std::iter::once(whole).chain(each).collect()
}

/// Whether something with this verdict is listed.
pub(crate) fn is_shown(shown: &str, verdict: Verdict) -> bool {
    shown_verdict(shown).is_none_or(|only| only == verdict)
}

fn shown_verdict(shown: &str) -> Option<Verdict> {
    VERDICTS.into_iter().find(|verdict| figures::verdict(*verdict).1 == shown)
}
