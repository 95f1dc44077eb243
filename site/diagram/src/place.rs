//! Errors with their place in the text. `engine` hands in what merman says.

use crate::DiagramError;
use merman::RenderError;
use std::time::Duration;

/// Longest message that is handed on, in characters.
const MAX_MESSAGE: usize = 300;

/// An error that belongs to the whole text.
pub(crate) fn at_start(message: impl Into<String>) -> DiagramError {
    DiagramError { message: message.into(), line: 1, column: 1, help: None }
}

/// Merman's error in our words.
pub(crate) fn from_merman(source: &str, error: &RenderError, deadline: Duration) -> DiagramError {
    match error {
        RenderError::Cancelled(_) => DiagramError {
            help: Some("split the diagram into several smaller ones".to_owned()),
            ..at_start(format!("the diagram was not drawn within {} ms", deadline.as_millis()))
        },
        RenderError::ResourceLimitExceeded(limit) => DiagramError {
            help: Some("split the diagram into several smaller ones".to_owned()),
            ..at_start(format!(
                "the diagram is too large: `{}` is {}, at most {} are allowed",
                limit.id, limit.actual, limit.maximum
            ))
        },
        RenderError::Parse(diagnostic) => {
            let details = diagnostic.terminal_diagnostic_details();
            let offset = details.span.map(|span| span.start).unwrap_or(0);
            let (line, column) = line_and_column(source, offset);
            let (line, column) = named_line(&diagnostic.to_string())
                .filter(|_| details.span.is_none())
                .map_or((line, column), |line| (line, 1));
            DiagramError {
                message: tidy(&diagnostic.to_string()),
                line,
                column,
                help: details.diagram_type.is_none().then(|| {
                    "the first line names the kind, for instance `flowchart TD`".to_owned()
                }),
            }
        }
        other => at_start(tidy(&other.to_string())),
    }
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn line_and_column(source: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    // A text that ends too early is wrong at its last line, not after it.
    let before = source[..end].trim_end_matches('\n');
    let before = if end < source.len() { &source[..end] } else { before };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (clamp(line), clamp(column))
}

fn clamp(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The line that a message names itself (`... on line 3`), where no span is given.
fn named_line(message: &str) -> Option<u32> {
    let after = message.to_ascii_lowercase();
    let after = after.split("line ").nth(1)?.to_owned();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|line| *line > 0)
}

/// Lower case at the beginning, one line, no final stop, a bounded length.
fn tidy(message: &str) -> String {
    let message = message
        .strip_prefix("Diagram parse error ")
        .map_or(message.to_owned(), |rest| format!("cannot be parsed {rest}"));
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(MAX_MESSAGE).collect();
    let short = short.trim_end_matches('.');
    let mut characters = short.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
