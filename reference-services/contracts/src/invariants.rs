//! Answer of `GET /invariants` of every service that keeps something: what must
//! always hold of it, and whether it does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that must hold of one service's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The service.
    pub service: String,
    /// Whether all of it holds.
    pub holds: bool,
    /// One by one.
    pub invariants: Vec<Invariant>,
}

/// One sentence about the data, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariant {
    /// Its name, the label `invariant` of the metric `invariant_holds`.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// The sentence, with what was found.
    pub says: String,
    /// The figures in it. Amounts of money are whole minor units.
    pub figures: BTreeMap<String, i64>,
}

impl Invariant {
    /// A checked sentence with its figures.
    pub fn new(name: &str, holds: bool, says: String, figures: &[(&str, i64)]) -> Self {
        let figures = figures.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        Self { name: name.to_owned(), holds, says, figures }
    }
}

impl Report {
    /// The figure of an invariant, if there are both.
    pub fn figure(&self, invariant: &str, figure: &str) -> Option<i64> {
        let found = self.invariants.iter().find(|found| found.name == invariant)?;
        found.figures.get(figure).copied()
    }
}
