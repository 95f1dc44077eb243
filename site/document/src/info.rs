//! What an author says of a code block behind its fence: language, lines to mark, a title.
//!
//! `fences` hands in the info string. mdBook's words behind commas, braces with line numbers, and
//! `key="value"` may stand in any order.

use std::ops::RangeInclusive;

/// Lines that may be named as ranges behind one fence.
const RANGES_MAX: usize = 100;

/// ```` ```rust,ignore {1,3-5} title="main.rs" linenos ````, read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Info {
    /// First word: `rust`.
    pub(crate) language: String,
    /// Further words without a value, as classes of the code: mdBook's `ignore`, `editable`, ...
    pub(crate) words: Vec<String>,
    /// Lines to mark, from 1.
    pub(crate) marked: Vec<RangeInclusive<usize>>,
    /// `title="main.rs"`.
    pub(crate) title: Option<String>,
    /// Number of the first line where lines are numbered: `linenos`, `linenos=10`.
    pub(crate) first_line: Option<usize>,
    /// `hidelines=!!!`.
    pub(crate) hide: Option<String>,
    /// `tab="Linux"`.
    pub(crate) tab: Option<String>,
}

/// First word of the info string, up to a comma or brace, without VitePress's `:line-numbers`; where all
/// of it stands in braces, as in `{ .py title="a.py" }` of MkDocs, the first class.
pub(crate) fn language(info: &str) -> &str {
    let info = info.trim();
    if let Some(class) = in_braces(info).and_then(|inside| inside.strip_prefix('.')) {
        return class.split([' ', '\t', '}']).next().unwrap_or_default();
    }
    let word = info.split([' ', ',', '{', '\t']).next().unwrap_or_default();
    let word = word.split_once(NUMBERED).map_or(word, |(language, _)| language);
    if word.contains(['=', '"']) { "" } else { word }
}

/// What stands in the braces around all of the info string.
fn in_braces(info: &str) -> Option<&str> {
    Some(info.strip_prefix('{')?.strip_suffix('}')?.trim())
}

/// Follows the language where VitePress numbers lines: `ts:line-numbers`, `ts:line-numbers=10`.
const NUMBERED: &str = ":line-numbers";

impl Info {
    pub(crate) fn parse(source: &str) -> Self {
        let source = source.trim();
        let first = language(source);
        let mut info = Self { language: first.to_owned(), ..Self::default() };
        let mut rest = match in_braces(source).filter(|inside| inside.starts_with('.')) {
            Some(inside) => &inside[1 + first.len()..],
            None => &source[first.len()..],
        };
        if let Some(behind) = rest.strip_prefix(NUMBERED) {
            let word = &behind[..behind.find([' ', ',', '{', '\t']).unwrap_or(behind.len())];
            info.first_line = word.strip_prefix('=').map_or(Some(1), |first| first.parse().ok());
            rest = &behind[word.len()..];
        }
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            if rest.is_empty() {
                return info;
            }
            if let Some(inside) = rest.strip_prefix('{') {
                let end = inside.find('}').unwrap_or(inside.len());
                info.braces(&inside[..end]);
                rest = inside.get(end + 1..).unwrap_or_default();
                continue;
            }
            let length = word_length(rest);
            let (word, after) = rest.split_at(length.max(1).min(rest.len()));
            match word.split_once('=') {
                Some((key, value)) => info.value(key, value.trim_matches(['"', '\''])),
                None => info.word(word),
            }
            rest = after;
        }
    }

    fn word(&mut self, word: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        match word {
            "linenos" | "line-numbers" | "showLineNumbers" => self.first_line = Some(1),
            word if !word.is_empty() && word.bytes().all(plain) => self.words.push(word.to_owned()),
            _ => {}
        }
    }

    fn value(&mut self, key: &str, value: &str) {
        let text = (!value.trim().is_empty()).then(|| value.trim().to_owned());
        match key {
            "title" => self.title = text,
            "tab" => self.tab = text,
            "hidelines" => self.hide = text,
            "linenos" | "linenums" => self.first_line = value.parse().ok(),
            "hl_lines" | "mark" => self.braces(value),
            _ => {}
        }
    }

    /// `1,3-5`; anything else between braces is somebody else's.
    fn braces(&mut self, inside: &str) {
        for part in inside.split([',', ' ']).filter(|part| !part.is_empty()) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(from), Ok(to)) = (from.trim().parse(), to.trim().parse())
                && self.marked.len() < RANGES_MAX
            {
                self.marked.push(from..=to);
            }
        }
    }
}

/// Bytes up to the next comma, space or brace that is not inside quotes.
fn word_length(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ' | ',' | '\t' | '{') => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_strings() {
        let rust = |info: Info| Info { language: "rust".to_owned(), ..info };
        for (source, expected) in [
            ("", Info::default()),
            ("rust", rust(Info::default())),
            (
                "rust,ignore,editable {1,3-5} title=\"main.rs\" linenos",
                rust(Info {
                    words: vec!["ignore".into(), "editable".into()],
                    marked: vec![1..=1, 3..=5],
                    title: Some("main.rs".into()),
                    first_line: Some(1),
                    ..Info::default()
                }),
            ),
            (
                "rust title='a, b {c}',noplayground linenos=10 hidelines=!!!",
                rust(Info {
                    words: vec!["noplayground".into()],
                    title: Some("a, b {c}".into()),
                    first_line: Some(10),
                    hide: Some("!!!".into()),
                    ..Info::default()
                }),
            ),
            (
                "rust{2} tab=\"Linux\"",
                rust(Info { marked: vec![2..=2], tab: Some("Linux".into()), ..Info::default() }),
            ),
            (
                "ts:line-numbers=4 {1}",
                Info {
                    language: "ts".into(),
                    marked: vec![1..=1],
                    first_line: Some(4),
                    ..Info::default()
                },
            ),
            (
                "{ .rust .annotate title=\"a b\" hl_lines=\"2\" }",
                rust(Info { marked: vec![2..=2], title: Some("a b".into()), ..Info::default() }),
            ),
            ("title=\"a b\"", Info { title: Some("a b".into()), ..Info::default() }),
            ("{1}", Info { marked: vec![1..=1], ..Info::default() }),
            ("rust linenums=\"3\"", rust(Info { first_line: Some(3), ..Info::default() })),
            ("rust {.wide} a\"b {", rust(Info::default())),
        ] {
            assert_eq!(Info::parse(source), expected, "{source}");
        }
    }
}
