//! Headings: the author's attributes, and ids that are unique in the page.
//!
//! `body` asks at every heading. `pulldown-cmark` splits attributes at spaces, so quoted values with
//! spaces are read here, from the source.

use std::collections::HashMap;
use std::ops::Range;

/// `{#id .class key="value"}` behind a heading. Spans are bytes of the text handed in.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Attributes {
    pub(crate) id: Option<(String, Range<usize>)>,
    pub(crate) classes: Vec<String>,
    /// Key, value and the place of the value.
    pub(crate) pairs: Vec<(String, String, Range<usize>)>,
}

/// Reads the last braces of a heading's source.
pub(crate) fn attributes(source: &str) -> Attributes {
    let mut found = Attributes::default();
    let Some(open) = source.rfind('{') else { return found };
    let Some(close) = source[open..].find('}') else { return found };
    let end = open + close;
    let mut at = open + 1;
    while at < end {
        let rest = &source[at..end];
        let skipped = rest.len() - rest.trim_start().len();
        at += skipped;
        let length = word_length(&source[at..end]);
        if length == 0 {
            break;
        }
        let word = &source[at..at + length];
        if let Some(id) = word.strip_prefix('#') {
            found.id = Some((id.to_owned(), at + 1..at + length));
        } else if let Some(class) = word.strip_prefix('.') {
            found.classes.push(class.to_owned());
        } else if let Some((key, value)) = word.split_once('=') {
            let bare = value.trim_matches(['"', '\'']);
            let start =
                at + key.len() + 1 + (value.len() - value.trim_start_matches(['"', '\'']).len());
            found.pairs.push((key.to_owned(), bare.to_owned(), start..start + bare.len()));
        }
        at += length;
    }
    found
}

/// Bytes up to the next space that is not inside quotes.
fn word_length(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// The id that mdBook 0.5 gives a heading, without the hyphens that emoji leave at its ends.
pub(crate) fn slug(title: &str) -> String {
    mdbook_slug(title.trim().trim_matches(is_ornament).trim())
}

/// Signs that are neither letters nor ASCII: emoji, arrows, and what joins and varies them.
fn is_ornament(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace()
}

/// The id exactly as mdBook 0.5 makes it.
pub(crate) fn mdbook_slug(title: &str) -> String {
    let lower = title.trim().to_lowercase();
    lower
        .chars()
        .filter_map(|c| match c {
            '_' | '-' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// Ids that are taken in a page.
#[derive(Default)]
pub(crate) struct Ids {
    taken: HashMap<String, usize>,
}

impl Ids {
    /// Takes an id that the author gave; false when it is taken already.
    pub(crate) fn take(&mut self, id: &str) -> bool {
        if self.taken.contains_key(id) {
            return false;
        }
        self.taken.insert(id.to_owned(), 0);
        true
    }

    /// Takes `wanted`, or `wanted-1`, `wanted-2`, ...
    pub(crate) fn unique(&mut self, wanted: &str) -> String {
        let base = if wanted.is_empty() { "section" } else { wanted };
        if self.take(base) {
            return base.to_owned();
        }
        let mut number = self.taken.get(base).copied().unwrap_or_default();
        loop {
            number += 1;
            let id = format!("{base}-{number}");
            if !self.taken.contains_key(&id) {
                self.taken.insert(base.to_owned(), number);
                self.taken.insert(id.clone(), 0);
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_with_quotes_and_spaces() {
        for (source, id, classes, pairs) in [
            ("## A {#a}", Some("a"), &[][..], &[][..]),
            ("## A { #a .b .c }", Some("a"), &["b", "c"], &[]),
            (
                "## A {#a services=\"auth users\" x=1}",
                Some("a"),
                &[],
                &[("services", "auth users"), ("x", "1")],
            ),
            ("## A {services='auth'} ##", None, &[], &[("services", "auth")]),
            ("## A {} ", None, &[], &[]),
            ("## A", None, &[], &[]),
            ("## A {#", None, &[], &[]),
        ] {
            let found = attributes(source);
            assert_eq!(found.id.as_ref().map(|(id, _)| id.as_str()), id, "{source}");
            assert_eq!(found.classes, classes, "{source}");
            for ((key, value, span), expected) in found.pairs.iter().zip(pairs) {
                assert_eq!((key.as_str(), value.as_str()), *expected, "{source}");
                assert_eq!(&source[span.clone()], value, "{source}");
            }
            assert_eq!(found.pairs.len(), pairs.len(), "{source}");
        }
    }

    #[test]
    fn slugs_and_unique_ids() {
        for (title, expected) in [
            ("Data Architecture & Storage", "data-architecture--storage"),
            ("🏗️ High-Level System Architecture", "high-level-system-architecture"),
            ("🔄 CI/CD Architecture", "cicd-architecture"),
            ("1. Client Layer", "1-client-layer"),
            ("Überblick", "überblick"),
            ("🎯", ""),
            ("--version", "--version"),
            ("a\tb  c", "a-b--c"),
            ("日本語 見出し", "日本語-見出し"),
            ("İstanbul ✓", "istanbul"),
            ("foo – bar", "foo--bar"),
        ] {
            assert_eq!(slug(title), expected, "{title}");
        }
        let mut ids = Ids::default();
        assert!(ids.take("a-1"));
        let made: Vec<String> = ["a", "a", "a", "", ""].iter().map(|id| ids.unique(id)).collect();
        assert_eq!(made, ["a", "a-2", "a-3", "section", "section-1"]);
    }
}
