//! Glossary terms in prose: the first use under each H2 leads to the definition, on this page or on
//! another page of the book.
//!
//! `book` hands in what all pages define; `body` hands in every run of prose that is neither heading,
//! link nor code.

use crate::GlossaryEntry;
use crate::headings::slug;
use crate::html::{escape, escape_address, push_escaped};
use serde::Deserialize;
use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

impl GlossaryEntry {
    /// The `id` of its place in the glossary: `glossary-event-driven`.
    pub fn anchor(&self) -> String {
        format!("glossary-{}", slug(&self.term))
    }
}

/// A glossary fence: a list of terms with definitions, or a mapping from term to definition.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    List(Vec<GlossaryEntry>),
    Map(indexmap::IndexMap<String, String>),
}

/// The text of a glossary fence, in YAML or JSON. The error is a message and the byte of the fault.
pub(crate) fn parse(source: &str) -> Result<Vec<GlossaryEntry>, (String, usize)> {
    if source.trim().is_empty() {
        return Ok(Vec::new());
    }
    match serde_saphyr::from_str(source) {
        Ok(Source::List(entries)) => Ok(entries),
        Ok(Source::Map(map)) => Ok(map
            .into_iter()
            .map(|(term, definition)| GlossaryEntry { term, definition })
            .collect()),
        Err(error) => Err(crate::frontmatter::yaml_place(&error, source)),
    }
}

/// A term's place among others, by its first word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ByWord {
    /// First word of a term, in lower case, to the terms that begin with it, longest first.
    terms: HashMap<String, Vec<usize>>,
    /// Which pairs of first bytes occur: most words of prose are passed over without a look-up.
    starts: Vec<u64>,
}

impl ByWord {
    fn of<'e>(entries: impl Iterator<Item = &'e GlossaryEntry>) -> Self {
        let mut terms: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (index, entry) in entries.enumerate() {
            if let Some((_, word)) = words(&entry.term).next() {
                terms.entry(word.to_lowercase()).or_default().push((index, entry.term.len()));
            }
        }
        let mut starts = vec![0; if terms.is_empty() { 0 } else { STARTS / 64 }];
        terms
            .keys()
            .filter_map(|word| start(word))
            .for_each(|at| starts[at / 64] |= 1 << (at % 64));
        let longest_first = |(word, mut found): (String, Vec<(usize, usize)>)| {
            found.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
            (word, found.into_iter().map(|(index, _)| index).collect())
        };
        Self { terms: terms.into_iter().map(longest_first).collect(), starts }
    }

    /// Whether a term may begin with `word`; in doubt it may.
    fn may_begin(&self, word: &str) -> bool {
        let seen = |at: usize| self.starts[at / 64] & (1 << (at % 64)) != 0;
        !self.starts.is_empty() && start(word).is_none_or(seen)
    }

    /// Terms that begin with `lower`, or with that word without its plural `s`.
    fn candidates<'a>(&'a self, lower: &str) -> impl Iterator<Item = usize> + use<'a> {
        let singular = lower.strip_suffix('s').filter(|_| lower.len() > 3);
        let singular = singular.and_then(|word| self.terms.get(word));
        self.terms.get(lower).into_iter().chain(singular).flatten().copied()
    }
}

/// Pairs of a word's first two bytes.
const STARTS: usize = 1 << 16;

/// Number of the first two bytes in lower case; `None` where a letter is not ASCII, since its lower
/// case may begin with other bytes.
fn start(word: &str) -> Option<usize> {
    let mut bytes = word.bytes().map(|byte| byte.to_ascii_lowercase());
    let (first, second) = (bytes.next()?, bytes.next().unwrap_or(0));
    (first.is_ascii() && second.is_ascii()).then(|| usize::from(first) << 8 | usize::from(second))
}

/// What all pages of a book define; empty where terms are linked within their page alone.
///
/// Where pages disagree about a term, the first in the book's order counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookTerms {
    defined: Vec<Defined>,
    by_word: ByWord,
    /// Number by [`key`].
    numbers: HashMap<String, usize>,
}

/// A term with the page that defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Defined {
    entry: GlossaryEntry,
    /// Address of the page where it shows its glossary.
    at: Option<String>,
}

impl BookTerms {
    /// `pages`: the terms of each page, with its address where it shows them, in the book's order.
    pub(crate) fn of(pages: impl Iterator<Item = (Vec<GlossaryEntry>, Option<String>)>) -> Self {
        let (mut defined, mut numbers) = (Vec::new(), HashMap::new());
        for (entries, at) in pages {
            for entry in entries {
                if let Slot::Vacant(free) = numbers.entry(key(&entry)) {
                    free.insert(defined.len());
                    defined.push(Defined { entry, at: at.clone() });
                }
            }
        }
        let by_word = ByWord::of(defined.iter().map(|defined| &defined.entry));
        Self { defined, by_word, numbers }
    }
}

/// Two terms with the same key are the same term.
fn key(entry: &GlossaryEntry) -> String {
    entry.term.trim().to_lowercase()
}

/// Finds terms in prose, and remembers which were linked since the last H2. The page's own come
/// first, with the numbers from 0; those of the book follow.
pub(crate) struct Terms<'g> {
    entries: &'g [GlossaryEntry],
    by_word: ByWord,
    book: &'g BookTerms,
    /// Terms of the book that the page defines itself.
    hidden: HashSet<usize>,
    used: HashSet<usize>,
    /// Whether the page shows a glossary, so that a link has a place to lead to.
    shown: bool,
    tips: usize,
    /// The word at hand in lower case.
    lower: String,
}

/// A term in a text: its number, and the bytes from and to.
type Use = (usize, usize, usize);

impl<'g> Terms<'g> {
    pub(crate) fn new(entries: &'g [GlossaryEntry], shown: bool, book: &'g BookTerms) -> Self {
        let hidden = entries.iter().filter_map(|entry| book.numbers.get(&key(entry)));
        Self {
            entries,
            by_word: ByWord::of(entries.iter()),
            book,
            hidden: hidden.map(|number| number + entries.len()).collect(),
            used: HashSet::new(),
            shown,
            tips: 0,
            lower: String::new(),
        }
    }

    /// Ids of the glossary's entries where the page shows them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let shown = self.entries.iter().filter(|_| self.shown);
        shown.map(GlossaryEntry::anchor).collect()
    }

    /// From here on every term counts as unused.
    pub(crate) fn next_section(&mut self) {
        self.used.clear();
    }

    /// `text` as HTML with the first uses linked.
    pub(crate) fn link(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        let mut from = 0;
        let all = self.entries.len() + self.book.defined.len() - self.hidden.len();
        if self.used.len() < all {
            for (at, word) in words(text) {
                if at < from {
                    continue;
                }
                if let Some((index, start, end)) = self.find(text, at, word, from) {
                    push_escaped(&mut out, &text[from..start]);
                    self.push_term(&mut out, index, &text[start..end]);
                    self.used.insert(index);
                    from = end;
                }
            }
        }
        push_escaped(&mut out, &text[from..]);
        out
    }

    /// The longest unused term whose first word stands at `at`, with its place; of two with one
    /// length the page's own.
    fn find(&mut self, text: &str, at: usize, word: &str, from: usize) -> Option<Use> {
        let (own, book) = (self.by_word.may_begin(word), self.book.by_word.may_begin(word));
        if !own && !book {
            return None;
        }
        self.lower.clear();
        match word.is_ascii() {
            true => self.lower.extend(word.chars().map(|c| c.to_ascii_lowercase())),
            false => self.lower.push_str(&word.to_lowercase()),
        }
        let own = own.then(|| {
            let candidates = self.by_word.candidates(&self.lower);
            self.first_fit(candidates, text, at, from)
        });
        let book = book.then(|| {
            let numbers = self.book.by_word.candidates(&self.lower);
            let numbers = numbers.map(|number| number + self.entries.len());
            self.first_fit(numbers.filter(|number| !self.hidden.contains(number)), text, at, from)
        });
        match (own.flatten(), book.flatten()) {
            (Some(own), Some(book)) if book.2 - book.1 > own.2 - own.1 => Some(book),
            (own, book) => own.or(book),
        }
    }

    fn first_fit(
        &self,
        mut candidates: impl Iterator<Item = usize>,
        text: &str,
        at: usize,
        from: usize,
    ) -> Option<Use> {
        candidates.find_map(|index| {
            if self.used.contains(&index) {
                return None;
            }
            let term = self.entry(index).term.trim();
            let lead = words(term).next().map_or(0, |(lead, _)| lead);
            let start = at.checked_sub(lead).filter(|start| *start >= from)?;
            let end = matches_at(text.get(start..)?, term)?;
            Some((index, start, start + end))
        })
    }

    fn entry(&self, index: usize) -> &'g GlossaryEntry {
        let own = self.entries.get(index);
        own.unwrap_or_else(|| &self.book.defined[index - self.entries.len()].entry)
    }

    fn push_term(&mut self, out: &mut String, index: usize, word: &str) {
        let entry = self.entry(index);
        let tip = format!("term-tip:{}", self.tips);
        self.tips += 1;
        let word = escape(word);
        out.push_str("<span class=\"term\">");
        let own = index < self.entries.len();
        match own && self.shown {
            true => out.push_str(&format!(
                "<a href=\"#{}\" aria-describedby=\"{tip}\">{word}</a>",
                escape(&entry.anchor())
            )),
            // `pages` makes it a link to the glossary of the book, or to the page that is named.
            false => {
                let book = index.checked_sub(self.entries.len());
                let page = book.and_then(|number| self.book.defined[number].at.as_deref());
                let page = page.map(|page| format!("{}#", escape_address(page)));
                out.push_str(&format!(
                    "<dfn data-term=\"{}\" tabindex=\"0\" aria-describedby=\"{tip}\">{word}</dfn>",
                    page.unwrap_or_default() + &escape(&entry.anchor())
                ));
            }
        }
        let definition = escape(&entry.definition);
        out.push_str(&format!(
            "<span class=\"term-tip\" role=\"tooltip\" id=\"{tip}\">{definition}</span></span>"
        ));
    }
}

/// Words of letters and digits with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        let rest = &text[start..];
        let end = start + rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        at = end;
        Some((start, &text[start..end]))
    })
}

/// Length of `term`, or its plural in `s`, at the start of `text` when a word ends there. Terms in
/// capitals only match in capitals: `IT` is not `it`.
fn matches_at(text: &str, term: &str) -> Option<usize> {
    let exact = !term.chars().any(char::is_lowercase);
    let mut rest = text.char_indices();
    let mut end = 0;
    for wanted in term.chars() {
        let (at, c) = rest.next()?;
        if c != wanted && (exact || !c.to_lowercase().eq(wanted.to_lowercase())) {
            return None;
        }
        end = at + c.len_utf8();
    }
    let after = &text[end..];
    let plural = after.strip_prefix('s').filter(|tail| !tail.starts_with(char::is_alphanumeric));
    match plural {
        Some(tail) => Some(text.len() - tail.len()),
        None => (!after.starts_with(char::is_alphanumeric)).then_some(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_uses_are_found() {
        let none = BookTerms::default();
        let entries: Vec<GlossaryEntry> =
            ["Microservices", "Event-Driven", "Event", "CQRS", "IT", "Service Mesh", ".NET"]
                .iter()
                .map(|term| GlossaryEntry { term: (*term).into(), definition: "\"d\"".into() })
                .collect();
        for (text, expected) in [
            ("built on microservices, microservices", &["microservices"][..]),
            ("an event-driven event", &["event-driven", "event"]),
            ("events and prevent", &["events"]),
            ("it is CQRS in IT, not cqrs", &["CQRS", "IT"]),
            ("a service mesh", &["service mesh"]),
            ("use .NET & more", &[".NET"]),
            ("micro services", &[]),
            ("ÄEvent eventé", &[]),
        ] {
            let mut terms = Terms::new(&entries, true, &none);
            let html = terms.link(text);
            let linked: Vec<&str> = html
                .split("\">")
                .filter_map(|part| part.split_once("</a>"))
                .map(|(word, _)| word)
                .collect();
            assert_eq!(linked, expected, "{text}: {html}");
            terms.next_section();
            assert_eq!(terms.link(text).matches("<a ").count(), expected.len(), "{text}");
        }
    }

    #[test]
    fn terms_of_other_pages_are_found() {
        let entry = |term: &str, definition: &str| GlossaryEntry {
            term: term.to_owned(),
            definition: definition.to_owned(),
        };
        let book = BookTerms::of(
            [
                (
                    vec![entry("Event Store", "a"), entry("Saga", "b")],
                    Some("words.html".to_owned()),
                ),
                (vec![entry("saga", "later"), entry("Event", "c"), entry("Übergabe", "d")], None),
            ]
            .into_iter(),
        );
        let own = [entry("event", "mine"), entry("Unit", "u")];
        for (text, expected) in [
            ("an event", &["event>mine"][..]),
            ("an event store and an event", &["words.html#glossary-event-store>a", "event>mine"]),
            ("sagas, a saga", &["words.html#glossary-saga>b"]),
            ("die übergabe, ÜBERGABE", &["glossary-übergabe>d"]),
            ("a unit", &["unit>u"]),
            ("nothing of it", &[]),
        ] {
            let mut terms = Terms::new(&own, true, &book);
            let html = terms.link(text);
            let linked: Vec<String> = html
                .split("<span class=\"term\">")
                .skip(1)
                .map(|part| {
                    let word = part.split('"').nth(1).unwrap_or_default();
                    let word = word.strip_prefix("#glossary-").unwrap_or(word);
                    let tip = part.split("\">").last().unwrap_or_default();
                    format!("{word}>{}", tip.split('<').next().unwrap_or_default())
                })
                .collect();
            assert_eq!(linked, expected, "{text}: {html}");
        }
    }

    #[test]
    fn glossary_fences() {
        for (source, expected) in [
            ("", Ok(0)),
            ("- term: A\n  definition: B\n", Ok(1)),
            ("A: B\nC: D\n", Ok(2)),
            ("[{\"term\": \"A\", \"definition\": \"B\"}]", Ok(1)),
            ("- term: [\n", Err(())),
        ] {
            assert_eq!(parse(source).map(|e| e.len()).map_err(|_| ()), expected, "{source}");
        }
    }
}
