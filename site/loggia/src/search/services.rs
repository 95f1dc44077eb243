//! Services as documents that can be found. `build` leads to the section that describes a service,
//! `serve` to its own page.

use super::text::{Doc, Kind, Section};
use document::{Book, Config, ServiceId};
use std::collections::{BTreeMap, BTreeSet};

/// A service with the place that a reader is led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub id: ServiceId,
    /// Address below the site's root.
    pub url: String,
}

/// The services that some section describes, with the first such section: the author names the
/// service there, or the heading is its name, or a diagram in it shows it.
pub(super) fn documented(book: &Book) -> Vec<Service> {
    let graph = traces::TraceStore::new(traces::StoreLimits::default()).graph(1000, 0);
    let names = evidence::Names::new(&book.config, [], &graph);
    let mut found: BTreeMap<ServiceId, (u8, String)> = BTreeMap::new();
    let mut describe = |id: &ServiceId, rank: u8, url: String| match found.get_mut(id) {
        Some(best) if best.0 <= rank => {}
        _ => {
            found.insert(id.clone(), (rank, url));
        }
    };
    for page in &book.pages {
        page.services.iter().for_each(|id| describe(id, 2, page.path.clone()));
        for section in &page.sections {
            let url = || format!("{}#{}", page.path, section.id);
            section.services.iter().for_each(|id| describe(id, 1, url()));
            for id in book.config.services.keys().filter(|id| is_named(id, &section.title, book)) {
                describe(id, 0, url());
            }
        }
        if book.config.services.is_empty() {
            continue;
        }
        for piece in &page.pieces {
            let document::Piece::Diagram(block) = piece else { continue };
            let around =
                page.sections.iter().rev().find(|section| section.diagrams.contains(&block.index));
            let url = around.map_or(page.path.clone(), |at| format!("{}#{}", page.path, at.id));
            for bound in evidence::bind_drawing(&block.drawing, &names).values() {
                if let evidence::Bound::Service(id) = bound {
                    describe(id, 3, url.clone());
                }
            }
        }
    }
    found.into_iter().map(|(id, (_, url))| Service { id, url }).collect()
}

fn is_named(id: &ServiceId, heading: &str, book: &Book) -> bool {
    let config = book.config.services.get(id);
    let names = config.into_iter().flat_map(|config| config.title.iter().chain(&config.aliases));
    names.chain([&id.0]).any(|name| {
        let rest = heading.trim().to_lowercase();
        let name = name.to_lowercase();
        rest == name || rest.strip_suffix(" service").is_some_and(|rest| rest == name)
    })
}

/// One document for each service.
pub(super) fn docs(services: &[Service], config: &Config) -> Vec<Doc> {
    let doc = |service: &Service| {
        let said = config.services.get(&service.id);
        let name = &service.id.0;
        let mut words = BTreeSet::new();
        let title = said.and_then(|said| said.title.clone()).unwrap_or_else(|| name.clone());
        if title != *name {
            words.insert(name.clone());
        }
        if let Some(said) = said {
            words.extend(said.aliases.iter().cloned());
            words.extend(said.service_name.iter().cloned());
            words.extend(said.layer.iter().chain(&said.kind).cloned());
            words.extend(said.owner.iter().map(|owner| format!("owned by {owner}")));
        }
        let text = words.into_iter().collect::<Vec<_>>().join(" · ");
        Doc {
            kind: Kind::Service,
            url: service.url.clone(),
            title,
            sections: vec![Section { text, ..Section::default() }],
        }
    };
    services.iter().map(doc).collect()
}
