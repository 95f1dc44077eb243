//! The page at an address from which another one has moved away.
//!
//! `loggia` hands in what `document` read; `js/moved.js` follows fragments that moved elsewhere.

use crate::Site;
use crate::problems::written;
use askama::Template;
use document::Redirect;

#[derive(Template)]
#[template(path = "redirect.html")]
struct RedirectTemplate<'a> {
    language: &'a str,
    target: &'a str,
    map: String,
    script: String,
    script_kind: &'static str,
}

/// A page that leads on at once, with a link for whoever stays.
pub fn render_redirect(site: &Site, redirect: &Redirect) -> String {
    let language = site.book.config.language.as_str();
    let script = site.assets.path("main");
    written(&RedirectTemplate {
        language: if language.is_empty() { "en" } else { language },
        target: redirect.target.as_deref().unwrap_or_default(),
        map: fragment_map(redirect),
        script: format!("{}{script}", site.root(&redirect.path)),
        script_kind: site.assets.script_kind(),
    })
}

/// The moved fragments as JSON that may stand inside of a script element; empty where there are none.
pub(crate) fn fragment_map(redirect: &Redirect) -> String {
    if redirect.fragments.is_empty() && redirect.target.is_none() {
        return String::new();
    }
    let map = serde_json::json!({ "to": redirect.target, "moved": redirect.fragments });
    map.to_string().replace('<', "\\u003c")
}
