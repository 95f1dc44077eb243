//! Figures that a document states: the `kpi-grid` fence, figures in prose, and the bindings that
//! `book.toml` adds.
//!
//! `fences` and `body` hand in what they find; `page` resolves figures once the page is read.

use crate::frontmatter::json_place;
use crate::headings::slug;
use crate::{Config, Kpi, KpiBinding, Piece, ServiceId, links};
use serde::Deserialize;
use std::collections::HashMap;

/// A tile as the author wrote it.
#[derive(Deserialize)]
pub(crate) struct Tile {
    label: String,
    value: Text,
    id: Option<String>,
    query: Option<String>,
    unit: Option<String>,
    claim: Option<String>,
    window: Option<String>,
    pub(crate) service: Option<String>,
    link: Option<String>,
}

/// A value in words or a plain number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Words(String),
    Number(serde_json::Number),
}

/// The text of a `kpi-grid` fence. The error is a message and the byte of the fault.
pub(crate) fn parse_grid(source: &str) -> Result<Vec<Tile>, (String, usize)> {
    serde_json::from_str(source).map_err(|error| json_place(&error, source))
}

impl Tile {
    /// The figure number `index` of its page. `book.toml` fills what the tile leaves open.
    pub(crate) fn into_kpi(self, index: usize, service: Option<ServiceId>, config: &Config) -> Kpi {
        let id = self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| slug(&self.label));
        let mut kpi = Kpi {
            index,
            id,
            value: match self.value {
                Text::Words(words) => words,
                Text::Number(number) => number.to_string(),
            },
            label: self.label,
            query: self.query,
            unit: self.unit,
            claim: self.claim,
            window: self.window,
            service,
            link: self.link.as_deref().and_then(links::safe).map(|link| links::rewrite(&link)),
        };
        if let Some((_, binding)) = binding(config, &kpi.id, &kpi.label) {
            fill(&mut kpi, binding);
        }
        kpi
    }
}

fn binding<'c>(config: &'c Config, id: &str, label: &str) -> Option<(&'c String, &'c KpiBinding)> {
    let by_label = config.kpis.get_key_value(label);
    by_label.or_else(|| config.kpis.iter().find(|(label, _)| slug(label) == id))
}

fn fill(kpi: &mut Kpi, binding: &KpiBinding) {
    fn put<T: Clone>(into: &mut Option<T>, from: &Option<T>) {
        if into.is_none() {
            into.clone_from(from);
        }
    }
    put(&mut kpi.query, &binding.query);
    put(&mut kpi.unit, &binding.unit);
    put(&mut kpi.claim, &binding.claim);
    put(&mut kpi.window, &binding.window);
    put(&mut kpi.service, &binding.service);
}

/// A figure in prose before it is known which KPI it refers to.
pub(crate) fn figure(index: usize, id: &str, value: String) -> Kpi {
    Kpi { index, id: id.to_owned(), value, ..Kpi::default() }
}

/// Gives every figure in prose what the tile of the same id says, else what `book.toml` says, else a
/// label made from its id.
pub(crate) fn resolve_figures(pieces: &mut [Piece], config: &Config) {
    let tiles: HashMap<String, Kpi> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::KpiGrid(kpis) => Some(kpis),
            _ => None,
        })
        .flatten()
        .map(|kpi| (kpi.id.clone(), kpi.clone()))
        .collect();
    for piece in pieces {
        let Piece::Figure(figure) = piece else { continue };
        if let Some(tile) = tiles.get(&figure.id) {
            let value = std::mem::take(&mut figure.value);
            // A claim in other words than the value belongs to the tile's value.
            let claim = tile.claim.clone().filter(|_| tile.value == value);
            **figure = Kpi { index: figure.index, value, claim, ..tile.clone() };
        } else {
            let bound = binding(config, &figure.id, "");
            figure.label = bound.map_or_else(|| title(&figure.id), |(label, _)| label.clone());
            if let Some((_, binding)) = bound {
                fill(figure, binding);
            }
        }
    }
}

/// `response-time` as `Response time`.
fn title(id: &str) -> String {
    let words = id.replace(['-', '_'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}
