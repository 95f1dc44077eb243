//! `/live/services`.

use crate::frame::{Frame, Place, View, service_href};
use crate::problems::written;
use crate::{Site, cells_for_services};
use askama::Template;
use evidence::Evidence;

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesTemplate<'a> {
    frame: Frame<'a>,
    rows: Vec<ServiceRow<'a>>,
}

struct ServiceRow<'a> {
    name: &'a str,
    title: &'a str,
    href: String,
    key: String,
}

/// `/live/services`: every service in a table.
pub fn render_services(site: &Site, evidence: &Evidence) -> String {
    let cells = cells_for_services(site, evidence);
    let place = Place {
        path: "live/services",
        id: "live/services",
        title: "Services".to_owned(),
        view: View::Services,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let rows = evidence.services.iter().map(|service| ServiceRow {
        name: &service.id.0,
        title: &service.title,
        href: service_href(&frame.root, &service.id.0),
        key: format!("svc.{}", service.id.0),
    });
    written(&ServicesTemplate { rows: rows.collect(), frame })
}
