//! One table of `book.toml`, read key by key.
//!
//! `config` and its parts say which keys there are and what they mean; a value of a wrong type is a finding here, with its
//! place, and counts as absent.

use crate::findings::Findings;
use crate::suggest;
use diagnostics::Code;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One table, read key by key; a wrong type is a finding and counts as absent.
pub(crate) struct Reader<'t, 'f, 'a> {
    pub(crate) table: &'t DeTable<'t>,
    pub(super) name: &'t str,
    pub(crate) findings: &'f mut Findings<'a>,
    pub(super) span: Range<usize>,
}

impl<'t, 'f, 'a> Reader<'t, 'f, 'a> {
    pub(crate) fn below(
        parent: &'t DeTable<'t>,
        key: &'t str,
        findings: &'f mut Findings<'a>,
    ) -> Option<Self> {
        let value = parent.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Self { table, name: key, findings, span: value.span() }),
            other => {
                wrong(findings, value.span(), key, "a table", other);
                None
            }
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Whether anything is said.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The tables inside the table `key`, each with its name.
    pub(crate) fn tables(
        &mut self,
        key: &'static str,
        what: &'static str,
        mut read: impl FnMut(String, &mut Reader<'t, '_, 'a>),
    ) {
        for (name, table, span) in tables_of(self.table, key, self.findings) {
            read(name, &mut Reader { table, name: what, findings: &mut *self.findings, span });
        }
    }

    /// A finding about the whole table.
    pub(crate) fn report(&mut self, code: Code, message: String, help: impl Into<String>) {
        self.findings.report(code, self.span.clone(), message, help);
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                wrong(self.findings, value.span(), key, "a string", other);
                None
            }
        }
    }

    /// A folder inside the book's.
    pub(super) fn folder(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let trimmed = text.trim_end_matches('/');
        Some(if trimmed.is_empty() { ".".to_owned() } else { trimmed.to_owned() })
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                wrong(self.findings, value.span(), key, "`true` or `false`", other);
                None
            }
        }
    }

    pub(crate) fn number<N: std::str::FromStr>(&mut self, key: &str, wanted: &str) -> Option<N> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            wrong(self.findings, value.span(), key, wanted, value.get_ref());
        }
        number
    }

    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let items = match value.get_ref() {
            DeValue::String(text) => return vec![text.to_string()],
            DeValue::Array(items) => items,
            other => {
                wrong(self.findings, value.span(), key, "a list of strings", other);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(text.to_string()),
                other => wrong(self.findings, item.span(), key, "a list of strings", other),
            }
        }
        texts
    }

    pub(crate) fn parsed<T>(
        &mut self,
        key: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let span = self.value(key).map(Spanned::span).unwrap_or_default();
        let refused = |why| {
            self.findings.report(Code::Config, span, format!("`{key}` cannot be `{text}`"), why);
        };
        parse(&text).map_err(refused).ok()
    }

    pub(super) fn needed(&mut self, key: &str) -> Option<String> {
        if self.value(key).is_none() {
            let message = format!("this {} has no `{key}`", self.name);
            self.findings.report(
                Code::Config,
                self.span.clone(),
                message,
                format!("add `{key} = \"...\"`"),
            );
            return None;
        }
        self.text(key)
    }

    pub(super) fn one_of(&mut self, key: &str, given: &str, allowed: &'static [&'static str]) {
        if !allowed.contains(&given) {
            let span = self.value(key).map_or(self.span.clone(), Spanned::span);
            self.findings.report(
                Code::Config,
                span,
                format!("`{key}` cannot be `{given}`"),
                suggest::help(given, "values", allowed.iter().copied()),
            );
        }
    }

    /// Reports keys that look like a slip of the hand; others may belong to a later version.
    pub(crate) fn known(&mut self, keys: &'static [&'static str]) {
        for (name, _) in self.table.iter() {
            let given: &str = name.get_ref();
            if keys.contains(&given) {
                continue;
            }
            if let Some(near) = suggest::nearest(given, keys.iter().copied()) {
                self.findings.report(
                    Code::Config,
                    name.span(),
                    format!("{} has no key `{given}`", self.name),
                    format!("did you mean `{near}`?"),
                );
            }
        }
    }
}

/// The tables inside the table `key`, in the order of the file.
pub(super) fn tables_of<'t>(
    parent: &'t DeTable<'t>,
    key: &'static str,
    findings: &mut Findings<'_>,
) -> Vec<(String, &'t DeTable<'t>, Range<usize>)> {
    let Some(reader) = Reader::below(parent, key, findings) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in reader.table.iter() {
        match value.get_ref() {
            DeValue::Table(table) => found.push((name.get_ref().to_string(), table, name.span())),
            other => wrong(reader.findings, value.span(), name.get_ref(), "a table", other),
        }
    }
    found.sort_by_key(|(_, _, span)| span.start);
    found
}

pub(super) fn wrong(
    findings: &mut Findings<'_>,
    span: Range<usize>,
    key: &str,
    wanted: &str,
    got: &DeValue<'_>,
) {
    findings.report(
        Code::Config,
        span,
        format!("`{key}` must be {wanted}, not {}", got.type_str()),
        format!("write `{key}` as {wanted}"),
    );
}
