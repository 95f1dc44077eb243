//! Which colour a service has on the pages of traces: the same on all of them, as far as eight colours reach.
//!
//! Services are told apart by it, never judged: health has colours of its own.

use evidence::Evidence;
use std::collections::BTreeSet;

/// Colours that services are told apart by, `c0` to `c7` in `css/panels.css`.
const COLOURS: usize = 8;

/// The services by name.
pub(crate) struct Palette(Vec<String>);

impl Palette {
    /// The services that are known, and others that were seen.
    pub(crate) fn new<'a>(
        evidence: Option<&Evidence>,
        seen: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: BTreeSet<&str> = evidence
            .map(|evidence| evidence.services.iter().map(|service| service.id.0.as_str()).collect())
            .unwrap_or_default();
        let others: BTreeSet<&str> =
            seen.into_iter().filter(|name| !known.contains(name)).collect();
        Self(known.into_iter().chain(others).map(str::to_owned).collect())
    }

    /// The number of its colour.
    pub(crate) fn colour(&self, service: &str) -> usize {
        self.0.iter().position(|name| name == service).unwrap_or(0) % COLOURS
    }
}
