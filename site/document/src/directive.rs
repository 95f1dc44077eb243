//! Finds mdBook's directives, `{{#include file:lines}}` and the like, in a text.
//!
//! `include` fills them in. Names that mdBook does not know are left alone: they belong to other
//! tools, or to the text.

use std::ops::Range;

/// A directive longer than this is text; the search would otherwise take the square of the length.
const DIRECTIVE_BYTES_MAX: usize = 4096;

/// A directive and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Directive<'a> {
    pub(crate) span: Range<usize>,
    pub(crate) what: What<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// Stands for itself, without the backslash.
    Escaped(&'a str),
    Title(&'a str),
    Include {
        path: &'a str,
        place: Place,
        /// The lines around the place are kept for a compiler, and hidden from readers.
        rest_hidden: bool,
    },
    Playground {
        path: &'a str,
        attributes: Vec<&'a str>,
    },
}

/// Part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Lines counted from 0; `to` is not taken any more.
    Lines { from: usize, to: Option<usize> },
    /// Between `ANCHOR: name` and `ANCHOR_END: name`.
    Anchor(String),
}

/// All directives in the order of the text.
pub(crate) fn find(text: &str) -> Vec<Directive<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(braces) = text[at..].find("{{").map(|offset| at + offset) {
        let escaped = (braces > at && text.as_bytes()[braces - 1] == b'\\')
            .then(|| escaped(text, braces - 1))
            .flatten();
        match escaped.or_else(|| directive(text, braces)) {
            Some(directive) => {
                at = directive.span.end;
                found.push(directive);
            }
            None => at = braces + 1,
        }
    }
    found
}

/// At most [`DIRECTIVE_BYTES_MAX`] bytes of the text, from `start` on.
fn window(text: &str, start: usize) -> &str {
    let mut end = text.len().min(start + DIRECTIVE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[start..end]
}

/// `\{{#...}}`, up to the last braces of the line.
fn escaped(text: &str, start: usize) -> Option<Directive<'_>> {
    let line = window(text, start).lines().next()?;
    let end = line.starts_with("\\{{#").then(|| line.rfind("}}")).flatten()? + 2;
    Some(Directive { span: start..start + end, what: What::Escaped(&line[1..end]) })
}

fn directive(text: &str, start: usize) -> Option<Directive<'_>> {
    let whole = window(text, start);
    let rest = whole.strip_prefix("{{")?.trim_start().strip_prefix('#')?;
    let name_length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (name, rest) = rest.split_at(name_length);
    let end = rest.find('}')?;
    let (arguments, closing) = rest.split_at(end);
    let spaced = arguments.starts_with(char::is_whitespace) && !arguments.trim().is_empty();
    if !spaced || !closing.starts_with("}}") {
        return None;
    }
    let length = whole.len() - closing.len() + 2;
    let what = what(name, arguments)?;
    Some(Directive { span: start..start + length, what })
}

fn what<'a>(name: &str, arguments: &'a str) -> Option<What<'a>> {
    if name == "title" {
        return Some(What::Title(arguments.trim()));
    }
    let mut words = arguments.split_whitespace();
    let file = words.next()?;
    let include = |rest_hidden| {
        let (path, place) = match file.split_once(':') {
            Some((path, place)) => (path, place_of(place)),
            None => (file, Place::Lines { from: 0, to: None }),
        };
        What::Include { path, place, rest_hidden }
    };
    match name {
        "include" => Some(include(false)),
        "rustdoc_include" => Some(include(true)),
        "playground" | "playpen" => {
            Some(What::Playground { path: file, attributes: words.collect() })
        }
        _ => None,
    }
}

/// `2`, `2:10`, `2:`, `:10`, or the name of an anchor.
fn place_of(text: &str) -> Place {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let from = match first.parse::<usize>() {
        Ok(line) => Some(line.saturating_sub(1)),
        Err(_) if first.is_empty() => None,
        Err(_) => return Place::Anchor(first.to_owned()),
    };
    let to = parts.next().map(|part| part.parse::<usize>().ok());
    match (from, to) {
        (Some(from), None) => Place::Lines { from, to: Some(from + 1) },
        (from, to) => Place::Lines { from: from.unwrap_or(0), to: to.flatten() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found() {
        let include = |path, place| What::Include { path, place, rest_hidden: false };
        let lines = |from, to| Place::Lines { from, to };
        for (text, expected) in [
            ("{{#include a.rs}}", vec![include("a.rs", lines(0, None))]),
            ("x {{ #include  a.rs }} y", vec![include("a.rs", lines(0, None))]),
            ("{{#include a.rs:2:10}}", vec![include("a.rs", lines(1, Some(10)))]),
            ("{{#include a.rs:2}}", vec![include("a.rs", lines(1, Some(2)))]),
            ("{{#include a.rs:2:}}", vec![include("a.rs", lines(1, None))]),
            ("{{#include a.rs::5}}", vec![include("a.rs", lines(0, Some(5)))]),
            ("{{#include a.rs:here}}", vec![include("a.rs", Place::Anchor("here".into()))]),
            ("{{{#include a.rs}}", vec![include("a.rs", lines(0, None))]),
            (
                "{{#rustdoc_include a.rs}}",
                vec![What::Include { path: "a.rs", place: lines(0, None), rest_hidden: true }],
            ),
            (
                "{{#playground a.rs ignore editable}}",
                vec![What::Playground { path: "a.rs", attributes: vec!["ignore", "editable"] }],
            ),
            ("{{#title Hello you}}", vec![What::Title("Hello you")]),
            ("\\{{#include a.rs}}", vec![What::Escaped("{{#include a.rs}}")]),
            ("{{#if a}}{{#includes a}}{{include a}}{{#include}}{{#include a}", vec![]),
        ] {
            let found: Vec<_> = find(text).into_iter().map(|found| found.what).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
