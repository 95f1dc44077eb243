//! Lays out JSON with two spaces, every key, number and text kept as written and in its order.
//!
//! `edits` hands in the text of a fence. As in the author's own layout, an object or a list stands on
//! one line when it was begun there and fits.

/// Longest line that holds a whole object or list.
const LINE_MAX: usize = 100;
/// Deeper JSON is left as it is.
const DEPTH_MAX: usize = 64;

/// The text with its line feed at the end, or `None` when it is no JSON.
pub(super) fn lay_out(source: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(source).ok()?;
    let tokens = tokens(source);
    let mut out = String::with_capacity(source.len());
    let end = write(&tokens, 0, 0, 0, &mut out)?;
    out.push('\n');
    // The layout is proven, not trusted.
    let same = serde_json::from_str::<serde_json::Value>(&out).is_ok_and(|again| again == value);
    (end == tokens.len() && same).then_some(out)
}

struct Token<'a> {
    text: &'a str,
    /// A line feed stands before it.
    new_line: bool,
    /// For a bracket that opens: the place of the one that closes.
    close: usize,
}

fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut list: Vec<Token<'_>> = Vec::new();
    let mut open = Vec::new();
    let (mut at, mut new_line) = (0, false);
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            byte if byte.is_ascii_whitespace() => {
                new_line |= byte == b'\n';
                continue;
            }
            b'"' => {
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' | b'[' => open.push(list.len()),
            b'}' | b']' => {
                let here = list.len();
                if let Some(token) = open.pop().and_then(|opened| list.get_mut(opened)) {
                    token.close = here;
                }
            }
            b',' | b':' => {}
            _ => {
                while at < bytes.len() && !b",:]} \t\r\n".contains(&bytes[at]) {
                    at += 1;
                }
            }
        }
        list.push(Token { text: &source[start..at.min(source.len())], new_line, close: 0 });
        new_line = false;
    }
    list
}

/// Writes the value at token `at`, behind `column` characters; returns the token behind it.
fn write(
    tokens: &[Token<'_>],
    at: usize,
    indent: usize,
    column: usize,
    out: &mut String,
) -> Option<usize> {
    let token = tokens.get(at)?;
    if indent > DEPTH_MAX {
        return None;
    }
    if !matches!(token.text, "{" | "[") {
        out.push_str(token.text);
        return Some(at + 1);
    }
    let inside = &tokens[at + 1..token.close];
    let begun_here = inside.first().is_none_or(|first| !first.new_line);
    if let Some(line) =
        begun_here.then(|| on_one_line(&tokens[at..=token.close], LINE_MAX)).flatten()
        && column + line.chars().count() <= LINE_MAX
    {
        out.push_str(&line);
        return Some(token.close + 1);
    }
    out.push_str(token.text);
    let mut next = at + 1;
    while next < token.close {
        let margin = (indent + 1) * 2;
        out.push('\n');
        out.push_str(&" ".repeat(margin));
        let mut used = margin;
        if token.text == "{" {
            let key = tokens[next].text;
            out.push_str(key);
            out.push_str(": ");
            used += key.chars().count() + 2;
            next += 2;
        }
        next = write(tokens, next, indent + 1, used, out)?;
        if next < token.close {
            out.push(',');
            next += 1;
        }
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent * 2));
    out.push_str(tokens[token.close].text);
    Some(token.close + 1)
}

fn on_one_line(tokens: &[Token<'_>], most: usize) -> Option<String> {
    let mut out = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text);
        let padded = match (before, token.text) {
            ("{", "}") => false,
            ("{", _) | (_, "}") | (",", _) | (":", _) => true,
            _ => false,
        };
        if padded {
            out.push(' ');
        }
        out.push_str(token.text);
        if out.len() > most * 4 {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_numbers_and_texts_stay_as_written() {
        for (source, expected) in [
            ("{}", Some("{}\n")),
            ("{\"b\":1.50,\"a\":[1,2]}", Some("{ \"b\": 1.50, \"a\": [1, 2] }\n")),
            (
                "[\n{\"a\":\"x \\\" {\"},{\n\"b\":null}]",
                Some("[\n  { \"a\": \"x \\\" {\" },\n  {\n    \"b\": null\n  }\n]\n"),
            ),
            ("{\n\"a\": {}}\n", Some("{\n  \"a\": {}\n}\n")),
            ("{\"a\": 1,}", None),
            ("", None),
        ] {
            assert_eq!(lay_out(source).as_deref(), expected, "{source}");
            if let Some(expected) = expected {
                assert_eq!(lay_out(expected).as_deref(), Some(expected), "again");
            }
        }
    }
}
