//! Links, figures, images and raw HTML: what stands inside a line.

use super::Body;
use crate::findings::place_of;
use crate::html::{escape, escape_address};
use crate::{Link, Piece, kpi, links, raw};
use diagnostics::Code;
use pulldown_cmark::LinkType;
use std::ops::Range;

/// A `kpi:` link whose text is being read.
pub(super) struct Figure {
    pub(super) id: String,
    pub(super) text: String,
}

/// An image whose alternative text is being read.
pub(super) struct Image {
    pub(super) address: String,
    pub(super) title: String,
    pub(super) alt: String,
    /// Images inside its alternative text.
    pub(super) depth: usize,
}

impl Body<'_, '_, '_, '_> {
    pub(super) fn start_link(
        &mut self,
        link: LinkType,
        address: &str,
        title: &str,
        span: Range<usize>,
    ) {
        if self.figure.is_some() || self.image.is_some() {
            return;
        }
        if link == LinkType::Email {
            let html = format!("<a href=\"mailto:{}\">", escape_address(address));
            return self.open_link(&html, "</a>");
        }
        if self.bare {
            let html =
                format!("<a href=\"{}\"{}>", escape_address(address), title_attribute(title));
            return self.open_link(&html, "</a>");
        }
        let file_span = self.origin.span(&span);
        match links::kind(address) {
            links::Kind::Figure(id)
                if self.heading.is_none() && !self.in_term && self.links == 0 =>
            {
                self.figure = Some(Figure { id: id.to_owned(), text: String::new() });
            }
            links::Kind::Figure(_) => self.open_link("", ""),
            links::Kind::Forbidden(scheme) => {
                let place = place_of(self.findings.file().text(), file_span, address);
                self.findings.report(
                    Code::BrokenLink,
                    place,
                    format!("links with `{scheme}:` are not allowed"),
                    "write an address with `https:`, `http:` or `mailto:`, or one relative to the page",
                );
                self.open_link("", "");
            }
            kind => {
                let rel = if kind == links::Kind::External { " rel=\"noopener\"" } else { "" };
                self.remember_link(address, file_span);
                let href = escape_address(&self.addresses.href(address.trim()));
                let html = format!("<a href=\"{href}\"{}{rel}>", title_attribute(title));
                self.open_link(&html, "</a>");
            }
        }
    }

    pub(super) fn open_link(&mut self, html: &str, close: &'static str) {
        self.links += 1;
        self.writer().open(html, close);
    }

    pub(super) fn end_link(&mut self) {
        if self.image.is_some() {
            return;
        }
        if let Some(figure) = self.figure.take() {
            let kpi = kpi::figure(self.kpis, &figure.id, figure.text.trim().to_owned());
            self.count_kpi();
            self.writer().piece(Piece::Figure(Box::new(kpi)));
        } else if self.links > 0 {
            self.links -= 1;
            self.writer().close();
        }
    }

    pub(super) fn start_image(&mut self, address: &str, title: &str, span: Range<usize>) {
        if let Some(image) = &mut self.image {
            image.depth += 1;
            return;
        }
        let span = self.origin.span(&span);
        self.remember_link(address, span);
        self.image = Some(Image {
            address: address.to_owned(),
            title: title.to_owned(),
            alt: String::new(),
            depth: 0,
        });
    }

    pub(super) fn end_image(&mut self) {
        let Some(mut image) = self.image.take() else { return };
        if image.depth > 0 {
            image.depth -= 1;
            self.image = Some(image);
            return;
        }
        let title = title_attribute(&image.title);
        let alt = escape(&image.alt);
        let html = match links::safe(&image.address) {
            _ if self.bare => {
                format!("<img src=\"{}\" alt=\"{alt}\"{title}>", escape_address(&image.address))
            }
            Some(address) => format!(
                "<img src=\"{}\" alt=\"{alt}\"{title} loading=\"lazy\">",
                escape_address(&self.addresses.file(&address))
            ),
            None => alt,
        };
        self.inline("", |_| html.clone());
    }

    pub(super) fn write_raw(&mut self, html: &str, span: Range<usize>) {
        if self.bare {
            return self.writer().html(html);
        }
        let last = self.writers.len() - 1;
        let brought = raw::write(html, self.addresses, &mut self.writers[last]);
        let span = self.origin.span(&span);
        for id in brought.ids {
            if self.ids.take(&id) {
                self.raw_ids.insert(id.clone());
            }
            self.out.anchors.push(id);
        }
        self.out.anchors.extend(brought.names);
        for target in brought.links {
            self.remember_link(&target, span.clone());
        }
    }

    pub(super) fn remember_link(&mut self, target: &str, span: Range<usize>) {
        if links::kind(target) == links::Kind::Inside {
            self.out.links.push(Link { target: target.trim().to_owned(), span });
        }
    }
}

fn title_attribute(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(title)) }
}
