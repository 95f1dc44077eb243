//! The book as typed values.

use crate::MdBook;
use diagnostics::{Diagnostic, SourceFile};
use diagram::Drawing;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Name of a service as telemetry knows it: lower case, for instance `orders`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceId(pub String);

/// Everything that was read from one folder.
#[derive(Debug, Clone)]
pub struct Book {
    /// From `book.toml`, or the defaults.
    pub config: Config,
    /// In reading order; the first one is also `index.html` unless a page has that address. What is
    /// before and after a page here is before and after it in [`Book::outline`].
    pub pages: Vec<Arc<Page>>,
    /// The tree of the sidebar: `SUMMARY.md`, else the folders.
    pub outline: Vec<OutlineItem>,
    /// What its pages define, for links from other pages.
    pub terms: Arc<crate::BookTerms>,
    /// Findings about the book as a whole (configuration, links between pages); a page's own are in
    /// [`Page::diagnostics`].
    pub diagnostics: Vec<Diagnostic>,
}

/// A line of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutlineItem {
    /// Title of the part that follows.
    Part(String),
    /// A line between two groups.
    Separator,
    /// A chapter with everything below it.
    Chapter(Chapter),
}

/// An entry of the outline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chapter {
    /// As `SUMMARY.md` words it, else the page's title, else made of the folder's name.
    pub title: String,
    /// `1.2.` as mdBook writes it; `None` before and after the numbered chapters, and without
    /// `SUMMARY.md`.
    pub number: Option<String>,
    /// [`Page::id`]; `None` for a draft and for a folder without a page of its own.
    pub page: Option<String>,
    /// The chapters below it.
    pub children: Vec<Chapter>,
}

/// One Markdown file.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Path below the source folder without its ending, for instance `guide/intro`.
    pub id: String,
    /// Path of the Markdown file below the source folder.
    pub source: String,
    /// Address below the site's root, for instance `guide/intro.html`.
    pub path: String,
    /// `{{#title}}`, else front matter, else the first H1, else the hero's title, else what the summary
    /// calls it, else the file's name.
    pub title: String,
    /// What `SUMMARY.md` calls it.
    pub listed_as: Option<String>,
    /// For search engines.
    pub description: Option<String>,
    /// Colours; empty where the document says nothing.
    pub theme: Theme,
    /// Large opening of the page.
    pub hero: Option<Hero>,
    /// Terms of this page, in the order of the document.
    pub glossary: Vec<GlossaryEntry>,
    /// Every heading in document order.
    pub sections: Vec<Section>,
    /// Ids of sections for the sidebar: `navigation.order`, else the H2s (or the H1s where there are none).
    pub navigation: Vec<String>,
    /// The body: fragments of HTML and typed blocks in turn. A fragment may leave elements open (a
    /// diagram inside a list item); all pieces put together are well formed.
    pub pieces: Vec<Piece>,
    /// What is wrong with this page.
    pub diagnostics: Vec<Diagnostic>,
    /// Services that the front matter names for the page as a whole.
    pub services: Vec<ServiceId>,
    /// Links and images that lead somewhere inside the book, for the check across pages.
    pub links: Vec<Link>,
    /// Every `id` in the body that a link may point at, headings included.
    pub anchors: Vec<String>,
    /// Findings that the page does not want.
    pub silenced: crate::Silenced,
    /// The source that the page was made from.
    pub file: SourceFile,
}

/// A relative link or image as the author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Address as in the source, for instance `../intro.md#why`.
    pub target: String,
    /// Bytes of the link in the source.
    pub span: Range<usize>,
}

/// A heading with what its section is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Unique in the page.
    pub id: String,
    /// 1 to 6.
    pub level: u8,
    /// Text without markup.
    pub title: String,
    /// Services that the author named (`{#id services="auth users"}` or `sections.ID.services`).
    pub services: Vec<ServiceId>,
    /// Indices into the page's diagrams that stand in this section, before the next heading of the
    /// same or a higher level.
    pub diagrams: Vec<usize>,
    /// Indices into the page's KPIs, likewise.
    pub kpis: Vec<usize>,
    /// Classes that the author gave (`{.wide}`).
    pub classes: Vec<String>,
}

/// A part of the body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Ready HTML.
    Html(String),
    /// A heading; its strip goes below it.
    Heading {
        /// Index into [`Page::sections`].
        section: usize,
        /// Inline HTML of the heading.
        html: String,
    },
    /// A Mermaid diagram.
    Diagram(Box<DiagramBlock>),
    /// A grid of KPI tiles.
    KpiGrid(Vec<Kpi>),
    /// The place where the page's glossary is to stand: [`Page::glossary`], each entry with the id
    /// [`GlossaryEntry::anchor`], which terms in prose link to.
    Glossary,
    /// A fence of box drawing characters: ready, escaped HTML for the inside of
    /// `<pre class="boxes">`, lines ended by `\n`, every source character kept. What fonts may draw
    /// with another width stands in `<span class="cell">` (one column, `1ch`) or
    /// `<span class="cell wide">` (two columns, `2ch`): give these `display: inline-block`, that
    /// width and `overflow: visible`, and columns line up.
    BoxDrawing(String),
    /// The place of a map that is generated from what runs.
    ServiceMap(Box<MapBlock>),
    /// What is promised of services.
    Objectives(Vec<Objective>),
    /// Measurements over time.
    Chart(Box<ChartBlock>),
    /// An inline figure, `[< 200 ms](kpi:response-time)`.
    Figure(Box<Kpi>),
    /// A block of the author's that could not be read: shown as source with its finding.
    Broken {
        /// The fence's language.
        language: String,
        /// Its text.
        source: String,
        /// What is wrong with it.
        finding: Box<Diagnostic>,
    },
}

/// A diagram in a page.
#[derive(Debug, Clone)]
pub struct DiagramBlock {
    /// Counts the page's diagrams from 0; part of every id in the SVG (`d0-`).
    pub index: usize,
    /// Caption: the diagram's title, else the heading above it.
    pub caption: String,
    /// The Mermaid text.
    pub source: String,
    /// The drawing.
    pub drawing: Arc<Drawing>,
}

/// A generated map in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapBlock {
    /// Counts the page's maps from 0; part of every id in the SVG (`map0-`).
    pub index: usize,
    /// Caption: the author's, else the heading above it.
    pub caption: String,
    /// What it shows.
    pub options: MapOptions,
}

/// A chart in a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartBlock {
    /// Counts the page's charts from 0.
    pub index: usize,
    /// Its title, else the heading above it.
    pub title: String,
    /// The service that it is about.
    pub service: Option<ServiceId>,
    /// What it shows.
    pub options: ChartOptions,
}

/// What a chart shows, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartOptions {
    /// Words above it.
    pub title: Option<String>,
    /// Its lines; at least one.
    pub lines: Vec<ChartLine>,
    /// Unit of the queries' results: `s`, `ratio`, `1/s`, `bytes`, or free text.
    pub unit: String,
    /// How far it reaches back, seconds.
    pub range_s: Option<u32>,
    /// A bound in the base unit.
    pub threshold: Option<f64>,
    /// How its lines are drawn.
    pub style: ChartStyle,
}

/// What one or several lines of a chart show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChartLine {
    /// Name in the legend, in which `{{label}}` stands for a label's value; may be empty.
    pub name: String,
    /// PromQL in base units, with `$window` for a span that no two points leave anything out of.
    pub query: String,
}

/// How a chart's lines are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartStyle {
    /// As lines.
    #[default]
    Line,
    /// As lines with the area below them.
    Area,
    /// As bars that stand on each other.
    Bar,
    /// As areas that stand on each other.
    Stacked,
}

/// Which part of the map is shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapOptions {
    /// Words above the map.
    pub caption: Option<String>,
    /// A service, database, queue or the like: only it and its neighbours are shown.
    pub focus: Option<String>,
    /// What nodes are grouped by.
    pub groups: Grouping,
    /// Where callees stand.
    pub direction: MapDirection,
}

/// What nodes of a map are grouped by.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// Nothing.
    #[default]
    None,
    /// [`ServiceConfig::owner`].
    Owner,
    /// [`ServiceConfig::layer`].
    Layer,
}

/// Where callees of a map stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapDirection {
    /// To the right of their callers.
    #[default]
    Right,
    /// Below their callers.
    Down,
}

/// A figure that a document states.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kpi {
    /// Counts the page's KPIs from 0.
    pub index: usize,
    /// Given by the author or made from the label: `response-time`.
    pub id: String,
    /// What is claimed about, for instance `Response Time`.
    pub label: String,
    /// The claim in words: `< 200ms`, `99.99%`, `1M+`, `6 Regions`, `Instant`.
    pub value: String,
    /// PromQL that measures it, in base units.
    pub query: Option<String>,
    /// Unit of the query's result: `s`, `ratio`, `1/s`, `bytes`, or free text.
    pub unit: Option<String>,
    /// A claim in words that replaces `value` for the verdict.
    pub claim: Option<String>,
    /// Window of time such as `5m`, put in for `$window` in the query.
    pub window: Option<String>,
    /// The service that it is about.
    pub service: Option<ServiceId>,
    /// Where a click leads instead of the figure's own page.
    pub link: Option<String>,
}

/// What is promised of services over a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Objective {
    /// Made from the name: `error_rate`. Where several of a book have it, the later ones get `-2` and so on.
    pub id: String,
    /// For people.
    pub title: String,
    /// More words.
    pub description: Option<String>,
    /// In words: `99.9%`, `95% < 500ms`, `p99 < 1s`, `< 1%`, `> 1000 rps`.
    pub target: String,
    /// The period in words: `30 days`, `7d`, `1_minute`.
    pub window: String,
    /// Whom it is about; empty where the section or the page says it.
    pub services: Vec<ServiceId>,
    /// PromQL of good events a second, with `$window` for the span.
    pub good: Option<String>,
    /// PromQL of bad events a second, likewise.
    pub bad: Option<String>,
    /// PromQL of all events a second, likewise.
    pub total: Option<String>,
    /// PromQL of a value that is compared, for objectives without an error budget.
    pub query: Option<String>,
    /// With fewer events in a span its burn rate raises no alert.
    pub min_events: Option<u32>,
}

/// A term and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlossaryEntry {
    /// The term.
    pub term: String,
    /// What it means.
    pub definition: String,
}

/// Large opening of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hero {
    /// In large letters.
    #[serde(alias = "name")]
    pub title: String,
    /// Below it.
    #[serde(default, alias = "tagline")]
    pub subtitle: Option<String>,
    /// A button.
    #[serde(default, alias = "call-to-action", alias = "call_to_action")]
    pub call_to_action: Option<CallToAction>,
    /// Buttons as VitePress writes them; without a call to action the first is one.
    #[serde(default, skip_serializing)]
    pub actions: Vec<CallToAction>,
}

/// A button of the hero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallToAction {
    /// Words on the button.
    pub text: String,
    /// Where it leads; only http, https, mailto and relative links survive.
    pub link: String,
}

/// Colours of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Theme {
    /// Which of both is shown at first.
    pub mode: Mode,
    /// Tokens by name: `primary secondary background surface text text-secondary`; values are CSS
    /// colours that were checked.
    pub light: IndexMap<String, String>,
    /// The same for dark.
    pub dark: IndexMap<String, String>,
}

/// Which colours are shown at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As the reader's system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// `book.toml`, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `book.title`.
    pub title: Option<String>,
    /// `book.description`.
    pub description: Option<String>,
    /// `book.language`, default `en`.
    pub language: String,
    /// `book.src`, the folder of Markdown below the book's, default `src`; `.` without a `book.toml`.
    pub src: String,
    /// `build.build-dir`, default `book`.
    pub build_dir: String,
    /// `[output.loggia.services.NAME]` in the order of the file.
    pub services: IndexMap<ServiceId, ServiceConfig>,
    /// `[output.loggia.kpis."Response Time"]`: label to binding.
    pub kpis: IndexMap<String, KpiBinding>,
    /// `[output.loggia.objectives.NAME]`, and `objectives` of services.
    pub objectives: Vec<Objective>,
    /// `output.loggia.scrape`.
    pub scrape: Vec<ScrapeTarget>,
    /// `output.loggia.scrape-interval` and `scrape-timeout`: for every target that says nothing else.
    pub scrape_pace: ScrapePace,
    /// `output.loggia.discovery`: addresses that answer Prometheus's HTTP service discovery JSON.
    pub discovery: Vec<String>,
    /// Where and for how long telemetry is kept.
    pub keep: crate::Keep,
    /// Engines that are asked instead of the ones built in.
    pub engines: crate::Engines,
    /// Rules and who is told of alerts.
    pub alerts: crate::AlertConfig,
    /// `output.loggia.check`.
    pub check: CheckRules,
    /// How Markdown is read.
    pub markdown: MarkdownOptions,
    /// mdBook's own settings.
    pub mdbook: MdBook,
    /// `output.loggia.edit-url-template`, else `output.html.edit-url-template`.
    pub edit_url_template: Option<String>,
    /// `output.loggia.base-url`, else `output.html.site-url`: where the built site will stand, a whole
    /// address or a path. `--base-url` comes before it.
    pub base_url: Option<String>,
    /// `output.loggia.search = false`, else `output.html.search.enable = false`.
    pub search_off: bool,
    /// `output.loggia.theme`: a folder of the author's style sheets and pieces of HTML, below the
    /// folder of `book.toml`; `theme` where nothing is said.
    pub theme: Option<String>,
    /// `output.html.print.enable = false`: no page with the whole book.
    pub no_print: bool,
    /// `output.loggia.glossary-links = "page"`: a term is linked on the page that defines it alone,
    /// not in the whole book.
    pub own_terms_only: bool,
}

/// `[output.loggia.check]`: what the book thinks of the codes of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckRules {
    /// Not reported.
    pub ignore: Vec<diagnostics::Code>,
    /// Errors, whatever they are by default.
    pub deny: Vec<diagnostics::Code>,
    /// Warnings, whatever they are by default.
    pub warn: Vec<diagnostics::Code>,
    /// Addresses on the web that nobody asks for; `*` stands for any characters.
    pub external_allow: Vec<String>,
}

/// How a book's Markdown is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarkdownOptions {
    /// `output.html.smart-punctuation`: quotes are curled, `--` is a dash. As in mdBook `true` where a
    /// `book.toml` says nothing; `false` without a `book.toml`.
    pub smart_punctuation: bool,
    /// `output.loggia.math`: what stands between `$` and `$`, `$$` and `$$` is a formula, unless a space
    /// follows the opening or precedes the closing sign. Default `false`, since prose has prices.
    pub math: bool,
    /// `output.html.mathjax-support`: what stands between `\\(` and `\\)`, `\\[` and `\\]`, `$$`
    /// and `$$` is a formula.
    pub mathjax: bool,
    /// The book was made for mdBook alone: a `book.toml` without `[output.loggia]`. Ids of headings are
    /// then exactly mdBook's, so that links from outside keep working (else hyphens that emoji leave
    /// at the ends of an id are cut off), and a diagram that cannot be drawn is a warning.
    pub for_mdbook: bool,
    /// `output.html.code.hidelines`: language to the prefix of lines that are hidden at first.
    pub hide_lines: IndexMap<String, String>,
}

/// What the book says of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ServiceConfig {
    /// Name for people.
    pub title: Option<String>,
    /// Other names that stand for it in diagrams, compared without case and punctuation.
    pub aliases: Vec<String>,
    /// `service.name` in OpenTelemetry, when it is not the key itself.
    pub service_name: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where its source is.
    pub repository: Option<String>,
    /// What to do at night.
    pub runbook: Option<String>,
    /// The layer it belongs to, in the author's words: `edge`, `application`, `data`.
    pub layer: Option<String>,
    /// `service` (default), `database`, `queue` or `external`.
    pub kind: Option<String>,
}

/// A query for a KPI whose document must stay untouched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KpiBinding {
    /// As in [`Kpi::query`].
    pub query: Option<String>,
    /// As in [`Kpi::unit`].
    pub unit: Option<String>,
    /// As in [`Kpi::claim`].
    pub claim: Option<String>,
    /// As in [`Kpi::window`].
    pub window: Option<String>,
    /// As in [`Kpi::service`].
    pub service: Option<ServiceId>,
}

/// One address that is scraped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrapeTarget {
    /// Becomes the label `job`.
    pub job: String,
    /// `http://127.0.0.1:9100/metrics`.
    pub url: String,
    /// Who asks, and whom to trust.
    #[serde(default)]
    pub access: ScrapeAccess,
    /// How often, where the target says so itself.
    #[serde(default)]
    pub pace: ScrapePace,
}

/// How often something is scraped, where that is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrapePace {
    /// Milliseconds between two scrapes, 1,000 to 120,000.
    pub interval_ms: Option<u64>,
    /// Milliseconds after which a scrape is given up, at most the interval.
    pub timeout_ms: Option<u64>,
}

/// What a target wants to know of who asks, and what is trusted. Secrets are not in the book: it names where they are;
/// files from the folder of `book.toml` on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrapeAccess {
    /// `bearer-env`: a variable of the environment that holds a token.
    pub bearer_env: Option<String>,
    /// `bearer-file`: a file that holds a token.
    pub bearer_file: Option<String>,
    /// `username`.
    pub username: Option<String>,
    /// `password-env`: a variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// `password-file`: a file that holds the password.
    pub password_file: Option<String>,
    /// `ca-file`: certificates of authorities, for `https`.
    pub ca_file: Option<String>,
    /// `insecure-skip-verify`: take any certificate.
    pub insecure_skip_verify: bool,
}
