//! One condition on one label, as written in a PromQL selector.
//!
//! `promql` and the HTTP API's `match[]` make them, the index and the storage apply them.

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// Bytes that one compiled pattern may take: a pattern comes from a query, and queries come from anybody.
const PATTERN_BYTES: usize = 1 << 20;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, the whole value
    Regex,
    /// `!~`, the whole value
    NotRegex,
}

/// A pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` of label `{name}` is not a regular expression: {reason}")]
pub struct MatcherError {
    /// The label's name.
    pub name: String,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A condition on one label. A missing label has the empty value.
#[derive(Clone)]
pub struct Matcher {
    name: Arc<str>,
    value: Arc<str>,
    op: MatchOp,
    pattern: Pattern,
}

/// What a pattern comes down to; most are lists of words and need no automaton.
#[derive(Clone)]
enum Pattern {
    None,
    Anything,
    NotEmpty,
    Words(Arc<[String]>),
    Regex(Arc<Regex>),
}

impl Matcher {
    /// `name="value"`
    pub fn equal(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Matcher {
            name: name.into(),
            value: value.into(),
            op: MatchOp::Equal,
            pattern: Pattern::None,
        }
    }

    /// `name!="value"`
    pub fn not_equal(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Matcher {
            name: name.into(),
            value: value.into(),
            op: MatchOp::NotEqual,
            pattern: Pattern::None,
        }
    }

    /// `name=~"pattern"`, anchored at both ends.
    pub fn regex(
        name: impl Into<Arc<str>>,
        pattern: impl Into<Arc<str>>,
    ) -> Result<Self, MatcherError> {
        Self::new(MatchOp::Regex, name, pattern)
    }

    /// `name!~"pattern"`, anchored at both ends.
    pub fn not_regex(
        name: impl Into<Arc<str>>,
        pattern: impl Into<Arc<str>>,
    ) -> Result<Self, MatcherError> {
        Self::new(MatchOp::NotRegex, name, pattern)
    }

    /// A matcher of any kind; fails only on a pattern that does not compile.
    pub fn new(
        op: MatchOp,
        name: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => Pattern::None,
            MatchOp::Regex | MatchOp::NotRegex => {
                Pattern::parse(&value).map_err(|error| MatcherError {
                    name: name.to_string(),
                    pattern: value.to_string(),
                    reason: error.to_string(),
                })?
            }
        };
        Ok(Matcher { name, value, op, pattern })
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value or pattern as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// Whether `value` passes.
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            MatchOp::Equal => &*self.value == value,
            MatchOp::NotEqual => &*self.value != value,
            MatchOp::Regex => self.pattern.matches(value),
            MatchOp::NotRegex => !self.pattern.matches(value),
        }
    }

    /// Whether a series without this label passes.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values that can pass, when they can be listed: `=` and `=~"a|b"`.
    pub fn listed_values(&self) -> Option<Vec<&str>> {
        match (self.op, &self.pattern) {
            (MatchOp::Equal, _) => Some(vec![&self.value]),
            (MatchOp::Regex, Pattern::Words(words)) => {
                Some(words.iter().map(String::as_str).collect())
            }
            _ => None,
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, regex::Error> {
        match text {
            ".*" => return Ok(Pattern::Anything),
            ".+" => return Ok(Pattern::NotEmpty),
            _ => {}
        }
        if text
            .bytes()
            .all(|b| b == b'|' || b == b'-' || b == b'_' || b == b' ' || b.is_ascii_alphanumeric())
        {
            return Ok(Pattern::Words(text.split('|').map(str::to_owned).collect()));
        }
        compile(text)
            .or_else(|error| compile(&escape_lone_braces(text)).map_err(|_| error))
            .map(Pattern::Regex)
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Pattern::None => false,
            Pattern::Anything => true,
            Pattern::NotEmpty => !value.is_empty(),
            Pattern::Words(words) => words.iter().any(|word| word == value),
            Pattern::Regex(regex) => regex.is_match(value),
        }
    }
}

fn compile(text: &str) -> Result<Arc<Regex>, regex::Error> {
    RegexBuilder::new(&format!("^(?s:{text})$")).size_limit(PATTERN_BYTES).build().map(Arc::new)
}

/// Go's RE2 reads `a{b}` as text where Rust's regex demands a repetition: escape a brace that opens none.
fn escape_lone_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == '{' && !escaped && !opens_repetition(&text[at + 1..]) {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

fn opens_repetition(rest: &str) -> bool {
    rest.split_once('}').is_some_and(|(inner, _)| {
        inner.starts_with(|c: char| c.is_ascii_digit())
            && inner.chars().all(|c| c.is_ascii_digit() || c == ',')
            && inner.matches(',').count() <= 1
    })
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.name == other.name && self.value == other.value
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        write!(f, "{}{op}{:?}", self.name, self.value)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
