//! Code blocks: which are drawings, figures, formulas or glossaries.
//!
//! `body` hands in a block's language, text and place, and puts the answer on the page.

use crate::findings::{Findings, Origin};
use crate::{ChartOptions, Config, Objective, boxes, chart, info, kpi, map, objective, terms};
use diagnostics::{Code, Diagnostic};
use std::ops::Range;

/// A code block of the body.
pub(crate) struct Fence {
    /// Text behind the opening fence; `None` for indented code.
    pub(crate) info: Option<String>,
    /// Its content.
    pub(crate) text: String,
    /// Bytes of the body, fences included.
    pub(crate) span: Range<usize>,
}

/// What a block is.
pub(crate) enum Kind {
    Mermaid,
    KpiGrid,
    Glossary,
    ServiceMap,
    Objectives,
    Chart,
    Boxes,
    Math,
    Code,
}

/// Languages in which a drawing of boxes is a drawing; in others it is part of the code.
const TEXT_LANGUAGES: &[&str] =
    &["", "text", "txt", "plain", "plaintext", "ascii", "tree", "diagram"];

impl Fence {
    pub(crate) fn kind(&self) -> Kind {
        match (self.info.is_some(), self.language()) {
            (true, "mermaid") => Kind::Mermaid,
            (true, "kpi-grid") => Kind::KpiGrid,
            (true, "glossary") => Kind::Glossary,
            (true, "service-map") => Kind::ServiceMap,
            (true, "slo") => Kind::Objectives,
            (true, "chart") => Kind::Chart,
            (true, "math") => Kind::Math,
            (_, language)
                if TEXT_LANGUAGES.contains(&language) && boxes::is_drawing(&self.text) =>
            {
                Kind::Boxes
            }
            _ => Kind::Code,
        }
    }

    /// First word of the info string, up to a comma or brace.
    pub(crate) fn language(&self) -> &str {
        info::language(self.info.as_deref().unwrap_or_default())
    }

    /// Whether the author opened the fence and closed it nowhere.
    pub(crate) fn is_unclosed(&self, body: &str) -> bool {
        if self.info.is_none() {
            return false;
        }
        let source = body[self.span.clone()].trim_end();
        let Some(mark) = source.trim_start().chars().next().filter(|c| matches!(c, '`' | '~'))
        else {
            return false;
        };
        let length = source.trim_start().chars().take_while(|c| *c == mark).count();
        let Some((_, last)) = source.rsplit_once('\n') else { return true };
        let last = last.trim_start_matches([' ', '\t', '>']).trim_end();
        !(last.chars().count() >= length && last.chars().all(|c| c == mark))
    }

    /// Byte of the body at which byte `at` of the content stands. The content has lost the
    /// indentation of the list or quote around it, so lines are compared.
    fn place(&self, body: &str, at: usize) -> usize {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let source = &body[self.span.clone()];
        let mut from = 0;
        for _ in 0..=line {
            match source[from..].find('\n') {
                Some(end) => from += end + 1,
                None => return self.span.end,
            }
        }
        let line = source[from..].lines().next().unwrap_or_default();
        let content = self.text[line_start..].lines().next().unwrap_or_default();
        let indent = line.len().saturating_sub(content.len());
        let mut place =
            (self.span.start + from + indent + before.len() - line_start).min(self.span.end);
        while !body.is_char_boundary(place) {
            place -= 1;
        }
        place
    }

    /// A finding at byte `at` of the content.
    pub(crate) fn finding(
        &self,
        code: Code,
        at: usize,
        message: String,
        help: Option<String>,
        page: (&str, &Origin, &Findings<'_>),
    ) -> Diagnostic {
        let (body, origin, findings) = page;
        let start = self.place(body, at);
        let rest = body[start..self.span.end.max(start)].lines().next().unwrap_or_default();
        let end = start + rest.trim_end().len();
        let mut found = Diagnostic::at(code, findings.file(), origin.span(&(start..end)), message);
        found.help = help;
        found
    }

    /// Byte of the content at a line and a column in characters, both from 1.
    pub(crate) fn offset(&self, line: u32, column: u32) -> usize {
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1) as usize)
            .map(str::len)
            .sum();
        let rest = self.text[start..].lines().next().unwrap_or_default();
        let skip = column.saturating_sub(1) as usize;
        start + rest.char_indices().nth(skip).map_or(rest.len(), |(at, _)| at)
    }

    /// The grid's tiles, or message and byte of the fault.
    pub(crate) fn tiles(&self) -> Result<Vec<kpi::Tile>, (String, usize)> {
        kpi::parse_grid(&self.text)
    }

    /// The glossary's terms, or message and byte of the fault.
    pub(crate) fn terms(&self) -> Result<Vec<crate::GlossaryEntry>, (String, usize)> {
        terms::parse(&self.text)
    }

    /// The objectives, or message and byte of the fault.
    pub(crate) fn objectives(&self, config: &Config) -> Result<Vec<Objective>, (String, usize)> {
        objective::parse(&self.text, config)
    }

    /// What the chart shows and the service it is about, or message and byte of the fault.
    pub(crate) fn chart(&self) -> Result<(ChartOptions, Option<String>), (String, usize)> {
        chart::parse(&self.text)
    }

    /// What the map is to show, or message and byte of the fault.
    pub(crate) fn map(&self) -> Result<crate::MapOptions, (String, usize)> {
        map::parse(&self.text)
    }
}
