//! Drawings made of characters: which fences are some, and how their columns stay aligned.
//!
//! `fences` asks for every fence without a programming language.

use crate::html::push_escaped;
use unicode_width::UnicodeWidthChar;

/// Whether the text draws boxes: box drawing characters, or ASCII boxes of `+`, `-` and `|`.
pub(crate) fn is_drawing(text: &str) -> bool {
    text.chars().any(is_box_character) || has_ascii_boxes(text)
}

fn is_box_character(c: char) -> bool {
    ('\u{2500}'..='\u{257f}').contains(&c)
}

/// Two horizontal sides `+---+` and, between them, a line with two uprights.
fn has_ascii_boxes(text: &str) -> bool {
    let mut sides = 0;
    let mut upright = false;
    for line in text.lines() {
        if has_side(line) {
            sides += 1;
            if sides >= 2 && upright {
                return true;
            }
        } else if sides > 0 && line.matches('|').count() >= 2 {
            upright = true;
        }
    }
    false
}

fn has_side(line: &str) -> bool {
    line.split('+')
        .skip(1)
        .any(|part| part.len() >= 2 && part.bytes().all(|b| matches!(b, b'-' | b'=')))
        && line.matches('+').count() >= 2
}

/// HTML for the inside of `<pre class="boxes">`: every character of the source, and those that a
/// fallback font could draw at another width inside a cell of one or two columns.
pub(crate) fn render(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut cluster = String::from(c);
        let mut joined = false;
        while let Some(&next) = chars.peek() {
            let extends = joined || is_extension(next);
            if c.is_control() || !extends {
                break;
            }
            joined = next == '\u{200d}';
            cluster.push(next);
            chars.next();
        }
        if is_steady(c) && cluster.len() == c.len_utf8() {
            push_escaped(&mut out, &cluster);
            continue;
        }
        let wide = c.width() == Some(2) || cluster.contains('\u{fe0f}');
        out.push_str(if wide { "<span class=\"cell wide\">" } else { "<span class=\"cell\">" });
        push_escaped(&mut out, &cluster);
        out.push_str("</span>");
    }
    out
}

/// Drawn by every monospaced font that is worth its name, in one column.
fn is_steady(c: char) -> bool {
    c < '\u{180}' || is_box_character(c)
}

/// Changes the character before it instead of taking a column.
fn is_extension(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}')
        || (c.width() == Some(0) && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_are_recognised() {
        for (text, expected) in [
            ("┌──┐\n│ a │\n└──┘\n", true),
            ("a\n├─ b\n", true),
            ("+---+\n| a |\n+---+\n", true),
            ("+---+---+\n| a | b |\n+===+===+\n", true),
            ("User Service ←→ PostgreSQL\n", false),
            ("a + b - c | d\n", false),
            ("- old\n+ new\n", false),
            ("+---+\n", false),
            ("| a | b |\n|---|---|\n", false),
            ("", false),
        ] {
            assert_eq!(is_drawing(text), expected, "{text}");
        }
    }

    #[test]
    fn every_character_keeps_its_column() {
        for (text, expected) in [
            ("│ a<b │", "│ a&lt;b │"),
            ("│ ▼ │", "│ <span class=\"cell\">▼</span> │"),
            ("│ 🔒 │", "│ <span class=\"cell wide\">🔒</span> │"),
            ("🏗️x", "<span class=\"cell wide\">🏗️</span>x"),
            ("é•\n", "é<span class=\"cell\">•</span>\n"),
        ] {
            assert_eq!(render(text), expected, "{text}");
        }
    }
}
