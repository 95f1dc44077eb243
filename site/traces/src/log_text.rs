//! Words to look for in log records, as people type them.
//!
//! A page or an API parses what was typed, the store of logs holds it against each record.

use crate::{Attribute, LogRecord, find};
use regex::{Regex, RegexBuilder};

/// Terms of one search; those beyond are left out.
const MAX_TERMS: usize = 16;

/// What a record has to have and what not. Empty, it fits every record.
///
/// `refused card` needs both words, in any order and case, in the message, the event's name or a value of an attribute;
/// `"card was refused"` needs them as they stand; `-timeout` needs that a word is not there; `http.route=/orders` needs an
/// attribute of the record, its scope or its sender to have that value, `note="two words"` one with spaces.
#[derive(Debug, Clone, Default)]
pub struct LogText(Vec<Term>);

#[derive(Debug, Clone)]
struct Term {
    wanted: bool,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Words(Regex),
    Attribute(String, String),
}

impl LogText {
    /// Reads what was typed. Everything can be read.
    pub fn parse(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() && terms.len() < MAX_TERMS {
            let (wanted, from) = match rest.strip_prefix('-') {
                Some(after) if !after.is_empty() && !after.starts_with(' ') => (false, after),
                _ => (true, rest),
            };
            let (found, after) = match quoted_value(from) {
                Some((what, after)) => (Some(what), after),
                None => {
                    let (word, quoted, after) = next(from);
                    (what(word, quoted), after)
                }
            };
            terms.extend(found.map(|what| Term { wanted, what }));
            rest = after.trim_start();
        }
        Self(terms)
    }

    pub(crate) fn fits(&self, record: &LogRecord) -> bool {
        self.0.iter().all(|term| term.what.is_in(record) == term.wanted)
    }
}

/// `key="two words"`, and what follows it.
fn quoted_value(text: &str) -> Option<(What, &str)> {
    let (key, rest) = text.split_once("=\"")?;
    let (value, after) = rest.split_once('"')?;
    let is_key = !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || c == '"');
    is_key.then(|| (What::Attribute(key.to_owned(), value.to_owned()), after))
}

/// The next word or the text between quotes, and what follows it.
fn next(text: &str) -> (&str, bool, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        let (inside, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (inside, true, after);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], false, &text[end..])
}

fn what(word: &str, quoted: bool) -> Option<What> {
    if word.is_empty() {
        return None;
    }
    if !quoted
        && let Some((key, value)) = word.split_once('=')
        && !key.is_empty()
    {
        return Some(What::Attribute(key.to_owned(), value.to_owned()));
    }
    // A word of many bytes may be too large for an expression; it is in no record then.
    let built = RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build();
    Some(built.map_or_else(|_| What::Attribute(String::new(), word.to_owned()), What::Words))
}

impl What {
    fn is_in(&self, record: &LogRecord) -> bool {
        match self {
            Self::Words(words) => {
                let in_value = |one: &Attribute| words.is_match(&one.value.text());
                words.is_match(&record.body)
                    || words.is_match(&record.event)
                    || record.attributes.iter().any(in_value)
            }
            Self::Attribute(key, value) => {
                let lists =
                    [&record.attributes, &record.scope.attributes, &record.resource.attributes];
                lists.iter().any(|list| find(list, key).is_some_and(|found| found.text() == *value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;
    use std::sync::Arc;

    #[test]
    fn words_are_found_as_typed() {
        let sender = vec![Attribute::new("service.name", "payments")];
        let record = LogRecord {
            time_ns: 1,
            observed_ns: 1,
            severity: 17,
            severity_text: "ERROR".into(),
            body: "The Card was refused: ZU WENIG Geld für Äpfel (a.b)".into(),
            event: "payment.failed".into(),
            attributes: [Attribute::new("http.route", "/pay"), Attribute::new("tries", 3_i64)]
                .into(),
            trace_id: None,
            span_id: None,
            scope: Arc::default(),
            resource: Arc::new(Resource::new(sender)),
        };
        for (typed, fits) in [
            ("", true),
            ("   ", true),
            ("card", true),
            ("refused card", true),
            ("\"card was refused\"", true),
            ("\"refused card\"", false),
            ("\"card was", true),
            ("äpfel", true),
            ("a.b", true),
            ("a.c", false),
            ("(a.b)", true),
            ("payment.failed", true),
            ("/pay", true),
            ("card -refused", false),
            ("card -granted", true),
            ("-\"was granted\"", true),
            ("-", false),
            ("http.route=/pay", true),
            ("http.route=/pa", false),
            ("-http.route=/pa", true),
            ("tries=3", true),
            ("http.route=\"/pay\" card", true),
            ("http.route=\"/pa\"", false),
            ("-http.route=\"/pay\"", false),
            ("http.route=\"/pay", false),
            ("service.name=payments", true),
            ("service.name=orders", false),
            ("=", false),
            ("missing", false),
        ] {
            assert_eq!(LogText::parse(typed).fits(&record), fits, "{typed}");
        }
        let many = "x ".repeat(1_000);
        assert_eq!(LogText::parse(&many).0.len(), MAX_TERMS);
    }
}
