//! What a section is bound to, summed up. Services come from `services`, what diagrams are bound to
//! from `binding`; `pages` puts the strip below the heading.

use crate::figures::{largest, sum, weighted};
use crate::{Bound, Health, ServiceEvidence, Strip};
use document::{Section, ServiceId};
use std::collections::BTreeMap;

/// The strip of a section: over the services that the author named, else over those of its diagrams
/// (by [`document::DiagramBlock::index`]), else none.
pub(crate) fn strip(
    section: &Section,
    diagrams: &BTreeMap<usize, BTreeMap<String, Bound>>,
    services: &[ServiceEvidence],
) -> Option<Strip> {
    let ids = if section.services.is_empty() {
        drawn(section, diagrams, services)
    } else {
        section.services.clone()
    };
    if ids.is_empty() {
        return None;
    }
    let of: Vec<&ServiceEvidence> =
        ids.iter().filter_map(|id| services.iter().find(|service| service.id == *id)).collect();
    Some(Strip {
        health: of.iter().map(|service| service.health).max().unwrap_or(Health::NoData),
        rate: sum(of.iter().map(|service| &service.rate)),
        p95: largest(of.iter().map(|service| &service.p95)),
        errors: weighted(of.iter().map(|service| (&service.rate, &service.errors))),
        services: ids,
    })
}

/// The services that the section's diagrams show, in the order of all services.
fn drawn(
    section: &Section,
    diagrams: &BTreeMap<usize, BTreeMap<String, Bound>>,
    services: &[ServiceEvidence],
) -> Vec<ServiceId> {
    let bound: Vec<&Bound> = section
        .diagrams
        .iter()
        .filter_map(|index| diagrams.get(index))
        .flat_map(BTreeMap::values)
        .collect();
    let shown =
        |id: &ServiceId| bound.iter().any(|bound| matches!(bound, Bound::Service(b) if b == id));
    services.iter().map(|service| &service.id).filter(|id| shown(id)).cloned().collect()
}
