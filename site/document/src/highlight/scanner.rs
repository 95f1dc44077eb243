//! One pass over code by a language's table: comments, strings, numbers, words.
//!
//! `highlight` hands in a table and the text. Every byte is looked at a bounded number of times,
//! so the time is linear whatever the text.

use super::languages::{Found, Quote, Shape};
use super::output::{Class, Output};

/// Longest Rust attribute that is coloured as one, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 2_000;

/// The text coloured.
pub(super) fn scan(found: &Found, text: &str) -> String {
    let mut scanner = Scanner { found, text, at: 0, plain: 0, out: Output::for_bytes(text.len()) };
    scanner.run();
    scanner.flush();
    scanner.out.finish()
}

struct Scanner<'t> {
    found: &'t Found,
    text: &'t str,
    at: usize,
    /// Where the text begins that nothing has claimed yet.
    plain: usize,
    out: Output,
}

impl<'t> Scanner<'t> {
    fn run(&mut self) {
        let mut line_start = true;
        while let Some(byte) = self.byte(0) {
            if line_start && self.line_begins() {
                line_start = self.text[..self.at].ends_with('\n');
                continue;
            }
            let before = self.at;
            match byte {
                b'\n' => self.at += 1,
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if byte.is_ascii_digit() => self.number(),
                byte if self.in_word(byte, true) => self.word(),
                _ => self.mark(byte),
            }
            line_start = self.text.as_bytes()[before] == b'\n';
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The rest of the line, without its end.
    fn line(&self) -> &'t str {
        let rest = self.rest();
        &rest[..line_length(rest)]
    }

    fn flush(&mut self) {
        if self.plain < self.at {
            self.out.push(None, &self.text[self.plain..self.at]);
            self.plain = self.at;
        }
    }

    /// The next `length` bytes are of this class.
    fn take(&mut self, class: Option<Class>, length: usize) {
        if class.is_some() {
            self.flush();
            self.out.push(class, &self.text[self.at..self.at + length]);
            self.at += length;
            self.plain = self.at;
        } else {
            self.at += length;
        }
    }

    fn in_word(&self, byte: u8, first: bool) -> bool {
        byte.is_ascii_alphabetic()
            || byte == b'_'
            || byte >= 0x80
            || (!first && byte.is_ascii_digit())
            || (self.found.language.in_words.contains(&byte)
                && !(first && matches!(byte, b'-' | b'.' | b'/' | b':' | b'#' | b'+')))
    }

    fn word_length(&self) -> usize {
        let bytes = &self.text.as_bytes()[self.at..];
        bytes.iter().position(|byte| !self.in_word(*byte, false)).unwrap_or(bytes.len())
    }

    /// What only means something at the start of a line. True when something was taken.
    fn line_begins(&mut self) -> bool {
        match self.found.language.shape {
            Shape::Diff => self.diff_line(),
            Shape::Session => self.session_line(),
            Shape::Keys => return self.key(b':'),
            Shape::Sections => return self.section() || self.key(b'='),
            Shape::Code | Shape::Shell => {
                return self.found.language.directives && self.directive();
            }
        }
        true
    }

    fn diff_line(&mut self) {
        let line = self.line();
        let class = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'@', b'@', ..] => {
                Some(Class::Heading)
            }
            [b'+', ..] => Some(Class::Inserted),
            [b'-', ..] => Some(Class::Deleted),
            [b'd', b'i', b'f', b'f', b' ', ..] | [b'i', b'n', b'd', b'e', b'x', b' ', ..] => {
                Some(Class::Heading)
            }
            _ => None,
        };
        self.take(class, line.len());
        self.take(None, usize::from(self.byte(0).is_some()));
    }

    /// A prompt, its command, and whatever is answered. Commands may go on behind a backslash.
    fn session_line(&mut self) {
        let line = self.line();
        let prompt = prompt_length(line);
        if prompt == 0 {
            self.take(None, line.len());
            self.take(None, usize::from(self.byte(0).is_some()));
            return;
        }
        self.take(Some(Class::Prompt), prompt);
        while let Some(byte) = self.byte(0) {
            let before = self.at;
            match byte {
                b'\n' if self.text[..self.at].ends_with('\\') => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    return;
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if byte.is_ascii_digit() => self.number(),
                byte if self.in_word(byte, true) => self.word(),
                _ => self.mark(byte),
            }
            debug_assert!(self.at > before, "every step takes something");
        }
    }

    /// `key:` or `key =` at the start of a line, behind the dashes of a list.
    fn key(&mut self, sign: u8) -> bool {
        let line = self.line();
        let start = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
        let content = &line[start..];
        if content.starts_with(['#', ';', '[', '{', ']', '}', '|', '>', '&', '*', '!']) {
            return false;
        }
        let Some(end) = content.bytes().position(|byte| byte == sign) else { return false };
        let key = content[..end].trim_end();
        let spaced = sign != b':' || matches!(content.as_bytes().get(end + 1), None | Some(b' '));
        let quoted = key.matches('"').count() % 2 + key.matches('\'').count() % 2 > 0;
        if key.is_empty() || !spaced || quoted || key.contains(" #") {
            return false;
        }
        self.take(None, start);
        self.take(Some(Class::Variable), key.len());
        true
    }

    /// `[section]`.
    fn section(&mut self) -> bool {
        let line = self.line();
        let content = line.trim_start();
        let inside = content.strip_prefix('[').filter(|inside| inside.contains(']'));
        let Some(end) = inside.and_then(|_| content.rfind(']')) else { return false };
        // An array that goes on over several lines begins with `[` too.
        let is_section = content[1..end]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.[]\"' :*/".contains(&b))
            && !content[end + 1..].trim_start().starts_with(',');
        if !is_section {
            return false;
        }
        self.take(None, line.len() - content.len());
        self.take(Some(Class::Heading), end + 1);
        true
    }

    /// `#include <x>`: the word behind `#`, and the file.
    fn directive(&mut self) -> bool {
        let line = self.line();
        let indent = line.len() - line.trim_start().len();
        let content = &line[indent..];
        let Some(name) = content.strip_prefix('#') else { return false };
        let spaces = name.len() - name.trim_start().len();
        let letters = name[spaces..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if letters == 0 {
            return false;
        }
        self.take(None, indent);
        self.take(Some(Class::Macro), 1 + spaces + letters);
        let rest = self.line();
        let file = rest.trim_start();
        if file.starts_with('<')
            && let Some(end) = file.find('>')
        {
            self.take(None, rest.len() - file.len());
            self.take(Some(Class::String), end + 1);
        }
        true
    }

    fn number(&mut self) {
        let bytes = &self.text.as_bytes()[self.at..];
        let mut length = 1;
        while let Some(byte) = bytes.get(length) {
            let next = bytes.get(length + 1);
            let goes_on = match byte {
                b'.' => next.is_some_and(u8::is_ascii_digit),
                b'+' | b'-' => {
                    matches!(bytes[length - 1], b'e' | b'E')
                        && !bytes.starts_with(b"0x")
                        && next.is_some_and(u8::is_ascii_digit)
                }
                byte => byte.is_ascii_alphanumeric() || *byte == b'_',
            };
            if !goes_on {
                break;
            }
            length += 1;
        }
        self.take(Some(Class::Number), length);
    }

    fn word(&mut self) {
        let length = self.word_length().max(1);
        let word = &self.rest()[..length];
        let language = self.found.language;
        if language.rust && self.rust_word(word) {
            return;
        }
        let after = &self.text.as_bytes()[self.at + length..];
        let class = match self.found.word(word) {
            Some(class) => Some(class),
            None if language.calls && after.first() == Some(&b'(') => Some(Class::Function),
            None if language.capitals && word.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Some(match is_constant(word) {
                    true => Class::Number,
                    false => Class::Type,
                })
            }
            None => None,
        };
        self.take(class, length);
    }

    /// Raw strings, macros, and functions that are called with type arguments.
    fn rust_word(&mut self, word: &str) -> bool {
        let after = &self.text.as_bytes()[self.at + word.len()..];
        if matches!(word, "r" | "br" | "cr") && matches!(after.first(), Some(b'"' | b'#')) {
            let hashes = after.iter().take_while(|b| **b == b'#').count();
            if after.get(hashes) == Some(&b'"') {
                let close = format!("\"{}", "#".repeat(hashes));
                let open = word.len() + hashes + 1;
                let rest = &self.rest()[open..];
                let length = rest.find(&close).map_or(rest.len(), |at| at + close.len());
                self.take(Some(Class::String), open + length);
                return true;
            }
            if hashes == 1 && word == "r" {
                self.take(None, 2); // `r#type` is a name
                let length = self.word_length();
                self.take(None, length);
                return true;
            }
        }
        if matches!(word, "b" | "c") && matches!(after.first(), Some(b'"' | b'\'')) {
            let quote = char::from(after[0]);
            let length = word.len() + string_length(&self.rest()[word.len()..], quote, 1);
            self.take(Some(Class::String), length);
            return true;
        }
        if after.first() == Some(&b'!') && after.get(1) != Some(&b'=') {
            self.take(Some(Class::Macro), word.len() + 1);
            return true;
        }
        false
    }

    /// Anything that is neither word, number nor space.
    fn mark(&mut self, byte: u8) {
        let language = self.found.language;
        let rest = self.rest();
        if byte == b'#' && language.rust {
            return self.rust_attribute(rest);
        }
        if byte == b'\'' && language.rust {
            return self.rust_quote(rest);
        }
        for (open, close, nested) in language.block_comments {
            if rest.starts_with(open) {
                let length = comment_length(rest, open, close, *nested);
                return self.take(Some(Class::Comment), length);
            }
        }
        if language.line_comments.iter().any(|mark| rest.starts_with(mark)) && self.comments_here()
        {
            return self.take(Some(Class::Comment), line_length(rest));
        }
        for quote in language.quotes {
            if rest.starts_with(quote.open) {
                return self.string(quote);
            }
        }
        match byte {
            b'$' if matches!(language.shape, Shape::Shell | Shape::Session) => self.variable(rest),
            b'@' if language.decorators => self.sign(Class::Macro),
            b'&' | b'*' if language.shape == Shape::Keys => self.sign(Class::Variable),
            b'-' if matches!(language.shape, Shape::Shell | Shape::Session) => self.option(),
            _ => self.take(None, 1),
        }
    }

    /// `#` begins a comment in a shell, and in YAML, only behind a space.
    fn comments_here(&self) -> bool {
        let language = self.found.language;
        !matches!(language.shape, Shape::Shell | Shape::Session | Shape::Keys)
            || self.at == 0
            || self.text.as_bytes()[self.at - 1].is_ascii_whitespace()
    }

    fn string(&mut self, quote: &Quote) {
        let rest = self.rest();
        let length = quoted_length(rest, quote);
        let after = rest[length..].trim_start_matches([' ', '\t']);
        let key = self.found.language.quoted_keys && after.starts_with(':');
        self.take(Some(if key { Class::Variable } else { Class::String }), length);
    }

    /// A sign and the word behind it.
    fn sign(&mut self, class: Class) {
        self.at += 1;
        let word = self.word_length();
        self.at -= 1;
        self.take((word > 0).then_some(class), 1 + word);
    }

    /// `-x`, `--long`: the whole option, plain, so that its words are no keywords.
    fn option(&mut self) {
        let bytes = &self.text.as_bytes()[self.at..];
        let behind_space = self.at == 0 || self.text.as_bytes()[self.at - 1].is_ascii_whitespace();
        let length = bytes
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')))
            .unwrap_or(bytes.len());
        match behind_space && length > 1 {
            true => self.take(Some(Class::Variable), length),
            false => self.take(None, 1),
        }
    }

    /// `$name`, `${name}`, `$1`.
    fn variable(&mut self, rest: &str) {
        let bytes = rest.as_bytes();
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = match bytes.get(1) {
            Some(b'{') => {
                rest.find(['}', '\n']).map_or(rest.len(), |at| at + usize::from(bytes[at] == b'}'))
            }
            Some(b'?' | b'@' | b'#' | b'*' | b'$' | b'!') => 2,
            _ => 1 + bytes[1..].iter().take_while(|byte| name(byte)).count(),
        };
        self.take((length > 1).then_some(Class::Variable), length);
    }

    /// `#[derive(Debug)]`, `#![allow(x)]`: up to the bracket that closes it.
    fn rust_attribute(&mut self, rest: &str) {
        let open = rest.find('[').filter(|at| *at <= 2 && matches!(&rest[..*at], "#" | "#!"));
        let Some(open) = open else { return self.take(None, 1) };
        let mut depth = 0_usize;
        let end = rest[open..].bytes().take(ATTRIBUTE_BYTES_MAX).position(|byte| {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        match end {
            Some(end) => self.take(Some(Class::Macro), open + end + 1),
            None => self.take(None, 1),
        }
    }

    /// A character, or a lifetime.
    fn rust_quote(&mut self, rest: &str) {
        let mut chars = rest[1..].chars();
        match (chars.next(), chars.next()) {
            (Some('\\'), _) => {
                let length = string_length(&rest[..line_length(rest)], '\'', 1);
                self.take(Some(Class::String), length);
            }
            (Some(c), Some('\'')) => self.take(Some(Class::String), 2 + c.len_utf8()),
            _ => self.sign(Class::Variable),
        }
    }
}

/// `LIKE_THIS`.
fn is_constant(word: &str) -> bool {
    word.len() > 1
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Length of a prompt at the start of a line: `$ `, `# `, `> `, `% `, `user@host:~$ `, `PS C:\> `.
fn prompt_length(line: &str) -> usize {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    let content = &line[spaces..];
    for prompt in ["$ ", "> ", "% ", "❯ ", ">>> ", "... "] {
        if content.starts_with(prompt) {
            return spaces + prompt.len();
        }
    }
    if content == "$" || content == ">" {
        return line.len();
    }
    let end = content.find("$ ").or_else(|| content.find("> ")).filter(|end| *end <= 60);
    let named = |end: &usize| {
        let name = &content[..*end];
        let host = name.contains('@') && name.contains(':') && !name.contains(' ');
        host || name.starts_with("PS ") && name.contains(":\\")
    };
    end.filter(named).map_or(0, |end| spaces + end + 2)
}

/// Length of a string that begins with a quote of `open` bytes and ends with `close`.
fn string_length(text: &str, close: char, open: usize) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(open) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == close => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn quoted_length(text: &str, quote: &Quote) -> usize {
    let bytes = text.as_bytes();
    let close = quote.close.as_bytes();
    let mut at = quote.open.len();
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote.escapes => at += 1,
            b'\n' if !quote.lines => return at,
            byte if byte == close[0] && bytes[at..].starts_with(close) => return at + close.len(),
            _ => {}
        }
        at += 1;
    }
    // Behind a backslash the text may end, or a character of several bytes stand.
    text.len()
}

fn comment_length(text: &str, open: &str, close: &str, nested: bool) -> usize {
    if !nested {
        let from = open.len();
        return text[from..].find(close).map_or(text.len(), |at| from + at + close.len());
    }
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(open.as_bytes()) {
            depth += 1;
            at += open.len();
        } else if bytes[at..].starts_with(close.as_bytes()) {
            depth -= 1;
            at += close.len();
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}
