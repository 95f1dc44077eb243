//! Search for readers without script: the same rules as in `search.js`. `serve` asks.

use super::correct::corrected;
use super::forms::Forms;
use super::postings::Index;
use super::text::{Doc, Kind};
use super::words::{fold, of_query, runs};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Words that a beginning stands for.
const PREFIX_WORDS_MAX: usize = 200;
/// What a word counts that is another form of the one asked for; the word itself counts 1.
const FORM_QUALITY: f64 = 0.75;
/// What a word counts that begins with the one asked for, at least; twice that when hardly anything follows.
const PREFIX_QUALITY: f64 = 0.4;
/// What a section counts more that has all words of the query.
const WHOLE: f64 = 1.5;
/// What other sections add to the best one of a page: this share of theirs, up to that share of the best.
const REST: f64 = 0.1;
const REST_MAX: f64 = 0.25;
/// Sections shown below a page.
const HITS_MAX: usize = 4;
/// Words of a query that are looked at.
const QUERY_WORDS_MAX: usize = 12;
/// Characters of an excerpt, about.
const EXCERPT_CHARS: usize = 170;

/// What a query found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Best first.
    pub groups: Vec<Group>,
    /// Documents that were found, those that are not listed too.
    pub total: usize,
    /// What was searched for instead, since the book has no word of the query.
    pub corrected: Option<String>,
    /// Words of the query that the book does not have.
    pub unknown: Vec<String>,
}

/// A document with the sections that were found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is.
    pub kind: Kind,
    /// Address below the site's root.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Best first; the top of the page has no heading.
    pub hits: Vec<Hit>,
}

/// A section that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Behind `#`, or empty.
    pub anchor: String,
    /// The heading, or empty.
    pub title: String,
    /// Text in turn: not found, found, not found, ...
    pub excerpt: Vec<String>,
}

/// Score and words found (bit by bit) of one section.
type Scores = HashMap<(u32, u16), (f64, u32)>;

impl Index {
    /// The best `limit` documents for what a reader typed; where the book has not all of its words,
    /// for the nearest that it has.
    pub fn find(&self, query: &str, limit: usize) -> Found {
        let found = self.find_as_typed(query, limit);
        if found.unknown.is_empty() {
            return found;
        }
        let Some(better) = corrected(query, &found.unknown, &self.frequent()) else {
            return found;
        };
        Found { corrected: Some(better.clone()), ..self.find_as_typed(&better, limit) }
    }

    fn find_as_typed(&self, query: &str, limit: usize) -> Found {
        let mut terms = of_query(query);
        terms.truncate(QUERY_WORDS_MAX);
        let open = query.chars().next_back().is_some_and(|c| !c.is_whitespace());
        let forms = Forms::new(&self.language);
        let (mut scores, mut marked) = (Scores::new(), HashSet::new());
        let mut unknown = Vec::new();
        for (at, term) in terms.iter().enumerate() {
            let begins = open && at + 1 == terms.len();
            let matches = self.matches(term, begins, &forms);
            if matches.is_empty() {
                unknown.push(term.clone());
            }
            self.add(&matches, 1 << at, &mut scores);
            marked.extend(matches.into_iter().map(|(word, _)| word));
        }
        let ranked = rank(&scores, terms.len());
        let total = ranked.len();
        let groups = ranked.into_iter().take(limit);
        let groups = groups.filter_map(|(slot, hits)| Some(group(self.doc(slot)?, &hits, &marked)));
        Found { groups: groups.collect(), total, corrected: None, unknown }
    }

    /// The book's words that a term stands for, with how well.
    fn matches(&self, term: &str, begins: bool, forms: &Forms) -> Vec<(&str, f64)> {
        let mut found = Vec::new();
        if let Some((word, _)) = self.words.get_key_value(term) {
            found.push((&**word, 1.0));
            found.extend(self.stems.others(forms, word).map(|form| (form, FORM_QUALITY)));
        }
        if begins {
            let range = (std::ops::Bound::Excluded(term), std::ops::Bound::Unbounded);
            let from = self.words.range::<str, _>(range).map(|(word, _)| &**word);
            for word in from.take_while(|word| word.starts_with(term)).take(PREFIX_WORDS_MAX) {
                if !found.iter().any(|(known, _)| *known == word) {
                    let share = term.chars().count() as f64 / word.chars().count() as f64;
                    found.push((word, PREFIX_QUALITY * (1.0 + share)));
                }
            }
        }
        found
    }

    fn add(&self, matches: &[(&str, f64)], bit: u32, scores: &mut Scores) {
        let mut best: HashMap<(u32, u16), f64> = HashMap::new();
        for (word, quality) in matches {
            for posting in self.words.get(*word).into_iter().flatten() {
                let score = self.weight(posting) as f64 * quality;
                let place = best.entry((posting.slot, posting.section)).or_default();
                *place = place.max(score);
            }
        }
        let (all, with) = (self.sections() as f64, best.len() as f64);
        let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
        for (place, score) in best {
            let (sum, bits) = scores.entry(place).or_default();
            *sum += score * rarity;
            *bits |= bit;
        }
    }
}

/// Documents with their sections, best first: those that hold all words, else those that hold most.
fn rank(scores: &Scores, terms: usize) -> Vec<(u32, Vec<u16>)> {
    let full = (1_u32 << terms) - 1;
    let mut docs: BTreeMap<u32, (u32, Vec<(f64, u16)>)> = BTreeMap::new();
    for ((slot, section), (score, bits)) in scores {
        let whole = if *bits == full { WHOLE } else { 1.0 };
        let doc = docs.entry(*slot).or_default();
        doc.0 |= bits;
        doc.1.push((score * whole, *section));
    }
    let most = docs.values().map(|(bits, _)| bits.count_ones()).max().unwrap_or(0);
    docs.retain(|_, (bits, _)| bits.count_ones() == most);
    let mut ranked: Vec<(f64, u32, Vec<u16>)> = docs
        .into_iter()
        .map(|(slot, (_, mut hits))| {
            hits.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let rest: f64 = hits.iter().skip(1).map(|(score, _)| score).sum();
            let best = hits[0].0;
            let score = best + (rest * REST).min(best * REST_MAX);
            (score, slot, hits.into_iter().map(|(_, section)| section).collect())
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.into_iter().map(|(_, slot, hits)| (slot, hits)).collect()
}

fn group(doc: &Doc, hits: &[u16], marked: &HashSet<&str>) -> Group {
    let sections = hits.iter().filter_map(|section| doc.sections.get(usize::from(*section)));
    let hits = sections.take(HITS_MAX).map(|section| Hit {
        anchor: section.anchor.clone(),
        title: section.title.clone(),
        excerpt: excerpt(&section.text, marked),
    });
    Group { kind: doc.kind, url: doc.url.clone(), title: doc.title.clone(), hits: hits.collect() }
}

/// The text around the first word that was found, cut at words.
fn excerpt(text: &str, marked: &HashSet<&str>) -> Vec<String> {
    let is_found = |run: &str| marked.contains(fold(run).as_str());
    let first = runs(text).find(|(_, run)| is_found(run)).map_or(0, |(at, _)| at);
    let lead = text[..first].char_indices().rev().nth(EXCERPT_CHARS / 3).map_or(0, |(at, _)| at);
    let from = if lead == 0 { 0 } else { text[lead..].find(' ').map_or(lead, |at| lead + at + 1) };
    let end =
        text[from..].char_indices().nth(EXCERPT_CHARS).map_or(text.len(), |(at, _)| from + at);
    let to = if end == text.len() {
        end
    } else {
        text[from..end].rfind(' ').map_or(end, |at| from + at)
    };
    let shown = &text[from..to.max(from)];
    let (mut parts, mut at) = (Vec::new(), 0);
    for (start, run) in runs(shown).filter(|(_, run)| is_found(run)) {
        parts.push(shown[at..start].to_owned());
        parts.push(run.to_owned());
        at = start + run.len();
    }
    parts.push(shown[at..].to_owned());
    if from > 0 {
        parts[0].insert_str(0, "… ");
    }
    if let Some(last) = parts.last_mut().filter(|_| to < text.len()) {
        last.push_str(" …");
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::services::Service;
    use super::*;
    use diagnostics::SourceFile;
    use document::{Book, Config, ServiceId};

    fn book(files: &[(&str, &str)], previous: Option<&Book>) -> Book {
        let files = files.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
        Book::assemble(Config::without_file(), files, previous)
    }

    fn found(index: &Index, query: &str) -> Vec<String> {
        let found = index.find(query, 10);
        let line = |group: &Group| {
            let hits: Vec<&str> = group.hits.iter().map(|hit| hit.anchor.as_str()).collect();
            format!("{} {}", group.url, hits.join(","))
        };
        found.groups.iter().map(line).collect()
    }

    const PAGES: &[(&str, &str)] = &[
        ("a.md", "# Gateway\n\nRoutes requests.\n\n## Limits\n\nOrders are limited.\n"),
        ("b.md", "# Orders\n\nAn order is placed through the gateway.\n\n## Events\n\nordering\n"),
        (
            "c.md",
            "# 数据库\n\n我们使用数据库。\n\n```glossary\n- term: CQRS\n  definition: split\n```\n",
        ),
    ];

    #[test]
    fn queries_find() {
        let services = [Service { id: ServiceId("payments".into()), url: "p.html".into() }];
        let index = Index::of(&book(PAGES, None), &services);
        for (query, expected) in [
            ("gateway", &["a.html ", "b.html "][..]),
            ("orders", &["b.html ,events", "a.html limits"]),
            ("limi", &["a.html limits"]),
            ("limi ", &[]),
            ("gateway limits", &["a.html ,limits"]),
            ("数据", &["c.html "]),
            ("cqrs", &["c.html#glossary-cqrs "]),
            ("pay", &["p.html "]),
            ("", &[]),
            ("zzz", &[]),
            ("gatewya", &["a.html ", "b.html "]),
            ("gateway zzzzzz", &["a.html ", "b.html "]),
        ] {
            assert_eq!(found(&index, query), expected, "{query}");
        }
        assert_eq!(index.find("gatewya", 1).corrected.as_deref(), Some("gateway"));
        let hit = &index.find("placed", 1).groups[0].hits[0];
        assert_eq!(hit.excerpt, ["An order is ", "placed", " through the gateway."]);
    }

    #[test]
    fn titles_stand_before_headings_before_text() {
        let many = "Cache cache cache caches. ".repeat(9);
        let files = [
            ("text.md", format!("# First\n\n{many}\n")),
            ("heading.md", "# Second\n\n## Cache\n\nOther words.\n".to_owned()),
            ("title.md", format!("# Cache\n\n{}\n", "Other words. ".repeat(200))),
            ("form.md", "# Caches\n\nOther words.\n".to_owned()),
            ("beginning.md", "# Cacheable\n\nOther words.\n".to_owned()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
        let index = Index::of(&book(&files, None), &[]);
        assert_eq!(
            found(&index, "cache"),
            ["title.html ", "form.html ", "heading.html cache", "beginning.html ", "text.html "]
        );
    }

    #[test]
    fn an_update_is_as_good_as_a_new_index() {
        let first = book(PAGES, None);
        let mut index = Index::of(&first, &[]);
        let files = [
            PAGES[0],
            ("b.md", "# Orders\n\nNothing new.\n\n## More\n\nfresh\n"),
            ("d.md", "# D\n"),
        ];
        let next = book(&files, Some(&first));
        assert!(index.update(&next, &[]));
        assert!(!index.update(&next, &[]), "nothing changed since");
        let fresh = Index::of(&next, &[]);
        for query in ["fresh", "placed", "gateway", "orders", "cqrs", "数据库"] {
            assert_eq!(found(&index, query), found(&fresh, query), "{query}");
        }
        assert_eq!(found(&index, "fresh"), ["b.html more"]);
        assert!(found(&index, "placed").is_empty() && found(&index, "cqrs").is_empty());
        assert!(index.words.keys().eq(fresh.words.keys()), "no word of a removed text stays");
        assert_eq!(index.stems, fresh.stems, "nor a form");
    }
}
