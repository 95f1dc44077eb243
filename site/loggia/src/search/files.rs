//! The index as scripts, each a call `loggiaSearch(NAME, VALUE)`:
//!
//! - `index.js`: `[sections, first words of the parts, their names, first numbers of the text parts,
//!   their names, name of the list of words]`
//! - `w*.js`, words from one first word to the next: `[word, forms, places, word, ...]`. Forms are the
//!   other words of the book with the same stem. Places are numbers to the base 32 as in source maps,
//!   low digits first: the distance to the document before, then the distance to the section before
//!   times 64 plus the weight.
//! - `t*.js`, documents from one first number to the next: `[kind, url, title, [anchor, heading, text,
//!   ...]]`, or 0 where one was removed
//! - `words*.js`: all words, the most frequent first, for corrections
//!
//! Every name but the first carries what tells two states of the index apart: the hash of the content
//! where all files are written, a number where `serve` encodes a file when somebody asks for it.
//! `search.js` reads them.

use super::forms::Forms;
use super::postings::{Entry, Index, Posting};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::ops::{Bound, Range};

/// Bytes of places and words in one part, about.
const WORDS_BYTES: usize = 24 * 1024;
/// Bytes of text in one part, about.
const TEXT_BYTES: usize = 48 * 1024;
/// Words that are offered for corrections; the rarest are left out.
const WORDS_MAX: usize = 50_000;
/// Digits of places: 32 values, and the same with more to come.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Where the files of one state of an index begin. Quick to make: nothing is encoded for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// First word of each part.
    words: Vec<Box<str>>,
    /// First number of each text part.
    texts: Vec<usize>,
}

/// A file of the index besides `index.js`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `w0`, `w1`, ...
    Words(usize),
    /// `t0`, `t1`, ...
    Texts(usize),
    /// `words`
    List,
}

impl Part {
    fn stem(self) -> String {
        match self {
            Self::Words(number) => format!("w{number}"),
            Self::Texts(number) => format!("t{number}"),
            Self::List => "words".to_owned(),
        }
    }

    fn of_stem(stem: &str) -> Option<Self> {
        if stem == "words" {
            return Some(Self::List);
        }
        let number = stem.get(1..)?.parse().ok()?;
        match stem.as_bytes()[0] {
            b'w' => Some(Self::Words(number)),
            b't' => Some(Self::Texts(number)),
            _ => None,
        }
    }
}

impl Index {
    /// How this state of the index is cut into files.
    pub fn parts(&self) -> Parts {
        let mut parts = Parts::default();
        let mut filled = WORDS_BYTES;
        for (word, list) in &self.words {
            if filled >= WORDS_BYTES {
                parts.words.push(word.clone());
                filled = 0;
            }
            filled += word.len() + 8 + list.len() * 3;
        }
        let mut filled = TEXT_BYTES;
        for (number, slot) in self.slots.iter().enumerate() {
            if filled >= TEXT_BYTES {
                parts.texts.push(number);
                filled = 0;
            }
            let sections = slot.iter().flat_map(|entry| &entry.doc.sections);
            filled += 8 + sections.map(|section| section.text.len() + 24).sum::<usize>();
        }
        parts
    }

    /// The file `name`, where each name ends in `.STAMP.js`. `None` when no file has this name.
    pub fn file(&self, parts: &Parts, stamp: &str, name: &str) -> Option<Vec<u8>> {
        let name = name.strip_suffix(".js")?;
        if name == "index" {
            let named = |part: Part| format!("{}.{stamp}", part.stem());
            return Some(call(name, &self.entry(parts, named)));
        }
        let part = Part::of_stem(name.strip_suffix(stamp)?.strip_suffix('.')?)?;
        Some(call(name, &self.encode(parts, part)?))
    }

    /// Encodes all files, each named by its content, and hands them to `write` as they are ready, on
    /// all cores.
    ///
    /// # Errors
    ///
    /// The first one of `write`.
    pub fn write_all<E: Send>(
        &self,
        write: impl Fn(&str, &[u8]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let parts = self.parts();
        let words = (0..parts.words.len()).map(Part::Words);
        let all: Vec<Part> =
            words.chain((0..parts.texts.len()).map(Part::Texts)).chain([Part::List]).collect();
        let written = all.par_iter().map(|part| {
            let value = self.encode(&parts, *part).unwrap_or_default();
            let hash = Sha256::digest(&value);
            let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let name = format!("{}.{hash}", part.stem());
            write(&format!("{name}.js"), &call(&name, &value)).map(|()| name)
        });
        let names = written.collect::<Result<Vec<String>, E>>()?;
        let mut names = names.into_iter();
        let entry = self.entry(&parts, |_| names.next().unwrap_or_default());
        write("index.js", &call("index", &entry))
    }

    /// `index.js`; `named` is asked for each part in order.
    fn entry(&self, parts: &Parts, mut named: impl FnMut(Part) -> String) -> Vec<u8> {
        let words: Vec<String> = (0..parts.words.len()).map(Part::Words).map(&mut named).collect();
        let texts: Vec<String> = (0..parts.texts.len()).map(Part::Texts).map(&mut named).collect();
        let list = named(Part::List);
        let value =
            serde_json::json!([self.sections(), parts.words, words, parts.texts, texts, list]);
        value.to_string().into_bytes()
    }

    fn encode(&self, parts: &Parts, part: Part) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(TEXT_BYTES);
        match part {
            Part::Words(number) => {
                let first = parts.words.get(number)?;
                let end = parts.words.get(number + 1).map(|word| &**word);
                self.words_part(first, end, &mut out);
            }
            Part::Texts(number) => {
                let first = *parts.texts.get(number)?;
                let end = parts.texts.get(number + 1).copied().unwrap_or(self.slots.len());
                self.texts_part(first..end, &mut out);
            }
            Part::List => string(&mut out, &self.frequent().join(" ")),
        }
        Some(out)
    }

    fn words_part(&self, first: &str, end: Option<&str>, out: &mut Vec<u8>) {
        let forms = Forms::new(&self.language);
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        let mut mark = b'[';
        for (word, list) in self.words.range::<str, _>((Bound::Included(first), end)) {
            out.push(mark);
            mark = b',';
            string(out, word);
            out.push(b',');
            let others: Vec<&str> = self.stems.others(&forms, word).collect();
            string(out, &others.join(" "));
            out.extend(b",\"");
            self.places(list, out);
            out.push(b'"');
        }
        close(out, mark);
    }

    fn places(&self, list: &[Posting], out: &mut Vec<u8>) {
        let (mut slot, mut section) = (0, 0);
        for posting in list {
            if posting.slot != slot {
                section = 0;
            }
            digits(out, posting.slot - slot);
            digits(out, u32::from(posting.section - section) * 64 + self.weight(posting));
            (slot, section) = (posting.slot, posting.section);
        }
    }

    fn texts_part(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let mut mark = b'[';
        for slot in self.slots.get(range).unwrap_or_default() {
            out.push(mark);
            mark = b',';
            match slot {
                Some(entry) => text(entry, out),
                None => out.push(b'0'),
            }
        }
        close(out, mark);
    }

    /// Words of at least three characters, the most frequent first.
    pub(super) fn frequent(&self) -> Vec<&str> {
        let long = |word: &str| {
            word.chars().nth(2).is_some() && !word.contains(|c: char| c.is_ascii_digit())
        };
        let words = self.words.iter().filter(|(word, _)| long(word));
        let mut words: Vec<(usize, &str)> =
            words.map(|(word, list)| (list.len(), &**word)).collect();
        words.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        words.truncate(WORDS_MAX);
        words.into_iter().map(|(_, word)| word).collect()
    }
}

fn text(entry: &Entry, out: &mut Vec<u8>) {
    let doc = &entry.doc;
    out.extend([b'[', b'0' + doc.kind.number(), b',']);
    string(out, &doc.url);
    out.push(b',');
    string(out, &doc.title);
    out.push(b',');
    let mut mark = b'[';
    for section in &doc.sections {
        for field in [&section.anchor, &section.title, &section.text] {
            out.push(mark);
            mark = b',';
            string(out, field);
        }
    }
    close(out, mark);
    out.push(b']');
}

/// Ends a list; `mark` is what the next element would begin with.
fn close(out: &mut Vec<u8>, mark: u8) {
    if mark == b'[' {
        out.push(b'[');
    }
    out.push(b']');
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text is written to memory");
}

fn digits(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let more = usize::from(value >= 32) * 32;
        out.push(DIGITS[value as usize % 32 + more]);
        value /= 32;
        if more == 0 {
            return;
        }
    }
}

fn call(name: &str, value: &[u8]) -> Vec<u8> {
    let mut script = format!("loggiaSearch(\"{name}\",").into_bytes();
    script.extend_from_slice(value);
    script.extend_from_slice(b")\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_parts() {
        for part in [Part::Words(0), Part::Words(17), Part::Texts(3), Part::List] {
            assert_eq!(Part::of_stem(&part.stem()), Some(part));
        }
        for stem in ["", "w", "x1", "w-1", "t1x", "\u{e9}1"] {
            assert_eq!(Part::of_stem(stem), None, "{stem}");
        }
        let index = Index::default();
        let parts = index.parts();
        assert!(index.file(&parts, "s", "index.js").is_some());
        for name in ["w0.s.js", "t0.s.js", "words.old.js", "words.s", "index", ""] {
            assert_eq!(index.file(&parts, "s", name), None, "{name}");
        }
    }
}
