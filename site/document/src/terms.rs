//! Glossary terms in prose: the first use under each H2 leads to the definition.
//!
//! `body` hands in every run of prose that is neither heading, link nor code.

use crate::GlossaryEntry;
use crate::headings::slug;
use crate::html::{escape, push_escaped};
use serde::Deserialize;
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

/// Finds terms in prose, and remembers which were linked since the last H2.
pub(crate) struct Terms<'g> {
    entries: &'g [GlossaryEntry],
    /// First word of a term, in lower case, to the terms that begin with it, longest first.
    by_word: HashMap<String, Vec<usize>>,
    used: HashSet<usize>,
    /// Whether the page shows a glossary, so that a link has a place to lead to.
    shown: bool,
    tips: usize,
}

impl<'g> Terms<'g> {
    pub(crate) fn new(entries: &'g [GlossaryEntry], shown: bool) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some((_, word)) = words(&entry.term).next() {
                by_word.entry(word.to_lowercase()).or_default().push(index);
            }
        }
        for candidates in by_word.values_mut() {
            candidates.sort_by_key(|index| std::cmp::Reverse(entries[*index].term.len()));
        }
        Self { entries, by_word, used: HashSet::new(), shown, tips: 0 }
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
        if self.used.len() < self.entries.len() {
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

    /// The longest unused term whose first word stands at `at`, with its place.
    fn find(
        &self,
        text: &str,
        at: usize,
        word: &str,
        from: usize,
    ) -> Option<(usize, usize, usize)> {
        let lower = word.to_lowercase();
        let singular = lower.strip_suffix('s').filter(|_| lower.len() > 3);
        let candidates =
            self.by_word.get(&lower).into_iter().chain(singular.and_then(|w| self.by_word.get(w)));
        candidates.flatten().filter(|index| !self.used.contains(index)).find_map(|&index| {
            let term = self.entries[index].term.trim();
            let lead = words(term).next().map_or(0, |(lead, _)| lead);
            let start = at.checked_sub(lead).filter(|start| *start >= from)?;
            let end = matches_at(text.get(start..)?, term)?;
            Some((index, start, start + end))
        })
    }

    fn push_term(&mut self, out: &mut String, index: usize, word: &str) {
        let entry = &self.entries[index];
        let tip = format!("term-tip:{}", self.tips);
        self.tips += 1;
        let word = escape(word);
        out.push_str("<span class=\"term\">");
        match self.shown {
            true => out.push_str(&format!(
                "<a href=\"#{}\" aria-describedby=\"{tip}\">{word}</a>",
                escape(&entry.anchor())
            )),
            // `pages` makes it a link to the glossary of the book.
            false => out.push_str(&format!(
                "<dfn data-term=\"{}\" tabindex=\"0\" aria-describedby=\"{tip}\">{word}</dfn>",
                escape(&entry.anchor())
            )),
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
            let mut terms = Terms::new(&entries, true);
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
