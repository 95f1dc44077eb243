//! Tokens to HTML: neighbours of one kind share an element, and none spans two lines.
//!
//! Both engines write here.

use crate::html::push_escaped;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Keyword,
    String,
    Comment,
    Number,
    Type,
    Function,
    Macro,
    Variable,
    Prompt,
    Inserted,
    Deleted,
    Heading,
}

impl Class {
    /// The opening tag.
    fn tag(self) -> &'static str {
        match self {
            Class::Keyword => "<span class=\"h-k\">",
            Class::String => "<span class=\"h-s\">",
            Class::Comment => "<span class=\"h-c\">",
            Class::Number => "<span class=\"h-n\">",
            Class::Type => "<span class=\"h-t\">",
            Class::Function => "<span class=\"h-f\">",
            Class::Macro => "<span class=\"h-m\">",
            Class::Variable => "<span class=\"h-v\">",
            Class::Prompt => "<span class=\"h-p\">",
            Class::Inserted => "<span class=\"h-i\">",
            Class::Deleted => "<span class=\"h-d\">",
            Class::Heading => "<span class=\"h-h\">",
        }
    }
}

/// HTML so far.
pub(super) struct Output {
    html: String,
    open: Option<Class>,
}

impl Output {
    /// For a text of so many bytes.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        Self { html: String::with_capacity(bytes * 2), open: None }
    }

    pub(super) fn push(&mut self, class: Option<Class>, text: &str) {
        if text.is_empty() {
            return;
        }
        if class.is_none() {
            self.close();
            push_escaped(&mut self.html, text);
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.find('\n') {
            self.span(class, &rest[..at]);
            self.close();
            self.html.push('\n');
            rest = &rest[at + 1..];
        }
        self.span(class, rest);
    }

    fn span(&mut self, class: Option<Class>, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.open != class {
            self.close();
            if let Some(class) = class {
                self.html.push_str(class.tag());
            }
            self.open = class;
        }
        push_escaped(&mut self.html, text);
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.html.push_str("</span>");
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.close();
        self.html
    }
}
