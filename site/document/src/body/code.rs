//! Code blocks: to the block that each is, and fences with tabs side by side.
//!
//! Tabs are fences that follow each other, each with `tab="Linux"` behind its language: elsewhere
//! they read as one block below the other, and so they do here without a script.

use super::Body;
use crate::fences::Kind;
use crate::html::escape;
use crate::info::Info;
use crate::{Piece, boxes, listing};
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

impl Body<'_, '_, '_, '_> {
    pub(super) fn end_code(&mut self) {
        let Some(fence) = self.code.take() else { return };
        if self.bare {
            let language = match fence.language() {
                "" => String::new(),
                language => format!(" class=\"language-{}\"", escape(language)),
            };
            let html = format!("<pre><code{language}>{}</code></pre>\n", escape(&fence.text));
            return self.writer().html(&html);
        }
        if fence.is_unclosed(self.text) {
            self.out.unclosed.push(fence.span.clone());
        }
        match fence.kind() {
            Kind::Mermaid => self.mermaid(&fence),
            Kind::KpiGrid => self.kpi_grid(&fence),
            Kind::Glossary => self.glossary(&fence),
            Kind::ServiceMap => self.service_map(&fence),
            Kind::Objectives => self.objectives(&fence),
            Kind::Chart => self.chart(&fence),
            Kind::Boxes => self.writer().piece(Piece::BoxDrawing(boxes::render(&fence.text))),
            Kind::Math => self.math_fence(&fence),
            Kind::Code => {
                let info = Info::parse(fence.info.as_deref().unwrap_or_default());
                let html = listing::html(&info, &fence.text, self.config, self.coloured);
                match &info.tab {
                    Some(tab) => self.tab(tab, &html),
                    None => self.writer().html(&html),
                }
            }
        }
    }

    fn tab(&mut self, name: &str, html: &str) {
        if !self.in_tabs {
            self.writer().open("<div class=\"tabs\">\n", "</div>\n");
            self.in_tabs = true;
        }
        let name = escape(name);
        self.writer().html(&format!(
            "<section class=\"tab\" data-tab=\"{name}\" aria-label=\"{name}\"><p class=\"tab-title\">{name}</p>{html}</section>\n"
        ));
    }

    /// Ends a row of tabs at the first event that does not belong to another one.
    pub(super) fn end_tabs(&mut self, event: &Event<'_>) {
        let joins = match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                Info::parse(info).tab.is_some()
            }
            Event::Text(_) | Event::End(TagEnd::CodeBlock) => self.code.is_some(),
            _ => false,
        };
        if !joins {
            self.in_tabs = false;
            self.writer().close();
        }
    }
}
