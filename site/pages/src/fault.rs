//! Pages for requests that cannot be answered.

use crate::frame::{Frame, Place, View};
use crate::navigation::Beside;
use crate::problems::written;
use crate::{Cells, Navigation, Site};
use askama::Template;
use std::collections::HashSet;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    frame: Frame<'a>,
    status: u16,
    title: &'a str,
    what_to_do: &'a str,
    ways: &'a [(&'a str, String)],
}

/// A page for a request that cannot be answered, such as 404: what happened and what to do about
/// it, with ways out: their words and addresses. It may stand at any address, so its links begin at the
/// site's root.
pub fn render_error(
    site: &Site,
    status: u16,
    title: &str,
    what_to_do: &str,
    ways: &[(&str, String)],
) -> String {
    let base = if site.base.is_empty() { "/".to_owned() } else { site.base.clone() };
    let site = Site { base, url: None, ..*site };
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
    written(&ErrorTemplate { frame, status, title, what_to_do, ways })
}

/// Pages that are named where an address does not exist.
const MEANT_MAX: usize = 5;
/// From so much likeness on, 0 to 1, a page may have been meant.
const ALIKE_MIN: f64 = 0.3;
/// Of longer addresses the beginning counts.
const ASKED_CHARS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "lost.html")]
struct LostTemplate<'a> {
    frame: Frame<'a>,
    meant: Vec<Beside<'a>>,
}

/// The page for an address that does not exist, with the pages that may have been meant where the
/// address is known. Its links begin at the site's root, so it may stand at any address.
pub fn render_lost(site: &Site, asked: Option<&str>) -> String {
    let base = if site.base.is_empty() { "/".to_owned() } else { site.base.clone() };
    let site = Site { base, url: None, ..*site };
    let cells = Cells::new();
    let place = Place {
        path: "",
        id: "live/services",
        title: "There is no such page".to_owned(),
        view: View::Nothing,
        page: None,
        service: None,
    };
    let frame = Frame::new(&site, &place, None, &cells);
    written(&LostTemplate {
        frame,
        meant: asked.map_or_else(Vec::new, |asked| meant(&site, asked)),
    })
}

/// Pages whose address or title is most like what was asked for.
fn meant<'a>(site: &Site<'a>, asked: &str) -> Vec<Beside<'a>> {
    let wanted = pairs(asked);
    let score =
        |title: &str, path: &str| alike(&wanted, &pairs(path)).max(alike(&wanted, &pairs(title)));
    let navigation: &'a Navigation = site.navigation;
    let mut found: Vec<(f64, Beside)> = navigation
        .pages()
        .map(|(title, path)| {
            let href = format!("{}{path}", site.base);
            (score(title, path), Beside { title, href })
        })
        .filter(|(score, _)| *score >= ALIKE_MIN)
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found.truncate(MEANT_MAX);
    found.into_iter().map(|(_, page)| page).collect()
}

/// Pairs of letters that stand beside each other.
fn pairs(text: &str) -> HashSet<[char; 2]> {
    let text = text.trim_end_matches(".html");
    let letters: Vec<char> = text
        .chars()
        .take(ASKED_CHARS_MAX)
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    letters.windows(2).map(|pair| [pair[0], pair[1]]).collect()
}

/// Sørensen and Dice's coefficient, 0 to 1.
fn alike(one: &HashSet<[char; 2]>, other: &HashSet<[char; 2]>) -> f64 {
    let both = one.intersection(other).count();
    2.0 * both as f64 / (one.len() + other.len()).max(1) as f64
}
