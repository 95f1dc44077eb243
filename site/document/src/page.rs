//! One Markdown file to a [`Page`], in five steps: encoding, front matter, body (again when a fence
//! had to be closed), figures, navigation.

use crate::addresses::{Addresses, Stems};
use crate::findings::{Findings, Origin, place_of};
use crate::frontmatter::{self, Above};
use crate::terms::{BookTerms, Terms};
use crate::{
    ChartBlock, CodeCache, Config, DiagramBlock, GlossaryEntry, Kpi, Link, MapBlock, Objective,
    Page, Piece, Section, body, checks, containers, encoding, kpi, links, suggest,
};
use diagnostics::{Code, SourceFile};
use std::borrow::Cow;
use std::ops::Range;

/// Fences that are closed on the author's behalf in one page; each costs another walk.
const FENCES_MENDED_MAX: usize = 8;

/// Reads one Markdown file; its path is relative to the source folder. Never fails: what cannot be
/// read is in [`Page::diagnostics`].
///
/// ```
/// let file = diagnostics::SourceFile::new("guide/README.md", "# Guide\n\nHello *you*.\n");
/// let page = document::parse_page(&file, &document::Config::without_file());
/// assert_eq!((page.path.as_str(), page.title.as_str()), ("guide/index.html", "Guide"));
/// ```
pub fn parse_page(file: &SourceFile, config: &Config) -> Page {
    parse_page_with(file, config, &CodeCache::default())
}

/// As [`parse_page`], with code that was coloured before taken from `code`.
pub fn parse_page_with(file: &SourceFile, config: &Config, code: &CodeCache) -> Page {
    let around = Around { code, terms: &BookTerms::default(), stems: &Stems::default() };
    parse(file, config, around, None, None)
}

/// What a page takes from the book around it.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Code that was coloured before.
    pub(crate) code: &'a CodeCache,
    pub(crate) terms: &'a BookTerms,
    pub(crate) stems: &'a Stems,
}

/// What the page at `file` defines, and whether it shows its glossary; read before any page is parsed.
pub(crate) fn glossary(file: &SourceFile, config: &Config) -> (Vec<GlossaryEntry>, bool) {
    if !file.text().contains("glossary") {
        return (Vec::new(), false);
    }
    let above = frontmatter::read(&mut Findings::new(file));
    let (text, _) = translated(&file.text()[above.body..], above.body, config);
    let fences = body::glossary_fences(&text, &config.markdown);
    let shown = fences.is_some();
    (above.matter.glossary.into_iter().chain(fences.unwrap_or_default()).collect(), shown)
}

/// As [`parse_page_with`], with the terms of the book, the title that `{{#title}}` gives, and what
/// `SUMMARY.md` calls the page.
pub(crate) fn parse(
    file: &SourceFile,
    config: &Config,
    around: Around<'_>,
    title: Option<&str>,
    listed_as: Option<&str>,
) -> Page {
    let mut findings = Findings::new(file);
    encoding::check(&mut findings);
    let above = frontmatter::read(&mut findings);
    let (mut walked, glossary) = read_body(file, &above, config, around, &mut findings);
    kpi::resolve_figures(&mut walked.pieces, config);
    let services =
        body::services(&above.matter.services.0, above.span.clone(), config, &mut findings);
    bind_sections(&mut walked.sections, &above, config, &mut findings);
    let navigation = navigation(&walked.sections, &above, &mut findings);
    let addresses = addresses(file, config, around.stems);
    let hero = hero(&above, file, addresses, &mut walked.links);
    let silenced = checks::silenced(&above, &config.markdown, &mut findings);
    let wanted = findings.into_list().into_iter();
    let diagnostics =
        wanted.filter_map(|found| checks::policy(found, &config.check, Some(&silenced))).collect();
    let id = links::markdown_stem(file.path()).unwrap_or(file.path()).to_owned();
    let name = id.rsplit('/').next().unwrap_or(&id).to_owned();
    let matter = above.matter;
    let hero_title = hero.as_ref().map(|hero| hero.title.clone());
    Page {
        path: links::page_path(file.path()),
        source: file.path().to_owned(),
        title: title
            .map(str::to_owned)
            .or(matter.title)
            .or(walked.title)
            .or(hero_title)
            .or(listed_as.map(str::to_owned))
            .unwrap_or(name),
        listed_as: listed_as.map(str::to_owned),
        id,
        description: matter.description,
        theme: above.theme,
        hero,
        glossary,
        sections: walked.sections,
        navigation,
        pieces: walked.pieces,
        diagnostics,
        services,
        links: walked.links,
        anchors: walked.anchors,
        silenced,
        file: file.clone(),
    }
}

/// The body, with blocks of other generators translated. Books of mdBook's stay as they are, since mdBook
/// shows such blocks as text.
fn translated<'t>(body: &'t str, start: usize, config: &Config) -> (Cow<'t, str>, Origin) {
    let made = match config.markdown.for_mdbook {
        true => None,
        false => containers::translate(body),
    };
    match made {
        Some(made) => (Cow::Owned(made.text), Origin::translated(start, made.parts)),
        None => (Cow::Borrowed(body), Origin::new(start)),
    }
}

/// Walks over the body. Where a fence is never closed it is closed before the next heading, so that
/// the rest of the page is built, and the walk is done again.
fn read_body(
    file: &SourceFile,
    above: &Above,
    config: &Config,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> (body::Walked, Vec<GlossaryEntry>) {
    let (mut text, mut origin) = translated(&file.text()[above.body..], above.body, config);
    let addresses = addresses(file, config, around.stems);
    for mended in 0.. {
        let fences = body::glossary_fences(&text, &config.markdown);
        let shown = fences.is_some();
        let mut glossary = above.matter.glossary.clone();
        glossary.extend(fences.unwrap_or_default());
        let mut here = Findings::new(file);
        let terms = Terms::new(&glossary, shown, around.terms);
        let walked = body::walk(&text, &origin, terms, config, (around.code, addresses), &mut here);
        let last = walked.unclosed.last().cloned();
        let mend = last.and_then(|span| closing_place(&text, &span).map(|at| (span, at)));
        match mend {
            Some((span, at)) if mended < FENCES_MENDED_MAX => {
                report_unclosed(&origin.span(&span), &text[span.clone()], findings);
                let closer = format!("{}\n", marks(&text[span]));
                origin.insert(at, closer.len());
                text.to_mut().insert_str(at, &closer);
            }
            _ => {
                for span in &walked.unclosed {
                    report_unclosed(&origin.span(span), &text[span.clone()], findings);
                }
                here.into_list().into_iter().for_each(|found| findings.add(found));
                return (walked, glossary);
            }
        }
    }
    unreachable!("the loop ends when no more fences are mended")
}

/// The backticks or tildes that open a fence.
fn marks(source: &str) -> &str {
    let source = source.trim_start();
    let mark = source.chars().next().unwrap_or('`');
    let rest = source.trim_start_matches(mark);
    &source[..source.len() - rest.len()]
}

/// Start of the first heading inside a fence that runs to the end of the text, when an empty line
/// stands above it: there the author most likely meant the fence to be over.
fn closing_place(text: &str, fence: &Range<usize>) -> Option<usize> {
    let at_margin = fence.start == 0 || text[..fence.start].ends_with('\n');
    if !at_margin || !text[fence.end..].trim().is_empty() {
        return None;
    }
    let source = &text[fence.clone()];
    source.match_indices("\n\n#").find_map(|(at, _)| {
        let line = &source[at + 2..];
        let level = line.bytes().take_while(|b| *b == b'#').count();
        (level <= 6 && line[level..].starts_with(' ')).then_some(fence.start + at + 2)
    })
}

fn report_unclosed(span: &Range<usize>, source: &str, findings: &mut Findings<'_>) {
    let line = source.lines().next().unwrap_or_default().trim_end();
    findings.report(
        Code::UnclosedFence,
        span.start..span.start + line.len(),
        "this fence is never closed",
        format!("add a line of {} below its last line", marks(source)),
    );
}

/// Adds the services that the front matter names for sections.
fn bind_sections(
    sections: &mut [Section],
    above: &Above,
    config: &Config,
    findings: &mut Findings<'_>,
) {
    for (id, source) in &above.matter.sections {
        let names = &source.services.0;
        let services = body::services(names, above.span.clone(), config, findings);
        match sections.iter_mut().find(|section| section.id == *id) {
            Some(section) if section.services.is_empty() => section.services = services,
            Some(_) => {}
            None => missing_section(id, sections, above, findings),
        }
    }
}

/// `navigation.order`, else the H2s, else the H1s where there are several.
fn navigation(sections: &[Section], above: &Above, findings: &mut Findings<'_>) -> Vec<String> {
    let order = &above.matter.navigation.order;
    if order.is_empty() {
        let level = if sections.iter().any(|section| section.level == 2) { 2 } else { 1 };
        let ids: Vec<String> = sections
            .iter()
            .filter(|section| section.level == level)
            .map(|section| section.id.clone())
            .collect();
        // A lone H1 is the page's title, which stands in the sidebar already.
        return if level == 1 && ids.len() == 1 { Vec::new() } else { ids };
    }
    let mut ids: Vec<String> = Vec::new();
    for id in order {
        if !sections.iter().any(|section| section.id == *id) {
            missing_section(id, sections, above, findings);
        } else if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}

fn missing_section(id: &str, sections: &[Section], above: &Above, findings: &mut Findings<'_>) {
    let text = findings.file().text();
    let quoted = place_of(text, above.span.clone(), &format!("\"{id}\""));
    let place = if quoted == above.span { place_of(text, quoted, id) } else { quoted };
    findings.report(
        Code::NavigationId,
        place,
        format!("no heading has the id `{id}`"),
        suggest::help(id, "ids", sections.iter().map(|section| section.id.as_str())),
    );
}

/// The hero with a harmless link that leads where the built site has its pages.
fn addresses<'a>(file: &'a SourceFile, config: &Config, stems: &'a Stems) -> Addresses<'a> {
    Addresses::new(file.path(), stems, !config.markdown.for_mdbook)
}

fn hero(
    above: &Above,
    file: &SourceFile,
    addresses: Addresses<'_>,
    links: &mut Vec<Link>,
) -> Option<crate::Hero> {
    let mut hero = above.matter.hero.clone()?;
    let actions = std::mem::take(&mut hero.actions);
    hero.call_to_action = hero.call_to_action.take().or_else(|| actions.into_iter().next());
    if let Some(call) = hero.call_to_action.take()
        && let Some(address) = links::safe(&call.link)
    {
        if links::kind(&address) == links::Kind::Inside {
            let span = place_of(file.text(), above.span.clone(), &call.link);
            links.push(Link { target: address.clone(), span });
        }
        let link = addresses.href(&address);
        hero.call_to_action = Some(crate::CallToAction { link, ..call });
    }
    Some(hero)
}

impl Page {
    /// Every figure of the page, tiles and figures in prose, in the order of [`Kpi::index`].
    pub fn kpis(&self) -> impl Iterator<Item = &Kpi> {
        let mut kpis: Vec<&Kpi> = self
            .pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::KpiGrid(kpis) => kpis.as_slice(),
                Piece::Figure(kpi) => std::slice::from_ref(&**kpi),
                _ => &[],
            })
            .collect();
        kpis.sort_by_key(|kpi| kpi.index);
        kpis.into_iter()
    }

    /// Every diagram of the page, in the order of [`DiagramBlock::index`].
    pub fn diagrams(&self) -> impl Iterator<Item = &DiagramBlock> {
        let mut blocks: Vec<&DiagramBlock> = self
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Diagram(block) => Some(&**block),
                _ => None,
            })
            .collect();
        blocks.sort_by_key(|block| block.index);
        blocks.into_iter()
    }

    /// Every objective of the page, each with the section in which it stands.
    pub fn objectives(&self) -> impl Iterator<Item = (Option<&Section>, &Objective)> {
        let mut section = None;
        self.pieces.iter().flat_map(move |piece| {
            let found: &[Objective] = match piece {
                Piece::Heading { section: at, .. } => {
                    section = self.sections.get(*at);
                    &[]
                }
                Piece::Objectives(objectives) => objectives,
                _ => &[],
            };
            found.iter().map(move |objective| (section, objective))
        })
    }

    /// Every chart of the page, by its index.
    pub fn charts(&self) -> impl Iterator<Item = &ChartBlock> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Chart(block) => Some(&**block),
            _ => None,
        })
    }

    /// Every generated map of the page.
    pub fn maps(&self) -> impl Iterator<Item = &MapBlock> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::ServiceMap(block) => Some(&**block),
            _ => None,
        })
    }

    /// The section with this id.
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }
}
