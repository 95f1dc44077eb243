//! What stands around the content of every page: head, top bar, sidebar, table of contents.

use crate::assets::Slots;
use crate::cells::Values;
use crate::markup::escape;
use crate::moment::MomentBar;
use crate::navigation::{Beside, Crumb, Tree};
use crate::overlay::encode;
use crate::redirect::fragment_map;
use crate::{Cells, Site, extras, theme};
use document::{Page, Section, Theme};
use evidence::Evidence;

/// Which of the views in the top bar is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Docs,
    Map,
    Services,
    Traces,
    Logs,
    Objectives,
    Figures,
    Explore,
    Drift,
    Alerts,
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
    /// Whether there is a search.
    pub(crate) searchable: bool,
    pub(crate) version: Option<u64>,
    pub(crate) root: String,
    pub(crate) home: String,
    pub(crate) view: &'static str,
    /// `book` for pages that a reader may visit without a full load, `live` for views, else `apart`.
    pub(crate) kind: &'static str,
    /// Address below the root.
    pub(crate) here: &'a str,
    /// Whether search engines are to leave it out.
    pub(crate) hidden: bool,
    /// The sidebar's tree, as HTML.
    pub(crate) tree: String,
    pub(crate) crumbs: Vec<Crumb<'a>>,
    pub(crate) previous: Option<Beside<'a>>,
    pub(crate) next: Option<Beside<'a>>,
    /// The author's own pieces of HTML, from the theme's folder.
    pub(crate) slots: &'a Slots,
    /// Whether the glossary of all terms, and everything on one page, are named.
    pub(crate) glossary: bool,
    pub(crate) print: bool,
    pub(crate) services: Vec<SideService>,
    pub(crate) toc: Vec<TocEntry<'a>>,
    pub(crate) problems: String,
    /// Fragments of the page that moved, as JSON for `js/moved.js`; empty where there are none.
    pub(crate) moved: String,
    /// How a reader gets to another moment.
    pub(crate) moment: Option<MomentBar<'a>>,
    pub(crate) values: Values<'a>,
    site: &'a Site<'a>,
}

/// A section of the open page in the sidebar.
pub(crate) struct SideSection<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) sub: bool,
    pub(crate) key: String,
}

impl SideSection<'_> {
    /// Key of its dot.
    pub(crate) fn dot(&self) -> String {
        format!("{}.health", self.key)
    }

    /// Its entry; `below` stands under the page's.
    pub(crate) fn html(&self, values: Values, below: bool) -> String {
        let dot = match values.has("live.at") {
            true => format!("{} ", values.dot(&self.key, ".health")),
            false => String::new(),
        };
        format!(
            "<li><a href=\"#{}\" data-spy{}>{dot}<span>{}</span></a></li>\n",
            escape(self.id),
            if self.sub || below { " class=\"sub\"" } else { "" },
            escape(self.title)
        )
    }
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
        let path = place.page.map(|page| page.path.as_str());
        let [previous, next] =
            path.map_or([None, None], |path| site.navigation.beside(path, &root));
        let values = Values(cells);
        let description = place.page.and_then(|page| {
            let hero = page.hero.as_ref().and_then(|hero| hero.subtitle.clone());
            page.description.clone().or(hero)
        });
        Self {
            language: if config.language.is_empty() { "en" } else { &config.language },
            mode: theme::mode(look, config),
            title: place.title.clone(),
            book: site.title(),
            description: description.or_else(|| config.description.clone()),
            canonical: site.url.as_ref().map(|url| format!("{url}{}", canonical_path(place.path))),
            style: theme::style(look),
            page_id: place.id.to_owned(),
            live: site.live,
            searchable: !config.search_off,
            version: site.version,
            home: home(site, &root),
            view: match place.view {
                View::Docs => "docs",
                View::Map => "map",
                View::Services => "services",
                View::Traces => "traces",
                View::Logs => "logs",
                View::Drift => "drift",
                View::Objectives => "objectives",
                View::Figures => "figures",
                View::Alerts => "alerts",
                View::Explore => "explore",
                View::Nothing => "",
            },
            kind: match place.view {
                View::Docs => "book",
                View::Nothing => "apart",
                _ => "live",
            },
            here: place.path,
            hidden: place.view == View::Nothing,
            tree: tree(site, &root, place, values),
            crumbs: path.map_or_else(Vec::new, |path| site.navigation.way(path, &root)),
            previous,
            next,
            slots: site.assets.slots(),
            glossary: extras::has(site, extras::GLOSSARY) && site.book.pages.len() > 1,
            print: extras::has(site, extras::PRINT),
            services: evidence.map_or_else(Vec::new, |evidence| services(&root, place, evidence)),
            toc: place.page.map_or_else(Vec::new, toc),
            problems: String::new(),
            moved: site
                .book
                .moved_fragments(place.path)
                .map(|redirect| fragment_map(&redirect))
                .unwrap_or_default(),
            moment: MomentBar::new(site).filter(|_| place.view != View::Nothing),
            values,
            root,
            site,
        }
    }

    /// Style sheets that `book.toml` adds to every page.
    pub(crate) fn added_styles(&self) -> Vec<String> {
        self.added(&self.site.book.config.mdbook.additional_css)
    }

    /// Scripts that `book.toml` adds to every page.
    pub(crate) fn added_scripts(&self) -> Vec<String> {
        self.added(&self.site.book.config.mdbook.additional_js)
    }

    fn added(&self, paths: &[String]) -> Vec<String> {
        let address =
            |path: &String| format!("{}{}", self.root, encode_path(path.trim_start_matches("./")));
        paths.iter().map(address).collect()
    }

    /// Whether a moment of the past is shown.
    pub(crate) fn is_past(&self) -> bool {
        self.site.at.is_some()
    }

    /// That moment in seconds since 1970.
    pub(crate) fn at_s(&self) -> i64 {
        self.site.at.unwrap_or(self.site.now_ms).div_euclid(1000)
    }

    /// Where the book's source can be read.
    pub(crate) fn repository(&self) -> Option<&str> {
        let url = self.site.book.config.mdbook.git_repository_url.as_deref()?;
        (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
    }

    /// How the script is loaded.
    pub(crate) fn script_kind(&self) -> &'static str {
        self.site.assets.script_kind()
    }

    /// Media type of the icon.
    pub(crate) fn icon_type(&self) -> &'static str {
        if self.site.assets.path("icon").ends_with(".png") { "image/png" } else { "image/svg+xml" }
    }

    /// Address of one of the theme's files.
    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{}{}", self.root, self.site.assets.path(name))
    }
}

/// A path whose parts may hold blanks and the like, as an address.
fn encode_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// A folder's index is known by the folder's address.
fn canonical_path(path: &str) -> &str {
    match path.strip_suffix("index.html") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => folder,
        _ => path,
    }
}

/// A page's own colours; pages below `/live/` take those of the first page that has any.
pub(crate) fn look<'a>(site: &'a Site, page: Option<&'a Page>) -> &'a Theme {
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

/// The sidebar's tree. The only page of a book has no entry: its sections say it all.
fn tree(site: &Site, root: &str, place: &Place, values: Values) -> String {
    let sections = place.page.map_or_else(Vec::new, sections);
    let path = place.page.map(|page| page.path.as_str()).or(Some(place.path));
    if site.book.pages.len() == 1 && place.page.is_some() {
        let entries: String = sections.iter().map(|section| section.html(values, false)).collect();
        return match entries.is_empty() {
            true => String::new(),
            false => format!("<h2>Sections</h2>\n<ul>\n{entries}</ul>\n"),
        };
    }
    Tree::new(site, root, path, &sections, values).html()
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
