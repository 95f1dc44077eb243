//! Where each expression starts in the query's text, which the parser does not tell.
//!
//! Translation walks the parser's tree in the order of the text and asks for the next token of the kind it is at.

/// The tokens of a query that can start an expression, with their byte offsets.
#[derive(Debug)]
pub(crate) struct Positions<'a> {
    tokens: Vec<(usize, &'a str)>,
    next: usize,
}

impl<'a> Positions<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Positions { tokens: starts(tokens(text)), next: 0 }
    }

    /// The offset of the next token that `wanted` accepts; the present place when there is none.
    pub(crate) fn seek(&mut self, wanted: impl Fn(&str) -> bool) -> usize {
        self.seek_token(wanted).0
    }

    /// The next token that `wanted` accepts with its offset; an empty token at the present place when there is none.
    pub(crate) fn seek_token(&mut self, wanted: impl Fn(&str) -> bool) -> (usize, &'a str) {
        let found = self.tokens[self.next..].iter().position(|(_, token)| wanted(token));
        match found {
            Some(ahead) => {
                self.next += ahead + 1;
                self.tokens[self.next - 1]
            }
            None => (self.tokens.get(self.next).map_or(0, |(at, _)| *at), ""),
        }
    }

    /// The offset of a selector: its name, or its braces.
    pub(crate) fn selector(&mut self, name: Option<&str>) -> usize {
        match name {
            Some(name) => self.seek(|token| token == name),
            None => self.seek(|token| token == "{"),
        }
    }
}

/// Leaves out what follows an expression: ranges, `offset`, `@` and label lists.
fn starts(tokens: Vec<(usize, &str)>) -> Vec<(usize, &str)> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some((at, token)) = rest.next() {
        let follows_paren = rest.peek().is_some_and(|(_, next)| *next == "(");
        match token {
            "[" => skip_to(&mut rest, "]"),
            "{" => {
                out.push((at, token));
                skip_to(&mut rest, "}");
            }
            "@" | "offset" => {
                let signed = rest.next().is_some_and(|(_, next)| next == "-" || next == "+");
                if signed {
                    rest.next();
                } else if rest.peek().is_some_and(|(_, next)| *next == "(") {
                    skip_to(&mut rest, ")");
                }
            }
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" | "fill"
            | "fill_left" | "fill_right"
                if follows_paren =>
            {
                skip_to(&mut rest, ")");
            }
            _ => out.push((at, token)),
        }
    }
    out
}

fn skip_to<'a>(rest: &mut impl Iterator<Item = (usize, &'a str)>, end: &str) {
    rest.find(|(_, token)| *token == end);
}

/// The words, quoted texts and signs of a query with their byte offsets.
pub(crate) fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let length = token_length(&text[at..], c);
        if !c.is_whitespace() && c != '#' {
            out.push((at, &text[at..at + length]));
        }
        at += length;
    }
    out
}

fn token_length(text: &str, first: char) -> usize {
    match first {
        '"' | '\'' | '`' => quoted_length(text, first),
        '#' => text.find('\n').unwrap_or(text.len()),
        c if is_word(c) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        c => c.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':' || c == '.'
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped && quote != '`';
    }
    text.len()
}
