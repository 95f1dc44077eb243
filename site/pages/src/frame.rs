//! What stands around the content of every page: head, top bar, sidebar, table of contents.

use crate::cells::Values;
use crate::overlay::encode;
use crate::{Cells, Site, theme};
use document::{Page, Section, Theme};
use evidence::Evidence;

/// Which of the views in the top bar is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Docs,
    Map,
    Services,
    Traces,
    Drift,
    Nothing,
}

/// Everything that `base.html` reads.
pub(crate) struct Frame<'a> {
    pub(crate) language: &'a str,
    pub(crate) mode: &'static str,
    pub(crate) title: String,
    pub(crate) book: &'a str,
    pub(crate) description: Option<String>,
    pub(crate) canonical: Option<String>,
    pub(crate) style: String,
    pub(crate) page_id: String,
    pub(crate) live: bool,
    pub(crate) reload: bool,
    pub(crate) root: String,
    pub(crate) home: String,
    pub(crate) view: &'static str,
    pub(crate) groups: Vec<Group<'a>>,
    pub(crate) services: Vec<SideService>,
    pub(crate) toc: Vec<TocEntry<'a>>,
    pub(crate) problems: String,
    pub(crate) values: Values<'a>,
    site: &'a Site<'a>,
}

/// Pages of one folder.
pub(crate) struct Group<'a> {
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry<'a>>,
}

/// A page in the sidebar; without an address where it is the only one and its sections say it all.
pub(crate) struct Entry<'a> {
    pub(crate) title: &'a str,
    pub(crate) href: Option<String>,
    pub(crate) current: bool,
    pub(crate) sections: Vec<SideSection<'a>>,
}

/// A section of the open page in the sidebar.
pub(crate) struct SideSection<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) sub: bool,
    pub(crate) key: String,
}

/// A service in the sidebar.
pub(crate) struct SideService {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) key: String,
    pub(crate) current: bool,
}

/// A heading in the table of contents.
pub(crate) struct TocEntry<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) sub: bool,
}

/// What differs from page to page.
pub(crate) struct Place<'a> {
    /// Address below the root, for links relative to it.
    pub(crate) path: &'a str,
    /// Asked for at `/api/live/events?page=`.
    pub(crate) id: &'a str,
    pub(crate) title: String,
    pub(crate) view: View,
    pub(crate) page: Option<&'a Page>,
    pub(crate) service: Option<&'a str>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(
        site: &'a Site<'a>,
        place: &Place<'a>,
        evidence: Option<&Evidence>,
        cells: &'a Cells,
    ) -> Self {
        let root = site.root(place.path);
        let look = look(site, place.page);
        let config = &site.book.config;
        let description = place.page.and_then(|page| {
            let hero = page.hero.as_ref().and_then(|hero| hero.subtitle.clone());
            page.description.clone().or(hero)
        });
        Self {
            language: if config.language.is_empty() { "en" } else { &config.language },
            mode: theme::mode(look),
            title: place.title.clone(),
            book: site.title(),
            description: description.or_else(|| config.description.clone()),
            canonical: site.url.as_ref().map(|url| format!("{url}{}", canonical_path(place.path))),
            style: theme::style(look),
            page_id: place.id.to_owned(),
            live: site.live,
            reload: site.reload,
            home: home(site, &root),
            view: match place.view {
                View::Docs => "docs",
                View::Map => "map",
                View::Services => "services",
                View::Traces => "traces",
                View::Drift => "drift",
                View::Nothing => "",
            },
            groups: groups(site, &root, place.page),
            services: evidence.map_or_else(Vec::new, |evidence| services(&root, place, evidence)),
            toc: place.page.map_or_else(Vec::new, toc),
            problems: String::new(),
            values: Values(cells),
            root,
            site,
        }
    }

    /// How the script is loaded.
    pub(crate) fn script_kind(&self) -> &'static str {
        self.site.assets.script_kind()
    }

    /// Address of one of the theme's files.
    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{}{}", self.root, self.site.assets.path(name))
    }
}

/// A folder's index is known by the folder's address.
fn canonical_path(path: &str) -> &str {
    match path.strip_suffix("index.html") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => folder,
        _ => path,
    }
}

/// A page's own colours; pages below `/live/` take those of the first page that has any.
fn look<'a>(site: &'a Site, page: Option<&'a Page>) -> &'a Theme {
    static PLAIN: std::sync::LazyLock<Theme> = std::sync::LazyLock::new(Theme::default);
    let first =
        || site.book.pages.iter().map(|page| &page.theme).find(|look| theme::has_tokens(look));
    page.map(|page| &page.theme).or_else(first).unwrap_or(&PLAIN)
}

fn home(site: &Site, root: &str) -> String {
    match (site.live, root) {
        (true, "") => "./".to_owned(),
        (true, root) => root.to_owned(),
        (false, root) => format!("{root}index.html"),
    }
}

fn groups<'a>(site: &'a Site, root: &str, open: Option<&'a Page>) -> Vec<Group<'a>> {
    let pages = &site.book.pages;
    let mut groups: Vec<(&str, Group)> = Vec::new();
    for page in pages {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let current = open.is_some_and(|open| open.id == page.id);
        let alone = pages.len() == 1 && current;
        let entry = Entry {
            title: &page.title,
            href: (!alone).then(|| format!("{root}{}", page.path)),
            current,
            sections: open.filter(|_| current).map_or_else(Vec::new, sections),
        };
        match groups.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, group)) => group.entries.push(entry),
            None => groups
                .push((folder, Group { title: folder_title(folder, alone), entries: vec![entry] })),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn folder_title(folder: &str, alone: bool) -> String {
    match folder {
        "" if alone => "Sections".to_owned(),
        "" => "Pages".to_owned(),
        folder => folder.replace(['-', '_'], " ").replace('/', " / "),
    }
}

fn sections(page: &Page) -> Vec<SideSection<'_>> {
    let found: Vec<&Section> = page
        .navigation
        .iter()
        .filter_map(|id| page.sections.iter().find(|section| section.id == *id))
        .collect();
    let top = found.iter().map(|section| section.level).min().unwrap_or(1);
    let side = |section: &&'_ Section| section.level > top;
    found
        .iter()
        .zip(found.iter().map(side))
        .map(|(section, sub)| SideSection {
            id: &section.id,
            title: &section.title,
            sub,
            key: format!("sec.{}", section.id),
        })
        .collect()
}

/// Two levels of headings, from the highest that comes more than once.
fn toc(page: &Page) -> Vec<TocEntry<'_>> {
    let count = |level: u8| page.sections.iter().filter(|section| section.level == level).count();
    let top = (1..=6).find(|level| count(*level) > 1).unwrap_or(2);
    page.sections
        .iter()
        .filter(|section| section.level == top || section.level == top + 1)
        .map(|section| TocEntry {
            id: &section.id,
            title: &section.title,
            sub: section.level > top,
        })
        .collect()
}

fn services(root: &str, place: &Place, evidence: &Evidence) -> Vec<SideService> {
    let entry = |name: &str| SideService {
        name: name.to_owned(),
        href: service_href(root, name),
        key: format!("svc.{name}"),
        current: place.service == Some(name),
    };
    evidence.services.iter().map(|service| entry(&service.id.0)).collect()
}

/// Address of a service's page.
pub(crate) fn service_href(root: &str, name: &str) -> String {
    format!("{root}live/services/{}", encode(name))
}
