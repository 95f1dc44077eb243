//! Words with the same stem: who asks for `orders` also means `order`. `postings` keeps them with the
//! words; `files` and `find` ask.

use pagefind_stem::{Algorithm, Stemmer};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Other forms of one word.
const FORMS_MAX: usize = 24;

/// How words of a language are brought to their stems.
pub(super) struct Forms(Option<Stemmer>);

impl Forms {
    /// A language that is not known has no forms.
    pub(super) fn new(language: &str) -> Self {
        Self(algorithm(language).map(Stemmer::create))
    }

    fn stem(&self, word: &str) -> Option<Box<str>> {
        // Words of letters alone have other forms.
        let plain = word.chars().nth(2).is_some() && word.chars().all(char::is_alphabetic);
        let stemmer = self.0.as_ref().filter(|_| plain)?;
        Some(stemmer.stem(word).into())
    }
}

/// The book's words by their stems, each list in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stems(FxHashMap<Box<str>, Vec<Box<str>>>);

impl Stems {
    /// Of all `words`, which are in order.
    pub(super) fn of<'a>(language: &str, words: impl Iterator<Item = &'a Box<str>>) -> Self {
        let words: Vec<&Box<str>> = words.collect();
        let stems: Vec<Option<Box<str>>> = words
            .par_chunks(512)
            .flat_map_iter(|some| {
                let forms = Forms::new(language);
                some.iter().map(|word| forms.stem(word)).collect::<Vec<_>>()
            })
            .collect();
        let mut by_stem: FxHashMap<Box<str>, Vec<Box<str>>> = FxHashMap::default();
        for (word, stem) in words.into_iter().zip(stems) {
            if let Some(stem) = stem {
                by_stem.entry(stem).or_default().push(word.clone());
            }
        }
        Self(by_stem)
    }

    /// Takes in a word that is new.
    pub(super) fn add(&mut self, forms: &Forms, word: &str) {
        let Some(stem) = forms.stem(word) else { return };
        let group = self.0.entry(stem).or_default();
        if let Err(at) = group.binary_search_by(|known| (**known).cmp(word)) {
            group.insert(at, word.into());
        }
    }

    /// Forgets a word.
    pub(super) fn remove(&mut self, forms: &Forms, word: &str) {
        let Some(stem) = forms.stem(word) else { return };
        let Some(group) = self.0.get_mut(&stem) else { return };
        group.retain(|known| **known != *word);
        if group.is_empty() {
            self.0.remove(&stem);
        }
    }

    /// The other words with the stem of `word`.
    pub(super) fn others<'a>(
        &'a self,
        forms: &Forms,
        word: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let group = forms.stem(word).and_then(|stem| self.0.get(&stem));
        let others = group.into_iter().flatten().map(|form| &**form);
        others.filter(move |form| *form != word).take(FORMS_MAX)
    }
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
