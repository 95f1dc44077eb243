//! The Prometheus text format and OpenMetrics, read.
//!
//! The scraper hands bodies in and appends what comes out. A line that cannot be read fails the whole
//! body, as in Prometheus: half a scrape would look like series that vanished.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Bytes of a metric's help and of its unit; the rest is cut off.
const MAX_HELP_BYTES: usize = 1024;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows, except over a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// Buckets that go up and down.
    GaugeHistogram,
    /// Quantiles, sum and count.
    Summary,
    /// Facts as labels.
    Info,
    /// One of several states.
    StateSet,
    /// Not said.
    #[default]
    Unknown,
}

/// What a metric says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetricMeta {
    /// What it counts.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// For people.
    pub help: String,
    /// The unit, `` if not said.
    pub unit: String,
}

impl MetricMeta {
    /// With help and unit cut to what is kept of them.
    pub(crate) fn new(kind: MetricKind, mut help: String, mut unit: String) -> Self {
        for text in [&mut help, &mut unit] {
            text.truncate(text.floor_char_boundary(MAX_HELP_BYTES));
        }
        Self { kind, help, unit }
    }
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// An example of what was counted, usually a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// `trace_id`, `span_id` and the like.
    pub labels: Vec<(String, String)>,
    /// The value that was observed.
    pub value: f64,
    /// When, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// A sample as it stands in the body.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedSample<'a> {
    /// Name and labels as written: the same text always means the same series.
    pub series: &'a str,
    /// The value.
    pub value: f64,
    /// When, milliseconds since 1970; `None` for "now".
    pub timestamp_ms: Option<i64>,
    /// An example.
    pub exemplar: Option<Exemplar>,
}

impl<'a> ScrapedSample<'a> {
    /// The labels of the series, the metric's name as `__name__`.
    pub fn labels(&self) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let mut labels = Vec::new();
        // The text was read once before, so there is nothing to report.
        let _ = Cursor { rest: self.series }.series(|name, value| labels.push((name, value)));
        labels
    }
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition<'a> {
    /// The samples, in order.
    pub samples: Vec<ScrapedSample<'a>>,
    /// What metrics say of themselves, by name.
    pub metadata: BTreeMap<String, MetricMeta>,
}

/// Reads a body; `open_metrics` says in which of the two formats it is.
pub fn parse_exposition(text: &str, open_metrics: bool) -> Result<Exposition<'_>, ParseError> {
    let mut exposition = Exposition::default();
    let mut ended = false;
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines = index + 1;
        let line = line.trim_matches([' ', '\t']);
        let error = |message| ParseError { line: index + 1, message };
        if line.is_empty() {
            continue;
        }
        if ended {
            return Err(error("text after `# EOF`".to_owned()));
        }
        match line.strip_prefix('#') {
            Some(comment) if open_metrics && comment == " EOF" => ended = true,
            Some(comment) => describe(comment, &mut exposition.metadata),
            None => exposition.samples.push(sample(line, open_metrics).map_err(error)?),
        }
    }
    if open_metrics && !ended {
        return Err(ParseError { line: lines.max(1), message: "no `# EOF` at the end".to_owned() });
    }
    Ok(exposition)
}

/// `# HELP name text`, `# TYPE name type` and `# UNIT name unit`; any other comment is for people.
fn describe(comment: &str, metadata: &mut BTreeMap<String, MetricMeta>) {
    let mut words = comment.trim_start().splitn(3, [' ', '\t']);
    let (Some(keyword), Some(name)) = (words.next(), words.next()) else { return };
    let text = words.next().unwrap_or("").trim();
    if !matches!(keyword, "HELP" | "TYPE" | "UNIT") || name.is_empty() {
        return;
    }
    let meta = metadata.entry(name.to_owned()).or_default();
    let said = std::mem::take(meta);
    *meta = match keyword {
        "HELP" => MetricMeta::new(said.kind, unescape(text).into_owned(), said.unit),
        "UNIT" => MetricMeta::new(said.kind, said.help, text.to_owned()),
        _ => MetricMeta { kind: kind(text), ..said },
    };
}

fn kind(word: &str) -> MetricKind {
    match word {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "gaugehistogram" => MetricKind::GaugeHistogram,
        "summary" => MetricKind::Summary,
        "info" => MetricKind::Info,
        "stateset" => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}

fn sample(line: &str, open_metrics: bool) -> Result<ScrapedSample<'_>, String> {
    let mut cursor = Cursor { rest: line };
    cursor.series(|_, _| {})?;
    let series = &line[..line.len() - cursor.rest.len()];
    let value = number(cursor.word().ok_or("expected a value after the series")?)?;
    let (rest, exemplar) = match cursor.rest.split_once('#') {
        Some((before, after)) => (before, Some(example(after.trim_start())?)),
        None => (cursor.rest, None),
    };
    let mut cursor = Cursor { rest };
    let timestamp_ms = cursor.word().map(|word| timestamp(word, open_metrics)).transpose()?;
    match cursor.word() {
        Some(word) => Err(format!("expected the end of the line, found `{}`", shorten(word))),
        None => Ok(ScrapedSample { series, value, timestamp_ms, exemplar }),
    }
}

fn example(text: &str) -> Result<Exemplar, String> {
    let mut cursor = Cursor { rest: text };
    let mut labels = Vec::new();
    if !text.starts_with('{') {
        return Err("expected `{` at the start of the exemplar".to_owned());
    }
    cursor.labels(false, |name, value| labels.push((name.into_owned(), value.into_owned())))?;
    let value = number(cursor.word().ok_or("expected a value in the exemplar")?)?;
    let timestamp_ms = cursor.word().map(|word| timestamp(word, true)).transpose()?;
    Ok(Exemplar { labels, value, timestamp_ms })
}

fn number(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| format!("expected a number, found `{}`", shorten(word)))
}

/// Milliseconds in the text format, seconds in OpenMetrics.
fn timestamp(word: &str, seconds: bool) -> Result<i64, String> {
    let time = if seconds {
        number(word).ok().map(|s| (s * 1000.0).round() as i64)
    } else {
        word.parse().ok()
    };
    time.ok_or_else(|| format!("expected a timestamp, found `{}`", shorten(word)))
}

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// `name{label="value"}`, `name` or `{"name",label="value"}`.
    fn series(&mut self, mut found: impl FnMut(Cow<'a, str>, Cow<'a, str>)) -> Result<(), String> {
        let name = self.name(true);
        if name.is_empty() && !self.rest.starts_with('{') {
            return Err(format!("expected a metric name, found `{}`", shorten(self.rest)));
        }
        let named = !name.is_empty();
        if named {
            found("__name__".into(), name.into());
        }
        self.skip_blanks();
        if self.rest.starts_with('{') {
            self.labels(!named, found)?;
        }
        Ok(())
    }

    /// `{label="value",...}`; with `needs_name` one item is the quoted name of the metric.
    fn labels(
        &mut self,
        needs_name: bool,
        mut found: impl FnMut(Cow<'a, str>, Cow<'a, str>),
    ) -> Result<(), String> {
        self.rest = &self.rest[1..];
        let mut name_missing = needs_name;
        loop {
            self.skip_blanks();
            if self.take('}') {
                return if name_missing {
                    Err("expected a metric name".to_owned())
                } else {
                    Ok(())
                };
            }
            let label =
                if self.rest.starts_with('"') { self.quoted()? } else { self.name(false).into() };
            if label.is_empty() {
                return Err(format!("expected a label name, found `{}`", shorten(self.rest)));
            }
            self.skip_blanks();
            if self.take('=') {
                self.skip_blanks();
                if !self.rest.starts_with('"') {
                    return Err(format!(
                        "expected a quoted value for the label `{}`",
                        shorten(&label)
                    ));
                }
                let value = self.quoted()?;
                found(label, value);
            } else if std::mem::take(&mut name_missing) {
                found("__name__".into(), label);
            } else {
                return Err(format!("expected `=` after the label `{}`", shorten(&label)));
            }
            self.skip_blanks();
            if !self.take(',') && !self.rest.starts_with('}') {
                return Err(format!(
                    "expected `,` or `}}` after a label, found `{}`",
                    shorten(self.rest)
                ));
            }
        }
    }

    fn name(&mut self, colons: bool) -> &'a str {
        let is_part = |(at, byte): (usize, u8)| {
            byte == b'_'
                || byte.is_ascii_alphabetic()
                || colons && byte == b':'
                || at > 0 && byte.is_ascii_digit()
        };
        let length = self.rest.bytes().enumerate().take_while(|part| is_part(*part)).count();
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        name
    }

    /// A text in quotes, of which the first is next.
    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        let inner = &self.rest[1..];
        let mut escaped = false;
        for (at, byte) in inner.bytes().enumerate() {
            match byte {
                b'"' if !escaped => {
                    self.rest = &inner[at + 1..];
                    return Ok(unescape(&inner[..at]));
                }
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        Err("a quote that is not closed".to_owned())
    }

    fn word(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let end = self.rest.find([' ', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => plain.push(c),
            (_, true) => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(quote @ ('"' | '\\')) => plain.push(quote),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
        }
    }
    Cow::Owned(plain)
}

/// Enough of a text to recognise it in a message.
fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, open_metrics: bool) -> String {
        match parse_exposition(text, open_metrics) {
            Err(error) => error.to_string(),
            Ok(exposition) => {
                let line = |sample: &ScrapedSample| {
                    let labels: Vec<_> =
                        sample.labels().iter().map(|(k, v)| format!("{k}={v}")).collect();
                    let time = sample.timestamp_ms.map(|t| format!("@{t}")).unwrap_or_default();
                    let example =
                        sample.exemplar.as_ref().map(|e| format!(" {e:?}")).unwrap_or_default();
                    format!("{} {}{time}{example}", labels.join(","), sample.value)
                };
                exposition.samples.iter().map(line).collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[test]
    fn bodies_are_read_or_the_line_is_named() {
        let check =
            |text: &str, expected: &str| assert_eq!(read(text, false), expected, "{text:?}");
        check("", "");
        check("up 1", "__name__=up 1");
        check("up 1\r\n\n  b\t2 \n", "__name__=up 1; __name__=b 2");
        check("# HELP up is it\n# TYPE up gauge\n#free\nup 1 1500", "__name__=up 1@1500");
        check(r#"a{b="c",d="e f",} 1.5e3 -7"#, "__name__=a,b=c,d=e f 1500@-7");
        check(r#"a { b = "c" , d="" } 1"#, "__name__=a,b=c,d= 1");
        check(r#"a{b="q\"q\\n\n#{}"} +Inf"#, "__name__=a,b=q\"q\\n\n#{} inf");
        check(r#"{"my.metric","b.c"="d"} NaN"#, "__name__=my.metric,b.c=d NaN");
        check(r#"a{} 1"#, "__name__=a 1");
        check("a:b_c9 1", "__name__=a:b_c9 1");
        check("9a 1", "line 1: expected a metric name, found `9a 1`");
        check("a\nb", "line 1: expected a value after the series");
        check("a 1\nb x", "line 2: expected a number, found `x`");
        check("a 1 1.5", "line 1: expected a timestamp, found `1.5`");
        check("a 1 2 3", "line 1: expected the end of the line, found `3`");
        check(r#"a{b="c} 1"#, "line 1: a quote that is not closed");
        check(r#"a{b=c} 1"#, "line 1: expected a quoted value for the label `b`");
        check(r#"a{b} 1"#, "line 1: expected `=` after the label `b`");
        check(
            r#"a{b="c" d="e"} 1"#,
            "line 1: expected `,` or `}` after a label, found `d=\"e\"} 1`",
        );
        check(r#"a{b="c""#, "line 1: expected `,` or `}` after a label, found ``");
        check(r#"{b="c"} 1"#, "line 1: expected a metric name");
        check(r#"a{"x"} 1"#, "line 1: expected `=` after the label `x`");
        check("ä 1", "line 1: expected a metric name, found `ä 1`");
        check("<!doctype html>", "line 1: expected a metric name, found `<!doctype html>`");
    }

    #[test]
    fn open_metrics_has_seconds_exemplars_and_an_end() {
        let check = |text: &str, expected: &str| assert_eq!(read(text, true), expected, "{text:?}");
        check("a_total 1 1.5\n# EOF\n", "__name__=a_total 1@1500");
        check("a 1", "line 1: no `# EOF` at the end");
        check("a 1\n# EOF\nb 2", "line 3: text after `# EOF`");
        check(
            "a_bucket{le=\"1\"} 4 # {trace_id=\"ab\"} 0.5 2\n# EOF",
            "__name__=a_bucket,le=1 4 Exemplar { labels: [(\"trace_id\", \"ab\")], value: 0.5, \
             timestamp_ms: Some(2000) }",
        );
        check("a 1 # x\n# EOF", "line 1: expected `{` at the start of the exemplar");
    }

    #[test]
    fn metrics_say_what_they_are() {
        let text =
            "# TYPE a histogram\n# HELP a how\\nlong\n# UNIT a seconds\n# TYPE b odd\n# TYPE";
        let metadata = parse_exposition(text, false).expect("comments only").metadata;
        let a = MetricMeta {
            kind: MetricKind::Histogram,
            help: "how\nlong".into(),
            unit: "seconds".into(),
        };
        assert_eq!(metadata.get("a"), Some(&a));
        assert_eq!(metadata.get("b"), Some(&MetricMeta::default()));
        assert_eq!(metadata.len(), 2);
    }
}
