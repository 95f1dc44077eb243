//! The text of a template to its pieces: text, and the words between `{{` and `}}`.
//!
//! `parse` reads the words.

/// Bytes of a template.
const MAX_BYTES: usize = 64 * 1024;

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, in words.
    pub message: String,
    /// Where, in bytes from its beginning.
    pub offset: usize,
}

pub(super) fn fault<T>(message: impl Into<String>, offset: usize) -> Result<T, TemplateError> {
    Err(TemplateError { message: message.into(), offset })
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `range`, `humanize`, `true`.
    Word(String),
    /// `$name`; `$` alone has no name.
    Variable(String),
    /// `.name`
    Field(String),
    /// `.`
    Dot,
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Declare,
    Assign,
    Comma,
    Open,
    Close,
}

/// A word with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
    /// Whether a blank stands before it: `$a.b` is one thing, `$a .b` are two.
    pub(super) apart: bool,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action { words: Vec<Placed>, at: usize },
}

/// Cuts a template into pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    if text.len() > MAX_BYTES {
        return fault(format!("the template is longer than {MAX_BYTES} bytes"), MAX_BYTES);
    }
    let (mut pieces, mut at, mut trim) = (Vec::new(), 0, false);
    while let Some(found) = text[at..].find("{{") {
        let open = at + found;
        let mut before = &text[at..open];
        let inner = open + 2;
        let trims = text[inner..].strip_prefix('-').is_some_and(|rest| rest.starts_with(blank));
        if trim {
            before = before.trim_start();
        }
        if trims {
            before = before.trim_end();
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let start = if trims { inner + 1 } else { inner };
        let (end, next, trims_after) = match comment(text, start)? {
            Some(end) => (None, end.0, end.1),
            None => {
                let (words, next, trims) = words(text, start, open)?;
                (Some(words), next, trims)
            }
        };
        if let Some(words) = end {
            pieces.push(Piece::Action { words, at: open });
        }
        (at, trim) = (next, trims_after);
    }
    let rest = if trim { text[at..].trim_start() } else { &text[at..] };
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The end of a comment, and whether blanks after it go, when there is one.
fn comment(text: &str, start: usize) -> Result<Option<(usize, bool)>, TemplateError> {
    let from = start + (text[start..].len() - text[start..].trim_start_matches(blank).len());
    if !text[from..].starts_with("/*") {
        return Ok(None);
    }
    let Some(end) = text[from..].find("*/") else { return fault("unclosed comment", from) };
    let after = from + end + 2;
    for (close, trims) in [("}}", false), (" -}}", true)] {
        if text[after..].starts_with(close) {
            return Ok(Some((after + close.len(), trims)));
        }
    }
    fault("a comment ends before `}}`", after)
}

/// The words up to `}}`, the place behind it, and whether blanks after it go.
fn words(
    text: &str,
    start: usize,
    open: usize,
) -> Result<(Vec<Placed>, usize, bool), TemplateError> {
    let (mut words, mut at, mut apart) = (Vec::new(), start, false);
    loop {
        let rest = &text[at..];
        if rest.starts_with("}}") {
            return Ok((words, at + 2, false));
        }
        if apart && rest.starts_with("-}}") {
            return Ok((words, at + 3, true));
        }
        let Some(c) = rest.chars().next() else {
            return fault("unclosed action: `}}` is missing", open);
        };
        if blank(c) {
            (at, apart) = (at + 1, true);
            continue;
        }
        let (token, length) = word(rest, at)?;
        words.push(Placed { token, at, apart });
        (at, apart) = (at + length, false);
    }
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let name = |text: &str| -> usize {
        text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
    };
    let c = rest.chars().next().unwrap_or(' ');
    let sign = |token, length| Ok((token, length));
    match c {
        '|' => sign(Token::Pipe, 1),
        ',' => sign(Token::Comma, 1),
        '(' => sign(Token::Open, 1),
        ')' => sign(Token::Close, 1),
        '=' => sign(Token::Assign, 1),
        ':' if rest.starts_with(":=") => sign(Token::Declare, 2),
        '"' => quoted(rest, at),
        '`' => match rest[1..].find('`') {
            Some(end) => Ok((Token::Text(rest[1..=end].to_owned()), end + 2)),
            None => fault("unterminated raw quoted string", at),
        },
        '$' => {
            let length = name(&rest[1..]);
            Ok((Token::Variable(rest[1..=length].to_owned()), length + 1))
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => match name(&rest[1..]) {
            0 => sign(Token::Dot, 1),
            length => Ok((Token::Field(rest[1..=length].to_owned()), length + 1)),
        },
        c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => number(rest, at),
        c if c.is_alphabetic() || c == '_' => {
            let length = name(rest);
            Ok((Token::Word(rest[..length].to_owned()), length))
        }
        c => fault(format!("unexpected `{c}` in an action"), at),
    }
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let bytes = rest.as_bytes();
    let mut length = usize::from(matches!(bytes[0], b'+' | b'-'));
    while let Some(byte) = bytes.get(length) {
        let after_exponent = matches!(bytes[length - usize::from(length > 0)], b'e' | b'E');
        let part = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_')
            || (matches!(byte, b'+' | b'-') && after_exponent && length > 1);
        if !part {
            break;
        }
        length += 1;
    }
    let text = rest[..length].replace('_', "");
    let digits = text.trim_start_matches('+');
    if let Ok(number) = digits.parse::<i64>() {
        return Ok((Token::Int(number), length));
    }
    if let Some(number) =
        digits.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok())
    {
        return Ok((Token::Int(number), length));
    }
    match digits.parse::<f64>() {
        Ok(number) if digits.contains(|c: char| c.is_ascii_digit()) => {
            Ok((Token::Float(number), length))
        }
        _ => fault(format!("bad number `{}`", &rest[..length]), at),
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(out), place + 1)),
            '\n' => break,
            '\\' => {
                let Some((_, escape)) = chars.next() else { break };
                let digits = match escape {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    let Some(c) = code else {
                        return fault(format!("bad escape `\\{escape}{hex}`"), at + place);
                    };
                    out.push(c);
                    continue;
                }
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '"' | '\\' | '\'' => escape,
                    other => return fault(format!("unknown escape `\\{other}`"), at + place),
                });
            }
            c => out.push(c),
        }
    }
    fault("unterminated quoted string", at)
}
