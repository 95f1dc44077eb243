//! Pages that moved: `[output.html.redirect]`, with fragments.
//!
//! `config` reads the table; `loggia` checks it against the finished book and writes the pages.

use crate::{Book, links, suggest};
use diagnostics::{Code, Diagnostic, Severity, SourceFile};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An old address and where it leads now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    /// Address below the site's root, for instance `old/page.html`.
    pub path: String,
    /// Where it leads, relative to `path`; `None` where a page stands there, and only fragments moved.
    pub target: Option<String>,
    /// Fragments without `#` that lead elsewhere, relative to `path`.
    pub fragments: BTreeMap<String, String>,
}

impl Book {
    /// The redirects of `[output.html.redirect]`, sorted by address; what leads nowhere is left out.
    pub fn redirects(&self) -> Vec<Redirect> {
        let mut redirects: BTreeMap<&str, Redirect> = BTreeMap::new();
        let pages: HashSet<&str> = self.pages.iter().map(|page| page.path.as_str()).collect();
        for moved in &self.config.mdbook.redirects {
            let (from, _, fragment) = links::parts(&moved.from);
            let path = from.trim_start_matches('/');
            let target = links::safe(&moved.to);
            let sound = links::resolve("", path).as_deref() == Some(path) && !path.is_empty();
            let Some(target) = target.filter(|_| sound) else { continue };
            let entry = redirects.entry(path).or_default();
            entry.path = path.to_owned();
            match fragment {
                Some(fragment) => drop(entry.fragments.insert(fragment.to_owned(), target)),
                None if pages.contains(path) => {}
                None => entry.target = Some(target),
            }
        }
        let useful = |redirect: &Redirect| {
            redirect.target.is_some()
                || !redirect.fragments.is_empty() && pages.contains(redirect.path.as_str())
        };
        redirects.into_values().filter(useful).collect()
    }

    /// The fragments of the page at `path` that moved to other pages, where there are any.
    pub fn moved_fragments(&self, path: &str) -> Option<Redirect> {
        let mut redirect = Redirect { path: path.to_owned(), ..Redirect::default() };
        for moved in &self.config.mdbook.redirects {
            let (from, _, fragment) = links::parts(&moved.from);
            if let Some(fragment) = fragment
                && from.trim_start_matches('/') == path
                && let Some(target) = links::safe(&moved.to)
            {
                redirect.fragments.insert(fragment.to_owned(), target);
            }
        }
        (!redirect.fragments.is_empty()).then_some(redirect)
    }

    /// What is wrong with the redirects; `assets` are all files that are no pages.
    pub fn check_redirects(&self, book_toml: &SourceFile, assets: &[String]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let listed = &self.config.mdbook.redirects;
        let pages: HashSet<&str> = self.pages.iter().map(|page| page.path.as_str()).collect();
        let whole: HashSet<&str> =
            listed.iter().map(|moved| moved.from.trim_start_matches('/')).collect();
        let onward: HashMap<String, String> = listed
            .iter()
            .filter(|moved| !moved.from.contains('#') && !moved.to.starts_with('/'))
            .filter_map(|moved| {
                let from = moved.from.trim_start_matches('/');
                let (to, _, _) = links::parts(&moved.to);
                let inside = links::kind(&moved.to) == links::Kind::Inside && !to.is_empty();
                let to = inside.then(|| links::resolve(from, &links::decode(to)))??;
                Some((from.to_owned(), to))
            })
            .collect();
        for moved in listed {
            let mut report = |message: String, help: &str| {
                let place = moved.span.clone();
                found.push(
                    Diagnostic::at(Code::Redirect, book_toml, place, message).with_help(help),
                );
            };
            let (from, _, fragment) = links::parts(&moved.from);
            let path = from.trim_start_matches('/');
            if path.is_empty() || links::resolve("", path).as_deref() != Some(path) {
                report(
                    format!("`{}` is no address of this book", moved.from),
                    "write it like `old/page.html`",
                );
            } else if links::safe(&moved.to).is_none() {
                report(
                    format!("`{}` cannot be linked to", moved.to),
                    "lead to a page, or to http, https",
                );
            } else if fragment.is_none() && pages.contains(path) {
                report(
                    format!("`{path}` is a page and cannot lead elsewhere"),
                    "take the redirect out, or the page",
                );
            } else if fragment.is_some() && !pages.contains(path) && !whole.contains(path) {
                report(
                    format!("`{path}` has only redirects for fragments"),
                    "add one without `#`: it says where all others lead",
                );
            } else if fragment.is_none() && leads_back(path, &onward) {
                report(format!("`{path}` leads back to itself"), "lead to a page that is there");
            } else if let Some(target) = self.missing_target(path, &moved.to, &whole, assets) {
                let known = self.pages.iter().map(|page| page.path.as_str());
                let help = suggest::help(&target, "pages", known);
                let place = moved.span.clone();
                let mut finding =
                    Diagnostic::at(Code::Redirect, book_toml, place, format!("no page `{target}`"))
                        .with_help(help);
                finding.severity = Severity::Warning;
                found.push(finding);
            }
        }
        found
    }

    /// The address that a redirect leads to, when it is inside of the book and nothing is there.
    fn missing_target(
        &self,
        path: &str,
        to: &str,
        redirected: &HashSet<&str>,
        assets: &[String],
    ) -> Option<String> {
        if links::kind(to) != links::Kind::Inside || to.starts_with('/') {
            return None;
        }
        let (to, _, _) = links::parts(to);
        if to.is_empty() {
            // Another place of the same page.
            return None;
        }
        let target = links::resolve(path, &links::decode(to))?;
        let folder = target.is_empty() || target.ends_with('/');
        let there = folder
            || self.page_at(&target).is_some()
            || redirected.contains(target.as_str())
            || assets.contains(&target);
        (!there).then_some(target)
    }
}

/// Whether following the redirects from `path` ends in a circle.
fn leads_back(path: &str, onward: &HashMap<String, String>) -> bool {
    let mut at = path;
    for _ in 0..=onward.len() {
        match onward.get(at) {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::{Book, Config};
    use diagnostics::SourceFile;

    fn check(table: &str, found: &[(u32, &str)], redirects: &[(&str, Option<&str>, usize)]) {
        let toml = SourceFile::new("book.toml", format!("[output.html.redirect]\n{table}\n"));
        let (config, wrong) = Config::parse(&toml);
        assert_eq!(wrong, [], "{table}");
        let files = ["a.md", "sub/b.md"].map(|path| SourceFile::new(path, "# X\n")).to_vec();
        let book = Book::assemble(config, files, None);
        let seen = book.check_redirects(&toml, &["x.pdf".to_owned()]);
        let seen: Vec<_> = seen.iter().map(|f| (f.line, f.message.as_str())).collect();
        assert_eq!(seen, found, "{table}");
        let made = book.redirects();
        let made: Vec<_> = made
            .iter()
            .map(|r| (r.path.as_str(), r.target.as_deref(), r.fragments.len()))
            .collect();
        assert_eq!(made, redirects, "{table}");
    }

    #[test]
    fn redirects() {
        check(
            "\"x.html\" = \"y.html\"\n\"y.html\" = \"x.html\"\n\"/sub/b.html#gone\" = \"#x\"",
            &[(2, "`x.html` leads back to itself"), (3, "`y.html` leads back to itself")],
            &[
                ("sub/b.html", None, 1),
                ("x.html", Some("y.html"), 0),
                ("y.html", Some("x.html"), 0),
            ],
        );
        check("\"old.html\" = \"a.html\"", &[], &[("old.html", Some("a.html"), 0)]);
        check(
            "\"/sub/old.html\" = \"../a.html#x\"",
            &[],
            &[("sub/old.html", Some("../a.html#x"), 0)],
        );
        check("\"old.html\" = \"https://e.org/\"", &[], &[("old.html", Some("https://e.org/"), 0)]);
        check("\"old.html\" = \"x.pdf\"", &[], &[("old.html", Some("x.pdf"), 0)]);
        check("\"/a.html#one\" = \"sub/b.html\"", &[], &[("a.html", None, 1)]);
        check("\"o.html\" = \"./\"\n\"o.html#x\" = \"a.html\"", &[], &[("o.html", Some("./"), 1)]);
        check(
            "\"a.html\" = \"sub/b.html\"",
            &[(2, "`a.html` is a page and cannot lead elsewhere")],
            &[],
        );
        check(
            "\"o.html#x\" = \"a.html\"",
            &[(2, "`o.html` has only redirects for fragments")],
            &[],
        );
        check("\"../o.html\" = \"a.html\"", &[(2, "`../o.html` is no address of this book")], &[]);
        check(
            "\"o.html\" = \"javascript:alert(1)\"",
            &[(2, "`javascript:alert(1)` cannot be linked to")],
            &[],
        );
        check(
            "\"o.html\" = \"aa.html\"",
            &[(2, "no page `aa.html`")],
            &[("o.html", Some("aa.html"), 0)],
        );
    }
}
