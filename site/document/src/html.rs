//! Writes pieces of HTML that are balanced whatever is put in.
//!
//! `body` opens and closes elements here; `raw` adds the author's own tags. A closing tag can only
//! close what was opened inside the same Markdown element.

use crate::Piece;

/// Escapes text for content and for attributes in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    push_escaped(&mut out, text);
    out
}

pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            0 => "\u{fffd}",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(entity);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

/// Percent-encodes what may not stand in an address, and escapes the rest for an attribute.
pub(crate) fn escape_address(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'&' => out.push_str("&amp;"),
            b'\'' => out.push_str("&#39;"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ if b"-_.+!*(),%#@?=;:/$~".contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Elements of the author's that may be open inside one Markdown element; finding the one to close
/// would otherwise cost the square of their number.
const RAW_DEPTH_MAX: usize = 100;

/// Takes the last `id` of `html` away when only tags follow it.
fn release_id(html: &mut String, id: &str) -> bool {
    let attribute = format!(" id=\"{id}\"");
    let Some(at) = html.rfind(&attribute) else { return false };
    let after = &html[at + attribute.len()..];
    let only_tags = after.split('>').skip(1).all(|part| {
        let text = part.split('<').next().unwrap_or_default();
        text.trim().is_empty()
    });
    if only_tags {
        html.replace_range(at..at + attribute.len(), "");
    }
    only_tags
}

enum Open {
    /// An element of Markdown's, with the text that closes it.
    Markdown(&'static str),
    /// An element that the author wrote as a tag.
    Raw(String),
}

/// Collects HTML and typed pieces in turn.
#[derive(Default)]
pub(crate) struct Writer {
    pieces: Vec<Piece>,
    html: String,
    open: Vec<Open>,
}

impl Writer {
    pub(crate) fn text(&mut self, text: &str) {
        push_escaped(&mut self.html, text);
    }

    /// Adds HTML that is balanced in itself.
    pub(crate) fn html(&mut self, html: &str) {
        self.html.push_str(html);
    }

    /// Begins a line, unless one has just begun.
    pub(crate) fn new_line(&mut self) {
        if !self.html.is_empty() && !self.html.ends_with('\n') {
            self.html.push('\n');
        }
    }

    pub(crate) fn open(&mut self, tag: &str, close: &'static str) {
        self.html.push_str(tag);
        self.open.push(Open::Markdown(close));
    }

    /// Closes the last Markdown element and every tag of the author's inside it.
    pub(crate) fn close(&mut self) {
        while let Some(open) = self.open.pop() {
            match open {
                Open::Raw(name) => self.close_tag(&name),
                Open::Markdown(close) => {
                    self.html.push_str(close);
                    return;
                }
            }
        }
    }

    /// Opens an element that the author wrote as a tag; too deep a one vanishes.
    pub(crate) fn open_raw(&mut self, tag: &str, name: &str) {
        let raw = |open: &&Open| matches!(open, Open::Raw(_));
        if self.open.iter().rev().take(RAW_DEPTH_MAX).filter(raw).count() == RAW_DEPTH_MAX {
            return;
        }
        self.html.push_str(tag);
        self.open.push(Open::Raw(name.to_owned()));
    }

    /// Closes the author's element `name` when one is open here; else the tag vanishes.
    pub(crate) fn close_raw(&mut self, name: &str) {
        let inside = self.open.iter().rev().take_while(|open| matches!(open, Open::Raw(_)));
        let Some(depth) =
            inside.into_iter().position(|open| matches!(open, Open::Raw(n) if n == name))
        else {
            return;
        };
        for _ in 0..=depth {
            if let Some(Open::Raw(name)) = self.open.pop() {
                self.close_tag(&name);
            }
        }
    }

    fn close_tag(&mut self, name: &str) {
        self.html.push_str("</");
        self.html.push_str(name);
        self.html.push('>');
    }

    pub(crate) fn piece(&mut self, piece: Piece) {
        self.flush();
        self.pieces.push(piece);
    }

    /// Begins a part whose HTML is wanted by itself.
    pub(crate) fn begin_part(&mut self) {
        self.flush();
        self.open("", "");
    }

    /// Ends it and returns its HTML.
    pub(crate) fn end_part(&mut self) -> String {
        self.close();
        std::mem::take(&mut self.html)
    }

    /// Takes `id`, which must be escaped, from the tag that bears it, when nothing but tags was written
    /// since; false when there is no such tag.
    pub(crate) fn release_id(&mut self, id: &str) -> bool {
        self.flush();
        let Some(Piece::Html(html)) = self.pieces.last_mut() else { return false };
        release_id(html, id)
    }

    fn flush(&mut self) {
        if !self.html.is_empty() {
            self.pieces.push(Piece::Html(std::mem::take(&mut self.html)));
        }
    }

    pub(crate) fn append(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Html(html) => self.html.push_str(&html),
                other => self.piece(other),
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Piece> {
        while !self.open.is_empty() {
            self.close();
        }
        self.flush();
        self.pieces
    }
}
