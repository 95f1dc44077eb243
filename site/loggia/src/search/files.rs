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
//! Every name but the first carries the hash of its content. `search.js` reads them.

use super::postings::{Index, Posting};
use pagefind_stem::{Algorithm, Stemmer};
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Bytes of places and words in one part, about.
const WORDS_BYTES: usize = 24 * 1024;
/// Bytes of text in one part, about.
const TEXT_BYTES: usize = 48 * 1024;
/// Words that are offered for corrections; the rarest are left out.
const WORDS_MAX: usize = 50_000;
/// Other forms of one word.
const FORMS_MAX: usize = 24;
/// Digits of places: 32 values, and the same with more to come.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Index {
    /// All files by their name below the index's folder.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let forms = self.forms();
        let all: Vec<(&str, &[Posting])> =
            self.words.iter().map(|(word, list)| (&**word, list.as_slice())).collect();
        let mut files = BTreeMap::new();
        let parts = cut(&all, WORDS_BYTES, |(word, list)| word.len() + 8 + list.len() * 3);
        let scripts: Vec<_> = parts.par_iter().map(|part| self.word_part(part, &forms)).collect();
        let word_names = write(&mut files, "w", scripts);
        let texts = cut(&self.slots, TEXT_BYTES, |slot| {
            let sections = slot.iter().flat_map(|entry| &entry.doc.sections);
            8 + sections.map(|section| section.text.len() + 24).sum::<usize>()
        });
        let scripts: Vec<Value> = texts.par_iter().map(|part| text_part(part)).collect();
        let text_names = write(&mut files, "t", scripts);
        let list_name = write(&mut files, "words", vec![json!(frequent(&all))]);
        let mut first = 0;
        let firsts: Vec<usize> = texts
            .iter()
            .map(|part| {
                first += part.len();
                first - part.len()
            })
            .collect();
        let word_firsts: Vec<&str> =
            parts.iter().filter_map(|part| part.first()).map(|(word, _)| *word).collect();
        let entry =
            json!([self.sections(), word_firsts, word_names, firsts, text_names, list_name[0]]);
        files.insert("index.js".to_owned(), call("index", &entry.to_string()));
        files
    }

    /// Words with the other words of the same stem.
    pub(super) fn forms(&self) -> HashMap<&str, Vec<&str>> {
        let Some(algorithm) = algorithm(&self.language) else { return HashMap::new() };
        let words: Vec<&str> = self.words.keys().map(|word| &**word).collect();
        let stemmer = Stemmer::create(algorithm);
        let stemmed = words.par_iter().filter(|word| is_plain(word));
        let stemmed: Vec<(String, &str)> =
            stemmed.map(|word| (stemmer.stem(word).into_owned(), *word)).collect();
        let mut by_stem: HashMap<&str, Vec<&str>> = HashMap::new();
        for (stem, word) in &stemmed {
            by_stem.entry(stem).or_default().push(word);
        }
        let mut forms = HashMap::new();
        for group in by_stem.into_values().filter(|group| group.len() > 1) {
            for word in &group {
                let others = group.iter().filter(|other| *other != word);
                forms.insert(*word, others.take(FORMS_MAX).copied().collect());
            }
        }
        forms
    }

    fn word_part(&self, part: &[(&str, &[Posting])], forms: &HashMap<&str, Vec<&str>>) -> Value {
        let words = part.iter().flat_map(|(word, list)| {
            let forms = forms.get(word).map(|forms| forms.join(" ")).unwrap_or_default();
            [json!(word), json!(forms), json!(self.places(list))]
        });
        Value::Array(words.collect())
    }

    fn places(&self, list: &[Posting]) -> String {
        let mut out = Vec::with_capacity(list.len() * 3);
        let (mut slot, mut section) = (0, 0);
        for posting in list {
            if posting.slot != slot {
                section = 0;
            }
            digits(&mut out, posting.slot - slot);
            digits(&mut out, u32::from(posting.section - section) * 64 + self.weight(posting));
            (slot, section) = (posting.slot, posting.section);
        }
        String::from_utf8(out).expect("digits are ASCII")
    }
}

/// Words of letters alone have other forms.
fn is_plain(word: &str) -> bool {
    word.chars().count() > 2 && word.chars().all(char::is_alphabetic)
}

fn algorithm(language: &str) -> Option<Algorithm> {
    let language = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    Some(match language.as_str() {
        "" | "en" => Algorithm::English,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" | "nb" | "nn" => Algorithm::Norwegian,
        "pl" => Algorithm::Polish,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

fn text_part(part: &[Option<super::postings::Entry>]) -> Value {
    let docs = part.iter().map(|slot| {
        let Some(entry) = slot else { return json!(0) };
        let doc = &entry.doc;
        let sections: Vec<&str> = doc
            .sections
            .iter()
            .flat_map(|section| [&*section.anchor, &*section.title, &*section.text])
            .collect();
        json!([doc.kind.number(), doc.url, doc.title, sections])
    });
    Value::Array(docs.collect())
}

/// Words of at least three characters, the most frequent first, between spaces.
fn frequent(all: &[(&str, &[Posting])]) -> String {
    let long = |word: &str| word.chars().count() > 2 && word.chars().all(|c| !c.is_ascii_digit());
    let mut words: Vec<(usize, &str)> =
        all.iter().filter(|(word, _)| long(word)).map(|(word, list)| (list.len(), *word)).collect();
    words.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    words.truncate(WORDS_MAX);
    words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// Neighbours in parts of about `bytes`.
fn cut<T>(all: &[T], bytes: usize, size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut parts, mut from, mut filled) = (Vec::new(), 0, 0);
    for (at, one) in all.iter().enumerate() {
        filled += size(one);
        if filled >= bytes {
            parts.push(&all[from..=at]);
            (from, filled) = (at + 1, 0);
        }
    }
    if from < all.len() {
        parts.push(&all[from..]);
    }
    parts
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

/// Writes the parts and gives their names, without `.js`.
fn write(files: &mut BTreeMap<String, Vec<u8>>, stem: &str, parts: Vec<Value>) -> Vec<String> {
    let written: Vec<(String, Vec<u8>)> = parts
        .into_par_iter()
        .enumerate()
        .map(|(number, part)| {
            let json = part.to_string();
            let hash = Sha256::digest(&json);
            let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let name = format!("{stem}{number}.{hash}");
            let bytes = call(&name, &json);
            (name, bytes)
        })
        .collect();
    let names = written.iter().map(|(name, _)| name.clone()).collect();
    files.extend(written.into_iter().map(|(name, bytes)| (format!("{name}.js"), bytes)));
    names
}

fn call(name: &str, json: &str) -> Vec<u8> {
    format!("loggiaSearch(\"{name}\",{json})\n").into_bytes()
}
