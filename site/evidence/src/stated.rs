//! The figures that a book states, each once: what measures it and where it is stated. `pages` shows them, `loggia` asks
//! for their history.

use crate::kpis::base_unit;
use crate::plan::{binding_of, put_window};
use crate::words::amount;
use crate::{Claim, Comparison, Evidence, KpiEvidence, parse_claim};
use document::{Book, Config, Kpi, Page, Piece, ServiceId};
use std::collections::{BTreeMap, BTreeSet};

/// A figure of the book: statements with the same id and the same query.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedFigure {
    /// Unique in the book: [`Kpi::id`], with `-2` and so on where the same id means another query.
    pub id: String,
    /// For people.
    pub label: String,
    /// PromQL that measures it over the window of the evidence.
    pub query: Option<String>,
    /// The base unit of what is shown.
    pub unit: String,
    /// What the query gives times this is in the base unit.
    pub factor: f64,
    /// Whom it is about: as its author says, else those whose names stand in its query.
    pub services: Vec<ServiceId>,
    /// Where it is stated, in the order of the book; never empty.
    pub statements: Vec<Statement>,
}

/// One place that states a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// [`document::Page::id`].
    pub page: String,
    /// [`document::Section::id`], unless it stands above all headings.
    pub section: Option<String>,
    /// [`Kpi::index`] on that page.
    pub index: usize,
    /// The claim in the author's words.
    pub words: String,
    /// The same as it is understood.
    pub claim: Option<Claim>,
    /// Whether it stands in a sentence.
    pub inline: bool,
}

impl Statement {
    /// What was measured for it.
    pub fn measured<'e>(&self, evidence: &'e Evidence) -> Option<&'e KpiEvidence> {
        evidence.pages.get(&self.page)?.kpis.get(self.index)
    }
}

impl Claim {
    /// As it is understood, in words: `below 200 ms`, `at least 99.99 %`.
    pub fn words(&self) -> String {
        let bound = amount(self.bound, &self.unit);
        let words = match self.comparison {
            Comparison::Less => "below",
            Comparison::AtMost => "at most",
            Comparison::Greater => "above",
            Comparison::AtLeast => "at least",
            Comparison::Equal => "exactly",
        };
        let more = if self.is_capacity { ", as a capacity" } else { "" };
        format!("{words} {bound}{more}")
    }
}

/// Every figure of the book, in the order in which they are first stated. `window_s` is [`Evidence::window`].
pub fn stated_figures(book: &Book, window_s: u32) -> Vec<StatedFigure> {
    let mut figures: Vec<StatedFigure> = Vec::new();
    let mut places: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for page in &book.pages {
        for (kpi, section, inline) in stated(page) {
            let (query, words) = resolved(kpi, &book.config, window_s);
            let claim = parse_claim(&words);
            let key = (kpi.id.clone(), query.clone());
            let at = *places.entry(key).or_insert_with(|| {
                let numbered = |n: &u32| format!("{}-{n}", kpi.id);
                let id = match ids.contains(&kpi.id) {
                    false => kpi.id.clone(),
                    true => (2..)
                        .find(|n| !ids.contains(&numbered(n)))
                        .map_or_else(String::new, |n| numbered(&n)),
                };
                ids.insert(id.clone());
                figures.push(figure(id, kpi, &book.config, query, claim.as_ref()));
                figures.len() - 1
            });
            let section = section.and_then(|nth| page.sections.get(nth)).map(|s| s.id.clone());
            let page = page.id.clone();
            figures[at].statements.push(Statement {
                page,
                section,
                index: kpi.index,
                words,
                claim,
                inline,
            });
        }
    }
    figures
}

fn figure(
    id: String,
    kpi: &Kpi,
    config: &Config,
    query: Option<String>,
    claim: Option<&Claim>,
) -> StatedFigure {
    let binding = binding_of(kpi, config);
    let unit = kpi.unit.as_ref().or(binding.and_then(|b| b.unit.as_ref()));
    let (unit, factor) = base_unit(unit.map(String::as_str), claim);
    let named = kpi.service.clone().or_else(|| binding.and_then(|b| b.service.clone()));
    let services = match named {
        Some(service) => vec![service],
        None => in_query(query.as_deref().unwrap_or_default(), config),
    };
    StatedFigure {
        id,
        label: kpi.label.clone(),
        query,
        unit,
        factor,
        services,
        statements: Vec::new(),
    }
}

/// The services whose names stand as whole texts in a query: `{job="orders"}`.
fn in_query(query: &str, config: &Config) -> Vec<ServiceId> {
    let named = |(id, service): &(&ServiceId, &document::ServiceConfig)| {
        let names = [Some(id.0.as_str()), service.service_name.as_deref()];
        names.into_iter().flatten().any(|name| query.contains(&format!("\"{name}\"")))
    };
    config.services.iter().filter(named).map(|(id, _)| id.clone()).collect()
}

/// The query with its window put in, and the words of the claim.
fn resolved(kpi: &Kpi, config: &Config, window_s: u32) -> (Option<String>, String) {
    let binding = binding_of(kpi, config);
    let query = kpi.query.as_ref().or(binding.and_then(|b| b.query.as_ref()));
    let span = kpi.window.as_ref().or(binding.and_then(|b| b.window.as_ref()));
    let span = span.cloned().unwrap_or_else(|| format!("{window_s}s"));
    let words = kpi.claim.as_ref().or(binding.and_then(|b| b.claim.as_ref())).unwrap_or(&kpi.value);
    (query.map(|query| put_window(query, &span)), words.clone())
}

/// The KPIs of a page in the order of reading, each with the index of its section and whether it stands in a sentence.
fn stated(page: &Page) -> Vec<(&Kpi, Option<usize>, bool)> {
    let mut section = None;
    let mut found = Vec::new();
    for piece in &page.pieces {
        match piece {
            Piece::Heading { section: nth, .. } => section = Some(*nth),
            Piece::KpiGrid(kpis) => found.extend(kpis.iter().map(|kpi| (kpi, section, false))),
            Piece::Figure(kpi) => found.push((&**kpi, section, true)),
            _ => {}
        }
    }
    found
}
