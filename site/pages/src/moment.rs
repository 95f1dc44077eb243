//! Pages of a moment of the past: their links lead to the same moment, and a bar leads to others.
//!
//! `loggia` hands a finished page in; the template `moment.html` is part of every page.

use crate::figures::{clock, date_time, duration};
use crate::{Cell, Cells, Site};

/// Addresses below the root that are the same at every moment.
const TIMELESS: [&str; 6] = ["assets/", "api/", "prometheus", "otlp/", "jaeger/", "metrics"];
/// Steps back and forward that the bar offers: seconds and words.
const STEPS: [(i64, &str); 3] = [(600, "10 min"), (60, "1 min"), (10, "10 s")];

/// The bar: which moment is shown and which may be.
pub(crate) struct MomentBar<'a> {
    /// Whether it is a moment of the past.
    pub(crate) past: bool,
    /// Seconds since 1970.
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) at: i64,
    /// `14:06:40`.
    pub(crate) clock: String,
    /// `2026-11-21 14:06:40 UTC`.
    pub(crate) words: String,
    /// For the field: `2026-11-21T14:06:40`.
    pub(crate) field: String,
    /// The field's bounds.
    pub(crate) first: String,
    pub(crate) last: String,
    /// `26 min ago`.
    pub(crate) ago: String,
    pub(crate) steps_back: Vec<Step>,
    pub(crate) steps_on: Vec<Step>,
    /// The address without a moment.
    pub(crate) live: String,
    pub(crate) asked: &'a [(String, String)],
}

/// A step to another moment.
pub(crate) struct Step {
    pub(crate) seconds: i64,
    pub(crate) words: &'static str,
    /// `None` where there is nothing to see.
    pub(crate) href: Option<String>,
}

impl<'a> MomentBar<'a> {
    /// `None` where there is no past to look at.
    pub(crate) fn new(site: &Site<'a>) -> Option<Self> {
        let (since_ms, until_ms) = site.kept.filter(|_| site.live)?;
        let (at, since) = (site.now_ms.div_euclid(1000), since_ms.div_euclid(1000) + 1);
        let until = until_ms.div_euclid(1000);
        let others: Vec<String> = site
            .asked
            .iter()
            .map(|(name, value)| {
                format!("{}={}", crate::overlay::encode(name), crate::overlay::encode(value))
            })
            .collect();
        let address = |at: Option<i64>| {
            let at = at.map(|seconds| format!("at={seconds}"));
            let all: Vec<String> = others.iter().cloned().chain(at).collect();
            if all.is_empty() { "?".to_owned() } else { format!("?{}", all.join("&")) }
        };
        let step =
            |sign: i64| move |(seconds, words): &(i64, &'static str)| (sign * seconds, *words);
        let made = |(seconds, words): (i64, &'static str)| {
            let there = at + seconds;
            let within = there >= since && there < until;
            Step { seconds, words, href: within.then(|| address(Some(there))) }
        };
        Some(Self {
            past: site.at.is_some(),
            since,
            until: until.max(since),
            at,
            clock: clock(site.now_ms),
            words: date_time(site.now_ms),
            field: field(at),
            first: field(since),
            last: field(until),
            ago: if site.at.is_some() { ago(site.now_ms, until_ms) } else { "now".to_owned() },
            steps_back: STEPS.iter().map(step(-1)).map(made).collect(),
            steps_on: STEPS.iter().rev().map(step(1)).map(made).collect(),
            live: address(None),
            asked: site.asked,
        })
    }
}

/// As a form's field for a time has it, of seconds since 1970.
fn field(seconds: i64) -> String {
    date_time(seconds * 1000).trim_end_matches(" UTC").replace(' ', "T")
}

/// What the chip in the top bar says.
pub(crate) fn chip_words(site: &Site, at: i64) -> String {
    match (site.live, site.at) {
        (true, None) => format!("as of {} UTC", clock(at)),
        (true, Some(at)) => format!("as of {}", date_time(at)),
        (false, _) => format!("snapshot of {}", date_time(at)),
    }
}

/// A page as it is at a moment (milliseconds since 1970): links within the site lead to the same one, and forms ask of it.
pub fn keep_moment(html: &str, at: i64) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 16);
    let mut rest = html;
    let at = at.div_euclid(1000);
    while let Some(open) = rest.find('<') {
        let (before, tag_on) = rest.split_at(open);
        out.push_str(before);
        if !tag_on[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            out.push('<');
            rest = &tag_on[1..];
            continue;
        }
        let end = tag_on.find('>').map_or(tag_on.len(), |end| end + 1);
        let (tag, after) = tag_on.split_at(end);
        if tag.starts_with("<a ") {
            out.push_str(&link(tag, at));
        } else if tag.starts_with("<form ")
            && !tag.contains("data-timeless")
            && !tag.contains("method=\"post\"")
        {
            out.push_str(tag);
            out.push_str(&format!("<input type=\"hidden\" name=\"at\" value=\"{at}\">"));
        } else {
            out.push_str(tag);
        }
        rest = after;
    }
    out + rest
}

/// Live values as they are at a moment: their links lead to the same one.
pub fn cells_at(cells: Cells, at: i64) -> Cells {
    let at = at.div_euclid(1000);
    let keep = |cell: Cell| Cell { u: cell.u.map(|address| address_at(&address, at, "&")), ..cell };
    cells.into_iter().map(|(key, cell)| (key, keep(cell))).collect()
}

fn link(tag: &str, at: i64) -> String {
    const HREF: &str = " href=\"";
    if tag.contains("data-timeless") {
        return tag.to_owned();
    }
    let Some((before, rest)) = tag.split_once(HREF) else { return tag.to_owned() };
    let Some((address, after)) = rest.split_once('"') else { return tag.to_owned() };
    // The templates write `&` as a number, whose `#` is no fragment's.
    let address = address.replace("&#38;", "&amp;");
    format!("{before}{HREF}{}\"{after}", address_at(&address, at, "&amp;"))
}

/// An address at a moment, seconds since 1970; one that leads elsewhere or is the same at every moment stays. `and` is how a further name is
/// joined.
fn address_at(address: &str, at: i64, and: &str) -> String {
    let (page, fragment) = match address.split_once('#') {
        Some((page, fragment)) => (page, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let (path, query) =
        page.split_once('?').map_or((page, None), |(path, query)| (path, Some(query)));
    let below = path.trim_start_matches("../").trim_start_matches('/');
    let has_scheme =
        path.starts_with("//") || path.split('/').next().is_some_and(|first| first.contains(':'));
    let timeless = TIMELESS.iter().any(|start| below.starts_with(start));
    let is_page = |last: &str| !last.contains('.') || last.ends_with(".html");
    let page_like = below.starts_with("live/") || path.rsplit('/').next().is_some_and(is_page);
    let has_time = query.is_some_and(|query| {
        query.split('&').any(|part| part.trim_start_matches("amp;").starts_with("at="))
    });
    if page.is_empty() || has_scheme || timeless || !page_like || has_time {
        return address.to_owned();
    }
    match query {
        None | Some("") => format!("{path}?at={at}{fragment}"),
        Some(query) => format!("{path}?{query}{and}at={at}{fragment}"),
    }
}

/// `26 min ago`, by the reader's now.
fn ago(at: i64, now: i64) -> String {
    format!("{} ago", duration((now.saturating_sub(at).max(0) / 1000) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_site_keep_the_moment() {
        for (address, expected) in [
            ("/", "/?at=5"),
            ("/guide/intro.html#why", "/guide/intro.html?at=5#why"),
            ("intro.html", "intro.html?at=5"),
            ("../live/services/a.b", "../live/services/a.b?at=5"),
            ("/live/traces?service=a&amp;to=b", "/live/traces?service=a&amp;to=b&amp;at=5"),
            ("?", "?at=5"),
            ("?show=holds", "?show=holds&amp;at=5"),
            ("/live/map?at=7", "/live/map?at=7"),
            ("/live/map?x=1&amp;at=7", "/live/map?x=1&amp;at=7"),
            ("/live/traces?flat=1", "/live/traces?flat=1&amp;at=5"),
            ("#why", "#why"),
            ("", ""),
            ("https://example.org/", "https://example.org/"),
            ("mailto:a@b.c", "mailto:a@b.c"),
            ("//example.org/x", "//example.org/x"),
            ("/assets/loggia.css", "/assets/loggia.css"),
            ("/api/live/claims", "/api/live/claims"),
            ("paper.pdf", "paper.pdf"),
            ("index.md", "index.md"),
        ] {
            assert_eq!(address_at(address, 5, "&amp;"), expected, "{address}");
        }
    }

    #[test]
    fn a_page_keeps_its_moment_in_links_and_forms() {
        let page = "<p>a < b <a class=\"x\" href=\"/?a=1&#38;b=2&#38;c=3#d\">x</a><a data-timeless href=\"/?\">live</a><form method=\"get\" action=\"/live/logs\"><b>";
        let expected = "<p>a < b <a class=\"x\" href=\"/?a=1&amp;b=2&amp;c=3&amp;at=5#d\">x</a><a data-timeless href=\"/?\">live</a><form method=\"get\" action=\"/live/logs\"><input type=\"hidden\" name=\"at\" value=\"5\"><b>";
        assert_eq!(keep_moment(page, 5_000), expected);
    }
}
