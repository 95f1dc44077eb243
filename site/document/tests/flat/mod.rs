//! A page's pieces as one HTML text, typed pieces as elements of their own: for tests.

use document::{Page, Piece};

/// All pieces in a row; a typed piece becomes an element that shows what it holds.
pub(crate) fn html(page: &Page) -> String {
    page.pieces.iter().map(|piece| one(page, piece)).collect()
}

fn one(page: &Page, piece: &Piece) -> String {
    match piece {
        Piece::Html(html) => html.clone(),
        Piece::Heading { section, html } => {
            let section = &page.sections[*section];
            format!("<h{0} id=\"{1}\">{html}</h{0}>", section.level, escape(&section.id))
        }
        Piece::Diagram(block) => format!("<figure>{}</figure>", escape(&block.source)),
        Piece::KpiGrid(kpis) => kpis
            .iter()
            .map(|kpi| format!("<b>{}: {}</b>", escape(&kpi.label), escape(&kpi.value)))
            .collect(),
        Piece::Glossary => page
            .glossary
            .iter()
            .map(|entry| format!("<i>{}: {}</i>", escape(&entry.term), escape(&entry.definition)))
            .collect(),
        Piece::BoxDrawing(html) => format!("<pre class=\"boxes\">{html}</pre>"),
        Piece::Chart(block) => format!("<figure>{}</figure>", escape(&block.title)),
        Piece::ServiceMap(block) => format!("<figure>{}</figure>", escape(&block.caption)),
        Piece::Objectives(objectives) => objectives
            .iter()
            .map(|one| format!("<b>{}: {}</b>", escape(&one.title), escape(&one.target)))
            .collect(),
        Piece::Figure(kpi) => format!("<output>{}</output>", escape(&kpi.value)),
        Piece::Broken { source, .. } => format!("<pre class=\"broken\">{}</pre>", escape(source)),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a reader sees: no tags, no definitions in tips, entities undone.
#[allow(dead_code)] // not every test file reads text
pub(crate) fn text(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("<span class=\"term-tip\"") {
            rest = &rest[rest.find("</span>").expect("a tip ends") + 7..];
            continue;
        }
        rest = &rest[rest.find('>').expect("a tag ends") + 1..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
