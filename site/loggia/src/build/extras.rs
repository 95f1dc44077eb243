//! Files beside the pages: the Markdown of each page, `llms.txt`, `sitemap.xml` and `404.html`.

use super::output::Output;
use document::{Book, Page};
use pages::Site;
use std::fmt::Write;

/// Describes the book to programs that read: <https://llmstxt.org>.
pub(crate) const LLMS: &str = "llms.txt";
/// Lists the pages for search engines: <https://www.sitemaps.org/protocol.html>.
const SITEMAP: &str = "sitemap.xml";
/// Pages that one sitemap may list, by its protocol.
const SITEMAP_PAGES_MAX: usize = 50_000;
/// Answered by many hosts for an address that leads nowhere.
const NOT_FOUND: &str = "404.html";

/// Path of the Markdown that a page was made from, beside the page.
pub(crate) fn markdown_path(page: &Page) -> String {
    format!("{}.md", page.path.strip_suffix(".html").unwrap_or(&page.path))
}

/// Writes what is not a page, except where the author has a file of that name.
pub(super) fn write(output: &Output, site: &Site, path: &str) -> anyhow::Result<()> {
    let unless_taken = |name: &str, text: &dyn Fn() -> String| match output.has(name) {
        true => Ok(()),
        false => output.write(name, text().as_bytes()),
    };
    unless_taken(LLMS, &|| llms(site))?;
    if let Some(url) = &site.url {
        unless_taken(SITEMAP, &|| sitemap(site.book, url))?;
    }
    // It is answered at any depth, so its links begin at the root of the host.
    let rooted = Site { base: path.to_owned(), url: None, ..*site };
    if site.book.config.mdbook.input_404.as_deref() == Some("") {
        return Ok(());
    }
    unless_taken(NOT_FOUND, &|| pages::render_lost(&rooted, None))
}

/// What [`LLMS`] says.
pub(crate) fn llms(site: &Site) -> String {
    let config = &site.book.config;
    let title = config.title.as_deref();
    let first = site.book.pages.first().map(|page| page.title.as_str());
    let mut text = format!("# {}\n", line(title.or(first).unwrap_or("Documents")));
    if let Some(words) = &config.description {
        let _ = write!(text, "\n> {}\n", line(words));
    }
    text.push_str("\n## Pages\n\n");
    let root = site.url.as_deref().unwrap_or("");
    for page in &site.book.pages {
        let href = format!("{root}{}", encoded(&markdown_path(page)));
        let _ = write!(text, "- [{}]({href})", line(&page.title).replace(['[', ']'], ""));
        if let Some(words) = &page.description {
            let _ = write!(text, ": {}", line(words));
        }
        text.push('\n');
    }
    text
}

fn sitemap(book: &Book, url: &str) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    for page in book.pages.iter().take(SITEMAP_PAGES_MAX) {
        let path = match page.path.strip_suffix("index.html") {
            Some(folder) if folder.is_empty() || folder.ends_with('/') => folder,
            _ => &page.path,
        };
        let place = format!("{url}{}", encoded(path)).replace('&', "&amp;").replace('\'', "&apos;");
        let _ = writeln!(text, "<url><loc>{place}</loc></url>");
    }
    text.push_str("</urlset>\n");
    text
}

/// A path as it stands in an address: everything but what RFC 3986 lets stand there is escaped.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Words on one line.
fn line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
