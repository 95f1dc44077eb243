//! What only `loggia check` looks for: contrast, orphans, texts of images and links, the outline of
//! headings, footnotes that nobody refers to, ids in raw HTML, links of tiles and to the web.
//!
//! `loggia` asks once the book is there; a build does not pay for it. `silence` says which findings,
//! these and all others, the authors do not want.

mod contrast;
mod orphans;
mod silence;
mod walk;

pub use contrast::DEFAULT_COLOURS;
pub use silence::Silenced;
pub(crate) use silence::{policy, silenced, unknown};

use crate::{Book, Page, crosslinks, frontmatter};
use diagnostics::{Code, Diagnostic, SourceFile};
use std::collections::HashMap;
use std::ops::Range;

/// What the checks of a whole book yield.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is wrong, in reading order; what authors silenced is left out.
    pub findings: Vec<Diagnostic>,
    /// Every link to the web that is not silenced.
    pub external: Vec<ExternalLink>,
}

/// A link or image that leads to the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalLink {
    /// The address as the author wrote it.
    pub url: String,
    /// The page.
    pub file: SourceFile,
    /// Bytes of the address in the page, or of what holds it.
    pub span: Range<usize>,
}

impl Book {
    /// Looks for what the build leaves to this check. `assets` are the paths of all files below the
    /// source folder that are no pages; `listed` says whether a `SUMMARY.md` leads to every page.
    pub fn check(&self, assets: &[String], listed: bool) -> Checked {
        let mut checked = Checked::default();
        let mut links = Vec::new();
        for page in &self.pages {
            let mut seen = walk::page(page, &self.config.markdown);
            seen.findings.extend(contrast::check(page, &above(page)));
            seen.findings.sort_by_key(|found| (found.line, found.column));
            checked.findings.append(&mut seen.findings);
            checked.external.append(&mut seen.external);
            links.push(seen.links);
        }
        crosslinks::check_more(&self.pages, &links, assets, &mut checked.findings);
        if !listed {
            orphans::check(self, &mut checked.findings);
        }
        let by_source: HashMap<&str, &Page> =
            self.pages.iter().map(|page| (page.source.as_str(), &**page)).collect();
        let findings = std::mem::take(&mut checked.findings).into_iter();
        let wanted = |found: Diagnostic| {
            let page = by_source.get(found.file.as_str());
            policy(found, &self.config.check, page.map(|page| &page.silenced))
        };
        checked.findings = findings.filter_map(wanted).collect();
        // Nobody is asked for what nobody wants to hear of.
        let ignored = self.config.check.ignore.contains(&Code::ExternalLink);
        checked.external.retain(|link| {
            let page = by_source.get(link.file.path());
            if !ignored && !page.is_some_and(|page| page.silenced.names(Code::ExternalLink)) {
                return true; // a place in the text costs time for each link
            }
            let span = link.span.start..link.span.start;
            let found = Diagnostic::at(Code::ExternalLink, &link.file, span, "");
            wanted(found).is_some()
        });
        checked
    }

    /// The finding as the authors want it: `None` when they silenced it, else with the severity that
    /// they gave its code. Findings of the book itself and of its pages went through already.
    pub fn admit(&self, found: Diagnostic) -> Option<Diagnostic> {
        let page = self.pages.iter().find(|page| page.source == found.file);
        policy(found, &self.config.check, page.map(|page| &page.silenced))
    }
}

/// The front matter again, for the places in it.
fn above(page: &Page) -> frontmatter::Above {
    frontmatter::read(&mut crate::findings::Findings::new(&page.file))
}

/// A finding about the bytes `span` of a page.
fn finding(
    page: &Page,
    code: Code,
    span: Range<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::at(code, &page.file, span, message).with_help(help)
}
