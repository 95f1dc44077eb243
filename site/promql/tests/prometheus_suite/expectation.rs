//! What a script expects of one query, and whether an answer is that.

use promql::{Answer, EvalError, MatrixSeries, Value, VectorSample};
use regex::Regex;
use series::{Labels, Sample};

use crate::series_line::{self, Item};

/// Relative difference up to which two values are equal.
const EPSILON: f64 = 1e-6;

/// A text that must be there, or a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Any,
    Exact(String),
    Pattern(String),
}

/// Everything that is expected of one query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expectation {
    pub(crate) fail: Option<Option<Wanted>>,
    pub(crate) warn: Vec<Wanted>,
    pub(crate) info: Vec<Wanted>,
    pub(crate) no_warn: bool,
    pub(crate) no_info: bool,
    pub(crate) ordered: bool,
    pub(crate) text: Option<String>,
    pub(crate) scalar: Option<f64>,
    /// Start and step of an expected range vector, milliseconds.
    pub(crate) windows: Option<(i64, i64)>,
    pub(crate) series: Vec<(Labels, Vec<Item>)>,
    pub(crate) native: bool,
}

impl Expectation {
    /// Reads one line under an `eval`.
    pub(crate) fn add_line(&mut self, line: &str) -> Option<()> {
        let line = line.trim();
        self.native |= line.contains("{{");
        match line.strip_prefix("expect ") {
            Some(rest) => self.add_expect(rest.trim()),
            None => match series_line::number(line) {
                Some(v) => {
                    self.scalar = Some(v);
                    Some(())
                }
                None => {
                    self.series.push(series_line::parse(line)?);
                    Some(())
                }
            },
        }
    }

    fn add_expect(&mut self, rest: &str) -> Option<()> {
        let (kind, detail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let detail = detail.trim();
        match kind {
            "fail" => self.fail = Some((!detail.is_empty()).then(|| wanted(detail))),
            "warn" => self.warn.push(wanted(detail)),
            "info" => self.info.push(wanted(detail)),
            "no_warn" => self.no_warn = true,
            "no_info" => self.no_info = true,
            "ordered" => self.ordered = true,
            "string" => self.text = Some(series_line::unquote(detail)?.0),
            "range" => {
                let words: Vec<&str> = detail.split_whitespace().collect();
                let at = |i: usize| series_line::duration_ms(words.get(i)?);
                self.windows = Some((at(2)?, at(6)?));
            }
            _ => return None,
        }
        Some(())
    }

    /// Checks an answer; the error says what is wrong. `start` and `step` are those of a range query.
    pub(crate) fn check(
        &self,
        answer: &Result<Answer, EvalError>,
        start: i64,
        step: i64,
    ) -> Result<(), String> {
        let answer = match (answer, &self.fail) {
            (Err(error), Some(wanted)) => return check_error(error, wanted.as_ref()),
            (Err(error), None) => return Err(format!("unexpected error: {error}")),
            (Ok(answer), Some(_)) => {
                return Err(format!("expected an error, got {:?}", answer.value));
            }
            (Ok(answer), None) => answer,
        };
        self.check_notes(answer)?;
        match &answer.value {
            Value::String { text, .. } => same(self.text.as_ref() == Some(text), &self.text, text),
            Value::Scalar { v, .. } => {
                same(self.scalar.is_some_and(|s| close(s, *v)), &self.scalar, v)
            }
            Value::Vector(vector) => self.check_vector(vector),
            Value::Matrix(matrix) => {
                let (start, step) = self.windows.unwrap_or((start, step));
                self.check_matrix(matrix, start, step)
            }
        }
    }

    fn check_notes(&self, answer: &Answer) -> Result<(), String> {
        for (wanted, found, none) in [
            (&self.warn, &answer.warnings, self.no_warn),
            (&self.info, &answer.infos, self.no_info),
        ] {
            if none && !found.is_empty() {
                return Err(format!("expected no annotation, got {found:?}"));
            }
            if let Some(missing) =
                wanted.iter().find(|wanted| !found.iter().any(|text| wanted.fits(text)))
            {
                return Err(format!("expected annotation {missing:?}, got {found:?}"));
            }
        }
        Ok(())
    }

    fn check_vector(&self, vector: &[VectorSample]) -> Result<(), String> {
        let complaint = || format!("expected {:?}\ngot      {vector:?}", self.series);
        if vector.len() != self.series.len() {
            return Err(complaint());
        }
        for (i, (labels, items)) in self.series.iter().enumerate() {
            let found = if self.ordered {
                vector.get(i)
            } else {
                vector.iter().find(|s| s.labels == *labels)
            };
            let fits = found.is_some_and(|s| {
                s.labels == *labels
                    && matches!(items.as_slice(), [Item::Value(v)] if close(*v, s.v))
            });
            if !fits {
                return Err(complaint());
            }
        }
        Ok(())
    }

    fn check_matrix(&self, matrix: &[MatrixSeries], start: i64, step: i64) -> Result<(), String> {
        let complaint = || format!("expected {:?}\ngot      {matrix:?}", self.series);
        let wanted: Vec<(&Labels, Vec<Sample>)> =
            self.series.iter().map(|(labels, items)| (labels, timed(items, start, step))).collect();
        let wanted: Vec<_> =
            wanted.into_iter().filter(|(_, samples)| !samples.is_empty()).collect();
        if matrix.len() != wanted.len() {
            return Err(complaint());
        }
        for (labels, samples) in wanted {
            let found =
                matrix.iter().find(|series| series.labels == *labels).ok_or_else(complaint)?;
            let fits = found.samples.len() == samples.len()
                && found.samples.iter().zip(&samples).all(|(a, b)| a.t == b.t && close(a.v, b.v));
            if !fits {
                return Err(complaint());
            }
        }
        Ok(())
    }
}

impl Wanted {
    fn fits(&self, text: &str) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::Exact(wanted) => text == wanted,
            Wanted::Pattern(pattern) => Regex::new(pattern).unwrap().is_match(text),
        }
    }
}

fn wanted(detail: &str) -> Wanted {
    if let Some(text) = detail.strip_prefix("msg:") {
        Wanted::Exact(text.trim().to_owned())
    } else if let Some(pattern) = detail.strip_prefix("regex:") {
        Wanted::Pattern(pattern.trim().to_owned())
    } else {
        Wanted::Any
    }
}

fn check_error(error: &EvalError, wanted: Option<&Wanted>) -> Result<(), String> {
    let text = error.to_string();
    match wanted {
        Some(wanted) if !wanted.fits(&text) => {
            Err(format!("expected error {wanted:?}, got {text}"))
        }
        _ => Ok(()),
    }
}

fn same(
    equal: bool,
    wanted: &impl std::fmt::Debug,
    found: &impl std::fmt::Debug,
) -> Result<(), String> {
    if equal { Ok(()) } else { Err(format!("expected {wanted:?}, got {found:?}")) }
}

fn timed(items: &[Item], start: i64, step: i64) -> Vec<Sample> {
    let at = |(i, item): (usize, &Item)| match item {
        Item::Value(v) => Some(Sample { t: start + step * i as i64, v: *v }),
        Item::Gap | Item::Native => None,
    };
    items.iter().enumerate().filter_map(at).collect()
}

/// Whether two values are equal up to rounding.
pub(crate) fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() / (a.abs() + b.abs()) < EPSILON
}
