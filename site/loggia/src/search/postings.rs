//! Which word stands where. Built in parallel from a book, and mended in place afterwards: a changed
//! page replaces its own places only. `files` and `find` read it.

use super::forms::{Forms, Stems};
use super::services::{self, Service};
use super::text::{self, Doc, Kind};
use super::words::each_word;
use document::{Book, Page};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// BM25: how fast more of the same word stops to count.
const K1: f32 = 1.2;
/// BM25: how much a long section counts less.
const B: f32 = 0.6;
/// Words of a usual section. Fixed, so that what one page weighs depends on no other page.
const USUAL_WORDS: f32 = 120.0;
/// What a word in the section's heading, and in the document's title, adds to its weight: text alone
/// stays below `K1 + 1`, a heading with text below a title.
const HEADING: f32 = 2.2;
const TITLE: f32 = 4.4;
/// Steps of a weight of 1; weights go up to [`WEIGHT_MAX`] steps.
const STEPS: f32 = 9.0;
/// Largest weight in steps: what two digits to the base 32 hold beside the section's number.
pub(super) const WEIGHT_MAX: u32 = 63;

/// A word in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posting {
    pub(super) slot: u32,
    pub(super) section: u16,
    times: u8,
    fields: u8,
}

const IN_HEADING: u8 = 1;
const IN_TITLE: u8 = 2;

/// A document with the number of words in each of its sections.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) doc: Doc,
    lengths: Vec<u32>,
}

/// The index of a book.
#[derive(Debug, Default)]
pub struct Index {
    pub(super) language: String,
    /// Documents by their number; a number stays with its document.
    pub(super) slots: Vec<Option<Entry>>,
    pub(super) words: BTreeMap<Box<str>, Vec<Posting>>,
    pub(super) stems: Stems,
    /// Pages by id, as they were read, with their numbers.
    pages: HashMap<String, (Arc<Page>, Vec<u32>)>,
    services: Vec<u32>,
}

/// Words of one part of the book; what is hashed comes from the book's own authors.
type Words = FxHashMap<Box<str>, Vec<Posting>>;

impl Index {
    /// The index of a book and of services, made on all cores.
    pub fn of(book: &Book, services: &[Service]) -> Self {
        let mut read: Vec<Vec<Doc>> = book.pages.par_iter().map(|page| text::docs(page)).collect();
        read.push(services::docs(services, &book.config));
        let mut index = Self { language: book.config.language.clone(), ..Self::default() };
        let mut next = 0;
        let mut numbers = read.iter().map(|docs| {
            let first = next;
            next += docs.len() as u32;
            (first..next).collect::<Vec<u32>>()
        });
        for page in &book.pages {
            let slots = numbers.next().unwrap_or_default();
            index.pages.insert(page.id.clone(), (Arc::clone(page), slots));
        }
        index.services = numbers.next().unwrap_or_default();
        drop(numbers);
        let docs: Vec<Doc> = read.into_iter().flatten().collect();
        // Each part is a run of neighbours, so that lists stay in the order of the numbers.
        let part = docs.len().div_ceil(rayon::current_num_threads()).max(1);
        let (words, lengths) = docs
            .par_chunks(part)
            .enumerate()
            .map(|(number, docs)| {
                let mut words = Words::default();
                let first = number * part;
                let lengths = docs.iter().enumerate();
                let lengths = lengths.map(|(at, doc)| count(doc, (first + at) as u32, &mut words));
                let lengths: Vec<_> = lengths.collect();
                (words, lengths)
            })
            .reduce(Default::default, |(mut words, mut lengths), (right, more)| {
                merge(&mut words, right);
                lengths.extend(more);
                (words, lengths)
            });
        let entry = |(doc, lengths)| Some(Entry { doc, lengths });
        index.slots = docs.into_iter().zip(lengths).map(entry).collect();
        index.words = words.into_iter().collect();
        index.stems = Stems::of(&index.language, index.words.keys());
        index
    }

    /// Brings the index to `book` and `services`: what did not change is not read again. Says whether
    /// anything changed.
    pub fn update(&mut self, book: &Book, services: &[Service]) -> bool {
        let there: HashSet<&str> = book.pages.iter().map(|page| page.id.as_str()).collect();
        let gone: Vec<String> =
            self.pages.keys().filter(|id| !there.contains(id.as_str())).cloned().collect();
        let mut changed = !gone.is_empty();
        if self.language != book.config.language {
            self.language.clone_from(&book.config.language);
            self.stems = Stems::of(&self.language, self.words.keys());
            changed = true;
        }
        for id in gone {
            let (_, slots) = self.pages.remove(&id).expect("the id is one of its keys");
            slots.into_iter().for_each(|slot| self.remove(slot));
        }
        for page in &book.pages {
            let slots = match self.pages.get(&page.id) {
                Some((known, _)) if Arc::ptr_eq(known, page) => continue,
                Some((_, slots)) => slots.clone(),
                None => Vec::new(),
            };
            let slots = self.replace(&slots, text::docs(page));
            self.pages.insert(page.id.clone(), (Arc::clone(page), slots));
            changed = true;
        }
        let docs = services::docs(services, &book.config);
        let old = self.services.iter().filter_map(|slot| self.doc(*slot));
        if !old.eq(docs.iter()) {
            self.services = self.replace(&self.services.clone(), docs);
            changed = true;
        }
        changed
    }

    /// The document with this number.
    pub(super) fn doc(&self, slot: u32) -> Option<&Doc> {
        self.slots.get(slot as usize)?.as_ref().map(|entry| &entry.doc)
    }

    /// Sections of all documents.
    pub(super) fn sections(&self) -> usize {
        self.slots.iter().flatten().map(|entry| entry.doc.sections.len()).sum()
    }

    /// Weight of a word in a section in steps, 1 to [`WEIGHT_MAX`]: BM25 without the word's rarity,
    /// which the reader's side puts in (Robertson and Zaragoza, "The Probabilistic Relevance
    /// Framework", 2009), and what headings and titles add.
    pub(super) fn weight(&self, posting: &Posting) -> u32 {
        let entry = self.slots.get(posting.slot as usize).and_then(Option::as_ref);
        let length = entry.and_then(|entry| entry.lengths.get(usize::from(posting.section)));
        let length = length.map_or(0.0, |length| *length as f32);
        let times = f32::from(posting.times);
        let mut weight = times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / USUAL_WORDS));
        if posting.fields & IN_HEADING != 0 {
            weight += HEADING;
        }
        if posting.fields & IN_TITLE != 0 {
            weight += TITLE;
        }
        ((weight * STEPS).round() as u32).clamp(1, WEIGHT_MAX)
    }

    /// Puts documents in the place of others; the numbers are used again as far as they go.
    fn replace(&mut self, old: &[u32], docs: Vec<Doc>) -> Vec<u32> {
        old.iter().for_each(|slot| self.remove(*slot));
        let forms = Forms::new(&self.language);
        let mut free = old.iter().copied();
        let mut taken = Vec::with_capacity(docs.len());
        for doc in docs {
            let slot = free.next().unwrap_or(self.slots.len() as u32);
            let mut words = Words::default();
            let lengths = count(&doc, slot, &mut words);
            for (word, postings) in words {
                let list = self.words.entry(word).or_insert_with_key(|word| {
                    self.stems.add(&forms, word);
                    Vec::new()
                });
                let at = list.partition_point(|posting| posting.slot < slot);
                list.splice(at..at, postings);
            }
            let entry = Some(Entry { doc, lengths });
            match self.slots.get_mut(slot as usize) {
                Some(place) => *place = entry,
                None => self.slots.push(entry),
            }
            taken.push(slot);
        }
        taken
    }

    fn remove(&mut self, slot: u32) {
        let Some(entry) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        let mut words = Words::default();
        count(&entry.doc, slot, &mut words);
        let forms = Forms::new(&self.language);
        for word in words.keys() {
            let Some(list) = self.words.get_mut(word) else { continue };
            list.retain(|posting| posting.slot != slot);
            if list.is_empty() {
                self.words.remove(word);
                self.stems.remove(&forms, word);
            }
        }
    }
}

/// Adds a document's words, and gives the number of words of each section.
fn count(doc: &Doc, slot: u32, words: &mut Words) -> Vec<u32> {
    let mut lengths = Vec::with_capacity(doc.sections.len());
    for (section, part) in doc.sections.iter().enumerate().take(usize::from(u16::MAX)) {
        let section = section as u16;
        let mut length = 0_u32;
        let mut add = |word: &str, field: u8| {
            length += 1;
            let posting = Posting { slot, section, times: 1, fields: field };
            let Some(list) = words.get_mut(word) else {
                words.insert(word.into(), vec![posting]);
                return;
            };
            match list.last_mut() {
                Some(last) if last.slot == slot && last.section == section => {
                    last.times = last.times.saturating_add(1);
                    last.fields |= field;
                }
                _ => list.push(posting),
            }
        };
        if section == 0 {
            each_word(&doc.title, |word| add(word, IN_TITLE));
        }
        each_word(&part.title, |word| add(word, IN_HEADING));
        each_word(&part.text, |word| add(word, 0));
        lengths.push(length);
    }
    lengths
}

fn merge(left: &mut Words, right: Words) {
    if left.is_empty() {
        *left = right;
        return;
    }
    for (word, postings) in right {
        left.entry(word).or_default().extend(postings);
    }
}

impl Kind {
    /// As it stands in the files.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Page => 0,
            Self::Term => 1,
            Self::Service => 2,
        }
    }
}
