//! Small pieces of HTML that every template uses: live elements with their key, state and title.

use crate::cells::Values;
use askama::filters::HtmlSafe;
use std::fmt;

/// Text with the five characters escaped that mean something in HTML, also inside attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// One live element. Its content is text alone, so that a script may replace it.
pub(crate) struct Element<'a> {
    tag: &'static str,
    class: &'static str,
    key: String,
    text: &'a str,
    state: &'a str,
    why: &'a str,
}

impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, key) = (self.tag, escape(&self.key));
        write!(f, "<{tag} class=\"{}\" data-cell=\"{key}\"", self.class)?;
        if !self.state.is_empty() {
            write!(f, " data-state=\"{}\"", escape(self.state))?;
        }
        if !self.why.is_empty() {
            write!(f, " title=\"{}\"", escape(self.why))?;
        }
        write!(f, ">{}</{tag}>", escape(self.text))
    }
}

// Everything that comes from outside goes through `escape` above.
impl HtmlSafe for Element<'_> {}

impl<'a> Values<'a> {
    /// A health dot with its word inside, which CSS hides from sight alone. Where nothing is bound
    /// the dot is hollow and says so.
    pub(crate) fn dot(&self, key: &str, part: &str) -> Element<'a> {
        let element = self.element("span", "dot", key, part);
        if element.state.is_empty() {
            Element { state: "unbound", text: "not bound", ..element }
        } else {
            element
        }
    }

    /// A measured figure.
    pub(crate) fn figure(&self, key: &str, part: &str) -> Element<'a> {
        self.element("span", "fig num", key, part)
    }

    /// Why a service is not healthy; the style hides it where there is nothing to explain.
    pub(crate) fn reason(&self, key: &str, part: &str) -> Element<'a> {
        self.element("span", "why", key, part)
    }

    /// A word on a coloured ground.
    pub(crate) fn badge(&self, key: &str, part: &str) -> Element<'a> {
        self.element("em", "badge", key, part)
    }

    fn element(
        &self,
        tag: &'static str,
        class: &'static str,
        key: &str,
        part: &str,
    ) -> Element<'a> {
        let key = format!("{key}{part}");
        Element {
            tag,
            class,
            text: self.text(&key),
            state: self.state(&key),
            why: self.why(&key),
            key,
        }
    }

    pub(crate) fn part_text(&self, key: &str, part: &str) -> &'a str {
        self.text(format!("{key}{part}"))
    }

    pub(crate) fn part_state(&self, key: &str, part: &str) -> &'a str {
        self.state(format!("{key}{part}"))
    }

    pub(crate) fn part_path(&self, key: &str, part: &str) -> &'a str {
        self.path(format!("{key}{part}"))
    }

    pub(crate) fn dotted_text(&self, key: &str, part: &str) -> &'a str {
        self.text(format!("{key}.{part}"))
    }

    pub(crate) fn dotted_state(&self, key: &str, part: &str) -> &'a str {
        self.state(format!("{key}.{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, Cells};

    #[test]
    fn whatever_stands_in_a_cell_is_escaped() {
        let hostile = "\"><script>alert('x')</script>&";
        let cell = Cell {
            t: Some(hostile.to_owned()),
            s: Some(hostile.to_owned()),
            h: Some(hostile.to_owned()),
            ..Cell::default()
        };
        let cells = Cells::from([(format!("svc.{hostile}.rate"), cell)]);
        let html = Values(&cells).figure(&format!("svc.{hostile}"), ".rate").to_string();
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches('<').count(), 2, "{html}");
        assert_eq!(html.matches('"').count(), 8, "{html}");
    }
}
