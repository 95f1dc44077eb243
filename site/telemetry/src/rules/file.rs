//! Rule files: the YAML of Prometheus to typed groups, each mistake with its place.
//!
//! `loggia` hands in the texts, at `check`, `build` and `serve`; what comes out is run by
//! [`Rules`](super::Rules).

use super::durations::parse_duration;
use super::template::Template;
use promql::Query;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rules of one group at most.
const MAX_RULES: usize = 2_000;

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// What it is about.
    pub kind: RuleFaultKind,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// In words.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What a mistake in a rule file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFaultKind {
    /// Not YAML, or a field that is missing, unknown or of a wrong kind.
    Shape,
    /// An expression that is not PromQL.
    Query,
    /// A label or annotation whose template cannot be read.
    Template,
    /// The same rule twice. The others keep a file from being used, this one does not.
    Twice,
}

/// A group of rules, which are evaluated one after the other at the same time.
#[derive(Debug, Clone)]
pub struct RuleGroup {
    /// Its name, once in a file.
    pub name: String,
    /// The file that holds it.
    pub file: String,
    /// Milliseconds between evaluations, where it says so.
    pub interval_ms: Option<i64>,
    /// Series or alerts that a rule may give; 0 for any number.
    pub limit: usize,
    /// Milliseconds before its time at which a group looks, where it says so.
    pub query_offset_ms: Option<i64>,
    pub(crate) rules: Vec<Rule>,
}

/// A recording rule or an alert.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Name of the series or of the alert.
    pub(crate) name: String,
    pub(crate) query: Query,
    pub(crate) labels: BTreeMap<String, Template>,
    /// What only alerts have.
    pub(crate) alert: Option<AlertPart>,
}

#[derive(Debug, Clone)]
pub(crate) struct AlertPart {
    /// Milliseconds that it is pending.
    pub(crate) hold_ms: i64,
    /// Milliseconds that it stays firing without a cause.
    pub(crate) keep_firing_ms: i64,
    pub(crate) annotations: BTreeMap<String, Template>,
}

impl RuleGroup {
    /// How many rules it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Everything that makes it what it is: equal texts are equal groups.
    pub(crate) fn definition(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(Rule::definition).collect();
        format!(
            "{:?}",
            (&self.name, &self.file, self.interval_ms, self.limit, self.query_offset_ms, rules)
        )
    }
}

impl Rule {
    pub(crate) fn definition(&self) -> String {
        let texts = |templates: &BTreeMap<String, Template>| -> Vec<(String, String)> {
            templates.iter().map(|(name, value)| (name.clone(), value.text().to_owned())).collect()
        };
        let alert = self
            .alert
            .as_ref()
            .map(|alert| (alert.hold_ms, alert.keep_firing_ms, texts(&alert.annotations)));
        format!("{:?}", (&self.name, self.query.text(), texts(&self.labels), alert))
    }

    /// Name and labels: what says that a rule of a changed file is the one from before.
    pub(crate) fn identity(&self) -> (bool, &str, Vec<(&str, &str)>) {
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), value.text()));
        (self.alert.is_some(), &self.name, labels.collect())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    groups: Option<Vec<RawGroup>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: Spanned<String>,
    interval: Option<Spanned<String>>,
    query_offset: Option<Spanned<String>>,
    limit: Option<Spanned<i64>>,
    labels: Option<BTreeMap<String, Spanned<String>>>,
    rules: Option<Vec<Spanned<RawRule>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    record: Option<Spanned<String>>,
    alert: Option<Spanned<String>>,
    expr: Option<Spanned<String>>,
    #[serde(rename = "for")]
    hold: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    labels: Option<BTreeMap<String, Spanned<String>>>,
    annotations: Option<BTreeMap<String, Spanned<String>>>,
}

/// Reads a rule file. All mistakes are reported; the groups are of use only when no fault but
/// [`RuleFaultKind::Twice`] is among them.
pub fn parse_rules(file: &str, text: &str) -> (Vec<RuleGroup>, Vec<RuleFault>) {
    let mut reader = Reader { text, faults: Vec::new() };
    if text.trim().is_empty() {
        return (Vec::new(), Vec::new());
    }
    let raw: RawFile = match serde_saphyr::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            reader.yaml(&error);
            return (Vec::new(), reader.faults);
        }
    };
    let (mut groups, mut names) = (Vec::new(), BTreeSet::new());
    for group in raw.groups.unwrap_or_default() {
        if group.name.value.is_empty() {
            reader.shape(&group.name, "a group has no name", "add `name: ...`");
        } else if !names.insert(group.name.value.clone()) {
            let message = format!("the group `{}` is there twice", group.name.value);
            reader.shape(&group.name, message, "groups of one file have different names");
        }
        groups.push(reader.group(file, group));
    }
    (groups, reader.faults)
}

struct Reader<'a> {
    text: &'a str,
    faults: Vec<RuleFault>,
}

impl Reader<'_> {
    fn yaml(&mut self, error: &serde_saphyr::Error) {
        let error = error.without_snippet();
        let words = error.to_string();
        let first = words.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let message = first.rfind(" at line ").map_or(first, |at| &first[..at]).to_owned();
        let at = error.location().map_or(0, |location| self.offset(location));
        let help = "a rule file holds `groups`, each with `name` and `rules`; \
                    a rule has `record` or `alert`, and `expr`";
        self.report(RuleFaultKind::Shape, at..self.end_of_line(at), message, help);
    }

    fn report(
        &mut self,
        kind: RuleFaultKind,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.faults.push(RuleFault { kind, span, message: message.into(), help: help.into() });
    }

    fn shape<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, help: &str) {
        let span = self.span(at);
        self.report(RuleFaultKind::Shape, span, message, help);
    }

    /// The byte of a line and a column.
    fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line()).unwrap_or(1).max(1);
        let column = usize::try_from(location.column()).unwrap_or(1).max(1);
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
    }

    fn end_of_line(&self, at: usize) -> usize {
        at + self.text[at..].lines().next().unwrap_or_default().trim_end().len()
    }

    fn span<T>(&self, spanned: &Spanned<T>) -> Range<usize> {
        let at = self.offset(spanned.referenced);
        at..self.end_of_line(at)
    }

    /// The place of a part of a value, which may stand over several lines or in quotes: it is looked
    /// for by its words.
    fn place_in(&self, value: &Spanned<String>, offset: usize) -> Range<usize> {
        let whole = self.span(value);
        let text = &value.value;
        let Some(rest) = text.get(offset..) else { return whole };
        let words: String = rest.chars().take_while(|c| *c != '\n').take(40).collect();
        let words = words.trim_end();
        if words.is_empty() {
            return whole;
        }
        let before = text[..offset].matches(words).count();
        let found = self.text[whole.start..].match_indices(words).nth(before);
        found.map_or(whole.clone(), |(at, _)| whole.start + at..self.end_of_line(whole.start + at))
    }

    fn duration(&mut self, key: &str, value: Option<&Spanned<String>>) -> Option<i64> {
        let value = value?;
        match parse_duration(&value.value) {
            Ok(ms) => Some(ms),
            Err(_) => {
                let message = format!("`{key}` cannot be `{}`", value.value);
                self.shape(
                    value,
                    message,
                    "a duration is a whole number and ms, s, m, h, d, w or y, such as `5m`",
                );
                None
            }
        }
    }

    fn group(&mut self, file: &str, raw: RawGroup) -> RuleGroup {
        let interval_ms = self.duration("interval", raw.interval.as_ref()).filter(|ms| *ms > 0);
        let query_offset_ms = self.duration("query_offset", raw.query_offset.as_ref());
        let limit = raw.limit.map(|limit| {
            if limit.value < 0 {
                self.shape(&limit, "`limit` is below 0", "0 stands for no limit");
            }
            usize::try_from(limit.value).unwrap_or(0)
        });
        let shared = self.labels("label", raw.labels.unwrap_or_default());
        let mut rules: Vec<Rule> = Vec::new();
        let mut known = BTreeSet::new();
        for raw in raw.rules.unwrap_or_default() {
            let span = self.span(&raw);
            if rules.len() == MAX_RULES {
                let message = format!("the group has more than {MAX_RULES} rules");
                self.report(RuleFaultKind::Shape, span, message, "make several groups of it");
                break;
            }
            let Some(mut rule) = self.rule(raw) else { continue };
            for (name, value) in &shared {
                rule.labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
            if !known.insert(format!("{:?}", rule.identity())) {
                let message =
                    format!("`{}` with these labels is there twice in the group", rule.name);
                let help = "two rules that give the same series overwrite each other: give them different names or labels";
                self.report(RuleFaultKind::Twice, span, message, help);
            }
            rules.push(rule);
        }
        RuleGroup {
            name: raw.name.value,
            file: file.to_owned(),
            interval_ms,
            limit: limit.unwrap_or(0),
            query_offset_ms,
            rules,
        }
    }

    fn rule(&mut self, raw: Spanned<RawRule>) -> Option<Rule> {
        let at = self.span(&raw);
        let raw = raw.value;
        let missing = |reader: &mut Self, message: &str, help: &str| {
            reader.report(RuleFaultKind::Shape, at.clone(), message, help);
            None
        };
        let name = match (&raw.record, &raw.alert) {
            (Some(name), None) => {
                if !is_metric_name(&name.value) {
                    let message = format!("`{}` is no name of a metric", name.value);
                    self.shape(
                        name,
                        message,
                        "letters, digits, `_` and `:`, such as `job:requests:rate5m`",
                    );
                }
                name
            }
            (None, Some(name)) if name.value.is_empty() => {
                return missing(self, "an alert has no name", "write `alert: NAME`");
            }
            (None, Some(name)) => name,
            (Some(_), Some(_)) => {
                return missing(
                    self,
                    "a rule has both `record` and `alert`",
                    "make two rules of it",
                );
            }
            (None, None) => {
                return missing(
                    self,
                    "a rule has neither `record` nor `alert`",
                    "write `record: NAME` or `alert: NAME`",
                );
            }
        };
        let Some(expr) = raw.expr.as_ref().filter(|expr| !expr.value.trim().is_empty()) else {
            return missing(self, "a rule has no `expr`", "write `expr: QUERY`");
        };
        let query = match Query::parse(&expr.value) {
            Ok(query) => Some(query),
            Err(error) => {
                let span = self.place_in(expr, error.offset);
                self.report(
                    RuleFaultKind::Query,
                    span,
                    error.message,
                    format!("the query of `{}` must be PromQL", name.value),
                );
                None
            }
        };
        let labels = self.labels("label", raw.labels.unwrap_or_default());
        let alert = if raw.alert.is_some() {
            Some(AlertPart {
                hold_ms: self.duration("for", raw.hold.as_ref()).unwrap_or(0),
                keep_firing_ms: self
                    .duration("keep_firing_for", raw.keep_firing_for.as_ref())
                    .unwrap_or(0),
                annotations: self.labels("annotation", raw.annotations.unwrap_or_default()),
            })
        } else {
            let first = raw.annotations.as_ref().and_then(|all| all.values().next());
            for (field, given) in [
                ("annotations", first),
                ("for", raw.hold.as_ref()),
                ("keep_firing_for", raw.keep_firing_for.as_ref()),
            ] {
                if let Some(given) = given {
                    let message = format!("a recording rule cannot have `{field}`");
                    self.shape(given, message, "only alerts have it");
                }
            }
            None
        };
        Some(Rule { name: name.value.clone(), query: query?, labels, alert })
    }

    fn labels(
        &mut self,
        what: &str,
        raw: BTreeMap<String, Spanned<String>>,
    ) -> BTreeMap<String, Template> {
        let mut labels = BTreeMap::new();
        for (name, value) in raw {
            if !is_label_name(&name) || name == series::METRIC_NAME {
                let message = format!(
                    "`{name}` cannot be the name of a{} {what}",
                    if what == "annotation" { "n" } else { "" }
                );
                self.shape(&value, message, "letters, digits and `_`, and no digit first");
            }
            match Template::parse(&value.value) {
                Ok(template) => drop(labels.insert(name, template)),
                Err(error) => {
                    let span = self.place_in(&value, error.offset);
                    let help = "templates are those of Prometheus, such as `{{ $labels.service }}` and `{{ $value | humanize }}`";
                    self.report(
                        RuleFaultKind::Template,
                        span,
                        format!("the {what} `{name}`: {}", error.message),
                        help,
                    );
                }
            }
        }
        labels
    }
}

fn is_label_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn is_metric_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
