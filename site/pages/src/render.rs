//! Stub bodies that are filled next.
use crate::*;
use diagnostics::Diagnostic;
use document::Page;
use evidence::Evidence;

/// A page of the book. `problems` are findings about its newest source while the last good version
/// is kept; the page's own findings are shown as well.
pub fn render_page(
    site: &Site,
    page: &Page,
    evidence: Option<&Evidence>,
    problems: &[Diagnostic],
) -> String {
    let _ = (site, page, evidence, problems);
    String::new()
}
/// `/live/services`: every service in a table.
pub fn render_services(site: &Site, evidence: &Evidence) -> String {
    let _ = (site, evidence);
    String::new()
}
/// `/live/services/NAME`: charts, traces, calls and where it is documented.
pub fn render_service(site: &Site, view: &ServiceView, evidence: &Evidence) -> String {
    let _ = (site, view, evidence);
    String::new()
}
/// A page for a request that cannot be answered, such as 404: what happened and what to do about it.
pub fn render_error(site: &Site, status: u16, title: &str, what_to_do: &str) -> String {
    let _ = (site, status, title, what_to_do);
    String::new()
}
/// The live values of a page of the book: `/api/live/events?page=ID`, where `ID` is [`Page::id`].
pub fn cells_for_page(site: &Site, page: &Page, evidence: &Evidence) -> Cells {
    let _ = (site, page, evidence);
    Cells::new()
}
/// The live values of `/live/services` and of all pages below `/live/` but a service's own; their
/// `ID` is `live/services`.
pub fn cells_for_services(site: &Site, evidence: &Evidence) -> Cells {
    let _ = (site, evidence);
    Cells::new()
}
/// The live values of `/live/services/NAME`; its `ID` is `live/services/NAME`.
pub fn cells_for_service(site: &Site, view: &ServiceView, evidence: &Evidence) -> Cells {
    let _ = (site, view, evidence);
    Cells::new()
}
