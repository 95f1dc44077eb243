//! Live values by key: put into the page when it is rendered, and pushed to it when they change.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cells by the key that stands in `data-cell`.
pub type Cells = BTreeMap<String, Cell>;

/// What the page's script sets on every element with the cell's key. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<String>,
    /// `data-state`, for the look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<String>,
    /// Explanation: `title` in HTML, `aria-label` and `<title>` in SVG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h: Option<String>,
    /// `d` of a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d: Option<String>,
}

/// What of `new` is not in `old` or differs from it.
pub fn cell_diff(old: &Cells, new: &Cells) -> Cells {
    new.iter()
        .filter(|(key, cell)| old.get(*key) != Some(*cell))
        .map(|(key, cell)| (key.clone(), cell.clone()))
        .collect()
}
