//! `info(v, {matchers})`: adds the labels of info series, such as `target_info`, to the series of the same replica.
//!
//! The evaluator calls it; `job` and `instance` say which series belong together.

use std::collections::HashMap;

use series::{Labels, LabelsBuilder, METRIC_NAME, Matcher};

use crate::ast::{Kind, Node, Selector, Shift};
use crate::eval::{Evaluator, blank};
use crate::grid::{Row, Rows, Steps, is_present, join_equal};
use crate::limits::EvalError;

/// The labels by which info series are found.
const IDENTITY: [&str; 2] = ["instance", "job"];
/// The info series that is meant when none is named.
const DEFAULT_INFO: &str = "target_info";

impl Evaluator<'_> {
    pub(crate) fn info(&self, args: &[Node], steps: Steps) -> Result<Rows, EvalError> {
        let base = self.vector(&args[0], steps)?;
        let wanted = Wanted::new(args.get(1));
        let mut infos: HashMap<Labels, Vec<Row>> = HashMap::new();
        let selector = Selector { matchers: wanted.all(), shift: Shift::default() };
        for row in self.instant_rows(&selector, steps)? {
            infos.entry(row.labels.keep(&IDENTITY)).or_default().push(row);
        }
        let mut rows = Vec::new();
        for row in base {
            self.charge(steps.count)?;
            let identity = row.labels.keep(&IDENTITY);
            // An info series needs no info about itself, and without identity nothing can be found.
            if wanted.is_info(&row.labels) || identity.is_empty() {
                rows.push(row);
                continue;
            }
            let found = infos.get(&identity).map_or(&[][..], Vec::as_slice);
            rows.extend(enriched(&row, found, &wanted, steps)?);
        }
        join_equal(rows).map(Rows::Vector)
    }
}

/// What the second argument asks for.
struct Wanted {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
}

impl Wanted {
    fn new(arg: Option<&Node>) -> Self {
        let given: &[Matcher] = match arg.map(|arg| &arg.kind) {
            Some(Kind::Selector(selector)) => &selector.matchers,
            _ => &[],
        };
        let (mut names, data): (Vec<_>, Vec<_>) =
            given.iter().cloned().partition(|m| m.name() == METRIC_NAME);
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, DEFAULT_INFO));
        }
        Wanted { names, data }
    }

    fn all(&self) -> Vec<Matcher> {
        self.names.iter().chain(&self.data).cloned().collect()
    }

    fn is_info(&self, labels: &Labels) -> bool {
        self.names.iter().all(|m| m.matches(labels.value(METRIC_NAME)))
    }

    fn adds(&self, label: &str) -> bool {
        let identifies = label == METRIC_NAME || IDENTITY.contains(&label);
        !identifies && (self.data.is_empty() || self.data.iter().any(|m| m.name() == label))
    }

    /// Whether a series without info may stay.
    fn optional(&self) -> bool {
        self.data.iter().all(Matcher::matches_empty)
    }
}

/// The series with the labels of the info series that are there at each step: one row for each set of labels.
fn enriched(
    row: &Row,
    infos: &[Row],
    wanted: &Wanted,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let mut rows: Vec<Row> = Vec::new();
    for (i, v) in row.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
        let there = infos.iter().filter(|info| is_present(info.values[i]));
        let Some(labels) = with_info(&row.labels, there, wanted)? else { continue };
        let at = rows.iter().position(|row| row.labels == labels).unwrap_or_else(|| {
            rows.push(Row { labels, nameless: row.nameless, values: blank(steps) });
            rows.len() - 1
        });
        rows[at].values[i] = *v;
    }
    Ok(rows)
}

fn with_info<'r>(
    base: &Labels,
    infos: impl Iterator<Item = &'r Row>,
    wanted: &Wanted,
) -> Result<Option<Labels>, EvalError> {
    let mut labels = LabelsBuilder::from(base.clone());
    let mut added = false;
    for info in infos {
        for (name, value) in info.labels.iter().filter(|(name, _)| wanted.adds(name)) {
            if base.get(name).is_some() {
                continue;
            }
            if labels.get(name).is_some_and(|known| known != value) {
                return Err(EvalError::Invalid(format!(
                    "conflicting info series: two values for label `{name}`"
                )));
            }
            labels.set(name, value);
            added = true;
        }
    }
    Ok((added || wanted.optional()).then(|| labels.build()))
}
