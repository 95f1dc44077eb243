//! Pages that no other page links to.
//!
//! With a `SUMMARY.md` the outline leads to every page, and `outline` says which files are left out.
//! Without one the sidebar leads everywhere, so a page is a note only where pages do link to each
//! other.

use crate::{Book, Page, links};
use diagnostics::{Code, Diagnostic};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) fn check(book: &Book, findings: &mut Vec<Diagnostic>) {
    let mut linked: HashSet<String> = HashSet::new();
    for page in &book.pages {
        for link in &page.links {
            let (path, ..) = links::parts(&link.target);
            let path = links::decode(path);
            let Some(target) = links::resolve(&page.source, &path).filter(|_| !path.is_empty())
            else {
                continue;
            };
            let address = links::page_path(&target);
            let folder = format!("{}/index.html", address.trim_end_matches('/'));
            for address in [address, folder.trim_start_matches('/').to_owned()] {
                if address != page.path {
                    linked.insert(address);
                }
            }
        }
    }
    let known = |page: &&Arc<Page>| linked.contains(&page.path);
    if !book.pages.iter().any(|page| known(&page)) {
        return; // nobody links here: readers move by the sidebar
    }
    for page in book.pages.iter().skip(1).filter(|page| !known(page)) {
        let index = page.path.rsplit('/').next() == Some("index.html");
        if index {
            continue; // a folder's own page opens with the folder
        }
        let first = page.file.text().find('\n').unwrap_or(page.file.text().len());
        findings.push(super::finding(
            page,
            Code::Orphan,
            0..first,
            "no page links to this one; only the sidebar leads here",
            "link to it where readers come by, or leave it to the sidebar: this is a note",
        ));
    }
}
