//! Live values by key: put into the page when it is rendered, and pushed to it when they change.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cells by the key that stands in `data-cell`. The key `shape` stands in no element: when its text
/// changes, the page has other live elements than before and fetches itself again.
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
    /// Explanation: `title` in HTML, `aria-label` and `<title>` in SVG. Empty takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h: Option<String>,
    /// `d` of a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d: Option<String>,
    /// Where a link leads. Empty makes it lead nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<String>,
    /// Its place in the box around it: percent from the left and from the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<String>,
}

impl Cell {
    /// The outline of a path.
    pub(crate) fn path(d: impl Into<String>) -> Self {
        Self { d: Some(d.into()), ..Self::default() }
    }

    /// Text alone.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { t: Some(text.into()), ..Self::default() }
    }

    /// `data-state` and explanation of an element that has children.
    pub(crate) fn state(state: &str, why: impl Into<String>) -> Self {
        Self { s: Some(state.to_owned()), h: Some(why.into()), ..Self::default() }
    }

    /// The parts that are not as they were.
    fn since(&self, before: &Self) -> Self {
        let part = |new: &Option<String>, old: &Option<String>| match new == old {
            true => None,
            false => new.clone(),
        };
        Self {
            t: part(&self.t, &before.t),
            s: part(&self.s, &before.s),
            h: part(&self.h, &before.h),
            d: part(&self.d, &before.d),
            u: part(&self.u, &before.u),
            p: part(&self.p, &before.p),
        }
    }
}

/// What of `new` is not in `old` or differs from it, down to the parts of a cell.
pub fn cell_diff(old: &Cells, new: &Cells) -> Cells {
    let differs = |(key, cell): (&String, &Cell)| match old.get(key) {
        Some(before) if before == cell => None,
        Some(before) => Some((key.clone(), cell.since(before))),
        None => Some((key.clone(), cell.clone())),
    };
    new.iter().filter_map(differs).collect()
}

/// Cells as templates read them.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a>(pub(crate) &'a Cells);

impl<'a> Values<'a> {
    pub(crate) fn has(&self, key: impl AsRef<str>) -> bool {
        self.0.contains_key(key.as_ref())
    }

    pub(crate) fn text(&self, key: impl AsRef<str>) -> &'a str {
        self.part(key.as_ref(), |cell| cell.t.as_deref())
    }

    pub(crate) fn state(&self, key: impl AsRef<str>) -> &'a str {
        self.part(key.as_ref(), |cell| cell.s.as_deref())
    }

    pub(crate) fn why(&self, key: impl AsRef<str>) -> &'a str {
        self.part(key.as_ref(), |cell| cell.h.as_deref())
    }

    pub(crate) fn link(&self, key: impl AsRef<str>) -> &'a str {
        self.part(key.as_ref(), |cell| cell.u.as_deref())
    }

    pub(crate) fn path(&self, key: impl AsRef<str>) -> &'a str {
        self.part(key.as_ref(), |cell| cell.d.as_deref())
    }

    /// Its place as custom properties, for a `style`.
    pub(crate) fn place(&self, key: impl AsRef<str>) -> String {
        let place = self.part(key.as_ref(), |cell| cell.p.as_deref());
        let (x, y) = place.split_once(' ').unwrap_or(("-100", "0"));
        format!("--x:{x};--y:{y}")
    }

    fn part(&self, key: &str, part: impl Fn(&'a Cell) -> Option<&'a str>) -> &'a str {
        self.0.get(key).and_then(part).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_holds_what_is_new_or_different() {
        let cells = |pairs: &[(&str, &str)]| -> Cells {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), Cell::text(*text))).collect()
        };
        let old = cells(&[("a", "1"), ("b", "2"), ("gone", "3")]);
        let new = cells(&[("a", "1"), ("b", "5"), ("c", "4")]);
        assert_eq!(cell_diff(&old, &new), cells(&[("b", "5"), ("c", "4")]));
        assert_eq!(cell_diff(&new, &new), Cells::new());
    }

    #[test]
    fn absent_parts_are_not_sent() {
        let json = serde_json::to_string(&Cell::text("38 ms")).expect("cells are plain data");
        assert_eq!(json, r#"{"t":"38 ms"}"#);
    }

    #[test]
    fn a_step_holds_what_changed_and_nothing_else() {
        let cell = |t: &str, s: &str| Cell {
            t: Some(t.to_owned()),
            s: Some(s.to_owned()),
            ..Cell::default()
        };
        let cells = |list: &[(&str, Cell)]| -> Cells {
            list.iter().map(|(key, cell)| ((*key).to_owned(), cell.clone())).collect()
        };
        let old = cells(&[("same", cell("1", "ok")), ("text", cell("1", "ok"))]);
        let new = cells(&[
            ("same", cell("1", "ok")),
            ("text", cell("2", "ok")),
            ("fresh", cell("3", "ok")),
        ]);
        let expected = cells(&[("text", Cell::text("2")), ("fresh", cell("3", "ok"))]);
        assert_eq!(cell_diff(&old, &new), expected);
        assert_eq!(cell_diff(&new, &new), Cells::new());
    }
}
