//! Pages for requests that cannot be answered.

use crate::frame::{Frame, Place, View};
use crate::problems::written;
use crate::{Cells, Site};
use askama::Template;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    frame: Frame<'a>,
    status: u16,
    title: &'a str,
    what_to_do: &'a str,
}

/// A page for a request that cannot be answered, such as 404: what happened and what to do about
/// it. It may stand at any address, so its links begin at the site's root.
pub fn render_error(site: &Site, status: u16, title: &str, what_to_do: &str) -> String {
    let base = if site.base.is_empty() { "/".to_owned() } else { site.base.clone() };
    let site =
        Site { book: site.book, assets: site.assets, base, url: None, reload: false, ..*site };
    let cells = Cells::new();
    let place = Place {
        path: "",
        id: "live/services",
        title: title.to_owned(),
        view: View::Nothing,
        page: None,
        service: None,
    };
    let frame = Frame::new(&site, &place, None, &cells);
    written(&ErrorTemplate { frame, status, title, what_to_do })
}
